/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes by Unicode 16.0 and normal form C by Unicode 9.0, which published
 * tokenizers go by.  utf8proc may know another version: what 16.0 added to 15.0
 * is listed here, and so is what later versions than 9.0 reorder or compose.
 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

#define UP	UTF8_UPPER
#define LO	UTF8_LOWER
#define LE	UTF8_LETTER
#define MA	UTF8_MARK
#define NU	UTF8_NUMBER
#define SP	UTF8_SPACE

struct range {
	uint32_t from, to;		/* both within */
	unsigned class;
};

/* added16 - letters, marks and numbers of 16.0 that 15.0 had not */
static const struct range added16[] = {
	{ 0x897, 0x897, MA }, { 0x1c89, 0x1c89, UP }, { 0x1c8a, 0x1c8a, LO },
	{ 0xa7cb, 0xa7cc, UP }, { 0xa7cd, 0xa7cd, LO }, { 0xa7da, 0xa7da, UP },
	{ 0xa7db, 0xa7db, LO }, { 0xa7dc, 0xa7dc, UP },
	{ 0x105c0, 0x105f3, LE }, { 0x10d40, 0x10d49, NU },
	{ 0x10d4a, 0x10d4f, LE }, { 0x10d50, 0x10d65, UP },
	{ 0x10d69, 0x10d6d, MA }, { 0x10d6f, 0x10d6f, LE },
	{ 0x10d70, 0x10d85, LO }, { 0x10ec2, 0x10ec4, LE },
	{ 0x10efc, 0x10efc, MA }, { 0x11380, 0x11389, LE },
	{ 0x1138b, 0x1138b, LE }, { 0x1138e, 0x1138e, LE },
	{ 0x11390, 0x113b5, LE }, { 0x113b7, 0x113b7, LE },
	{ 0x113b8, 0x113c0, MA }, { 0x113c2, 0x113c2, MA },
	{ 0x113c5, 0x113c5, MA }, { 0x113c7, 0x113ca, MA },
	{ 0x113cc, 0x113d0, MA }, { 0x113d1, 0x113d1, LE },
	{ 0x113d2, 0x113d2, MA }, { 0x113d3, 0x113d3, LE },
	{ 0x113e1, 0x113e2, MA }, { 0x116d0, 0x116e3, NU },
	{ 0x11bc0, 0x11be0, LE }, { 0x11bf0, 0x11bf9, NU },
	{ 0x11f5a, 0x11f5a, MA }, { 0x13460, 0x143fa, LE },
	{ 0x16100, 0x1611d, LE }, { 0x1611e, 0x1612f, MA },
	{ 0x16130, 0x16139, NU }, { 0x16d40, 0x16d6c, LE },
	{ 0x16d70, 0x16d79, NU }, { 0x18cff, 0x18cff, LE },
	{ 0x1ccf0, 0x1ccf9, NU }, { 0x1e5d0, 0x1e5ed, LE },
	{ 0x1e5ee, 0x1e5ef, MA }, { 0x1e5f0, 0x1e5f0, LE },
	{ 0x1e5f1, 0x1e5fa, NU }, { 0x2ebf0, 0x2ee5d, LE },
};

/* inert9 - plain characters to 9.0 that newer versions reorder or compose */
static const struct range inert9[] = {
	{ 0x7fd, 0x7fd, 0 }, { 0x897, 0x89f, 0 }, { 0x8ca, 0x8d3, 0 },
	{ 0x9fe, 0x9fe, 0 }, { 0xc3c, 0xc3c, 0 }, { 0xd3b, 0xd3c, 0 },
	{ 0xeba, 0xeba, 0 }, { 0x1715, 0x1715, 0 }, { 0x1abf, 0x1ace, 0 },
	{ 0x1df6, 0x1dfa, 0 }, { 0xa82c, 0xa82c, 0 }, { 0x10d24, 0x10d27, 0 },
	{ 0x10d69, 0x10d6d, 0 }, { 0x10eab, 0x10eac, 0 },
	{ 0x10efc, 0x10eff, 0 }, { 0x10f46, 0x10f50, 0 },
	{ 0x10f82, 0x10f85, 0 }, { 0x11070, 0x11070, 0 },
	{ 0x1133b, 0x1133b, 0 }, { 0x11382, 0x113d2, 0 },
	{ 0x1145e, 0x1145e, 0 }, { 0x11839, 0x1183a, 0 },
	{ 0x11930, 0x11930, 0 }, { 0x1193d, 0x1193e, 0 },
	{ 0x11943, 0x11943, 0 }, { 0x119e0, 0x119e0, 0 },
	{ 0x11a34, 0x11a34, 0 }, { 0x11a47, 0x11a47, 0 },
	{ 0x11a99, 0x11a99, 0 }, { 0x11d42, 0x11d42, 0 },
	{ 0x11d44, 0x11d45, 0 }, { 0x11d97, 0x11d97, 0 },
	{ 0x11f41, 0x11f42, 0 }, { 0x1611e, 0x1612f, 0 },
	{ 0x16d63, 0x16d6a, 0 }, { 0x16ff0, 0x16ff1, 0 },
	{ 0x1e08f, 0x1e08f, 0 }, { 0x1e130, 0x1e136, 0 },
	{ 0x1e2ae, 0x1e2ae, 0 }, { 0x1e2ec, 0x1e2ef, 0 },
	{ 0x1e4ec, 0x1e4ef, 0 }, { 0x1e5ee, 0x1e5ef, 0 },
};

