/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces to ids.  Most have been met before: what is quick here is to find them
 * again, and many lookups are under way at once, since each waits for memory.
 * What is new is cut where no token lies across, merged and kept.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_joint.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_scratch.h"
#include "appliance/text/cells_take.h"

#define PARTS		32u	/* of a piece, looked up at once */
#define LUCK_FOUND	2u	/* a dense piece: so many more are sought */
#define LUCK_MOST	256u

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


/* char_bytes - of the character that begins with c */
static inline size_t
char_bytes(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* char_word - a character's bytes as a number; 0: it is of ASCII, or none */
static inline uint32_t
char_word(const struct bpe_scratch *s, const char *p, const char *end)
{
	uint32_t x = 0;
	size_t n;

	if (p >= end || (*p & 0x80) == 0)
		return 0;
	n = char_bytes((unsigned char)*p);
	if (s->end - p < 4) {
		memcpy(&x, p, n);
		return x;
	}
	memcpy(&x, p, 4);
	return x & (UINT32_MAX >> (32 - 8 * n));
}

/* a border in a piece: the characters beside it, and theirs */
struct border {
	uint32_t w, x, y, z;
};

/* border_open - is there no token that holds all of both and lies across.  Two
 * bytes and less are not for parts */
static inline uint64_t
border_open(const struct bpe *b, const struct border *t)
{
	const unsigned both = bpe_joint_bit(b, bpe_joint_both(t->x, t->y)),
	    before = bpe_joint_bit(b, bpe_joint_three(JOINT_BEFORE, t->w, t->x,
	    t->y)), behind = bpe_joint_bit(b, bpe_joint_three(JOINT_BEHIND,
	    t->z, t->x, t->y));

	/* not a branch of them can be foretold */
	return (t->x > 0xffff) & (t->y > 0xffff) & !(both | before | behind);
}

/* border_near - may a token that holds one of the characters beside p in part
 * lie across; from is the beginning of one of those before it */
static bool
border_near(const struct bpe_scratch *s, const char *from, const char *p,
    const char *end)
{
	const struct bpe *b = s->bpe;
	unsigned char last = (unsigned char)p[-1], first = (unsigned char)*p;
	const char *at = p - 1;

	if (!bpe_joint_close(b, last, first))
		return false;
	while (at > from && ((unsigned char)*at & 0xc0) == 0x80)
		at--;
	return bpe_joint_bit(b, bpe_joint(JOINT_RIGHT, last, char_word(s, p,
	    end))) || bpe_joint_bit(b, bpe_joint(JOINT_LEFT, char_word(s, at,
	    end), first)) || bpe_joint_bit(b, bpe_joint(JOINT_NEITHER, last,
	    first));
}

/* unit_of - what a piece is looked up by, where reading may have to end; a part
 * is not what a piece of its bytes is */
static inline void
unit_of(struct bpe_scratch *s, struct cell_unit *u, const char *p, size_t n,
    bool part)
{
	if (n > CELL_SHORT || (s->end - p > CELL_SHORT && !part)) {
		cell_unit(&s->cells, u, p, n);
	} else {
		u->k = cell_key_near(p, n, s->end);
		if (part && s->bpe->whole)
			u->k.k[1] |= (uint64_t)CELL_MARK << 56;
		u->line = cell_line(&s->cells, u->k);
		__builtin_prefetch(u->line);
		u->p = p;
		u->n = (uint32_t)n;
	}
	u->part = part;
}

/* parts and pieces that wait to be taken */
struct parts {
	struct cell_unit *u;
	size_t n, cap;
};

static void piece_seek(struct bpe_scratch *, const struct cell_unit *);

/* parts_take - their ids */
static void
parts_take(struct bpe_scratch *s, struct parts *x)
{
	const struct cell_unit *u = x->u, *end = u + x->n;
	uint32_t *out;
	size_t n;

	bpe_room(s, BPE_QUEUE * CELL_IDS);
	out = s->id + s->n;
	for (; u < end; u++) {
		n = cell_take(u->line, u->k, out);
		if (n > 0) {
			out += n - 1;
			continue;
		}
		s->n = (size_t)(out - s->id);
		piece_seek(s, u);
		bpe_room(s, BPE_QUEUE * CELL_IDS);
		out = s->id + s->n;
	}
	s->n = (size_t)(out - s->id);
	x->n = 0;
}

static inline void
parts_put(struct bpe_scratch *s, struct parts *x, const char *p, size_t n,
    bool part)
{
	if (x->n == x->cap)
		parts_take(s, x);
	unit_of(s, &x->u[x->n++], p, n, part);
}

/* piece_cut - a piece with characters beyond ASCII in it, by the parts that no
 * token lies across: they are met again more often; false: there is one only.
 * Borders are looked up first, some at once, without waiting for any */
static bool
piece_cut(struct bpe_scratch *s, const char *p, size_t n, struct parts *x)
{
	const char *end = p + n, *at, *from = p, *to, *border[64];
	struct border t = { 0, 0, char_word(s, p, end), 0 };
	size_t len = char_bytes((unsigned char)*p);
	uint64_t open;

	s->steps += n;
	at = p + len;
	t.z = char_word(s, at, end);
	while (at < end) {
		open = 0;
		for (unsigned i = 0; i < 64 && at < end; i++, at += len) {
			border[i] = at;
			len = char_bytes((unsigned char)*at);
			t = (struct border){ t.x, t.y, t.z,
			    char_word(s, at + len, end) };
			open |= border_open(s->bpe, &t) << i;
		}
		for (; open != 0; open &= open - 1) {
			to = border[__builtin_ctzll(open)];
			if (border_near(s, p, to, end))
				continue;
			parts_put(s, x, from, (size_t)(to - from), true);
			from = to;
		}
	}
	if (from == p)
		return false;
	parts_put(s, x, from, (size_t)(end - from), true);
	return true;
}

/* dense - is it of ideographs or kana, and some of them: nearly all of such
 * pieces are new, and are only sought where others were found or by chance */
static inline bool
dense(const char *p, size_t n)
{
	unsigned char c = (unsigned char)(n > 1 && p[0] == ' ' ? p[1] : p[0]);

	return c >= 0xe3 && c <= 0xe9 && n > 8;
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
	struct cell_unit u[PARTS];
	struct parts x = { u, 0, PARTS };
	uint32_t id;

	s->steps++;
	if (!part && n > 4 && has_high(p, n) && piece_cut(s, p, n, &x)) {
		parts_take(s, &x);
		return;
	}
	bpe_room(s, n);
	if (b->whole && !part && n <= b->longest &&
	    (id = bpe_name_find(b, p, n)) != BPE_NONE)
		s->id[s->n++] = id;
	else
		s->n += bpe_merge(s, p, n, s->id + s->n);
}

/* seek_luck - was a dense piece found */
static inline void
seek_luck(struct bpe_scratch *s, bool found)
{
	if (found)
		s->luck = s->luck < LUCK_MOST ? s->luck + LUCK_FOUND : s->luck;
	else if (s->luck > 0)
		s->luck--;
}

/* piece_seek - a piece that is not in its line */
static void
piece_seek(struct bpe_scratch *s, const struct cell_unit *u)
{
	bool few = u->n <= CELL_SHORT && u->k.k[1] != CELL_LONGER;
	bool pool = few ? u->n > CELL_IDS : u->k.k[0] != 0;
	const uint32_t *id = NULL;
	uint64_t hash = 0;
	size_t had = s->n, ids;

	ids = few ? cell_beside(&s->cells, u->line, u->k, s->id + had) : 0;
	if (ids > 0) {
		s->n += ids - 1;
		return;
	}
	if (pool) {
		hash = few ? cells_hash(u->p, u->n) : u->k.k[0];
		id = cells_find(&s->cells, hash, u->p, u->n, u->part, &ids);
		if (!u->part && dense(u->p, u->n))
			seek_luck(s, id != NULL);
	}
	if (id != NULL) {
		bpe_room(s, ids);
		memcpy(s->id + had, id, ids * sizeof(*id));
		s->n += ids;
		return;
	}
	piece_make(s, u->p, u->n, u->part);
	ids = s->n - had;
	if (few && ids <= CELL_IDS)
		cell_keep(&s->cells, u->line, u->k, s->id + had, ids);
	else if (pool)
		cells_put(&s->cells, hash, u->p, u->n, u->part, s->id + had,
		    ids);
}

/* pieces_cut - some that wait are to be cut without being sought */
static void
pieces_cut(struct bpe_scratch *s)
{
	struct parts x = { s->part, 0, BPE_QUEUE };

	for (const struct cell_unit *u = s->unit; u < s->unit + s->units; u++) {
		if (u->k.k[1] == CELL_LONGER && u->k.k[0] == 0 &&
		    piece_cut(s, u->p, u->n, &x))
			continue;
		if (x.n == x.cap)
			parts_take(s, &x);
		x.u[x.n++] = *u;
	}
	parts_take(s, &x);
	s->cuts = 0;
}

void
bpe_flush(struct bpe_scratch *s)
{
	struct parts x = { s->unit, s->units, BPE_QUEUE };

	if (s->cuts > 0)
		pieces_cut(s);
	else
		parts_take(s, &x);
	s->units = 0;
}

/* borders_near - what piece_cut will look up is asked for */
static inline void
borders_near(struct bpe_scratch *s, const char *p, size_t n)
{
	const char *end = p + n;
	uint32_t x = 0, y;

	for (; end - p >= 4; p += char_bytes((unsigned char)*p), x = y) {
		memcpy(&y, p, sizeof(y));
		y &= 0xffffff;
		__builtin_prefetch(&s->bpe->joint[bpe_joint_both(x, y) / 64]);
	}
}

void
bpe_one(struct bpe_scratch *s, const char *p, size_t n)
{
	struct cell_unit *u;
	uint64_t x;

	s->steps += n;
	if (s->units == BPE_QUEUE)
		bpe_flush(s);
	u = &s->unit[s->units++];
	if (!dense(p, n)) {
		unit_of(s, u, p, n, false);
		return;
	}
	borders_near(s, p, n);
	memcpy(&x, p + n - sizeof(x), sizeof(x));
	if (s->luck > 0 || (x * 0x9e3779b97f4a7c15u) >> 60 == 0) {
		unit_of(s, u, p, n, false);
		return;
	}
	*u = (struct cell_unit){ { { 0, CELL_LONGER } }, s->cells.cell, p,
	    (uint32_t)n, false };
	s->cuts++;
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
