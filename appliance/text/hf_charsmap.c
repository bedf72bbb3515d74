/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/base64.h"
#include "appliance/text/hf_charsmap.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

struct hf_charsmap {
	const uint32_t *unit;
	size_t units;
	struct view texts;
};

struct hf_charsmap *
hf_charsmap_open(struct arena *a, struct view text, struct err *e)
{
	struct hf_charsmap *m = arena_alloc(a, sizeof(*m));
	uint32_t size, *unit;
	struct view v;
	const char *p;
	size_t n;

	if (!base64(a, text, &v) || v.n < 4) {
		err_set(e, FATE_REJECT, "its precompiled_charsmap is not "
		    "base64");
		return NULL;
	}
	p = v.p;
	n = v.n;
	memcpy(&size, p, 4);
	if (size > n - 4 || size % 4 != 0 || size == 0 ||
	    utf8_check(p + 4 + size, n - 4 - size) != n - 4 - size) {
		err_set(e, FATE_REJECT, "its precompiled_charsmap is cut "
		    "short or no text");
		return NULL;
	}
	unit = arena_alloc(a, size);
	memcpy(unit, p + 4, size);
	m->unit = unit;
	m->units = size / 4;
	m->texts = (struct view){ p + 4 + size, n - 4 - size };
	return m;
}

size_t
hf_charsmap_times(const struct hf_charsmap *m)
{
	size_t most = 1, n;

	for (size_t at = 0; at < m->texts.n; at += n + 1) {
		n = strnlen(m->texts.p + at, m->texts.n - at);
		if (n > most)
			most = n;
	}
	return most;
}

/* unit_go - where a unit's children are, seen from it */
static uint32_t
unit_go(uint32_t u)
{
	return u >> 10 << ((u & 1u << 9) >> 6);
}

/* charsmap_find - the shortest key that begins a text; what it becomes */
static bool
charsmap_find(const struct hf_charsmap *m, const char *p, size_t n,
    struct view *to)
{
	uint32_t at = unit_go(m->unit[0]), u;
	const char *from, *end;

	for (size_t i = 0; i < n && p[i] != '\0'; i++) {
		unsigned char c = (unsigned char)p[i];

		at ^= c;
		if (at >= m->units)
			return false;
		u = m->unit[at];
		if ((u & (1u << 31 | 0xff)) != c)
			return false;
		at ^= unit_go(u);
		if ((u >> 8 & 1) == 0)
			continue;
		if (at >= m->units)
			return false;
		u = m->unit[at] & 0x7fffffff;
		if (u > m->texts.n)
			return false;
		from = m->texts.p + u;
		end = memchr(from, '\0', m->texts.n - u);
		*to = (struct view){ from, end == NULL ? m->texts.n - u :
		    (size_t)(end - from) };
		/* an offset may lie within a character; such a file is wrong */
		return utf8_check(to->p, to->n) == to->n;
	}
	return false;
}

/* hangul - L 1, V 2, T 3, LV 4, LVT 5 */
static int
hangul(uint32_t c)
{
	if (c < 0x1100)
		return 0;
	if (c < 0x1160 || (c >= 0xa960 && c <= 0xa97c))
		return 1;
	if (c < 0x11a8 || (c >= 0xd7b0 && c <= 0xd7c6))
		return c < 0x11a8 || c >= 0xd7b0 ? 2 : 0;
	if (c < 0x1200 || (c >= 0xd7cb && c <= 0xd7fb))
		return 3;
	if (c >= 0xac00 && c <= 0xd7a3)
		return (c - 0xac00) % 28 == 0 ? 4 : 5;
	return 0;
}

static bool
hangul_joins(uint32_t a, uint32_t b)
{
	int x = hangul(a), y = hangul(b);

	return (x == 1 && y != 0 && y != 3) ||
	    ((x == 2 || x == 4) && (y == 2 || y == 3)) ||
	    ((x == 3 || x == 5) && y == 3);
}

static bool
pictograph(uint32_t c)
{
	return c >= 0xa9 && utf8proc_get_property((utf8proc_int32_t)c)->
	    boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

/* flag_half - two of these make a flag */
static bool
flag_half(uint32_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

bool
hf_charsmap_alone(const struct hf_chars *t, uint32_t c)
{
	int jamo = hangul(c);

	return (t->prop[c] & (1u << HF_JOINS | 1u << HF_LEADS)) == 0 &&
	    (jamo == 0 || jamo > 3) && !flag_half(c) && c != '\r';
}

/*
 * grapheme_end - where the extended grapheme at a place ends (UAX 29).  Rule
 * 9c, Indic conjuncts, is left out: these are longer than what is looked up
 * whole.
 */
static size_t
grapheme_end(const struct hf_chars *t, struct view v, size_t at)
{
	size_t n, flags = 0;
	uint32_t c = utf8_get(v.p + at, &n), d;
	bool picture = pictograph(c), zwj = false;

	for (at += n; at < v.n; at += n, c = d) {
		d = utf8_get(v.p + at, &n);
		if (c == '\r' && d == '\n')
			continue;
		if ((t->prop[c] | t->prop[d]) >> HF_APART & 1)
			break;
		if (t->prop[d] >> HF_JOINS & 1) {
			zwj = d == 0x200d;
			continue;
		}
		if (t->prop[c] >> HF_LEADS & 1 || hangul_joins(c, d)) {
			picture = pictograph(d);
			continue;
		}
		if (picture && zwj && pictograph(d)) {
			zwj = false;
			continue;
		}
		if (flag_half(c) && flag_half(d) && flags++ % 2 == 0)
			continue;
		break;
	}
	return at;
}

/* replace - a part's new text, with the steps that the library gives it */
static void
replace(struct hf_change *c, struct view old, struct view new)
{
	int64_t more = (int64_t)utf8_count(new) - (int64_t)utf8_count(old);
	size_t n;

	for (size_t i = 0; i < new.n; i += n)
		hf_put(c, utf8_get(new.p + i, &n), 0);
	for (int64_t k = 0; k < more && k < (int64_t)c->n; k++)
		c->v[c->n - 1 - (size_t)k].step = 1;
	if (more < 0 && c->n > 0)
		c->v[c->n - 1].step += (int32_t)more;
}

void
hf_charsmap_run(const struct hf_charsmap *m, const struct hf_chars *t,
    struct hf_text *x)
{
	struct hf_change c = { NULL, 0, 0 };
	struct view v = hf_text_get(x), to;
	bool any = false;
	size_t end, n;

	for (size_t at = 0; at < v.n; at = end) {
		end = grapheme_end(t, v, at);
		if (end - at < 6 && charsmap_find(m, v.p + at, end - at,
		    &to)) {
			any = true;
			replace(&c, (struct view){ v.p + at, end - at }, to);
			continue;
		}
		for (size_t i = at; i < end; i += n) {
			uint32_t ch = utf8_get(v.p + i, &n);

			if (!charsmap_find(m, v.p + i, n, &to)) {
				hf_put(&c, ch, 0);
				continue;
			}
			any = true;
			replace(&c, (struct view){ v.p + i, n }, to);
		}
	}
	if (any)
		hf_text_change(x, &c, 0);
	hf_change_free(&c);
}
