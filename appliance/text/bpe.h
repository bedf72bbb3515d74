/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H

#include "appliance/text/json.h"

/*
 * bpe.h - byte-level byte-pair encoding as GPT-2 defined it: text is cut by
 * GPT-2's pattern, each piece begins as its bytes, and the pair of neighbours
 * with the lowest merge rank (the leftmost of equals) is joined until none is
 * left.  Files are Hugging Face's tokenizer.json (model BPE, pre-tokenizer
 * ByteLevel with use_regex); other pipelines are refused with the reason.
 *
 * Added tokens are never made from text, only decoded.
 */

struct bpe;

/* bpe_open - a tokenizer.json; it lives in the arena */
struct bpe *bpe_open(struct arena *, struct view json, struct err *);

/* bpe_encode - ids of a text, in the arena; any number of threads at once */
size_t bpe_encode(const struct bpe *, struct arena *, struct view text,
    uint32_t **ids);

/* bpe_decode - the bytes of ids; unknown ids are -1 */
int bpe_decode(const struct bpe *, const uint32_t *ids, size_t n,
    struct buf *);

uint32_t bpe_size(const struct bpe *);		/* ids are below it */

/* bpe_find - the id of a token by its bytes, special ones too; -1 */
int64_t bpe_find(const struct bpe *, const char *);

/* bpe_piece - length of the first piece of text (n > 0) by GPT-2's pattern */
size_t bpe_piece(const char *text, size_t n);

/*
 * Learning: add texts, then learn; memory grows with the distinct pieces.
 * bpe_learn_end writes tokenizer.json: special tokens, the 256 bytes, merges in
 * the order found: most frequent first, of equals the pair of lowest ids.
 */
struct bpe_learn;

struct bpe_learn *bpe_learn_begin(struct arena *);
void bpe_learn_add(struct bpe_learn *, struct view text);
int bpe_learn_end(struct bpe_learn *, uint32_t size, int64_t min_count,
    const char *const *special, size_t nspecial, struct buf *json,
    struct err *);

/* the byte-level alphabet: a byte's character (two bytes of UTF-8 at most) */
uint32_t bpe_byte_char(unsigned char);

#endif
