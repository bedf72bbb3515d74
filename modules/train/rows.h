/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ROWS_H
#define TRAIN_ROWS_H

#include "appliance/base/buf.h"

/*
 * rows.h - tokens as the sequences that a step is made of.
 *
 * A packing says how texts share sequences; no token is learnt from a text
 * other than its own unless they are wrapped.
 */

enum { PACKING_AUTO, PACKING_WRAPPED, PACKING_BFD_SPLIT, PACKING_BFD,
	PACKING_NONE };

#define TOKEN_FIRST	0x80000000u	/* a text begins */
#define TOKEN_QUIET	0x40000000u	/* not learnt */
#define TOKEN_ID	0x3fffffffu

struct tokens {
	uint32_t *v;			/* an id and its marks */
	size_t n;
	char *side;			/* what the objective keeps beside */
	size_t nside;
};

struct texts {				/* as records come in */
	struct buf *ids, *side;
};

struct span {				/* so many predictions from `at` on */
	size_t at, n;
};

struct rows {
	const struct tokens *x;
	size_t n, T;
	struct span *v;			/* NULL, as first: wrapped */
	size_t *first;			/* of each row, n + 1 */
};

/* rows_make - all sequences; the same for the same tokens */
void rows_make(struct arena *, const struct tokens *, size_t T, int packing,
    struct rows *);

/* a micro-batch: rows of T places each */
struct micro {
	int32_t *id, *target;		/* target -1: not learnt */
	int32_t *from;			/* where the text of each begins */
	int64_t *token;			/* of each target, its place among the
					 * tokens; -1: not learnt */
	int64_t *row;			/* of each sequence; -1: it only fills
					 * the micro-batch */
	const struct tokens *x;		/* whose they are */
	bool held;			/* of what is held back */
};

/* micro_new - room for so many rows */
struct micro micro_new(struct arena *, size_t rows, size_t T);

/* micro_at - the micro-batch that begins `rows` rows further on */
struct micro micro_at(const struct micro *, size_t rows, size_t T);

/* rows_get - a row as the first of a micro-batch; how many are learnt */
size_t rows_get(const struct rows *, size_t row, const struct micro *);

#endif
