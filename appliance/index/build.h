/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_BUILD_H
#define INDEX_BUILD_H

#include "appliance/index/segment.h"
#include "appliance/text/analyse.h"

/*
 * build.h - an inverted index of documents in memory, written as a segment when
 * it has grown enough.  Order of calls: build_open, build_doc for each one,
 * build_write whenever build_size says so, build_close with the arena.
 */

struct build;

struct build_doc {
	struct view id, source, title, text;
	int64_t offset;			/* of the text in its source */
	unsigned char hash[16];
};

/* build_open - passages and stems as chunk.h and analyse.h say */
struct build *build_open(struct arena *, const char *stem, size_t words,
    size_t overlap, struct err *);

/* build_doc - its number in the segment being made.  The title's words count
 * in every passage of the text */
uint32_t build_doc(struct build *, const struct build_doc *);

/* build_size - bytes in memory; build_docs - how many documents they are */
size_t build_size(const struct build *);
uint32_t build_docs(const struct build *);

/* build_write - as a segment to an empty file; the memory is empty again */
int build_write(struct build *, int fd, struct err *);

#endif
