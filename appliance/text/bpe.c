/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to ids and back.  Most pieces of a text have been met before: what is
 * fast here is to find where a piece ends (bpe_block) and to find it again (the
 * cells of the scratch); what is left is merged (bpe_merge) and kept.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_scratch.h"
#include "appliance/text/utf8.h"

#include <sys/types.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LINES	((size_t)1 << 16)	/* of two cells, in a scratch */
#define WIDE	((size_t)1 << 13)
#define IDS_KEPT	((size_t)1 << 20)

uint32_t
bpe_size(const struct bpe *b)
{
	return b->size;
}

struct view
bpe_image(const struct bpe *b)
{
	return b->image;
}

int64_t
bpe_find(const struct bpe *b, const char *text)
{
	struct view v;

	for (uint32_t i = 0; i < b->size; i++) {
		v = bpe_token_at(b, i);
		if (v.p != NULL && view_is(v, text))
			return i;
	}
	return -1;
}

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

/* scratch_new - lines: a power of two, 2 at least */
static void
scratch_new(struct bpe_scratch *s, const struct bpe *b, size_t lines,
    size_t wide)
{
	*s = (struct bpe_scratch){ .bpe = b, .work = arena_new() };
	s->shift = (unsigned)__builtin_clzll(lines) + 1;
	/* a line is one of the cache's */
	s->cells = mem_alloc(lines * 2 * sizeof(*s->cell) + 64);
	s->cell = (void *)(((uintptr_t)s->cells + 63) & ~(uintptr_t)63);
	s->wide = mem_alloc(wide * sizeof(*s->wide));
	s->wide_mask = wide - 1;
}

