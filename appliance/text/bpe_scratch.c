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

/* piece_make - the ids of a piece that is not known; part: of what was cut.
 * False: it was cut here, and its parts are known now */
static bool
piece_make(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	const struct bpe *b = s->bpe;
	uint32_t id;

	s->steps++;
	if (!part && n > 4 && has_high(p, n) && piece_cut(s, p, n))
		return false;
	bpe_room(s, n);
	if (b->whole && !part && n <= b->longest &&
	    (id = bpe_name_find(b, p, n)) != BPE_NONE)
		s->id[s->n++] = id;
	else
		s->n += bpe_merge(s, p, n, s->id + s->n);
	return true;
}

/* piece_new - a piece that is in no cell, or in a long one; true: it belongs
 * into a short one now, if it fits */
static bool
piece_new(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	struct cell_long *c;
	size_t had = s->n;
	bool known;

	if (n <= CELL_IDS || n > CELL_LONG)
		return piece_make(s, p, n, part) && n <= CELL_SHORT;
	c = cells_long(&s->cells, p, n, part, &known);
	if (known) {
		memcpy(s->id + s->n, c->id, c->ids * sizeof(*c->id));
		s->n += c->ids;
		return false;
	}
	if (!piece_make(s, p, n, part))
		return false;
	if (n <= CELL_SHORT && s->n - had <= CELL_IDS)
		return true;
	cells_long_keep(c, p, n, part, s->id + had, s->n - had);
	return false;
}

/* piece_any - a piece of any length, BPE_ROOM ids being free */
static void
piece_any(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	struct cell *c;
	struct cell_key k;
	size_t had = s->n, ids;

	if (n > CELL_SHORT) {
		piece_new(s, p, n, part);
		return;
	}
	k = cell_key_near(p, n, s->end);
	if (part && s->bpe->whole)
		k.k[1] |= (uint64_t)CELL_MARK << 56;
	c = cell_line(&s->cells, k);
	ids = cell_take(c, k, s->id + s->n);
	if (ids > 0)
		s->n += ids - 1;
	else if (piece_new(s, p, n, part))
		cell_keep(c, k, s->id + had, s->n - had);
}

static void
piece_part(struct bpe_scratch *s, const char *p, size_t n)
{
	bpe_room(s, 0);
	piece_any(s, p, n, true);
}

void
bpe_one(struct bpe_scratch *s, const char *p, size_t n)
{
	unsigned char c = (unsigned char)(p[0] == ' ' && n > 1 ? p[1] : p[0]);

	bpe_room(s, 0);
	s->steps += n;
	/* of ideographs and kana nearly every piece is new */
	if (c < 0xe3 || c > 0xe9 || n <= 6 || !piece_cut(s, p, n))
		piece_any(s, p, n, false);
}

size_t
bpe_pieces(struct bpe_scratch *s, const char *p, uint64_t starts)
{
	struct {
		struct cell_key k;
		struct cell *c;
	} known[BPE_BLOCK];
	unsigned char end[BPE_BLOCK];
	size_t count = 0, from = 0, n, had;
	uint32_t *out;

	bpe_room(s, 0);
	for (; starts != 0; starts &= starts - 1) {
		end[count] = (unsigned char)__builtin_ctzll(starts);
		known[count].k = cell_key(p + from, end[count] - from);
		known[count].c = cell_line(&s->cells, known[count].k);
		__builtin_prefetch(known[count].c);
		from = end[count++];
	}
	out = s->id + s->n;
	for (size_t i = 0; i < count; i++) {
		n = cell_take(known[i].c, known[i].k, out);
		if (n > 0) {
			out += n - 1;
			continue;
		}
		from = i == 0 ? 0 : end[i - 1];
		had = s->n = (size_t)(out - s->id);
		if (piece_new(s, p + from, end[i] - from, false))
			cell_keep(known[i].c, known[i].k, s->id + had,
			    s->n - had);
		bpe_room(s, 0);
		out = s->id + s->n;
	}
	s->n = (size_t)(out - s->id);
	s->steps++;
	return count == 0 ? 0 : end[count - 1];
}
