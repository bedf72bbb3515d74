/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

size_t
utf8_put(uint32_t c, char *out)
{
	unsigned char *o = (unsigned char *)out;

	if (c < 0x80) {
		o[0] = (unsigned char)c;
		return 1;
	}
	if (c < 0x800) {
		o[0] = (unsigned char)(0xc0 | c >> 6);
		o[1] = (unsigned char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		o[0] = (unsigned char)(0xe0 | c >> 12);
		o[1] = (unsigned char)(0x80 | (c >> 6 & 63));
		o[2] = (unsigned char)(0x80 | (c & 63));
		return 3;
	}
	o[0] = (unsigned char)(0xf0 | c >> 18);
	o[1] = (unsigned char)(0x80 | (c >> 12 & 63));
	o[2] = (unsigned char)(0x80 | (c >> 6 & 63));
	o[3] = (unsigned char)(0x80 | (c & 63));
	return 4;
}

uint32_t
utf8_get(const char *s, size_t *n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (p[0] < 0x80) {
		*n = 1;
		return p[0];
	}
	if (p[0] < 0xe0) {
		*n = 2;
		return (p[0] & 31u) << 6 | (p[1] & 63u);
	}
	if (p[0] < 0xf0) {
		*n = 3;
		return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
	}
	*n = 4;
	return (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 |
	    (p[3] & 63u);
}

size_t
utf8_count(struct view v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += ((unsigned char)v.p[i] & 0xc0) != 0x80;
	return n;
}

/* bad_len - bytes of the maximal ill-formed part at p; n > 0 */
static size_t
bad_len(const unsigned char *p, size_t n)
{
	unsigned char c = p[0], lo = 0x80, hi = 0xbf;
	size_t want, i;

	if (c < 0xc2 || c > 0xf4)
		return 1;
	want = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	for (i = 1; i < want && i < n; i++) {
		if (p[i] < lo || p[i] > hi)
			break;
		lo = 0x80;
		hi = 0xbf;
	}
	return i;
}

struct view
utf8_repair(struct arena *a, struct view v, size_t *repairs)
{
	size_t bad = utf8_check(v.p, v.n), at = 0;
	struct buf b;
	struct view out;

	*repairs = 0;
	if (bad == v.n)
		return v;
	buf_init(&b, v.n * 3 + 16);
	while (at + bad < v.n) {
		buf_add(&b, v.p + at, bad);
		buf_str(&b, "\xef\xbf\xbd");
		at += bad;
		at += bad_len((const unsigned char *)v.p + at, v.n - at);
		++*repairs;
		bad = utf8_check(v.p + at, v.n - at);
	}
	buf_add(&b, v.p + at, v.n - at);
	out = view_keep(a, buf_get(&b));
	buf_free(&b);
	return out;
}

/*
 * nfc_quick - certainly in normal form C: everything below U+0300 is, which
 * covers most text at memory speed
 */
static bool
nfc_quick(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] >= 0xcc)
			return false;
	return true;
}

/* nfc_put - what utf8proc makes right, added; false: of bad bytes */
static bool
nfc_put(struct buf *b, struct view v)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t n;

	n = utf8proc_map((const utf8proc_uint8_t *)v.p, (utf8proc_ssize_t)v.n,
	    &out, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n >= 0)
		buf_add(b, out, (size_t)n);
	mem_free(out);
	return n >= 0;
}

/*
 * utf8_nfc - utf8proc 2.8 joins U+11A7, which is no trailing consonant, to a
 * Hangul syllable before it, and it is gone.  It joins nothing, so that a text
 * may be cut there.
 */
struct view
utf8_nfc(struct arena *a, struct view v)
{
	static const char alone[] = "\xe1\x86\xa7";
	struct view rest = v;
	const char *p;
	struct buf b;
	bool ok = true;

	if (nfc_quick(v))
		return v;
	buf_init(&b, v.n * 3 + 16);
	while (ok && (p = memmem(rest.p, rest.n, alone, 3)) != NULL) {
		ok = nfc_put(&b, (struct view){ rest.p, (size_t)(p -
		    rest.p) });
		buf_str(&b, alone);
		rest = (struct view){ p + 3, rest.n - (size_t)(p + 3 -
		    rest.p) };
	}
	if (ok && nfc_put(&b, rest) && !view_eq(v, buf_get(&b)))
		v = view_keep(a, buf_get(&b));
	buf_free(&b);
	return v;
}

uint32_t
utf8_fold(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

bool
utf8_letter(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80)
		return (c | 32) >= 'a' && (c | 32) <= 'z';
	k = utf8proc_category((utf8proc_int32_t)c);
	return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ME;
}

bool
utf8_digit(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80)
		return c >= '0' && c <= '9';
	k = utf8proc_category((utf8proc_int32_t)c);
	return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool
utf8_space(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80)
		return c == ' ' || (c >= 9 && c <= 13);
	if (c == 0x85)
		return true;
	k = utf8proc_category((utf8proc_int32_t)c);
	return k >= UTF8PROC_CATEGORY_ZS && k <= UTF8PROC_CATEGORY_ZP;
}

bool
utf8_upper(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z';
	k = utf8proc_category((utf8proc_int32_t)c);
	return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LT;
}
