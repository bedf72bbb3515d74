/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SLAB_H
#define ENGINE_SLAB_H

#include "appliance/base/buf.h"
#include "appliance/engine/device.h"

/*
 * slab.h - a device's memory by a plan.  Everything that a program will need is
 * wanted first, under a category; the plan is shown; then one block is taken
 * and every pointer is set.  Nothing is taken later.
 * Slab and device must outlive the arena: it gives the block back.
 */

#define SLAB_PARTS	4096

struct slab_part {
	const char *what;		/* the category */
	size_t bytes;
	void **where;
	bool halves;			/* a tensor of this form: */
	enum kernel_form form;
};

struct slab {
	struct arena *arena;
	struct device *device;
	struct slab_part *part;
	size_t n, cap;
	void *block;
};

void slab_init(struct slab *, struct arena *, struct device *);

/* slab_want - *where is set by slab_take; parts are aligned to 64 bytes; where
 * NULL: the host's memory that others will take, only counted */
void slab_want(struct slab *, const char *what, size_t bytes, void **where);
void slab_reals(struct slab *, const char *what, size_t n, real **where);
void slab_ints(struct slab *, const char *what, size_t n, int32_t **where);

/* slab_halves - n numbers in 16 bits, as a tensor (kernel.h's halves, which
 * the device must have) */
void slab_halves(struct slab *, const char *what, size_t n, enum kernel_form,
    real **where);

size_t slab_size(const struct slab *);

/* slab_left - what the device could still give, in bytes; SIZE_MAX: unknown.
 * The host's memory: within the machine, control groups (left.c) and the
 * process's limit; *where: which of them is the least, as "on this machine" */
size_t slab_left(const struct slab *, const char **where);

/* slab_json - {"weights":BYTES,...,"total":BYTES}, categories in their order;
 * slab_text - "weights 1.2M, ... = 3.4M" */
void slab_json(const struct slab *, struct buf *);
void slab_text(const struct slab *, struct buf *);

/* slab_take - the block, zeroed; refused if the machine has less left */
int slab_take(struct slab *, struct err *);

/* slab_place - set every pointer into slab_size bytes that are there
 * already, aligned to 64 */
void slab_place(struct slab *, void *block);

/* slab_drop - give the block back before the arena does */
void slab_drop(void *slab);

#endif
