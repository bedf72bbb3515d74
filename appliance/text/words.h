/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_WORDS_H
#define TEXT_WORDS_H

#include "appliance/base/buf.h"

/*
 * words.h - where words are: maximal runs without white space (Unicode), as the
 * Gopher rules count them, and the lines and paragraphs of a text.
 */

struct spans {
	struct view *v;
	size_t n;
};

void text_words(struct arena *, struct view, struct spans *);

/* text_lines - parts between line ends, without empty ones at the end */
void text_lines(struct arena *, struct view, struct spans *);

/* text_paragraphs - parts between empty lines */
void text_paragraphs(struct arena *, struct view, struct spans *);

/*
 * text_shingle - text as near-duplicate detection sees it: lower case, digits
 * as 0, punctuation and blanks as single blanks
 */
struct view text_shingle(struct arena *, struct view);

#endif