struct bpe_scratch *
bpe_scratch(struct arena *a, const struct bpe *b)
{
	struct bpe_scratch *s = arena_alloc(a, sizeof(*s));

	scratch_new(s, b, LINES, WIDE);
	arena_defer(a, scratch_free, s);
	return s;
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

/* cell_line - the line of a key */
static inline struct bpe_cell *
cell_line(const struct bpe_scratch *s, uint64_t k0, uint64_t k1)
{
	uint64_t h = k0 * 0x9e3779b97f4a7c15u + k1 * 0xd6e8feb86659fd93u;

	h ^= h >> 32;
	h *= 0xff51afd7ed558ccdu;
	return &s->cell[2 * (h >> s->shift)];
}

/* cell_take - the ids of a known piece; false: it is not known.  BPE_CELL_IDS
 * are written whatever there are */
static inline bool
cell_take(struct bpe_scratch *s, const struct bpe_cell *c, uint64_t k0,
    uint64_t k1)
{
	uint32_t *out = s->id + s->n;

	c += !((c->key[0] == k0) & (c->key[1] == k1));
	if ((c->key[0] != k0) | (c->key[1] != k1))
		return false;
	memcpy(out, c->id, sizeof(c->id));
	out[0] &= 0xffffff;
	s->n += c->id[0] >> 24;
	return true;
}

/* cell_keep - what the last n ids were made of */
static void
cell_keep(struct bpe_scratch *s, struct bpe_cell *c, uint64_t k0, uint64_t k1,
    size_t n)
{
	if (n > BPE_CELL_IDS)
		return;
	c[1] = c[0];
	c->key[0] = k0;
	c->key[1] = k1;
	memcpy(c->id, s->id + s->n - n, n * sizeof(*c->id));
	c->id[0] |= (uint32_t)n << 24;
}

static void piece_part(struct bpe_scratch *, const char *, size_t);

/* has_high - is there a byte beyond ASCII */
static bool
has_high(const char *p, size_t n)
{
	unsigned char x = 0;

	for (size_t i = 0; i < n; i++)
		x |= (unsigned char)p[i];
	return x >= 0x80;
}

/* piece_cut - a piece with characters beyond ASCII in it, by the parts that no
 * token lies across: they are met again more often; false: there is one only */
static bool
piece_cut(struct bpe_scratch *s, const char *p, size_t n)
{
	size_t at, next = has_high(p, n) ? bpe_joint_next(s, p, 0, n) : n;

	if (next == n)
		return false;
	for (at = 0; at < n; at = next) {
		if (at > 0)
			next = bpe_joint_next(s, p, at, n);
		piece_part(s, p + at, next - at);
	}
	return true;
}

/* piece_make - the ids of a piece that is not known; part: of what was cut.
 * False: it was cut here, and its parts are known now */
static bool
piece_make(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	const struct bpe *b = s->bpe;
	uint32_t id;

	s->steps++;
	if (!part && n > 4 && piece_cut(s, p, n))
		return false;
	bpe_room(s, n);
	if (b->whole && !part && n <= b->longest &&
	    (id = bpe_name_find(b, p, n)) != BPE_NONE)
		s->id[s->n++] = id;
	else
		s->n += bpe_merge(s, p, n, s->id + s->n);
	return true;
}

/* piece_wide - a piece of more than BPE_SHORT bytes */
static void
piece_wide(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	struct bpe_long *c;
	size_t had = s->n;
	uint64_t hash;

	if (n > BPE_LONG) {
		piece_make(s, p, n, part);
		return;
	}
	hash = XXH3_64bits(p, n);
	c = &s->wide[hash & s->wide_mask];
	if (c->hash == hash && c->n == n && c->part == part && c->ids > 0 &&
	    memcmp(c->text, p, n) == 0) {
		bpe_room(s, c->ids);
		memcpy(s->id + s->n, c->id, c->ids * sizeof(*c->id));
		s->n += c->ids;
		return;
	}
	if (!piece_make(s, p, n, part) || s->n - had > BPE_LONG_IDS)
		return;
	*c = (struct bpe_long){ .hash = hash, .n = (uint8_t)n,
	    .ids = (uint8_t)(s->n - had), .part = part };
	memcpy(c->text, p, n);
	memcpy(c->id, s->id + had, c->ids * sizeof(*c->id));
}

/* piece_any - a piece of any length, BPE_ROOM ids being free */
static void
piece_any(struct bpe_scratch *s, const char *p, size_t n, bool part)
{
	uint64_t key[2] = { 0, 0 };
	struct bpe_cell *c;
	size_t had = s->n;

	if (n > BPE_SHORT) {
		piece_wide(s, p, n, part);
		return;
	}
	memcpy(key, p, n);
	key[1] |= (uint64_t)(n | (part && s->bpe->whole ? BPE_PART : 0)) << 56;
	c = cell_line(s, key[0], key[1]);
	if (cell_take(s, c, key[0], key[1]))
		return;
	piece_make(s, p, n, part);
	cell_keep(s, c, key[0], key[1], s->n - had);
}

static void
piece_part(struct bpe_scratch *s, const char *p, size_t n)
{
	piece_any(s, p, n, true);
	bpe_room(s, 0);
}

/* bytes that count of the 16 from a piece on, and its length in the last */
static const uint64_t key_mask[BPE_SHORT + 1][2] = {
#define LOW(n)	{ ((uint64_t)1 << (n) * 8) - 1, 0 }
#define HIGH(n)	{ ~(uint64_t)0, ((uint64_t)1 << (n) * 8) - 1 }
	LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7),
	HIGH(0), HIGH(1), HIGH(2), HIGH(3), HIGH(4), HIGH(5), HIGH(6), HIGH(7)
};

/* block_pieces - the pieces that begin where bits are set and end where the
 * next is; 80 bytes can be read.  Where the last one begins */
static size_t
block_pieces(struct bpe_scratch *s, const char *p, uint64_t starts)
{
	size_t from = 0, to, n, had;
	uint64_t k0, k1;
	struct bpe_cell *c;

	for (; starts != 0; starts &= starts - 1, from = to) {
		to = (size_t)__builtin_ctzll(starts);
		n = to - from;
		if (n > BPE_SHORT) {
			piece_wide(s, p + from, n, false);
			bpe_room(s, 0);
			continue;
		}
		memcpy(&k0, p + from, 8);
		memcpy(&k1, p + from + 8, 8);
		k0 &= key_mask[n][0];
		k1 = (k1 & key_mask[n][1]) | (uint64_t)n << 56;
		c = cell_line(s, k0, k1);
		if (cell_take(s, c, k0, k1))
			continue;
		had = s->n;
		piece_make(s, p + from, n, false);
		cell_keep(s, c, k0, k1, s->n - had);
		bpe_room(s, 0);
	}
	return from;
}

