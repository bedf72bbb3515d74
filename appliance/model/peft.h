/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PEFT_H
#define MODEL_PEFT_H

#include "appliance/model/adapter.h"

/*
 * peft.h - an adapter's directory as PEFT 0.21 writes and reads it:
 * adapter_config.json and adapter_model.safetensors, key for key.
 *
 * peft_open reads what an adapter says of itself, whatever its base; peft_fit
 * lays it on a base's weights.  What this version cannot compute (another kind
 * of adapter, an initialisation that changes the base, adapters on tables) is
 * refused by name; what it does not know is told in `warning` and left out.
 * Files of before 2023 that have "base_layer", "original_module" or
 * "modules_to_save" within their names are read as they were meant, with a
 * warning.
 */

#define PEFT_WARNINGS	16

struct peft_part {			/* a module, or a saved tensor */
	const char *name;
	const struct tensor *a, *b, *m;	/* a module's */
	const struct tensor *whole;	/* a saved one's */
};

struct peft {
	struct adapter_conf conf;
	struct tensors tensors;
	struct peft_part *v;
	size_t n;
	const char *warning[PEFT_WARNINGS];
	size_t nwarnings;
};

/* peft_conf - adapter_config.json */
int peft_conf(struct arena *, struct view json, struct peft *, struct err *);

/* peft_open - both files below a directory */
int peft_open(struct arena *, int dir, struct peft *, struct err *);

/* peft_is - is there an adapter in the directory */
bool peft_is(int dir);

/* peft_fit - every part in its place of the base, numbers read */
int peft_fit(struct arena *, const struct peft *, const struct weights *,
    struct adapter *, struct err *);

/* peft_write - both files, flushed; numbers as F32 */
int peft_write(struct arena *, const struct adapter *, const struct weights *,
    int dir, struct err *);

#endif
