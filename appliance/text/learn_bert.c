/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_bert.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

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
bert_dropped(uint32_t c)
{
	utf8proc_category_t k;

	if (c == '\t' || c == '\n' || c == '\r')
		return false;
	if (c < 0x80)
		return c < ' ' || c == 0x7f;
	k = utf8proc_category((utf8proc_int32_t)c);
	return c == 0xfffd || k == UTF8PROC_CATEGORY_CC ||
	    k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}

static bool
bert_punctuation(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80)
		return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') &&
		    !((c | 32) >= 'a' && (c | 32) <= 'z');
	k = utf8proc_category((utf8proc_int32_t)c);
	return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* bert_clean - without what is dropped, white space as blanks, ideographs
 * between blanks */
static struct view
bert_clean(struct arena *a, struct view v)
{
	char *p = arena_alloc(a, v.n * 2 + 2), *q = p;
	size_t n;

	for (size_t i = 0; i < v.n; i += n) {
		uint32_t c = utf8_get(v.p + i, &n);
		bool alone = bert_ideograph(c);

		if (bert_dropped(c))
			continue;
		if (utf8_class(c) & UTF8_SPACE) {
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

/* bert_lower - decomposed, without accents, in small letters */
static struct view
bert_lower(struct arena *a, struct view v)
{
	utf8proc_uint8_t *full = NULL;
	utf8proc_ssize_t size;
	char *p, *q;
	size_t n;

	size = utf8proc_map((const utf8proc_uint8_t *)v.p,
	    (utf8proc_ssize_t)v.n, &full, UTF8PROC_STABLE |
	    UTF8PROC_DECOMPOSE);
	if (size < 0)		/* valid text always has a form */
		return v;
	p = q = arena_alloc(a, (size_t)size * 2 + 1);
	for (utf8proc_ssize_t i = 0; i < size; i += (utf8proc_ssize_t)n) {
		uint32_t c = utf8_get((char *)full + i, &n);

		if (c < 0x80 || utf8proc_category((utf8proc_int32_t)c) !=
		    UTF8PROC_CATEGORY_MN)
			q += utf8_put(utf8_fold(c), q);
	}
	mem_free(full);
	return (struct view){ p, (size_t)(q - p) };
}

int
learn_bert(const struct learn_conf *conf, struct learn_count *counts,
    struct arena *a, struct view v, struct err *e)
{
	size_t from = 0, n;

	v = bert_clean(a, v);
	if (conf->lowercase)
		v = bert_lower(a, v);
	for (size_t i = 0; i <= v.n; i += n) {
		uint32_t c = i == v.n ? ' ' : utf8_get(v.p + i, &n);
		bool alone = bert_punctuation(c);

		if (i == v.n)
			n = 1;
		if (!alone && (utf8_class(c) & UTF8_SPACE) == 0)
			continue;
		if (i > from && learn_count_add(counts, (struct view){
		    v.p + from, i - from }, e) == -1)
			return -1;
		if (alone && learn_count_add(counts, (struct view){ v.p + i,
		    n }, e) == -1)
			return -1;
		from = i + n;
	}
	return 0;
}
