/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_TAPE_H
#define TEXT_LEARN_TAPE_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

#include <sys/types.h>

/*
 * learn_tape.h - words as symbols in a file, for those that do not fit into
 * memory.  They are read from the first to the last, and may be written back
 * behind the place of reading, none longer than it was.
 *
 * Order of calls: tape_new; tape_put for each word; tape_turn.  Then again and
 * again tape_next until it gives 0, tape_put of what is kept; tape_turn.
 *
 * For each word the file has u32 symbols, u32 0, i64 count and the symbols, in
 * the machine's order: it is read back by this process only.
 */

struct tape_word {
	int64_t count;
	uint32_t n;
	uint32_t *symbol;		/* until the next tape_next; may be
					 * changed in place */
};

struct tape {
	int file;			/* the caller's */
	off_t from, to;			/* of the words */
	off_t in, out;			/* what is read, written next */
	size_t words, symbols;		/* put since the last turn */
	struct buf read, write;
	size_t at;			/* in read */
};

/* tape_new - an empty one from a place in a file on; in the arena */
struct tape *tape_new(struct arena *, int file, off_t from);
int tape_put(struct tape *, const struct tape_word *, struct err *);

/* tape_next - 1 a word, 0 the end, -1 */
int tape_next(struct tape *, struct tape_word *, struct err *);

/* tape_turn - what was put is what there is, and is read from the start; words
 * and symbols stay until the next tape_put */
int tape_turn(struct tape *, struct err *);

/* tape_back - nothing was put: it is read from the start again */
void tape_back(struct tape *);

#endif
