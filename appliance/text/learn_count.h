/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_COUNT_H
#define TEXT_LEARN_COUNT_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * learn_count.h - how often each word is there, in bounded memory.
 *
 * One table belongs to one thread.  When it has grown to its share of memory it
 * is written to a file as a run, sorted by the words' bytes, and begins anew.
 * At the end the tables and all their runs are merged: the same words whatever
 * was counted where, and whatever fitted.
 */

struct learn_count;

struct learn_word {
	const char *p;
	uint32_t n;			/* bytes */
	int64_t count;
};

struct learn_words {
	struct learn_word *v;		/* ascending by bytes, each once */
	size_t n;
};

/* learn_count_new - memory: bytes before a run is written; file: for runs,
 * empty, the caller's to close after the merge */
struct learn_count *learn_count_new(struct arena *, size_t memory, int file);

/* learn_count_add - one more word, which is not empty and stays where it is
 * until learn_count_flush; what lies before `end` may be read */
int learn_count_add(struct learn_count *, struct view word, const char *end,
    struct err *);

/* learn_count_flush - words that were added are counted now */
int learn_count_flush(struct learn_count *, struct err *);

/* learn_count_runs - runs written so far */
size_t learn_count_runs(const struct learn_count *);

/* takes a word, whose bytes are there during the call; 0 or -1 */
typedef int learn_word_fn(void *arg, const struct learn_word *, struct err *);

/* learn_count_each - all words of n tables in order, each once; the tables,
 * which are sorted by a thread each, take no more words */
int learn_count_each(struct learn_count **, size_t n, learn_word_fn *,
    void *arg, struct err *);

/* learn_count_file - the table's file, which has room from *end on */
int learn_count_file(const struct learn_count *, int64_t *end);

/* learn_count_drop - a table takes no more words, its memory is free */
void learn_count_drop(struct learn_count *);

/*
 * learn_count_merge - all words of n tables; what it gives lives in the arena
 * and in the tables
 */
int learn_count_merge(struct arena *, struct learn_count **, size_t n,
    struct learn_words *, struct err *);

#endif
