/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CELLS_H
#define TEXT_CELLS_H

#include "appliance/base/buf.h"

/*
 * cells.h - pieces of text that a thread has met, with their ids.
 *
 * A cell is half a cache line: up to 15 bytes of text, their number and
 * CELL_MARK in the 16th, up to four ids, their number and one in the top byte
 * of the first.  A piece is in one of the two cells of its line, or of the line
 * beside; where all are taken the older one of its line goes.
 *
 * Longer pieces, or those with more ids, lie one behind the other in a pool,
 * and the oldest go when it is full; they are found by their hash.  Ids are
 * below 2^24.
 */

#define CELL_SHORT	15
#define CELL_MARK	0x80	/* where the same bytes may have other ids */
#define CELL_IDS	4
#define CELL_LONG	1023	/* bytes of a piece in the pool */
#define CELL_WAYS	4

struct cell {
	uint64_t key[2];
	uint32_t id[CELL_IDS];
};

struct cells {
	struct cell *cell;		/* aligned within room */
	void *room;
	unsigned shift;			/* of a hash: its line */
	uint64_t *place;		/* sets of CELL_WAYS: upper half of a
					 * hash, place in the pool */
	size_t place_mask;
	uint32_t *pool;			/* of words; a power of two of them */
	uint32_t size, head;
};

struct cell_key {
	uint64_t k[2];
};

/* cells_init - as many as are worth while for so many pieces, up to 9 MiB */
void cells_init(struct cells *, size_t pieces);
void cells_free(struct cells *);

/* cell_key_near - the key (cells_take.h) where reading may have to end */
struct cell_key cell_key_near(const char *, size_t n, const char *end);

/* cell_keep - a piece's ids, at most CELL_IDS, in its line or beside */
void cell_keep(struct cells *, struct cell *line, struct cell_key,
    const uint32_t *id, size_t ids);

/* cell_beside - as cell_take, in the line beside that of a piece */
size_t cell_beside(const struct cells *, const struct cell *line,
    struct cell_key, uint32_t *out);

/* cells_hash - of a piece for the pool; never 0 */
uint64_t cells_hash(const char *, size_t n);

/* cells_find - the ids of a piece in the pool; NULL: it is not there */
const uint32_t *cells_find(const struct cells *, uint64_t hash, const char *,
    size_t n, bool mark, size_t *ids);

/* cells_put - a piece of at most CELL_LONG bytes into the pool, where it is
 * not; those with very many ids are not taken */
void cells_put(struct cells *, uint64_t hash, const char *, size_t n,
    bool mark, const uint32_t *id, size_t ids);

#endif
