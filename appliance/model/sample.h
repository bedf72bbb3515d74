/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include "appliance/engine/device.h"

/*
 * sample.h - the next token from logits.  temperature 0 takes the largest (the
 * lowest id of equals).  Else the logits are divided by the temperature; top_k
 * keeps the k largest (0: all), top_p the fewest that together have at least
 * that probability (1: all), in this order; `unit` from 0 to below 1 chooses
 * among them.  What is e^20 times less likely than the first is never chosen.
 */

struct sample {
	double temperature, top_p;
	int64_t top_k;
};

/* sample_pick - scratch: V places */
struct sample_word {
	real logit;
	int32_t id;
};

int32_t sample_pick(const struct sample *, const real *logits, size_t V,
    double unit, struct sample_word *scratch);

#endif
