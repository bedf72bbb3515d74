/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalized text is cut where no piece reaches over: between characters that
 * follow one another in no piece, such as before blanks with most vocabularies.
 * What lies between is a unit; short ones are remembered with their ids in a
 * table for each thread at work. Units that no cut makes short, be it the whole
 * text, are worked through as they are.
 */
#include "appliance/base/base.h"
#include "appliance/text/cells_take.h"
#include "appliance/text/spm_room.h"

#include <math.h>

#define ROOM	(CELL_UNITS * CELL_IDS + 1)
#define FREE_LONG	128	/* bytes of a unit of Unigram: of longer ones
				 * the limit is seldom kept */

void
spm_put(const struct spm *s, struct spm_room *r, uint32_t id, struct view text)
{
	static const char sign[] = SPM_SIGN;

	if (id != s->unk || !s->byte_fallback) {
		r->unknown |= id == s->unk;
		r->id[r->n++] = id;
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		if (s->fold && text.p[i] == ' ')
			for (unsigned k = 0; k < 3; k++)
				r->id[r->n++] = s->byte[(unsigned char)
				    sign[k]];
		else
			r->id[r->n++] = s->byte[(unsigned char)text.p[i]];
}

/* unknown_join - neighbours that are unknown are one */
static void
unknown_join(const struct spm *s, struct spm_room *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (i == 0 || r->id[i] != s->unk || r->id[i - 1] != s->unk)
			r->id[n++] = r->id[i];
	r->n = n;
}

/* unit_reserve - room for the ids of n bytes, each of which is one, or three
 * of a sign, and for those of a block that are known */
static void
unit_reserve(struct spm_room *r, size_t n)
{
	if (r->cap - r->n >= 3 * n + ROOM)
		return;
	r->cap = 2 * r->cap + 3 * n + ROOM;
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

/*
 * unit_known - what was found in a cell, at the end of the ids; false: it does
 * not count.  Of Unigram the last one is the limit, and up to that the sums are
 * those that the library would have made
 */
static inline bool
unit_known(const struct spm *s, struct spm_room *r, size_t n)
{
	const uint32_t *id = r->id + r->n;
	float limit, sum = r->sum;

	if (s->kind == SPM_BPE) {
		r->n += n;
		return true;
	}
	memcpy(&limit, &id[n - 1], sizeof(limit));
	if (!(fabsf(sum) <= limit))
		return false;
	for (size_t i = 0; i + 1 < n; i++)
		sum += s->weight[id[i]];
	r->sum = sum;
	r->n += n - 1;
	return true;
}

/* unit_make - work a unit through, on its own, at the end of the ids; how many
 * words that are for a cell, 0: it is not one to be remembered */
static size_t
unit_make(const struct spm *s, struct spm_room *r, struct view v)
{
	size_t was = r->n, n;
	float limit;

	if (s->kind == SPM_BPE) {
		unit_direct(s, r, v);
		n = r->n - was;
		r->n = was;
		return n;
	}
	unit_reserve(r, v.n);
	n = spm_unigram_free(s, r, v, r->id + was, v.n, &limit);
	for (size_t i = 0; i < n; i++)
		if (r->id[was + i] == s->unk && s->byte_fallback)
			return 0;
	memcpy(&r->id[was + n], &limit, n == 0 ? 0 : sizeof(limit));
	for (size_t i = 0; i < n; i++)
		r->unknown |= r->id[was + i] == s->unk;
	return n == 0 ? 0 : n + 1;
}

/* unit_seek - a unit that is not in its line */
static void
unit_seek(const struct spm *s, struct spm_room *r, const struct cell_unit *u)
{
	bool few = u->n <= CELL_SHORT;
	struct view v = { u->p, u->n };
	const uint32_t *id = NULL;
	uint64_t hash;
	size_t n;

	unit_reserve(r, v.n);
	n = few ? cell_beside(&r->cells, u->line, u->k, r->id + r->n) : 0;
	if (n > 0) {
		if (!unit_known(s, r, n - 1))
			unit_direct(s, r, v);
		return;
	}
	hash = few ? cells_hash(v.p, v.n) : u->k.k[0];
	id = cells_find(&r->cells, hash, v.p, v.n, false, &n);
	if (id != NULL) {
		memcpy(r->id + r->n, id, n * sizeof(*id));
		if (!unit_known(s, r, n))
			unit_direct(s, r, v);
		return;
	}
	n = unit_make(s, r, v);
	if (n > 0 && n <= CELL_IDS && few)
		cell_keep(&r->cells, u->line, u->k, r->id + r->n, n);
	else if (n > 0)
		cells_put(&r->cells, hash, v.p, v.n, false, r->id + r->n, n);
	if (n == 0 || !unit_known(s, r, n))
		unit_direct(s, r, v);
}

/* unit_one - a unit of any length, with bytes to spare behind it */
static void
unit_one(const struct spm *s, struct spm_room *r, struct view v)
{
	struct cell_unit u;
	size_t n;

	unit_reserve(r, v.n);
	if (v.n > (s->kind == SPM_BPE ? CELL_LONG : FREE_LONG)) {
		unit_direct(s, r, v);
		return;
	}
	cell_unit(&r->cells, &u, v.p, v.n);
	n = cell_take(u.line, u.k, r->id + r->n);
	if (n == 0)
		unit_seek(s, r, &u);
	else if (!unit_known(s, r, n - 1))
		unit_direct(s, r, v);
}

/* units_many - those of a block */
static void
units_many(const struct spm *s, struct spm_room *r, const char *p,
    uint64_t first, uint64_t ends)
{
	struct cell_unit u[CELL_UNITS];
	size_t count = cell_units(&r->cells, p, first, ends, u), n;
	bool bpe = s->kind == SPM_BPE;
	uint32_t *out;

	unit_reserve(r, 0);
	out = r->id + r->n;
	for (size_t i = 0; i < count; i++) {
		n = cell_take(u[i].line, u[i].k, out);
		if (n > 0 && bpe) {
			out += n - 1;
			continue;
		}
		r->n = (size_t)(out - r->id);
		if (n == 0)
			unit_seek(s, r, &u[i]);
		else if (!unit_known(s, r, n - 1))
			unit_direct(s, r, (struct view){ u[i].p, u[i].n });
		unit_reserve(r, 0);
		out = r->id + r->n;
	}
	r->n = (size_t)(out - r->id);
}

/* text_units - normalized text, with bytes to spare behind it */
static void
text_units(const struct spm *s, struct spm_room *r, struct view v)
{
	const char *p = v.p, *end = v.p + v.n, *to;
	bool fast = links_here();
	uint64_t first, ends;
	size_t left, n;

	for (; p < end; p = to) {
		left = (size_t)(end - p);
		n = !fast ? 0 : links_block(s->links, p, left < LINKS_BLOCK ?
		    left : LINKS_BLOCK, left <= LINKS_BLOCK, &first, &ends);
		to = n > 0 ? p + n : links_next(s->links, p, end);
		if (n > 0)
			units_many(s, r, p, first, ends);
		else
			unit_one(s, r, (struct view){ p, (size_t)(to - p) });
	}
}

/* piece_id - what the whole of some text is */
static uint32_t
piece_id(const struct spm *s, struct view v)
{
	uint32_t id = spm_find(s, &s->names, v);

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
		at += links_bytes(v.p + at, v.n - at);
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
			len = links_bytes(c.p, v.n - at);
		c.n = len;
		spm_put(s, r, piece_id(s, c), c);
	}
}

size_t
spm_encode(struct spm *s, struct arena *a, struct view text, uint32_t **ids)
{
	struct spm_room *r = spm_room_take(s, text.n);
	struct view v;
	size_t n;

	r->text.n = r->n = 0;
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
	if (r->unknown)
		unknown_join(s, r);
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
