/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "appliance/index/segment.h"
#include "appliance/text/analyse.h"

/*
 * index.h - a directory of segments that are searched as one.
 *
 *   head        lines of words: "quern-index 1", "stem NAME", "words N",
 *               "overlap N", then "segment FILE" for each
 *   N.seg       segments (segment.h)
 *   N.dead      a bit for each document of N.seg that is deleted
 *
 * A new version of an index takes over the segments of the one before by hard
 * links and adds its own.  What a search finds depends on the documents alone:
 * counts are those of what lives, and equal scores stand in the order of ids.
 */

struct index {
	struct arena *arena;
	const char *stem;
	int64_t words, overlap;
	struct segment *seg;
	size_t nsegs;
	/* of what lives */
	uint64_t docs, chunks, tokens;
	double k1, b;
};

/* index_open - k1, b: BM25's, see index_search */
struct index *index_open(struct arena *, int dir, double k1, double b,
    struct err *);

/* index_count - the sums, after documents were marked as dead */
void index_count(struct index *);

/* index_head - write `head` and the .dead files that are needed, flushed */
int index_head(const struct index *, int dir, struct err *);

struct hit {
	const struct segment *seg;
	uint32_t chunk;
	double score;
};

/* A searcher's memory; one thread at a time */
struct search;

struct search *search_open(struct arena *, const struct index *, struct err *);

/*
 * index_search - the k best passages for a question, best first.  BM25 as
 * Lucene 8 and later compute it, with exact lengths: for each word of the
 * question that a passage has
 *   ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 (1 - b + b l / L))
 * A word that the question has twice counts twice.  each: at most so many
 * passages of one document; 0 any.
 */
size_t index_search(struct search *, struct view question, size_t k,
    size_t each, struct hit *);

/* hit_* - what a passage says; the text is a view into the index */
struct view hit_text(const struct hit *);
const struct segment_doc *hit_doc(const struct hit *, uint32_t *number);

#endif
