/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_LATTICE_H
#define TEXT_LEARN_LATTICE_H

#include "appliance/text/learn_trie.h"

/*
 * learn_lattice.h - all ways to cut one word to pieces.
 */

#define LATTICE_MAX	4096		/* symbols of a word */
#define LATTICE_ONE	((double)(1 << 20))	/* expected counts' unit */

struct lattice_model {
	struct learn_trie trie;
	const double *score;		/* by piece: logarithm ... */
	const double *share;		/* ... and probability; 0: it is gone */
	uint32_t longest;
};

struct lattice_scratch;			/* a thread's */
struct lattice_scratch *lattice_new(struct arena *);

/* lattice_expect - adds each piece's expected count in a word that is there
 * `times`, in units of 1 / LATTICE_ONE */
void lattice_expect(const struct lattice_model *, struct lattice_scratch *,
    const uint32_t *symbol, uint32_t n, int64_t times, int64_t *expected);

/* lattice_best - the most likely pieces, from the last to the first, without
 * piece `but` (TRIE_NONE: any); how many, 0 if there is no way */
uint32_t lattice_best(const struct lattice_model *, struct lattice_scratch *,
    const uint32_t *symbol, uint32_t n, uint32_t but, uint32_t *piece,
    double *score);

#endif
