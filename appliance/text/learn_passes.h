/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_PASSES_H
#define TEXT_LEARN_PASSES_H

#include "appliance/text/learn_merge.h"
#include "appliance/text/learn_tape.h"

/*
 * learn_passes.h - the merges of learn_merge, of words that lie on a tape.
 */

struct pass_limits {
	size_t memory;			/* bytes for pairs, or for the words
					 * once they fit */
	int64_t least;			/* least_end's of all words */
};

/* learn_passes - as learn_merge; the tape's words are joined in place */
int learn_passes(struct arena *, struct tape *, const struct learn_rules *,
    const struct pass_limits *, struct learn_vocab *, struct learn_merges *,
    struct err *);

#endif
