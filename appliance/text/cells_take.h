/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CELLS_TAKE_H
#define TEXT_CELLS_TAKE_H

#include "appliance/text/cells.h"

/*
 * cells_take.h - finding short pieces in cells, for inner loops.
 */

/* bytes that count of 16, by how many there are */
extern const uint64_t cell_mask[CELL_SHORT + 1][2];

/* the upper word of a key that no piece has */
#define CELL_LONGER	((uint64_t)0x7f << 56)

/* cell_key - of n bytes, n at most CELL_SHORT; 16 can be read */
static inline struct cell_key
cell_key(const char *p, size_t n)
{
	struct cell_key k;

	memcpy(&k, p, sizeof(k));
	k.k[0] &= cell_mask[n][0];
	k.k[1] &= cell_mask[n][1];
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

/* cells_set - where a piece in the pool is found */
static inline uint64_t *
cells_set(const struct cells *s, uint64_t hash)
{
	return &s->place[hash & s->place_mask];
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

/* units of text, with what they are looked up by */
#define CELL_UNITS	64		/* of a block, at most */

struct cell_unit {
	struct cell_key k;		/* of a longer one: its hash, or 0 if it
					 * is too long, and CELL_LONGER */
	struct cell *line;
	const char *p;
	uint32_t n;
	bool part;			/* for who uses it */
};

/* cell_unit - what is needed to look it up is asked for early; longer: it may
 * be in the pool.  16 bytes can be read from where it begins */
static inline void
cell_unit(const struct cells *s, struct cell_unit *u, const char *p, size_t n)
{
	u->p = p;
	u->n = (uint32_t)n;
	if (n > CELL_SHORT) {
		u->line = s->cell;
		u->k = (struct cell_key){ { 0, CELL_LONGER } };
		if (n > CELL_LONG)
			return;
		u->k.k[0] = cells_hash(p, n);
		__builtin_prefetch(cells_set(s, u->k.k[0]));
		return;
	}
	u->k = cell_key(p, n);
	u->line = cell_line(s, u->k);
	__builtin_prefetch(u->line);
}

/* cell_units - of bits where each begins and where its last byte is */
static inline size_t
cell_units(const struct cells *s, const char *p, uint64_t first, uint64_t ends,
    struct cell_unit *u)
{
	size_t count = 0, at, end;

	for (; first != 0; first &= first - 1, ends &= ends - 1, count++) {
		at = (size_t)__builtin_ctzll(first);
		end = (size_t)__builtin_ctzll(ends) + 1;
		cell_unit(s, &u[count], p + at, end - at);
	}
	return count;
}

#endif
