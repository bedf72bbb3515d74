/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalized text is cut where no piece reaches over: at blanks, if a look at
 * all pieces allows it, else between characters that follow one another in no
 * piece.  What lies between is a unit; short ones are remembered with their ids
 * in a table for each thread at work.  Units that no cut makes short, be it the
 * whole text, are worked through as they are.
 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#include <math.h>

void
spm_put(const struct spm *s, struct spm_room *r, uint32_t id, struct view text)
{
	static const char sign[] = SPM_SIGN;

	if (id != s->unk) {
		r->id[r->n++] = id;
		r->unknown = false;
		return;
	}
	if (s->byte_fallback) {
		for (size_t i = 0; i < text.n; i++)
			if (s->fold && text.p[i] == ' ')
				for (unsigned k = 0; k < 3; k++)
					r->id[r->n++] = s->byte[
					    (unsigned char)sign[k]];
			else
				r->id[r->n++] = s->byte[
				    (unsigned char)text.p[i]];
	} else if (!r->unknown)
		r->id[r->n++] = id;
	r->unknown = r->any = true;
}

/* unit_reserve - room for the ids of n bytes: each is one, or three of a
 * sign */
static void
unit_reserve(struct spm_room *r, size_t n)
{
	if (r->cap - r->n >= 3 * n + SPM_IDS)
		return;
	r->cap = 2 * r->cap + 3 * n + 64;
	r->id = mem_grow(r->id, r->cap * sizeof(*r->id));
}

static void
unit_direct(const struct spm *s, struct spm_room *r, struct view v)
{
	unit_reserve(r, v.n);
	if (s->kind == SPM_BPE)
		spm_bpe(s, r, v);
	else
		spm_unigram(s, r, v);
}

