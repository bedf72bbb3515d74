/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_COUNT_OWN_H
#define TEXT_LEARN_COUNT_OWN_H

#include "appliance/text/learn_count.h"

#include <sys/types.h>

/*
 * learn_count_own.h - a thread's table of words, for learn_count.c, which fills
 * it and writes runs, and learn_runs.c, which reads both.
 *
 * A word of up to SHORT bytes is its own key, with its length in the last byte;
 * a longer one lies elsewhere, and LONG is in that byte.
 *
 * A run in the file is, for each word, u32 bytes, i64 count and the bytes; it
 * is read back by this process only.
 */

#define SHORT		15
#define LONG		0xff
#define RUN_HEAD	(sizeof(uint32_t) + sizeof(int64_t))
#define RUN_OUT		((size_t)1 << 18)	/* bytes written at once */

struct slot {
	union {
		char in[SHORT + 1];
		struct {
			const char *p;
			uint32_t n;
			uint16_t tag;	/* of the hash's other bits */
			uint8_t none, mark;
		} out;
		uint64_t key[2];
	};
	int64_t count;			/* 0: free */
};
_Static_assert(sizeof(struct slot) == 24, "mark lies on the last byte");

struct run {
	off_t from, to;
};

struct sorted {
	uint64_t front;			/* the first eight bytes, as a number */
	const struct slot *slot;
};

/* a word that waits until its slot is in the cache */
struct wait {
	struct slot word;
	uint64_t hash;
	const char *p;			/* of a long one */
};

#define WAIT	32

struct learn_count {
	struct slot *slot;
	size_t mask, n;
	struct block *block;
	size_t bytes, memory;		/* of blocks; before a run is written */
	struct wait wait[WAIT];
	size_t nwait;
	int file;
	struct run *run;
	size_t nruns;
	off_t end;			/* of the file */
	struct sorted *sorted;		/* after learn_count_sort */
};

/* slot_word - the word of a slot, which has the bytes of a short one */
static inline struct view
slot_word(const struct slot *s)
{
	if (s->out.mark != LONG)
		return (struct view){ s->in, (unsigned char)s->in[SHORT] };
	return (struct view){ s->out.p, s->out.n };
}

/* learn_count_sort - the table's words in order */
void learn_count_sort(struct learn_count *);

#endif
