/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CELLS_H
#define TEXT_CELLS_H

#include "appliance/base/buf.h"

/*
 * cells.h - pieces of text that a thread has met, with their ids.
 *
 * A cell is half a cache line: up to 15 bytes of text, their number and
 * CELL_MARK in the 16th, up to four ids, their number and one in the top byte
 * of the first.  A piece is in one of the two cells of its line; the older one
 * goes.  Longer pieces have cells of 128 bytes, two to a place as well.  Ids
 * are below 2^24.
 */

#define CELL_SHORT	15
#define CELL_MARK	0x80	/* where the same bytes may have other ids */
#define CELL_IDS	4
#define CELL_LONG	55
#define CELL_LONG_IDS	14

struct cell {
	uint64_t key[2];
	uint32_t id[CELL_IDS];
};

struct cell_long {
	uint64_t hash;
	uint8_t n, ids, mark, used;
	char text[CELL_LONG + 5];
	uint32_t id[CELL_LONG_IDS];
};

struct cells {
	struct cell *cell;		/* aligned within room */
	void *room;
	unsigned shift;			/* of a hash: its line */
	struct cell_long *wide;
	size_t wide_mask;
};

struct cell_key {
	uint64_t k[2];
};

/* cells_init - as many as are worth while for so many pieces, up to 6 MiB */
void cells_init(struct cells *, size_t pieces);
void cells_free(struct cells *);

/* cells_long - a longer piece; where it is or could be kept.  *known: it is
 * there, with `ids` of them */
struct cell_long *cells_long(const struct cells *, const char *, size_t n,
    bool mark, bool *known);

/* cells_long_keep - in a place that cells_long has found; false: it does not
 * fit */
bool cells_long_keep(struct cell_long *, const char *, size_t n, bool mark,
    const uint32_t *id, size_t ids);

/* bytes that count of 16, by how many there are */
extern const uint64_t cell_mask[CELL_SHORT + 1][2];

/* cell_key - of n bytes, n at most CELL_SHORT (of up to 127, no piece's key);
 * 16 can be read */
static inline struct cell_key
cell_key(const char *p, size_t n)
{
	struct cell_key k;

	memcpy(&k, p, sizeof(k));
	k.k[0] &= cell_mask[n & CELL_SHORT][0];
	k.k[1] &= cell_mask[n & CELL_SHORT][1];
	k.k[1] |= (uint64_t)n << 56;
	return k;
}

/* cell_key_near - the same, where reading may have to end */
struct cell_key cell_key_near(const char *, size_t n, const char *end);

/* cell_line - the line of a key */
static inline struct cell *
cell_line(const struct cells *s, struct cell_key k)
{
	uint64_t h = k.k[0] * 0x9e3779b97f4a7c15u +
	    k.k[1] * 0xd6e8feb86659fd93u;

	h ^= h >> 32;
	h *= 0xff51afd7ed558ccdu;
	return &s->cell[2 * (h >> s->shift)];
}

/* cell_take - the ids of a known piece; how many and one, 0: it is not known.
 * CELL_IDS are written whatever there are */
static inline size_t
cell_take(const struct cell *c, struct cell_key k, uint32_t *out)
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

/* cell_keep - a piece's ids in its line, at most CELL_IDS */
static inline void
cell_keep(struct cell *c, struct cell_key k, const uint32_t *id, size_t ids)
{
	c[1] = c[0];
	c->id[0] = 0;
	memcpy(c->key, &k, sizeof(c->key));
	memcpy(c->id, id, ids * sizeof(*c->id));
	c->id[0] |= (uint32_t)(ids + 1) << 24;
}

#endif
