/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces to ids.  Most have been met before: what is quick here is to find them
 * again, and many lookups are under way at once, since each waits for memory.
 * What is new is cut where no token lies across, merged and kept.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_scratch.h"

#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LINES	((size_t)1 << 16)	/* of two cells, at most */
#define LEAST	((size_t)64)
#define HUGE	((size_t)2 << 20)	/* bytes of a large page */

/* scratch_free - an arena's closer */
static void
scratch_free(void *arg)
{
	struct bpe_scratch *s = arg;

	arena_free(s->work);
	mem_free(s->cells);
	mem_free(s->wide);
	mem_free(s->id);
	mem_free(s->merge);
	mem_free(s->heap);
}

/* cells_new - lines that are lines of the cache too, in large pages where they
 * fill one */
static void
cells_new(struct bpe_scratch *s, size_t lines)
{
	size_t n = lines * 2 * sizeof(*s->cell), align = n < HUGE ? 64 : HUGE;

	s->cells = mem_alloc(n + align);
	s->cell = (void *)(((uintptr_t)s->cells + align - 1) &
	    ~(uintptr_t)(align - 1));
	s->shift = (unsigned)__builtin_clzll(lines) + 1;
	if (align == HUGE)
		(void)madvise(s->cell, n, MADV_HUGEPAGE);
}

struct bpe_scratch *
bpe_scratch_of(struct arena *a, const struct bpe *b, size_t pieces)
{
	struct bpe_scratch *s = arena_alloc(a, sizeof(*s));
	size_t lines = LEAST;

	while (lines < LINES && lines < pieces)
		lines *= 2;
	s->bpe = b;
	s->work = arena_new();
	cells_new(s, lines);
	s->wide_mask = lines / 8 - 1;
	s->wide = mem_alloc(lines / 8 * sizeof(*s->wide));
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

/* bytes that count of the 16 from a piece on, and its length in the last */
static const uint64_t key_mask[BPE_SHORT + 1][2] = {
#define LOW(n)	{ ((uint64_t)1 << (n) * 8) - 1, 0 }
#define HIGH(n)	{ ~(uint64_t)0, ((uint64_t)1 << (n) * 8) - 1 }
	LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7),
	HIGH(0), HIGH(1), HIGH(2), HIGH(3), HIGH(4), HIGH(5), HIGH(6), HIGH(7)
};

struct key {
	uint64_t k[2];
};

/* key_of - of n bytes, n at most BPE_SHORT (of a longer one, no piece's key);
 * 16 can be read */
static inline struct key
key_of(const char *p, size_t n)
{
	struct key k;

	memcpy(&k, p, sizeof(k));
	k.k[0] &= key_mask[n & BPE_SHORT][0];
	k.k[1] &= key_mask[n & BPE_SHORT][1];
	k.k[1] |= (uint64_t)n << 56;
	return k;
}

/* cell_line - the line of a key */
static inline struct bpe_cell *
cell_line(const struct bpe_scratch *s, struct key k)
{
	uint64_t h = k.k[0] * 0x9e3779b97f4a7c15u +
	    k.k[1] * 0xd6e8feb86659fd93u;

	h ^= h >> 32;
	h *= 0xff51afd7ed558ccdu;
	return &s->cell[2 * (h >> s->shift)];
}

/* cell_take - the ids of a known piece; how many, 0: it is not known.
 * BPE_CELL_IDS are written whatever there are */
static inline size_t
cell_take(const struct bpe_cell *c, struct key k, uint32_t *out)
{
	uint32_t first;

	c += !((c->key[0] == k.k[0]) & (c->key[1] == k.k[1]));
	if ((c->key[0] != k.k[0]) | (c->key[1] != k.k[1]))
		return 0;
	first = c->id[0];
	memcpy(out, c->id, sizeof(c->id));
	out[0] = first & 0xffffff;
	return first >> 24;
}

