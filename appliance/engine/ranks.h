/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_RANKS_H
#define ENGINE_RANKS_H

#include "appliance/base/arena.h"
#include "appliance/base/err.h"
#include "kernels/ranks.h"

/*
 * ranks.h - the processes that do one run together: which of them we are, and
 * the transport between them (kernels/ranks.h), a shared object of ours that is
 * loaded on demand.
 *
 * A launcher starts them; they may use sockets only where quern.conf says
 * `ranks = yes`, which is the caller's to know.
 */

struct ranks {
	const struct ranks_table *t;	/* NULL: one rank, alone */
	void *own;
	struct ranks_place at;		/* 0 of 1, alone */
};

/* ranks_alone - one process, no transport */
void ranks_alone(struct ranks *);

/* ranks_open - by name; ranks_close - all is done: waits for the others.  After
 * an error it is not called: the launcher ends the others */
int ranks_open(struct arena *, const char *name, struct ranks *,
    struct err *);
void ranks_close(struct ranks *);

#endif