/* unit_key - the bytes of a unit and zeros; text has SPM_KEY bytes to spare */
static uint64_t
unit_key(struct view v, uint64_t key[SPM_KEY / 8])
{
	uint64_t h = v.n * 0x9e3779b97f4a7c15u;

	memset(key, 0, SPM_KEY);
	for (size_t i = 0, k = 0; i < v.n; i += 8, k++) {
		memcpy(&key[k], v.p + i, 8);
		if (v.n - i < 8)
			key[k] &= ((uint64_t)1 << 8 * (v.n - i)) - 1;
		h = (h ^ key[k]) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h;
}

static bool
entry_is(const struct spm_entry *x, const uint64_t key[SPM_KEY / 8], size_t n)
{
	return x->len == n && ((x->key[0] ^ key[0]) | (x->key[1] ^ key[1]) |
	    (x->key[2] ^ key[2]) | (x->key[3] ^ key[3])) == 0;
}

/* entry_put - a remembered unit's ids; false: its limit forbids */
static bool
entry_put(const struct spm *s, struct spm_room *r, const struct spm_entry *x)
{
	if (s->kind == SPM_UNIGRAM) {
		float sum = r->sum;

		if (!(fabsf(sum) <= x->limit))
			return false;
		/* the sums that the library would have made */
		for (unsigned i = 0; i < x->n; i++)
			sum += s->weight[x->id[i]];
		r->sum = sum;
	}
	memcpy(r->id + r->n, x->id, sizeof(x->id));
	r->n += x->n;
	r->unknown = false;
	return true;
}

/* entry_make - work a unit through and remember it if it has no unknown piece,
 * whose id depends on what is beside it */
static void
entry_make(const struct spm *s, struct spm_room *r, struct view v,
    struct spm_entry *x)
{
	size_t was = r->n, n;

	if (s->kind == SPM_UNIGRAM) {
		n = spm_unigram_free(s, r, v, x->id, SPM_IDS, &x->limit);
		x->n = (uint8_t)n;
		if (n == 0 || !entry_put(s, r, x))
			unit_direct(s, r, v);
		if (n == 0)
			x->len = 0;
		return;
	}
	r->any = false;
	unit_direct(s, r, v);
	n = r->n - was;
	if (n > SPM_IDS || (r->any && !s->byte_fallback)) {
		x->len = 0;
		return;
	}
	memcpy(x->id, r->id + was, n * sizeof(*x->id));
	x->n = (uint8_t)n;
}

static void
unit_put(const struct spm *s, struct spm_room *r, struct view v)
{
	uint64_t key[SPM_KEY / 8], h;
	struct spm_entry *set, *x, made;

	if (v.n > SPM_KEY) {
		unit_direct(s, r, v);
		return;
	}
	unit_reserve(r, v.n);
	h = unit_key(v, key);
	set = &r->cache[2 * (h >> r->shift)];
	x = entry_is(set, key, v.n) ? set : set + 1;
	if (x == set || entry_is(x, key, v.n)) {
		if (!entry_put(s, r, x))
			unit_direct(s, r, v);
		return;
	}
	memcpy(made.key, key, sizeof(key));
	made.len = (uint8_t)v.n;
	entry_make(s, r, v, &made);
	if (made.len > 0)
		spm_room_put(r, set, &made);
}

/* unit_cut - a long unit at the cuts that its characters allow */
static void
unit_cut(const struct spm *s, struct spm_room *r, struct view v)
{
	size_t from = 0, at = 0, len, next;

	while (at < v.n) {
		len = spm_step(v.p + at, v.n - at);
		at += len;
		if (at < v.n) {
			next = spm_step(v.p + at, v.n - at);
			if (spm_pair(s, spm_char(v.p + at - len, len),
			    spm_char(v.p + at, next)))
				continue;
		}
		unit_put(s, r, (struct view){ v.p + from, at - from });
		from = at;
	}
}

/* text_units - blanks begin a unit, or else end it */
static void
text_units(const struct spm *s, struct spm_room *r, struct view v)
{
	const char *p = v.p, *end = p + v.n, *at;
	bool before = s->cut_before;

	for (; p < end; p = at) {
		at = p;
		if (before)
			while (at < end && *at == ' ')
				at++;
		while (at < end && *at != ' ')
			at++;
		if (!before)
			while (at < end && *at == ' ')
				at++;
		if ((size_t)(at - p) <= SPM_KEY)
			unit_put(s, r, (struct view){ p, (size_t)(at - p) });
		else
			unit_cut(s, r, (struct view){ p, (size_t)(at - p) });
	}
}

/* piece_id - what the whole of some text is */
static uint32_t
piece_id(const struct spm *s, struct view v)
{
	uint32_t id = spm_find(&s->names, s->text, v);

	return id == SPM_NONE || s->type[id] == SPM_UNUSED ? s->unk : id;
}

/* text_words, text_chars - the kinds without a search */
static void
text_words(const struct spm *s, struct spm_room *r, struct view v)
{
	struct view sign = s->fold ? VIEW(" ") : VIEW(SPM_SIGN);
	size_t from = 0, at = 0;

	unit_reserve(r, v.n);
	while (at < v.n) {
		at += spm_step(v.p + at, v.n - at);
		if (at < v.n && (v.n - at < sign.n ||
		    memcmp(v.p + at, sign.p, sign.n) != 0))
			continue;
		spm_put(s, r, piece_id(s, (struct view){ v.p + from,
		    at - from }), (struct view){ v.p + from, at - from });
		from = at;
	}
}

static void
text_chars(const struct spm *s, struct spm_room *r, struct view v)
{
	uint32_t value;
	size_t len;

	unit_reserve(r, v.n);
	for (size_t at = 0; at < v.n; at += len) {
		struct view c = { v.p + at, 0 };

		len = trie_longest(&s->own, c.p, v.n - at, 64, &value);
		if (len == 0)
			len = spm_step(c.p, v.n - at);
		c.n = len;
		spm_put(s, r, piece_id(s, c), c);
	}
}

size_t
spm_encode(struct spm *s, struct arena *a, struct view text, uint32_t **ids)
{
	struct spm_room *r = spm_room_take(s);
	struct view v;
	size_t n;

	r->text.n = r->n = 0;
	r->unknown = false;
	r->sum = 0;
	spm_norm_run(&s->norm, text, &r->text);
	v = buf_get(&r->text);
	if (v.n == 0)
		;
	else if (s->kind == SPM_WORD)
		text_words(s, r, v);
	else if (s->kind == SPM_CHAR)
		text_chars(s, r, v);
	else if (s->unused)
		unit_direct(s, r, v);
	else if (s->cut_before || s->cut_after)
		text_units(s, r, v);
	else
		unit_cut(s, r, v);
	n = r->n;
	*ids = arena_copy(a, r->id, n * sizeof(**ids));
	spm_room_give(s, r);
	return n;
}

uint32_t
spm_size(const struct spm *s)
{
	return s->n;
}

int32_t
spm_bos(const struct spm *s)
{
	return s->bos;
}

int32_t
spm_eos(const struct spm *s)
{
	return s->eos;
}

enum spm_kind
spm_kind(const struct spm *s)
{
	return s->kind;
}
