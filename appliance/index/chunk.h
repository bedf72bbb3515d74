/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_CHUNK_H
#define INDEX_CHUNK_H

#include "appliance/base/buf.h"

/*
 * chunk.h - a text cut into passages of at most `words` words (runs without
 * white space; longer ones, as in Chinese, count 1 for each 12 bytes).  A
 * passage ends at the last end of a paragraph in its second half, else of a
 * sentence, else of a line, else at a word; the next begins `overlap` words
 * before.  words 0: the whole text is one passage.
 */

struct chunk {
	size_t begin, end;		/* bytes; no white space at either */
};

size_t chunk_text(struct arena *, struct view text, size_t words,
    size_t overlap, struct chunk **);

#endif
