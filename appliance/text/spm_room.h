/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SPM_ROOM_H
#define TEXT_SPM_ROOM_H

#include "appliance/text/cells.h"
#include "appliance/text/spm_table.h"

/*
 * spm_room.h - what one thread at a time works with: it is taken from the
 * vocabulary and given back, so that the next text finds what the last one has
 * remembered.
 */

struct spm_room {
	struct buf text;		/* normalized */
	uint32_t *id;
	size_t n, cap;
	bool unknown;			/* there have been such: neighbours
					 * count as one */
	float sum;			/* Unigram: of the best path to here */
	struct cells cells;		/* units; of Unigram with their limit
					 * behind the ids, as a float */
	size_t seen, pieces;		/* bytes of text; what cells are for */
	void *work;			/* of one unit */
	size_t work_size;
};

/* spm_room_take - for a text of so many bytes; cells grow with what was seen */
struct spm_room *spm_room_take(struct spm *, size_t n);
void spm_room_give(struct spm *, struct spm_room *);
void spm_rooms_free(void *spm);		/* all; a closer */
void *spm_room_work(struct spm_room *, size_t size);

/* spm_put - a piece's id, and its text for what is unknown */
void spm_put(const struct spm *, struct spm_room *, uint32_t id,
    struct view text);

/* spm_bpe, spm_unigram - one unit to ids; there is room for them.  The latter
 * goes on from room->sum */
void spm_bpe(const struct spm *, struct spm_room *, struct view);
void spm_unigram(const struct spm *, struct spm_room *, struct view);

/*
 * spm_unigram_free - the best path of a unit that stands alone, in `id`, at
 * most `most` of them, or 0; it is that in any place where the sum up to there
 * is not larger than the limit, see spm_unigram.c
 */
size_t spm_unigram_free(const struct spm *, struct spm_room *, struct view,
    uint32_t *id, size_t most, float *limit);

#endif
