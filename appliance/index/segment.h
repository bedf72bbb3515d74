/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_SEGMENT_H
#define INDEX_SEGMENT_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * segment.h - a part of an index as one file that is never changed.
 *
 *   texts     of the documents, one behind the other
 *   names     of the documents: id, then source
 *   docs      struct segment_doc each
 *   chunks    struct segment_chunk each, in the order of documents
 *   postings  of each term, for each chunk that has it: varint of (distance to
 *             the last chunk) * 2, plus 1 if it is there once; else a varint
 *             of how often
 *   words     of the terms, one behind the other
 *   terms     struct segment_term each, sorted by word, and one more that ends
 *             the last
 *   foot      struct segment_foot
 *
 * Numbers are little-endian, tables begin at multiples of 8.  A reader maps the
 * file and trusts nothing: whatever lies outside its table is as if it were not
 * there.
 */

#define SEGMENT_MAGIC	"QUERNIX1"

struct segment_doc {
	uint64_t text, name;		/* places in their sections */
	int64_t offset;			/* of the text in its source */
	uint32_t text_len, id_len, source_len;
	uint32_t chunk;			/* its first */
	unsigned char hash[16];		/* of all that is indexed of it */
};

struct segment_chunk {
	uint32_t doc, begin, end;	/* bytes of the document's text */
	uint32_t length;		/* words */
};

struct segment_term {
	uint64_t post;
	uint32_t word, df;
};

struct segment_foot {
	uint64_t docs, chunks, terms, tokens;
	uint64_t text, text_len, name, name_len, doc, chunk;
	uint64_t post, post_len, word, word_len, term;
	char magic[8];
};

struct segment {
	const char *file;		/* its name */
	const char *p;			/* mapped */
	size_t size;
	struct segment_foot foot;
	const struct segment_doc *doc;
	const struct segment_chunk *chunk;
	const struct segment_term *term;
	unsigned char *dead;		/* a bit for each document, or NULL */
	uint64_t live_docs, live_chunks, live_tokens;
};

/* segment_open - map a file; it goes with the arena */
int segment_open(struct segment *, struct arena *, int dir, const char *name,
    struct err *);

/* segment_map - the same of bytes in memory */
int segment_map(struct segment *, const char *p, size_t size, struct err *);

/* segment_count - the live ones, after `dead` has changed */
void segment_count(struct segment *);
bool segment_dead(const struct segment *, uint32_t doc);

/* What a document says; empty where the file is damaged */
struct view segment_text(const struct segment *, uint32_t doc);
struct view segment_id(const struct segment *, uint32_t doc);
struct view segment_source(const struct segment *, uint32_t doc);

/* segment_word - of a term; segment_find - the term, or -1 */
struct view segment_word(const struct segment *, uint64_t term);
int64_t segment_find(const struct segment *, struct view word);

struct postings {
	const unsigned char *p, *end;
	uint32_t chunk, tf;
	uint64_t chunks;
	bool begun;
};

/* postings_next - chunks in rising order; false at the end */
void postings_open(struct postings *, const struct segment *, uint64_t term);
bool postings_next(struct postings *);

/* segment_merge - what is live of several segments as one */
int segment_merge(struct segment *const *, size_t n, int fd, struct err *);

#endif
