/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_NEAR_H
#define TEXT_NEAR_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * near.h - near-duplicates by MinHash with 14 bands of 8 rows, verified:
 * a candidate counts only if the Jaccard similarity of the two sets of 5-word
 * shingles reaches the threshold.  Sets lie in a file, of which memory holds
 * places and band keys (about 250 bytes a text).
 *
 *   file   for each text: u32 shingles, u32 length of its id, u32 label, u32 0,
 *          the id, the sorted distinct 32-bit shingle hashes
 */

struct near;

/* near_open - take over an empty file or one cut to a mark, which is read */
struct near *near_open(struct arena *, int fd, struct err *);

struct near_text {
	uint32_t *shingle;		/* sorted, distinct */
	uint32_t n;
	uint64_t band[14];
};

/* near_text - shingles and bands of a text; stateless */
void near_text(struct arena *, struct view text, struct near_text *);

/*
 * near_find - the first text added that is as similar as threshold: 1 with its
 * id (in the arena), label and similarity, 0 none, -1.  label_not: pass over
 * texts with that label; NEAR_ANY: none
 */
#define NEAR_ANY	UINT32_MAX
int near_find(struct near *, struct arena *, const struct near_text *,
    double threshold, uint32_t label_not, struct view *id, double *similarity,
    struct err *);

int near_add(struct near *, const struct near_text *, struct view id,
    uint32_t label, struct err *);

/* near_length - of the file, for a journal */
int64_t near_length(const struct near *);

#endif
