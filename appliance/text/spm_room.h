/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SPM_ROOM_H
#define TEXT_SPM_ROOM_H

#include "appliance/text/spm_table.h"

/*
 * spm_room.h - what one thread at a time works with: it is taken from the
 * vocabulary and given back, so that the next text finds what the last one has
 * remembered.
 */

#define SPM_KEY		32u	/* bytes of a unit that is remembered */
#define SPM_IDS		6u

struct spm_entry {			/* one line of a CPU's cache */
	uint64_t key[SPM_KEY / 8];
	float limit;			/* spm_unigram_free's */
	uint8_t len, n;			/* bytes; ids */
	bool unknown;			/* one of them is */
	uint32_t id[SPM_IDS];
};

struct spm_room {
	struct buf text;		/* normalized */
	uint32_t *id;
	size_t n, cap;
	bool unknown;			/* the last one was */
	float sum;			/* Unigram: of the best path to here */
	struct spm_entry *cache;	/* sets of two, by the top of a hash */
	unsigned shift;			/* 64 less the bits of that */
	uint32_t made;			/* entries since it has grown */
	void *work;			/* of one unit */
	size_t work_size;
};

struct spm_room *spm_room_take(struct spm *);
void spm_room_give(struct spm *, struct spm_room *);
void spm_room_free(struct spm_room *);		/* NULL is fine */
void *spm_room_work(struct spm_room *, size_t size);

/* spm_room_put - remember an entry in a set; the cache may grow and forget */
void spm_room_put(struct spm_room *, struct spm_entry *set,
    const struct spm_entry *);

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
