/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CELLS_TAKE_H
#define TEXT_CELLS_TAKE_H

#include "appliance/text/cells.h"

/*
 * cells_take.h - finding short pieces in cells, for inner loops.
 */

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

/* units of a block, with what they are looked up by */
#define CELL_UNITS	64

struct cell_unit {
	struct cell_key k;
	struct cell *line;
	unsigned char at, n;
};

/* cell_units - of bits where each begins and where its last byte is; their
 * lines are asked for early.  16 bytes can be read from where each begins */
static inline size_t
cell_units(const struct cells *s, const char *p, uint64_t first, uint64_t ends,
    struct cell_unit *u)
{
	size_t count = 0;

	for (; first != 0; first &= first - 1, ends &= ends - 1, count++) {
		u[count].at = (unsigned char)__builtin_ctzll(first);
		u[count].n = (unsigned char)(__builtin_ctzll(ends) -
		    u[count].at + 1);
		u[count].k = cell_key(p + u[count].at, u[count].n);
		u[count].line = cell_line(s, u[count].k);
		__builtin_prefetch(u[count].line);
	}
	return count;
}

#endif
