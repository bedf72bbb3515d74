/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_GGUF_TOKENIZER_H
#define TEXT_GGUF_TOKENIZER_H

#include "appliance/text/bpe.h"
#include "appliance/text/gguf.h"
#include "appliance/text/vocab_kept.h"

/*
 * gguf_tokenizer.h - the vocabulary in a GGUF file's keys (tokenizer.*) as
 * files that tokenizer_open reads and others too, by tokenizer.ggml.model:
 *
 *   gpt2   tokenizer.json: byte-level BPE, cut as tokenizer.ggml.pre says
 *   bert   tokenizer.json: WordPiece
 *   llama  tokenizer.model, or, if that is asked and the ids are in its order,
 *          llama2.c's tokenizer.bin
 *   t5     tokenizer.model: Unigram with its charsmap
 */

struct gguf_files {
	const char *name;		/* NULL: there is no vocabulary */
	struct view file, config;	/* config: tokenizer_config.json */
};

int gguf_tokenizer(struct arena *, const struct gguf *, bool bin,
    struct gguf_files *, struct err *);

/* gguf_tokenizer_kept - the same by way of a directory of images (or -1), where
 * it is found again by the keys that it was made from */
int gguf_tokenizer_kept(struct arena *, const struct gguf *, bool bin,
    int images, struct vocab_made *, struct err *);

/* GGUF's name of a pattern and back; NULL: not known */
const struct bpe_pattern *gguf_pattern(struct view pre);
const char *gguf_pre(const struct bpe_pattern *);

#endif
