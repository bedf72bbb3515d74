/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts to words, as the written tokenizer will cut them: what learn_json says
 * of normalizer and pre-tokenizer is done here.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/learn_bert.h"
#include "appliance/text/learn_own.h"
#include "appliance/text/utf8.h"

/* split_collapse - no blanks at the ends, no two together */
static struct view
split_collapse(struct arena *a, struct view v)
{
	char *p, *q;

	while (v.n > 0 && v.p[0] == ' ')
		v = (struct view){ v.p + 1, v.n - 1 };
	while (v.n > 0 && v.p[v.n - 1] == ' ')
		v.n--;
	if (memmem(v.p, v.n, "  ", 2) == NULL)
		return v;
	p = q = arena_alloc(a, v.n);
	for (size_t i = 0; i < v.n; i++)
		if (i == 0 || v.p[i] != ' ' || v.p[i - 1] != ' ')
			*q++ = v.p[i];
	return (struct view){ p, (size_t)(q - p) };
}

/* split_marks - each blank as U+2581, and one in front if that is asked for */
static struct view
split_marks(struct arena *a, struct view v, bool prefix)
{
	char *p = arena_alloc(a, v.n * 3 + 3), *q = p;

	if (prefix) {
		memcpy(q, LEARN_BLANK, 3);
		q += 3;
	}
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] != ' ') {
			*q++ = v.p[i];
			continue;
		}
		memcpy(q, LEARN_BLANK, 3);
		q += 3;
	}
	return (struct view){ p, (size_t)(q - p) };
}

/* split_starts - where pieces begin in the next bytes, as bpe_block says; dense
 * text beyond ASCII is not for blocks */
static uint64_t
split_starts(const struct bpe_pattern *pattern, struct view v)
{
	char last[BPE_BLOCK] = { 0 };

	if (v.n < 2 || ((v.p[0] | v.p[1]) & 0x80) != 0)
		return 0;
	if (v.n >= BPE_BLOCK)
		return bpe_block(pattern, v.p, BPE_BLOCK, v.p + v.n);
	memcpy(last, v.p, v.n);
	return bpe_block(pattern, last, v.n, last + v.n);
}

/* split_pieces - the pieces of a pattern; a NULL pattern: all is one */
static int
split_pieces(const struct bpe_pattern *pattern, struct learn_count *c,
    struct view v, struct err *e)
{
	bool fast = pattern != NULL && bpe_block_here();
	uint64_t starts;
	size_t n, next;

	if (pattern == NULL && v.n > 0)
		return learn_count_add(c, v, v.p + v.n, e);
	for (; v.n > 0; v = (struct view){ v.p + n, v.n - n }) {
		starts = fast ? split_starts(pattern, v) : 0;
		for (n = 0; starts != 0; n = next, starts &= starts - 1) {
			next = (size_t)__builtin_ctzll(starts);
			if (learn_count_add(c, (struct view){ v.p + n,
			    next - n }, v.p + v.n, e) == -1)
				return -1;
		}
		if (n > 0)
			continue;
		n = bpe_piece(pattern, v.p, v.n);
		if (learn_count_add(c, (struct view){ v.p, n }, v.p + v.n,
		    e) == -1)
			return -1;
	}
	return 0;
}

/* split_digits - each digit alone, and what is between them */
static int
split_digits(const struct bpe_pattern *pattern, struct learn_count *c,
    struct view v, struct err *e)
{
	size_t from = 0, n;

	for (size_t i = 0; i < v.n; i += n) {
		if ((utf8_class(utf8_get(v.p + i, &n)) & UTF8_NUMBER) == 0)
			continue;
		if (split_pieces(pattern, c, (struct view){ v.p + from,
		    i - from }, e) == -1 ||
		    learn_count_add(c, (struct view){ v.p + i, n },
		    v.p + v.n, e) == -1)
			return -1;
		from = i + n;
	}
	return split_pieces(pattern, c, (struct view){ v.p + from,
	    v.n - from }, e);
}

/* split_words - what each U+2581 begins */
static int
split_words(const struct learn_conf *conf, struct learn_count *c,
    struct view v, struct err *e)
{
	struct view w;
	const char *next;
	int rc;

	for (; v.n > 0; v = (struct view){ v.p + w.n, v.n - w.n }) {
		next = v.n < 4 ? NULL : memmem(v.p + 1, v.n - 1,
		    LEARN_BLANK, 3);
		w = (struct view){ v.p, next == NULL ? v.n :
		    (size_t)(next - v.p) };
		rc = conf->digits ? split_digits(NULL, c, w, e) :
		    learn_count_add(c, w, v.p + v.n, e);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
learn_split(const struct learn_way *way, struct learn_count *c,
    struct arena *a, struct view v, struct err *e)
{
	const struct learn_conf *conf = way->conf;

	if (conf->kind == LEARN_WORDPIECE)
		return learn_bert(way, c, a, v, e);
	if (conf->nfc)
		v = utf8_nfc9(a, v);
	if (conf->collapse)
		v = split_collapse(a, v);
	if (v.n == 0)
		return 0;
	if (conf->kind != LEARN_BPE)
		return split_words(conf, c, split_marks(a, v, conf->prefix),
		    e);
	if (conf->prefix && v.p[0] != ' ') {
		char *p = arena_alloc(a, v.n + 1);

		p[0] = ' ';
		memcpy(p + 1, v.p, v.n);
		v = (struct view){ p, v.n + 1 };
	}
	return conf->digits ? split_digits(way->pattern, c, v, e) :
	    split_pieces(way->pattern, c, v, e);
}
