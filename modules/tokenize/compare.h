/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKENIZE_COMPARE_H
#define TOKENIZE_COMPARE_H

#include "modules/tokenize/talk.h"

/*
 * compare.h - what two vocabularies make of the same texts, in all and by the
 * values of some fields; and what one vocabulary is.
 *
 * Fertility is tokens for a word; words are runs without white space, so that
 * of languages that put none between words only bytes per token says much.
 */

struct compare;

/* compare_open - with and against: their names as they were given */
struct compare *compare_open(struct stage *, const struct tokenizer *with,
    const char *with_name, const char *against, const struct opt_list *by,
    struct err *);

/* compare_add - one text */
void compare_add(struct compare *, struct arena *, const struct rec *,
    struct view text);

/* compare_finish - a table for people, and results for the report */
void compare_finish(const struct compare *, struct stage *);

/* inspect_known - a record of what a vocabulary is; a table for people */
void inspect_known(struct stage *, const struct known *, struct rec *);

#endif
