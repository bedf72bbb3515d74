/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_GGUF_VOCAB_H
#define TEXT_GGUF_VOCAB_H

#include "appliance/text/gguf.h"

/*
 * gguf_vocab.h - the arrays of a vocabulary in a GGUF file: tokens, their
 * types, scores and merges, as many of each as tokens.
 */

enum { GGUF_NORMAL = 1, GGUF_UNKNOWN, GGUF_CONTROL, GGUF_USER_DEFINED,
	GGUF_UNUSED, GGUF_BYTE };

struct gguf_vocab {
	const struct gguf *g;
	struct gguf_array tokens, types, scores, merges;
	bool typed, scored;
	uint64_t unknown;		/* UNKNOWN whatever its type says */
	struct err *e;
};

/* gguf_type_of - of a token, by its id */
int64_t gguf_type_of(const struct gguf_vocab *, uint64_t id);

/* gguf_token - a token's text; false: no such id */
bool gguf_token(const struct gguf_vocab *, int64_t id, struct view *);

/* gguf_spm - tokenizer.model, of BPE or Unigram, or tokenizer.bin: its name */
const char *gguf_spm(const struct gguf_vocab *, bool unigram, bool bin,
    struct buf *);

#endif
