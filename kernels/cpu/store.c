/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values into the pages of a cache, laid out as look.c reads them */
#include "appliance/base/base.h"
#include "kernels/cpu/kept.h"

struct store_call {
	kept *cache;
	const real *k, *v;
	const struct kernel_places *at;
	size_t R, stride, G, D, tasks;
};

static void
store_task(void *arg, size_t task, void *scratch)
{
	const struct store_call *c = arg;
	size_t D = c->D, r, to;

	(void)scratch;
	for (part(c->R, c->tasks, task, &r, &to); r < to; r++) {
		size_t pos = (size_t)c->at->pos[r], i = pos % PAGE;
		size_t page = (size_t)c->at->table[(size_t)c->at->slot[r] *
		    c->at->per + pos / PAGE];

		for (size_t g = 0; g < c->G; g++) {
			kept *to_k = c->cache + (page * c->G + g) * PAGE * 2 *
			    D, *to_v = to_k + PAGE * D + i * D;
			size_t from = r * c->stride + g * D;

			for (size_t d = 0; d < D; d++)
				to_k[d * PAGE + i] = kept_of(c->k[from + d]);
			for (size_t d = 0; d < D; d++)
				to_v[d] = kept_of(c->v[from + d]);
		}
	}
}

void
KEPT(store)(void *dev, kept *cache, const real *k, const real *v,
    const struct kernel_places *at, size_t R, size_t stride, size_t G,
    size_t D)
{
	struct cpu *cpu = dev;
	struct store_call c = { .cache = cache, .k = k, .v = v, .at = at,
	    .R = R, .stride = stride, .G = G, .D = D };

	c.tasks = tasks_for(dev, R, G * D * 4);
	pool_run(cpu->pool, store_task, &c, c.tasks, 0);
}
