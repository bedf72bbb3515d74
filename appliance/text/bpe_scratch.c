/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces to ids.  Most have been met before: what is quick here is to find them
 * again, and many lookups are under way at once, since each waits for memory.
 * What is new is cut where no token lies across, merged and kept.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_scratch.h"
#include "appliance/text/cells_take.h"

/* scratch_free - an arena's closer */
static void
scratch_free(void *arg)
{
	struct bpe_scratch *s = arg;

	arena_free(s->work);
	cells_free(&s->cells);
	mem_free(s->id);
	mem_free(s->merge);
	mem_free(s->heap);
}

struct bpe_scratch *
bpe_scratch_of(struct arena *a, const struct bpe *b, size_t pieces)
{
	struct bpe_scratch *s = arena_alloc(a, sizeof(*s));

	s->bpe = b;
	s->work = arena_new();
	cells_init(&s->cells, pieces);
	arena_defer(a, scratch_free, s);
	return s;
}

struct bpe_scratch *
bpe_scratch(struct arena *a, const struct bpe *b)
{
	return bpe_scratch_of(a, b, SIZE_MAX);
}

uint64_t
bpe_scratch_steps(const struct bpe_scratch *s)
{
	return s->steps;
}

void
bpe_room(struct bpe_scratch *s, size_t n)
{
	size_t want = s->n + n + BPE_ROOM;

	if (want <= s->cap)
		return;
	want = want < s->cap * 2 ? s->cap * 2 : want;
	s->id = mem_grow(s->id, want * sizeof(*s->id));
	s->cap = want;
}

static void piece_part(struct bpe_scratch *, const char *, size_t);

