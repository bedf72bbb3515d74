/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_SAYS_H
#define INFER_SAYS_H

#include "appliance/model/reader.h"
#include "appliance/text/rec.h"

/* says.h - for read.c: which rows of a record a head reads, and the fields that
 * its outputs become */

struct says {
	const struct model *model;
	const struct reader *reader;
	const char *into;		/* NULL: the head's own name */
	struct label_names names;	/* of labels */
};

struct said {				/* of one record */
	struct rec *rec;
	struct reading x;
	struct reader_words words;	/* tags */
	size_t *row, nrows;		/* of its own rows, those read */
	int32_t *word;			/* tags: of each such row */
	size_t first, said;		/* in a call: its first row, its
					 * first output */
};

/* says_words - a text cut at blanks */
void says_words(struct arena *, struct view text, struct reader_words *);

/* says_rows - row and nrows */
void says_rows(const struct says *, struct arena *, struct said *);

/* says_width - numbers of a row */
size_t says_width(const struct says *);

/* says_put - y[nrows,width] becomes the record's fields, or a fault if it has
 * what is no number */
void says_put(const struct says *, struct arena *, struct said *, real *y);

#endif