/* class_ascii - 0 to 127 */
static const unsigned char class_ascii[128] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, SP, SP, SP, SP, SP, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	SP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	NU, NU, NU, NU, NU, NU, NU, NU, NU, NU, 0, 0, 0, 0, 0, 0,
	0, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP,
	UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, 0, 0, 0, 0, 0,
	0, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO,
	LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, 0, 0, 0, 0, 0,
};

/* range_find - the range of an ordered table that holds c */
static const struct range *
range_find(const struct range *r, size_t n, uint32_t c)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (c > r[mid].to)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && r[lo].from <= c ? &r[lo] : NULL;
}

unsigned
utf8_class(uint32_t c)
{
	static const unsigned char of[] = {
		[UTF8PROC_CATEGORY_LU] = UP, [UTF8PROC_CATEGORY_LL] = LO,
		[UTF8PROC_CATEGORY_LT] = UP, [UTF8PROC_CATEGORY_LM] = LE,
		[UTF8PROC_CATEGORY_LO] = LE, [UTF8PROC_CATEGORY_MN] = MA,
		[UTF8PROC_CATEGORY_MC] = MA, [UTF8PROC_CATEGORY_ME] = MA,
		[UTF8PROC_CATEGORY_ND] = NU, [UTF8PROC_CATEGORY_NL] = NU,
		[UTF8PROC_CATEGORY_NO] = NU, [UTF8PROC_CATEGORY_ZS] = SP,
		[UTF8PROC_CATEGORY_ZL] = SP, [UTF8PROC_CATEGORY_ZP] = SP,
		[UTF8PROC_CATEGORY_CO] = 0
	};
	const struct range *r;
	utf8proc_category_t k;

	if (c < 128)
		return class_ascii[c];
	/* what much text is made of, without a table */
	if ((c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3041 && c <= 0x3096) ||
	    (c >= 0x30a1 && c <= 0x30fa) || (c >= 0xac00 && c <= 0xd7a3))
		return LE;
	if ((c >= 0x3001 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) ||
	    (c >= 0xff01 && c <= 0xff0f) || (c >= 0xff1a && c <= 0xff20) ||
	    (c >= 0x2010 && c <= 0x2027))
		return 0;
	if (c >= 0x410 && c <= 0x44f)
		return c < 0x430 ? UP : LO;
	k = utf8proc_category((utf8proc_int32_t)c);
	if (k == UTF8PROC_CATEGORY_CN) {
		r = range_find(added16, BASE_COUNT(added16), c);
		return r == NULL ? 0 : r->class;
	}
	return c == 0x85 ? SP : of[k];
}

/*
 * plain - characters of class 0 that NFC keeps and that nothing before them
 * composes with (NFC_Quick_Check=Yes), in every version: text of these alone is
 * in the form.  Not all such characters, but most of what is written.
 */
static const struct range plain[] = {
	{ 0x0, 0x2ff, 0 }, { 0x370, 0x373, 0 }, { 0x376, 0x377, 0 },
	{ 0x37b, 0x37d, 0 }, { 0x388, 0x482, 0 }, { 0x48a, 0x52f, 0 },
	{ 0x5d0, 0x5ea, 0 }, { 0x620, 0x64a, 0 }, { 0x660, 0x66f, 0 },
	{ 0x671, 0x6d5, 0 }, { 0x904, 0x93b, 0 }, { 0x93d, 0x94c, 0 },
	{ 0x964, 0x97f, 0 }, { 0xe01, 0xe37, 0 }, { 0xe40, 0xe47, 0 },
	{ 0x10d0, 0x10fa, 0 }, { 0x1e00, 0x1eff, 0 }, { 0x2002, 0x205e, 0 },
	{ 0x20a0, 0x20bf, 0 }, { 0x2190, 0x2328, 0 },
	{ 0x2500, 0x27ff, 0 }, { 0x3000, 0x3029, 0 }, { 0x3041, 0x3096, 0 },
	{ 0x309b, 0x30ff, 0 }, { 0x3105, 0x312d, 0 }, { 0x3400, 0x9fd5, 0 },
	{ 0xac00, 0xd7a3, 0 }, { 0xe000, 0xf8ff, 0 }, { 0xff01, 0xffee, 0 },
	{ 0x1f300, 0x1f6ff, 0 }, { 0x20000, 0x2a6d6, 0 },
};

