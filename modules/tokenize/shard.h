/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKENIZE_SHARD_H
#define TOKENIZE_SHARD_H

#include "appliance/module.h"
#include "appliance/text/tokenizer.h"

/*
 * shard.h - documents as ids in one file, as trainers read them.  All numbers
 * are little-endian.
 *
 *   quern     64 bytes: "QUERNTOK", u32 version 1, u32 width (2 or 4), u64
 *             documents, u64 tokens, 32 bytes BLAKE2b-256 of the tokenizer's
 *             file; the tokens; u64 offsets of the documents in tokens, one
 *             more than there are documents
 *   llmc      llm.c: 256 i32: 20240520, version 1, tokens, zeros; u16 tokens;
 *             the end token stands before each document
 *   nanogpt   nanoGPT: u16 tokens alone; the end token behind each document
 *   megatron  Megatron: NAME.bin, tokens as u16, or i32 from a vocabulary of
 *             65,500 on, the end token (if there is one) behind each document;
 *             NAME.idx: "MMIDIDX\0\0", u64 version 1, u8 type (8 u16, 4 i32),
 *             u64 documents, u64 documents + 1, i32 lengths, u64 places in
 *             bytes, u64 0 .. documents
 */

#define SHARD_LAYOUTS	"quern|llmc|nanogpt|megatron"
enum { SHARD_QUERN, SHARD_LLMC, SHARD_NANOGPT, SHARD_MEGATRON };

struct shard;

/* shard_open - the temporary; layouts that cannot hold the vocabulary are
 * refused */
struct shard *shard_open(struct stage *, const char *name, int layout,
    const struct tokenizer *, struct hash file, struct err *);

/* shard_put - a document; split: the part that it belongs to, or empty */
int shard_put(struct shard *, struct view split, const uint32_t *ids, size_t n,
    struct err *);

/* shard_finish - publish, and leave the counts as results */
int shard_finish(struct shard *, struct stage *, struct err *);

/* shard_close - the descriptors; what was not published is removed */
void shard_close(struct shard *);

#endif
