/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/rungs.h"

size_t
rungs_plan(int64_t trials, int64_t eta, struct rung rung[RUNGS])
{
	size_t n = 0;
	int64_t part = 1;

	for (; n < RUNGS; trials /= eta) {
		rung[n++].trials = trials;
		if (trials / eta < 1)
			break;
	}
	for (size_t i = n; i > 0; i--) {
		rung[i - 1].part = part;
		part *= eta;
	}
	return n;
}