#define CLOSE	64u		/* bytes between two parts */

/* nfc_plain - is the character plain; *last is where the one before was found.
 * What East Asian text is made of is seen without a branch for each range */
static inline bool
nfc_plain(uint32_t c, const struct range **last)
{
	if (c < 0x300 || (c - 0x3400 <= 0x9fd5 - 0x3400) |
	    (c - 0x3041 <= 0x3096 - 0x3041) | (c - 0x309b <= 0x30ff - 0x309b) |
	    (c - 0x3000 <= 0x3029 - 0x3000) | (c - 0xff01 <= 0xffee - 0xff01))
		return true;
	if (*last == NULL || c < (*last)->from || c > (*last)->to)
		*last = range_find(plain, BASE_COUNT(plain), c);
	return *last != NULL;
}

/* nfc_ascii - bytes of ASCII at p, by eights */
static inline size_t
nfc_ascii(const char *p, size_t n)
{
	const uint64_t top = 0x8080808080808080u;
	uint64_t x[4];
	size_t at = 0;

	for (; n - at >= sizeof(x); at += sizeof(x)) {
		memcpy(x, p + at, sizeof(x));
		if (((x[0] | x[1] | x[2] | x[3]) & top) != 0)
			break;
	}
	for (; n - at >= sizeof(*x); at += sizeof(*x)) {
		memcpy(x, p + at, sizeof(*x));
		if ((*x & top) != 0)
			break;
	}
	return at;
}

/* nfc_odd - where the first character is that is not plain, from a place on;
 * *before is that of the one before it, if there is one */
static size_t
nfc_odd(struct view v, size_t at, size_t *before)
{
	const struct range *last = NULL;
	size_t n;

	for (*before = at; at < v.n; at += n) {
		if ((v.p[at] & 0x80) == 0) {
			n = nfc_ascii(v.p + at, v.n - at);
			n += n == 0;
			*before = at + n - 1;
			continue;
		}
		if (!nfc_plain(utf8_get(v.p + at, &n), &last))
			break;
		*before = at;
	}
	return at;
}

/* nfc9_part - what is not plain, and the character before it */
static struct view
nfc9_part(struct arena *a, struct view v)
{
	size_t from = 0, at, n;
	struct view part, r = v;
	struct buf b;

	buf_init(&b, v.n * 4 + 16);
	for (at = 0; at < v.n; at += n) {
		n = 1;
		if ((unsigned char)v.p[at] < 0xdf || range_find(inert9,
		    BASE_COUNT(inert9), utf8_get(v.p + at, &n)) == NULL)
			continue;
		part = (struct view){ v.p + from, at - from };
		buf_view(&b, utf8_nfc(a, part));
		buf_add(&b, v.p + at, n);
		from = at + n;
	}
	part = utf8_nfc(a, (struct view){ v.p + from, v.n - from });
	if (from == 0) {
		r = part;
	} else {
		buf_view(&b, part);
		r = view_keep(a, buf_get(&b));
	}
	buf_free(&b);
	return r;
}

struct view
utf8_nfc9(struct arena *a, struct view v)
{
	const struct range *last = NULL;
	size_t done = 0, at, from, to, next, n;
	struct view part, form;
	struct buf b;

	at = nfc_odd(v, 0, &from);
	if (at == v.n)
		return v;
	buf_init(&b, v.n * 4 + 16);
	while (at < v.n) {
		/* what lies close together is one part */
		do {
			for (to = at; to < v.n && !nfc_plain(utf8_get(v.p + to,
			    &n), &last); to += n)
				continue;
			at = nfc_odd(v, to, &next);
		} while (at < v.n && next - to < CLOSE);
		part = (struct view){ v.p + from, to - from };
		form = nfc9_part(a, part);
		if (!view_eq(part, form)) {
			buf_add(&b, v.p + done, from - done);
			buf_view(&b, form);
			done = to;
		}
		from = next;
	}
	if (done > 0) {
		buf_add(&b, v.p + done, v.n - done);
		v = view_keep(a, buf_get(&b));
	}
	buf_free(&b);
	return v;
}
