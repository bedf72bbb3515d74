/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_VITERBI_H
#define TEXT_HF_VITERBI_H

#include "appliance/text/hf_quick.h"

/*
 * hf_viterbi.h - Unigram's ids of a unit without a list of what it becomes in
 * between: what a character is made into, its token and its place in the trie
 * are kept, and the best way is settled wherever no token lies across.
 * hf_unigram_run is its plain twin.
 */

struct hf_viterbi;

/* hf_viterbi_new - for one thread at a time, worth while for so many units;
 * NULL: the model is another, or characters are not normalized one by one */
struct hf_viterbi *hf_viterbi_new(struct arena *, const struct hf_path *,
    const struct hf_units *, size_t units);

/*
 * hf_viterbi_run - the ids of the unit at *p, where one begins, there until the
 * next run; *p is where it ends.  false: it holds what is not for this
 */
bool hf_viterbi_run(struct hf_viterbi *, const char **p, const char *end,
    const uint32_t **ids, size_t *count);

#endif
