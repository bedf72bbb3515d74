/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_GGUF_MODEL_H
#define MODEL_GGUF_MODEL_H

#include "appliance/model/source.h"
#include "appliance/text/gguf_tokenizer.h"

/*
 * gguf_model.h - a GGUF file as a model's directory: config.json, tensors by
 * Hugging Face's names and shapes, the tokenizer's file; and the other way.
 * Rows of Llama's queries and keys are put into the order that each side turns
 * them in; Gemma's norms lose or gain their 1; GPT-2's matrices are turned.
 */

/* gguf_config - config.json as Hugging Face would have it */
int gguf_config(struct arena *, const struct gguf *, struct view *config,
    struct err *);

/* gguf_pool - how BERT's rows become one embedding: llama.cpp's numbers */
enum { GGUF_POOL_MEAN = 1, GGUF_POOL_CLS = 2 };

int gguf_pool(const struct gguf *, struct shape_head *, struct err *);

/* gguf_tensors - the file's tensors under their other names */
int gguf_tensors(struct arena *, const struct gguf *, struct tensors *,
    struct err *);

/*
 * gguf_keys - general.* and ARCH.* keys for a config.json, and how many; to be
 * followed by those of gguf_words (tokenizer.*) if the source has a tokenizer.
 * gguf_named - tensors in the order of a file under GGUF's names; extra: one
 * that no table names, or NULL.  A family or a vocabulary that cannot be said
 * in GGUF is refused by name.
 */
int gguf_keys(struct arena *, struct view config, struct buf *, uint64_t *n,
    struct err *);
int gguf_words(struct arena *, const struct source *, struct buf *,
    uint64_t *n, struct err *);
int gguf_named(struct arena *, struct view config, const struct tensors *,
    struct tensors *out, const char **extra, struct err *);

/* gguf_same - is what a file says (y) what config.json said (x); it is refused
 * naming what is not */
int gguf_same(const struct shape *x, const struct shape *y, struct err *);

/* the 1/f that Llama 3's rope_freqs.weight holds, D/2 of them */
void gguf_llama3(double theta, size_t D, double factor, double low,
    double high, double context, float *out);

#endif
