/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_RANKS_H
#define KERNELS_RANKS_H

#include "kernels/kernel.h"

#include <stdbool.h>

/*
 * ranks.h - a transport between the processes of one training run, its ranks,
 * which a launcher (mpirun, srun) has started side by side.  A shared object,
 * kernels/ranks-NAME.so, exports one symbol, `ranks`; the transport's own
 * library is opened by it and is no part of the build.
 *
 * Every rank makes the same calls in the same order, from one thread.  Reals
 * are the host's memory, or where gpu is set the memory of the GPU that the
 * thread has chosen; all else is the host's.  Functions that may fail return 0
 * or -1: the run cannot go on then, and the launcher ends the other ranks when
 * one of them ends.
 */

#define RANKS_ABI	1

struct ranks_place {
	int rank, size;			/* which of how many */
	int local, here;		/* which of how many on this machine */
};

struct ranks_table {
	unsigned abi;
	const char *name;		/* "mpi", "nccl" */
	bool gpu;

	/* open - NULL with the reason; where we stand */
	void *(*open)(struct ranks_place *, char *why, size_t len);
	/* close - when all is done; waits for the others */
	void (*close)(void *);
	/* share - rank 0's bytes become everyone's */
	int (*share)(void *, void *x, size_t bytes);
	/* share_reals - likewise; send, receive - from one rank to another */
	int (*share_reals)(void *, real *x, size_t n);
	int (*send)(void *, const real *x, size_t n, int to);
	int (*receive)(void *, real *x, size_t n, int from);
	/* sum_reals, sum - the sum over all ranks */
	int (*sum_reals)(void *, real *x, size_t n);
	int (*sum)(void *, double *x, size_t n);
};

/* RANKS - the exported symbol */
#define RANKS	__attribute__((visibility("default"))) \
	const struct ranks_table *ranks(void)
RANKS;

#endif
