/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_WRITE_H
#define INDEX_WRITE_H

#include "appliance/index/segment.h"

/*
 * write.h - a segment being written: documents with their chunks, then terms in
 * rising order with their postings.  write_close flushes; nothing is a segment
 * before.
 */
struct segment_write {
	struct arena *arena;
	int fd;
	struct buf out;
	uint64_t at;			/* with what is in out */
	struct segment_foot foot;
	struct buf docs, chunks, names, words, terms;
	uint32_t last, df;		/* of the term being written */
};

void write_open(struct segment_write *, int fd);
int write_doc(struct segment_write *, const struct segment_doc *,
    struct view text, struct view id, struct view source, struct err *);
void write_chunk(struct segment_write *, uint32_t begin, uint32_t end,
    uint32_t length);
int write_terms(struct segment_write *, struct err *);	/* they follow */
void write_term(struct segment_write *, struct view word);
int write_posting(struct segment_write *, uint32_t chunk, uint32_t tf,
    struct err *);
int write_close(struct segment_write *, struct err *);
void write_abandon(void *);		/* memory only */

#endif
