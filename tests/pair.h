/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

/*
 * pair.h - a device's kernels beside ref's: the same random numbers for both,
 * and how far apart what they made of them is.
 */

#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/model/random.h"
#include "kernels/cpu/cpu.h"
#include "tests/emulated.h"
#include "tests/tap.h"

#include <math.h>

static const struct kernels *ref;
static struct arena *arena;

/* a pair of devices, and numbers of which each has its copy */
struct both {
	const struct kernels *k[2];
	void *dev[2];
	const char *isa;
	double near;			/* beside the largest number */
};

struct pair {
	real *v[2];
	size_t n;
};

static struct pair
some(uint64_t stream, size_t n)
{
	struct pair p = { .n = n };

	p.v[0] = arena_array(arena, n + 16, sizeof(real));
	for (size_t i = 0; i < n; i++)
		p.v[0][i] = (real)random_normal(11, stream, i);
	p.v[1] = arena_copy(arena, p.v[0], (n + 16) * sizeof(real));
	return p;
}

static struct pair
none(size_t n)
{
	struct pair p = { .n = n };

	for (int i = 0; i < 2; i++)
		p.v[i] = arena_array(arena, n + 16, sizeof(real));
	return p;
}

/* worst - the largest difference, beside the largest number */
static double
worst(struct pair p)
{
	double off = 0, most = 1e-30;

	for (size_t i = 0; i < p.n; i++) {
		double x = (double)p.v[0][i], y = (double)p.v[1][i];

		most = fabs(x) > most ? fabs(x) : most;
		off = fabs(x - y) > off || y != y ? fabs(x - y) : off;
	}
	return off / most;
}

static void
same(const struct both *b, const char *name, size_t shape, struct pair p)
{
	double off = worst(p);

	tap(off < b->near, "%s %s, shape %zu: %.1e", b->isa, name, shape, off);
}

#endif
