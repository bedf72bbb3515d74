/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_GGUF_ARCH_H
#define MODEL_GGUF_ARCH_H

#include "appliance/engine/tensors.h"

/*
 * gguf_arch.h - what GGUF and Hugging Face call the same things: a table for
 * each architecture, read in both directions.  In a tensor's name * is the
 * number of a layer and # that of an expert; GGUF has a layer's experts in one
 * tensor, where its name has no #.
 */

/* one row, which GGUF has as a vector */
#define GGUF_SHARED_GATE	"blk.*.ffn_gate_inp_shexp.weight"

struct gguf_number {
	const char *key;		/* behind "ARCH." */
	const char *hf;			/* in config.json */
	bool whole, needed;
};

struct gguf_name {
	const char *gguf, *hf;
	enum tensor_change change;	/* of GGUF's, to become the other */
	bool keys;			/* HALVED: by heads of keys */
};

struct gguf_arch {
	const char *arch, *model_type, *class;
	const char *fixed;		/* members of config.json */
	const struct gguf_number *number;
	const struct gguf_name *name;
};

/* by general.architecture, by model_type; NULL: not known */
const struct gguf_arch *gguf_arch(struct view);
const struct gguf_arch *gguf_arch_of(struct view model_type);

/* gguf_arch_in - a file's, by its keys: Mixtral's is Llama's with experts,
 * Mistral's with a window; NULL: err says why */
const struct gguf_arch *gguf_arch_in(struct arena *, const struct gguf *,
    struct err *);

/* gguf_arch_names - all of them, with commas, for messages */
const char *gguf_arch_names(struct arena *);

/* gguf_name - a tensor's entry and its name in the other format; NULL: no
 * tensor of this architecture.  expert: whose name is asked for, if GGUF's has
 * all; the other way, whose it is */
const struct gguf_name *gguf_name(struct arena *, const struct gguf_arch *,
    const char *name, bool from_gguf, size_t *expert, const char **other);

/* gguf_has_all - is it one tensor for all experts of a layer */
bool gguf_has_all(const struct gguf_name *);

#endif
