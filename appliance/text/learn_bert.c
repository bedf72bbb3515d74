/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_nf.h"
#include "appliance/text/learn_bert.h"
#include "appliance/text/utf8.h"

/* bert_ideograph - what BERT calls a Chinese character; the fifth range is the
 * library's, which begins it 256 too late */
static bool
bert_ideograph(uint32_t c)
{
	static const uint32_t range[][2] = {
		{ 0x4e00, 0x9fff }, { 0x3400, 0x4dbf }, { 0x20000, 0x2a6df },
		{ 0x2a700, 0x2b73f }, { 0x2b740, 0x2b81f },
		{ 0x2b920, 0x2ceaf }, { 0xf900, 0xfaff }, { 0x2f800, 0x2fa1f },
	};

	for (size_t i = 0; c >= 0x3400 && i < BASE_COUNT(range); i++)
		if (c >= range[i][0] && c <= range[i][1])
			return true;
	return false;
}

/* bert_dropped - controls, formats, private use; not tab and line ends */
static bool
bert_dropped(const struct hf_chars *t, uint32_t c)
{
	return c == 0 || c == 0xfffd || t->prop[c] >> HF_OTHER & 1;
}

static bool
bert_alone(const struct hf_chars *t, uint32_t c)
{
	return t->prop[c] >> HF_PUNCT & 1;
}

/* bert_clean - without what is dropped, white space as blanks, ideographs
 * between blanks */
static struct view
bert_clean(const struct hf_chars *t, struct arena *a, struct view v)
{
	char *p = arena_alloc(a, v.n * 2 + 2), *q = p;
	size_t n;

	for (size_t i = 0; i < v.n; i += n) {
		uint32_t c = utf8_get(v.p + i, &n);
		bool alone = bert_ideograph(c);

		if (bert_dropped(t, c))
			continue;
		if (hf_white(c)) {
			*q++ = ' ';
			continue;
		}
		if (alone)
			*q++ = ' ';
		memcpy(q, v.p + i, n);
		q += n;
		if (alone)
			*q++ = ' ';
	}
	return (struct view){ p, (size_t)(q - p) };
}

/* bert_lower - a word decomposed, without accents, in small letters */
static void
bert_lower(const struct hf_chars *t, struct arena *a, struct view v,
    struct buf *b)
{
	struct hf_text x = hf_text_new(a, v);
	char out[4];
	size_t n;

	hf_nf(t, &x, HF_NFD);
	v = hf_text_get(&x);
	for (size_t i = 0; i < v.n; i += n) {
		uint32_t c = utf8_get(v.p + i, &n);

		if ((t->prop[c] >> HF_MN & 1) == 0)
			buf_add(b, out, utf8_put(hf_lower(c), out));
	}
}

/* bert_small - words in small letters; those of ASCII are no work */
static struct view
bert_small(const struct hf_chars *t, struct arena *a, struct view v)
{
	struct buf *b = buf_new(a, v.n * 4 + 16);
	size_t n;
	bool ascii;

	for (; v.n > 0; v = (struct view){ v.p + n, v.n - n }) {
		ascii = true;
		for (n = 0; n < v.n && v.p[n] != ' '; n++)
			ascii = ascii && (v.p[n] & 0x80) == 0;
		if (!ascii)
			bert_lower(t, a, (struct view){ v.p, n }, b);
		for (size_t i = 0; ascii && i < n; i++)
			buf_char(b, v.p[i] >= 'A' && v.p[i] <= 'Z' ?
			    (char)(v.p[i] + 32) : v.p[i]);
		if (n < v.n) {
			buf_char(b, ' ');
			n++;
		}
	}
	return buf_get(b);
}

int
learn_bert(const struct learn_way *way, struct learn_count *counts,
    struct arena *a, struct view v, struct err *e)
{
	const struct hf_chars *t = way->chars;
	size_t from = 0, n;

	v = bert_clean(t, a, v);
	if (way->conf->lowercase)
		v = bert_small(t, a, v);
	for (size_t i = 0; i <= v.n; i += n) {
		uint32_t c = i == v.n ? ' ' : utf8_get(v.p + i, &n);
		bool alone = bert_alone(t, c);

		if (i == v.n)
			n = 1;
		if (!alone && !hf_white(c))
			continue;
		if (i > from && learn_count_add(counts, (struct view){
		    v.p + from, i - from }, v.p + v.n, e) == -1)
			return -1;
		if (alone && learn_count_add(counts, (struct view){ v.p + i,
		    n }, v.p + v.n, e) == -1)
			return -1;
		from = i + n;
	}
	return 0;
}
