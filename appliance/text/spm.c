/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalized text is cut where no piece reaches over: between characters that
 * follow one another in no piece, such as before blanks with most vocabularies.
 * What lies between is a unit; short ones are remembered with their ids in a
 * table for each thread at work. Units that no cut makes short, be it the whole
 * text, are worked through as they are.
 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#include <math.h>

#define TOGETHER	16u	/* units that are looked up at once */

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
	r->unknown = true;
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
	static const struct view none = { "", 0 };

	if (s->kind == SPM_UNIGRAM) {
		float sum = r->sum;

		if (!(fabsf(sum) <= x->limit))
			return false;
		/* the sums that the library would have made */
		for (unsigned i = 0; i < x->n; i++)
			sum += s->weight[x->id[i]];
		r->sum = sum;
	}
	if (x->unknown) {
		for (unsigned i = 0; i < x->n; i++)
			spm_put(s, r, x->id[i], none);
		return true;
	}
	memcpy(r->id + r->n, x->id, sizeof(x->id));
	r->n += x->n;
	r->unknown = false;
	return true;
}

/* entry_make - work a unit through, on its own; false: it is not one to be
 * remembered.  What is unknown is then one id, or for Unigram one for each
 * character; entry_put makes one of neighbours */
static bool
entry_make(const struct spm *s, struct spm_room *r, struct view v,
    struct spm_entry *x)
{
	size_t was = r->n, n;
	bool unknown = r->unknown;

	if (s->kind == SPM_UNIGRAM)
		n = spm_unigram_free(s, r, v, x->id, SPM_IDS, &x->limit);
	else {
		r->unknown = false;
		unit_direct(s, r, v);
		n = r->n - was;
		r->n = was;
		r->unknown = unknown;
		if (n <= SPM_IDS)
			memcpy(x->id, r->id + was, n * sizeof(*x->id));
	}
	if (n == 0 || n > SPM_IDS)
		return false;
	x->n = (uint8_t)n;
	x->unknown = false;
	for (size_t i = 0; i < n; i++)
		x->unknown |= x->id[i] == s->unk;
	return !x->unknown || !s->byte_fallback;
}

/* a unit with what it is looked up by */
struct unit {
	struct view v;
	uint64_t key[SPM_KEY / 8], hash;
};

/* unit_known - a unit of at most SPM_KEY bytes: from memory, or as it is */
static void
unit_known(const struct spm *s, struct spm_room *r, const struct unit *u)
{
	struct spm_entry *set = &r->cache[2 * (u->hash >> r->shift)], *x, made;

	unit_reserve(r, u->v.n);
	x = entry_is(set, u->key, u->v.n) ? set : set + 1;
	if (x == set || entry_is(x, u->key, u->v.n)) {
		if (!entry_put(s, r, x))
			unit_direct(s, r, u->v);
		return;
	}
	memcpy(made.key, u->key, sizeof(made.key));
	made.len = (uint8_t)u->v.n;
	if (!entry_make(s, r, u->v, &made)) {
		unit_direct(s, r, u->v);
		return;
	}
	if (!entry_put(s, r, &made))
		unit_direct(s, r, u->v);
	spm_room_put(r, set, &made);
}

static void
unit_put(const struct spm *s, struct spm_room *r, struct view v)
{
	struct unit u = { .v = v };

	if (v.n > SPM_KEY) {
		unit_direct(s, r, v);
		return;
	}
	u.hash = unit_key(v, u.key);
	unit_known(s, r, &u);
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

/* linked - may a piece have byte b right after byte a: one bit for two of
 * ASCII, all others count as one */
static inline bool
linked(const struct spm *s, unsigned char a, unsigned char b)
{
	unsigned from = a < SPM_BEYOND ? a : SPM_BEYOND;
	unsigned to = b < SPM_BEYOND ? b : SPM_BEYOND;

	return s->link[from][to >> 6] >> (to & 63) & 1;
}

/* unit_next - the unit that begins a text: where bytes follow one another that
 * do so in no piece, it ends. A short one's place in memory is asked for
 * early */
static void
unit_next(const struct spm *s, const struct spm_room *r, struct view v,
    struct unit *u)
{
	size_t n = 1;

	while (n < v.n && linked(s, (unsigned char)v.p[n - 1],
	    (unsigned char)v.p[n]))
		n++;
	u->v = (struct view){ v.p, n };
	if (n > SPM_KEY)
		return;
	u->hash = unit_key(u->v, u->key);
	__builtin_prefetch(&r->cache[2 * (u->hash >> r->shift)]);
}

/* text_units - some at a time, so that memory is read while others are cut */
static void
text_units(const struct spm *s, struct spm_room *r, struct view v)
{
	struct unit u[TOGETHER];
	size_t n;

	while (v.n > 0) {
		for (n = 0; n < TOGETHER && v.n > 0; n++) {
			unit_next(s, r, v, &u[n]);
			v.p += u[n].v.n;
			v.n -= u[n].v.n;
		}
		for (size_t i = 0; i < n; i++)
			if (u[i].v.n <= SPM_KEY)
				unit_known(s, r, &u[i]);
			else
				unit_cut(s, r, u[i].v);
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
	else
		text_units(s, r, v);
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
