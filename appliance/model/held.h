/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_HELD_H
#define MODEL_HELD_H

#include "appliance/engine/slab.h"
#include "appliance/engine/tensors.h"
#include "appliance/model/weights.h"

/*
 * held.h - a base's frozen matrices in fewer bits than reals: as their file has
 * them, rounded to halves, or in NF4 (nf4.h), each tensor of the file by
 * itself.  Vectors, the table of places and routers stay reals; with NF4 the
 * table of words and the head stay as their file has them.
 *
 * Order of calls: held_plan; held_want for each slab that is planned, of which
 * the last is taken; held_ready; held_put for each piece that held_has.
 */

enum held_form { HELD_FILE, HELD_F32, HELD_BF16, HELD_F16, HELD_NF4 };

struct held_matrix {			/* a tensor: rows of a parameter */
	struct kernel_held k;		/* complete when held_ready is over */
	size_t row, rows, cols;
	void *data;			/* the device's */
	float *scale, *step;
	uint8_t *byte;
};

struct held {
	bool doubled;			/* NF4's scales are bytes */
	struct held_matrix *v;		/* in the order of weights_pieces */
	size_t n;
	size_t *piece;			/* of each piece, in v; or NO_WEIGHT */
	size_t *first, *count;		/* of each parameter, in v */
	size_t bits[HELD_NF4 + 1];	/* numbers in each form */
	float *map;			/* the device's */
};

/* held_plan - of the base in these tensors; frozen: of each parameter */
void held_plan(struct arena *, const struct weights *, const struct tensors *,
    const bool *frozen, enum held_form, bool doubled, struct held *);

void held_want(struct held *, struct slab *);
void held_ready(struct held *, const struct device *);

/* held_has - is the i-th piece held; held_put - its numbers [rows, cols] */
bool held_has(const struct held *, size_t i);
void held_put(const struct held *, const struct device *, size_t i,
    const float *);

#endif
