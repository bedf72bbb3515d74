/* SPDX-License-Identifier: Apache-2.0 */
/* The loss, and its gradient where the logits were */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>

struct classify_call {
	real *loss, *logits;
	const int32_t *target;
	size_t R, V, tasks;
	float scale, cap;
};

/* row_slopes - a row's gradient, times the cap's slope if there is one */
static void
row_slopes(const struct classify_call *k, real *x, int32_t t, float lse)
{
	float c = k->cap == 0 ? 0 : 1 / (k->cap * k->cap);
	float keep = x[t];
	size_t i;

	for (i = 0; i + LANES <= k->V; i += LANES) {
		vec y = load(x + i);

		save(x + i, splat(k->scale) * vexp(y - splat(lse)) *
		    (splat(1) - splat(c) * y * y));
	}
	for (; i < k->V; i++)
		x[i] = k->scale * expf(x[i] - lse) * (1 - c * x[i] * x[i]);
	x[t] = k->scale * (expf(keep - lse) - 1) * (1 - c * keep * keep);
}

static void
classify_task(void *arg, size_t task, void *scratch)
{
	const struct classify_call *k = arg;
	size_t r, to, i, V = k->V;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		real *x = k->logits + r * V;
		int32_t t = k->target[r];
		float max, lse;
		double sum = 0;

		if (k->cap != 0)
			row_cap(x, V, k->cap);
		max = row_max(x, V);
		for (i = 0; i + LANES <= V; i += LANES)
			sum += (double)vsum(vexp(load(x + i) - splat(max)));
		for (; i < V; i++)
			sum += (double)expf(x[i] - max);
		lse = max + (float)log(sum);
		k->loss[r] = t < 0 ? 0 : lse - x[t];
		if (k->scale == 0)
			continue;
		if (t < 0)
			memset(x, 0, V * sizeof(*x));
		else
			row_slopes(k, x, t, lse);
	}
}

void
OP(classify)(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap)
{
	struct cpu *c = dev;
	struct classify_call k = { .loss = loss, .logits = logits,
	    .target = target, .R = R, .V = V, .scale = (float)scale,
	    .cap = (float)cap };

	k.tasks = tasks_for(dev, R, V * 8);
	pool_run(c->pool, classify_task, &k, k.tasks, 0);
}