/* encode_text - text without added tokens, normalized */
static void
encode_text(struct bpe_scratch *s, struct view v)
{
	const struct bpe *b = s->bpe;
	const char *p, *end;
	char last[BPE_BLOCK + 16] = { 0 };
	bool fast = bpe_block_here();
	size_t n, left;
	uint64_t starts;

	if (v.n > 0 && b->blank && v.p[0] != ' ') {
		char *copy = arena_alloc(s->work, v.n + 1);

		copy[0] = ' ';
		memcpy(copy + 1, v.p, v.n);
		v = (struct view){ copy, v.n + 1 };
	}
	end = v.p + v.n;
	for (p = v.p; p < end; p += n) {
		left = (size_t)(end - p);
		starts = 0;
		/* dense text beyond ASCII is not for blocks */
		if (fast && left > 1 && ((p[0] | p[1]) & 0x80) == 0) {
			const char *at = p, *stop = end;

			if (left < sizeof(last)) {
				memcpy(last, p, left);
				at = last;
				stop = last + left;
			}
			starts = bpe_block(b->pattern, at, left < BPE_BLOCK ?
			    left : BPE_BLOCK, stop);
			bpe_room(s, 0);
			n = block_pieces(s, at, starts);
			s->steps++;
		}
		if (starts != 0)
			continue;
		n = bpe_piece(b->pattern, p, left);
		bpe_room(s, 0);
		piece_any(s, p, n, false);
		s->steps += n;
	}
}

/* encode_split - text between the added tokens of one kind, and these */
static void
encode_split(struct bpe_scratch *s, struct view v, bool normalized)
{
	const struct bpe *b = s->bpe;
	struct bpe_split split = { b->added, v, normalized, 0, 0 };
	bool any = bpe_added_any(b->added, normalized);
	int64_t id = -1;

	while (any ? bpe_split_next(&split, &v, &id) : v.n > 0) {
		if (normalized)
			encode_text(s, v);
		else
			encode_split(s, b->nfc ? utf8_nfc9(s->work, v) : v,
			    true);
		if (id == -1)
			break;
		bpe_room(s, 1);
		s->id[s->n++] = (uint32_t)id;
	}
}

/* encode_small - with a scratch of its own, as large as is worth while */
static size_t
encode_small(const struct bpe *b, struct arena *a, struct view text,
    uint32_t **ids)
{
	struct bpe_scratch s;
	size_t lines = 64, n;

	while (lines < LINES && lines * 16 < text.n)
		lines *= 2;
	scratch_new(&s, b, lines, lines / 8);
	n = bpe_encode(b, &s, a, text, ids);
	scratch_free(&s);
	return n;
}

size_t
bpe_encode(const struct bpe *b, struct bpe_scratch *s, struct arena *a,
    struct view text, uint32_t **ids)
{
	if (s == NULL)
		return encode_small(b, a, text, ids);
	arena_reset(s->work);
	s->n = 0;
	encode_split(s, text, false);
	*ids = arena_copy(a, s->id, s->n * sizeof(**ids));
	if (s->cap > IDS_KEPT) {
		mem_free(s->id);
		s->id = NULL;
		s->cap = 0;
	}
	return s->n;
}

/* decode_some - tokens while there is room to write 16 bytes for each; how
 * many, or -1 */
static ssize_t
decode_some(const struct bpe *b, const uint32_t *ids, size_t n,
    struct buf *out)
{
	char *p = out->p + out->n, *end = out->p + out->cap;
	const struct bpe_slot *t;
	size_t i;

	for (i = 0; i < n && end - p >= (ptrdiff_t)sizeof(*t); i++) {
		if (ids[i] >= b->size)
			return -1;
		t = &b->slot[ids[i]];
		memcpy(p, t, sizeof(*t));
		if (t->n > BPE_SLOT)
			break;
		p += t->n;
	}
	out->n = (size_t)(p - out->p);
	return (ssize_t)i;
}

int
bpe_decode(const struct bpe *b, const uint32_t *ids, size_t n,
    struct buf *out)
{
	struct view v;
	ssize_t done;
	size_t i = 0;

	while (i < n) {
		/* most tokens are shorter; never more than the buffer may be */
		size_t want = (n - i) * 8 + sizeof(struct bpe_slot);

		if (want > out->max - out->n)
			want = out->max - out->n;
		if (want > 0 && want > out->cap - out->n)
			buf_reserve(out, want);
		done = decode_some(b, ids + i, n - i, out);
		if (done == -1)
			return -1;
		i += (size_t)done;
		if (i == n)
			break;
		if (ids[i] >= b->size)
			return -1;
		v = bpe_token_at(b, ids[i]);
		if (v.p == NULL)
			return -1;
		buf_view(out, v);
		i++;
	}
	return 0;
}
