/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SCORED_H
#define TEXT_SCORED_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * scored.h - BPE by scores, as SentencePiece does it and llama2.c's
 * tokenizer.bin keeps it: i32 length of the longest token, then for each id a
 * float score, an i32 length and the bytes, little-endian.  Ids 0 to 2 are
 * unknown, begin and end; 3 to 258 are the bytes, for what is in no token.
 *
 * A blank is put before the text; its characters are joined, the pair whose
 * token has the highest score (the leftmost of equals) first.
 */

#define SCORED_BOS	1
#define SCORED_EOS	2
#define SCORED_BYTES	3

struct scored;

struct scored *scored_open(struct arena *, struct view file, struct err *);
uint32_t scored_size(const struct scored *);
size_t scored_encode(const struct scored *, struct arena *, struct view,
    uint32_t **ids);

/* scored_decode - a blank directly after the begin is the one that was put
 * before the text, and is left out */
int scored_decode(const struct scored *, const uint32_t *ids, size_t n,
    struct buf *);

#endif
