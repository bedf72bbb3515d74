/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_SCRATCH_H
#define TEXT_BPE_SCRATCH_H

#include "appliance/text/bpe_table.h"

/*
 * bpe_scratch.h - a thread's cache of pieces and room for merging.
 *
 * A cell is half a cache line: up to 15 bytes of text, their number and
 * BPE_PART in the 16th, up to four ids, their number in the top byte of the
 * first.  A piece is in one of the two cells of its line; the older one goes.
 * Longer pieces have cells of 128 bytes, one to a place.  What is in a cell
 * came out of bpe_make for the same bytes.
 */

#define BPE_SHORT	15
#define BPE_PART	0x80	/* a part of a piece: never a token by itself */
#define BPE_CELL_IDS	4
#define BPE_LONG	55
#define BPE_LONG_IDS	14
#define BPE_ROOM	128	/* ids that can be written without asking */

struct bpe_cell {
	uint64_t key[2];
	uint32_t id[BPE_CELL_IDS];
};

struct bpe_long {
	uint64_t hash;
	uint8_t n, ids, part;		/* ids 0: free */
	char text[BPE_LONG + 6];
	uint32_t id[BPE_LONG_IDS];
};

struct bpe_scratch {
	const struct bpe *bpe;
	struct arena *work;		/* reset between texts */
	const char *end;		/* of what can be read */
	struct bpe_cell *cell;		/* aligned within cells */
	void *cells;
	unsigned shift;			/* of a hash: its line */
	struct bpe_long *wide;
	size_t wide_mask;
	uint32_t *id;			/* of this text */
	size_t n, cap;
	/* of a long piece, by place: id, neighbours, rank of the pair */
	uint32_t *merge;
	uint64_t *heap;
	size_t room;			/* bytes of a piece that fit */
	uint64_t steps;
};

/* bpe_room - room for n more ids and BPE_ROOM behind them */
void bpe_room(struct bpe_scratch *, size_t n);

/* bpe_merge - the ids of a piece by its rules alone, to out; how many.  No more
 * than n log n steps for n bytes */
size_t bpe_merge(struct bpe_scratch *, const char *p, size_t n,
    uint32_t *out);

/* bpe_one - a piece of any length */
void bpe_one(struct bpe_scratch *, const char *p, size_t n);

/*
 * bpe_pieces - the pieces of a block that end where bits are set (bpe_block);
 * where the last of them ends.  16 bytes can be read from where each begins.
 */
size_t bpe_pieces(struct bpe_scratch *, const char *p, uint64_t ends);

/* bpe_scratch_of - one that is worth while for so many pieces */
struct bpe_scratch *bpe_scratch_of(struct arena *, const struct bpe *,
    size_t pieces);

#endif
