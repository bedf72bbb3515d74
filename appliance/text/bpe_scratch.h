/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_SCRATCH_H
#define TEXT_BPE_SCRATCH_H

#include "appliance/text/bpe_table.h"
#include "appliance/text/cells_take.h"

/*
 * bpe_scratch.h - a thread's pieces (cells.h), which came out of bpe_merge for
 * the same bytes, and room for merging.  Marked: a part of a piece, which is
 * never a token by itself.
 */

#define BPE_ROOM	128	/* ids that can be written without asking */
#define BPE_QUEUE	256	/* pieces that wait to be looked up */

struct bpe_scratch {
	const struct bpe *bpe;
	struct arena *work;		/* reset between texts */
	const char *end;		/* of what can be read */
	struct cells cells;
	struct cell_unit unit[BPE_QUEUE], part[BPE_QUEUE];
	size_t units, cuts;		/* of them are cut unsought */
	unsigned luck;			/* dense pieces yet to be sought */
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

/*
 * bpe_one - a piece of any length; bpe_pieces - those of a block that end where
 * bits are set (bpe_block), where the last of them ends; 16 bytes can be read
 * from where each begins.  Their ids are there after bpe_flush, and the text
 * must be there until then.
 */
void bpe_one(struct bpe_scratch *, const char *p, size_t n);
size_t bpe_pieces(struct bpe_scratch *, const char *p, uint64_t ends);
void bpe_flush(struct bpe_scratch *);

/* bpe_scratch_of - one that is worth while for so many pieces */
struct bpe_scratch *bpe_scratch_of(struct arena *, const struct bpe *,
    size_t pieces);

#endif
