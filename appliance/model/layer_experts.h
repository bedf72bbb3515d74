/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_LAYER_EXPERTS_H
#define MODEL_LAYER_EXPERTS_H

#include "appliance/model/linear.h"
#include "appliance/model/route.h"

/* layer_experts.h - what a decoder's layer with experts has (experts.h) */

/* a layer's experts: each a matrix up and one down, and those for all rows */
struct experts_to {
	struct linear router, *up, *down;
	struct linear shared_gate, shared_up, shared_down;
};

struct decoder_experts {		/* what their backward pass needs */
	struct route route;
	int32_t *row;
	real *weight, *in, *up, *act, *out;
	real *shared_weight, *shared_up, *shared_act, *shared_out;
};

#endif