/* char_bytes - of the character that begins with c */
static inline size_t
char_bytes(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* char_word - a character's bytes as a number */
static inline uint32_t
char_word(const struct bpe_scratch *s, const char *p, size_t n)
{
	uint32_t x = 0;

	if (s->end - p < 4) {
		memcpy(&x, p, n);
		return x;
	}
	memcpy(&x, p, 4);
	return x & (UINT32_MAX >> (32 - 8 * n));
}

/* joint_near - may a token that holds one of two characters in part lie across
 * their border */
static bool
joint_near(const struct bpe *b, uint32_t x, uint32_t y, unsigned char last,
    unsigned char first)
{
	return bpe_joint_is(b, JOINT_RIGHT, last, y) ||
	    bpe_joint_is(b, JOINT_LEFT, x, first) ||
	    bpe_joint_is(b, JOINT_NEITHER, last, first);
}

/* piece_cut - a piece with characters beyond ASCII in it, by the parts that no
 * token lies across: they are met again more often; false: there is one only */
static bool
piece_cut(struct bpe_scratch *s, const char *p, size_t n)
{
	const struct bpe *b = s->bpe;
	size_t at, len = char_bytes((unsigned char)p[0]), from = 0;
	uint32_t x = char_word(s, p, len), y;
	unsigned char last, first;

	for (at = len; at < n; at += len) {
		last = (unsigned char)p[at - 1];
		first = (unsigned char)p[at];
		len = char_bytes(first);
		y = char_word(s, p + at, len);
		if (last >= 0x80 && first >= 0x80 &&
		    !bpe_joint_is(b, JOINT_BOTH, x, y) &&
		    !(bpe_joint_close(b, last, first) &&
		    joint_near(b, x, y, last, first))) {
			piece_part(s, p + from, at - from);
			from = at;
		}
		x = y;
	}
	s->steps += n;
	if (from > 0)
		piece_part(s, p + from, n - from);
	return from > 0;
}

/* has_high - is there a byte beyond ASCII */
static bool
has_high(const char *p, size_t n)
{
	unsigned char x = 0;

	for (size_t i = 0; i < n; i++)
		x |= (unsigned char)p[i];
	return x >= 0x80;
}

/* piece_make - the ids of a piece that is not known; part: of what was cut */
static void
piece_make(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	const struct bpe *b = s->bpe;
	uint32_t id;

	s->steps++;
	if (!part && n > 4 && has_high(p, n) && piece_cut(s, p, n))
		return;
	bpe_room(s, n);
	if (b->whole && !part && n <= b->longest &&
	    (id = bpe_name_find(b, p, n)) != BPE_NONE)
		s->id[s->n++] = id;
	else
		s->n += bpe_merge(s, p, n, s->id + s->n);
}

/* piece_seek - a piece that is not in its line */
static void
piece_seek(struct bpe_scratch *s, const struct cell_unit *u, bool part)
{
	bool few = u->n <= CELL_SHORT;
	bool pool = u->n > CELL_IDS && u->n <= CELL_LONG;
	const uint32_t *id;
	uint64_t hash = 0;
	size_t had = s->n, ids;

	ids = few ? cell_beside(&s->cells, u->line, u->k, s->id + had) : 0;
	if (ids > 0) {
		s->n += ids - 1;
		return;
	}
	if (pool) {
		hash = few ? cells_hash(u->p, u->n) : u->k.k[0];
		id = cells_find(&s->cells, hash, u->p, u->n, part, &ids);
		if (id != NULL) {
			bpe_room(s, ids);
			memcpy(s->id + had, id, ids * sizeof(*id));
			s->n += ids;
			return;
		}
	}
	piece_make(s, u->p, u->n, part);
	ids = s->n - had;
	if (few && ids <= CELL_IDS)
		cell_keep(&s->cells, u->line, u->k, s->id + had, ids);
	else if (pool)
		cells_put(&s->cells, hash, u->p, u->n, part, s->id + had, ids);
}

/* unit_of - what a piece is looked up by, where reading may have to end */
static inline void
unit_of(struct bpe_scratch *s, struct cell_unit *u, const char *p, size_t n)
{
	if (n > CELL_SHORT || s->end - p > CELL_SHORT) {
		cell_unit(&s->cells, u, p, n);
		return;
	}
	*u = (struct cell_unit){ .k = cell_key_near(p, n, s->end), .p = p,
	    .n = n };
	u->line = cell_line(&s->cells, u->k);
}

static void
piece_part(struct bpe_scratch *s, const char *p, size_t n)
{
	struct cell_unit u;
	size_t ids;

	bpe_room(s, 0);
	unit_of(s, &u, p, n);
	if (n <= CELL_SHORT && s->bpe->whole) {
		u.k.k[1] |= (uint64_t)CELL_MARK << 56;
		u.line = cell_line(&s->cells, u.k);
	}
	ids = cell_take(u.line, u.k, s->id + s->n);
	if (ids > 0)
		s->n += ids - 1;
	else
		piece_seek(s, &u, true);
}

void
bpe_flush(struct bpe_scratch *s)
{
	const struct cell_unit *u = s->unit, *end = u + s->units;
	uint32_t *out;
	size_t n;

	s->units = 0;
	bpe_room(s, BPE_QUEUE * CELL_IDS);
	out = s->id + s->n;
	for (; u < end; u++) {
		n = cell_take(u->line, u->k, out);
		if (n > 0) {
			out += n - 1;
			continue;
		}
		s->n = (size_t)(out - s->id);
		piece_seek(s, u, false);
		bpe_room(s, BPE_QUEUE * CELL_IDS);
		out = s->id + s->n;
	}
	s->n = (size_t)(out - s->id);
}

void
bpe_one(struct bpe_scratch *s, const char *p, size_t n)
{
	s->steps += n;
	if (s->units == BPE_QUEUE)
		bpe_flush(s);
	unit_of(s, &s->unit[s->units++], p, n);
}

size_t
bpe_pieces(struct bpe_scratch *s, const char *p, uint64_t ends)
{
	struct cell_unit *u;
	size_t from = 0, end;

	s->steps++;
	if (s->units > BPE_QUEUE - BPE_BLOCK)
		bpe_flush(s);
	for (u = s->unit + s->units; ends != 0; ends &= ends - 1, u++) {
		end = (size_t)__builtin_ctzll(ends);
		cell_unit(&s->cells, u, p + from, end - from);
		from = end;
	}
	s->units = (size_t)(u - s->unit);
	return from;
}
