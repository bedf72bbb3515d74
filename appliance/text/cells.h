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

/* cell_key_near - the same, where reading may have to end */
struct cell_key cell_key_near(const char *, size_t n, const char *end);

/* cell_keep - a piece's ids in its line, at most CELL_IDS */
void cell_keep(struct cell *, struct cell_key, const uint32_t *id, size_t ids);

#endif
