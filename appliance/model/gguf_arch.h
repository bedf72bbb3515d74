/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_GGUF_ARCH_H
#define MODEL_GGUF_ARCH_H

#include "appliance/engine/tensors.h"

/*
 * gguf_arch.h - what GGUF and Hugging Face call the same things: a table for
 * each architecture, read in both directions.  In a tensor's name * is the
 * number of a layer.
 */

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

/* gguf_arch_names - all of them, with commas, for messages */
const char *gguf_arch_names(struct arena *);

/* gguf_name - a tensor's entry and its name in the other format; NULL: no
 * tensor of this architecture */
const struct gguf_name *gguf_name(struct arena *, const struct gguf_arch *,
    const char *name, bool from_gguf, const char **other);

#endif
