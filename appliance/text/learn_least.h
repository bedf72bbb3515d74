/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_LEAST_H
#define TEXT_LEARN_LEAST_H

#include "appliance/text/learn_merge.h"

/*
 * learn_least.h - how rare the pairs are that no merge will take.
 *
 * A word that is not yet one token has a pair that is there as often as the
 * word.  While there are more words of a count than tokens, one of them is not
 * yet a token: until the vocabulary is full, no pair below the count of the
 * word of that rank is merged.
 *
 * Order of calls: least_init; least_word for words that are all different;
 * least_end.
 */

struct least {
	size_t *words;			/* by count; the last: and above */
};

void least_init(struct least *);
void least_word(struct least *, const struct learn_rules *, uint32_t length,
    int64_t count);

/* least_end - the count, at least rules->min_count and 1; frees all */
int64_t least_end(struct least *, const struct learn_rules *);

#endif
