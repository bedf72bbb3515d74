/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DEVICE_H
#define ENGINE_DEVICE_H

#include "appliance/base/arena.h"
#include "appliance/base/err.h"
#include "kernels/kernel.h"

/*
 * device.h - a device opened: its table of kernels and its own state.  The
 * table is a shared object of ours, kernels/NAME.so beside the modules, loaded
 * on demand, so that a process that computes nothing links no BLAS and no CUDA.
 */

struct device {
	const struct kernels *k;
	void *dev;
};

/* device_begin, device_end - graph_begin and graph_end, or nothing */
static inline void
device_begin(const struct device *d, enum kernel_graph which)
{
	if (d->k->graph_begin != NULL)
		d->k->graph_begin(d->dev, which);
}

static inline void
device_end(const struct device *d)
{
	if (d->k->graph_end != NULL)
		d->k->graph_end(d->dev);
}

/*
 * device_open - "ref", "cpu" (threads) or "cuda" (number: the GPU).  It is
 * closed with the arena.  What it lacks (no such object, no GPU, an operation
 * not built) is said in the error.
 */
struct device *device_open(struct arena *, const char *name, int number,
    struct err *);

/* device_for - "cuda" if gpus were leased ("0", "0,1"), else "cpu" */
struct device *device_for(struct arena *, const char *gpus, int threads,
    struct err *);

/* device_missing - an operation that the table lacks, or NULL; what kernel.h
 * lets a device lack does not count */
const char *device_missing(const struct kernels *);

/* device_draws - a key of dropout whose number i is that key's number first +
 * i, on every device */
uint64_t device_draws(uint64_t key, uint64_t first);

#endif