/* cell_keep - what the last n ids were made of */
static void
cell_keep(struct bpe_scratch *s, struct bpe_cell *c, struct key k, size_t n)
{
	if (n == 0)
		return;
	c[1] = c[0];
	memcpy(c->key, &k, sizeof(c->key));
	memcpy(c->id, s->id + s->n - n, n * sizeof(*c->id));
	c->id[0] |= (uint32_t)n << 24;
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

/* wide_find - the place of a piece in the wide cells; *known: it is there */
static struct bpe_long *
wide_find(const struct bpe_scratch *s, const char *p, size_t n, bool part,
    uint64_t *hash, bool *known)
{
	struct bpe_long *c;

	*hash = XXH3_64bits(p, n);
	c = &s->wide[*hash & s->wide_mask];
	*known = c->ids > 0 && c->hash == *hash && c->n == n &&
	    c->part == part && memcmp(c->text, p, n) == 0;
	return c;
}

/* piece_new - a piece that is in no cell, or in a wide one; true: it belongs
 * into a narrow one now, if it fits */
static bool
piece_new(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	struct bpe_long *c;
	size_t had = s->n;
	uint64_t hash;
	bool known;

	if (n <= BPE_CELL_IDS || n > BPE_LONG)
		return piece_make(s, p, n, part) && n <= BPE_SHORT;
	c = wide_find(s, p, n, part, &hash, &known);
	if (known) {
		memcpy(s->id + s->n, c->id, c->ids * sizeof(*c->id));
		s->n += c->ids;
		return false;
	}
	if (!piece_make(s, p, n, part))
		return false;
	if (n <= BPE_SHORT && s->n - had <= BPE_CELL_IDS)
		return true;
	if (s->n - had > BPE_LONG_IDS)
		return false;
	*c = (struct bpe_long){ .hash = hash, .n = (uint8_t)n,
	    .ids = (uint8_t)(s->n - had), .part = part };
	memcpy(c->text, p, n);
	memcpy(c->id, s->id + had, c->ids * sizeof(*c->id));
	return false;
}

/* piece_any - a piece of any length, BPE_ROOM ids being free */
static void
piece_any(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	struct bpe_cell *c;
	struct key k = { { 0, 0 } };
	size_t had = s->n;

	if (n > BPE_SHORT) {
		piece_new(s, p, n, part);
		return;
	}
	if (s->end - p >= (ptrdiff_t)sizeof(k)) {
		k = key_of(p, n);
	} else {
		memcpy(&k, p, n);
		k.k[1] |= (uint64_t)n << 56;
	}
	if (part && s->bpe->whole)
		k.k[1] |= (uint64_t)BPE_PART << 56;
	c = cell_line(s, k);
	s->n += cell_take(c, k, s->id + s->n);
	if (s->n > had)
		return;
	if (piece_new(s, p, n, part))
		cell_keep(s, c, k, s->n - had);
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
		struct key k;
		struct bpe_cell *c;
	} known[BPE_BLOCK];
	unsigned char end[BPE_BLOCK];
	size_t count = 0, from = 0, n, had;
	uint32_t *out;

	bpe_room(s, 0);
	for (; starts != 0; starts &= starts - 1) {
		end[count] = (unsigned char)__builtin_ctzll(starts);
		known[count].k = key_of(p + from, end[count] - from);
		known[count].c = cell_line(s, known[count].k);
		__builtin_prefetch(known[count].c);
		from = end[count++];
	}
	out = s->id + s->n;
	for (size_t i = 0; i < count; i++) {
		n = cell_take(known[i].c, known[i].k, out);
		out += n;
		if (n > 0)
			continue;
		from = i == 0 ? 0 : end[i - 1];
		had = s->n = (size_t)(out - s->id);
		if (piece_new(s, p + from, end[i] - from, false))
			cell_keep(s, known[i].c, known[i].k, s->n - had);
		bpe_room(s, 0);
		out = s->id + s->n;
	}
	s->n = (size_t)(out - s->id);
	s->steps++;
	return count == 0 ? 0 : end[count - 1];
}
