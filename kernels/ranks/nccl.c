/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks with a GPU each: reals by NCCL (libnccl.so.2, NCCL 2's interface), what
 * is the host's by MPI.  The few functions that are called are declared here,
 * so that no NCCL is needed to build.  Our kernels run in a stream of their own
 * and NCCL in the default one, so all of the GPU's work is waited for on both
 * sides of a call: there are few, each of a whole gradient.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/ranks/mpi.h"

#include <dlfcn.h>
#include <stdio.h>

#define SUM	0			/* ncclSum */
#define FLOAT	7			/* ncclFloat32 */
#define STREAM	NULL			/* the default one */

struct id {				/* ncclUniqueId */
	char b[128];
};

struct nccl {
	void *mpi, *comm;
	struct ranks_place at;
	int (*synchronize)(void);	/* cuCtxSynchronize */
	int (*unique)(struct id *);
	int (*init)(void **, int, struct id, int);
	int (*destroy)(void *);
	int (*bcast)(void *, size_t, int, int, void *, void *);
	int (*send)(const void *, size_t, int, int, void *, void *);
	int (*recv)(void *, size_t, int, int, void *, void *);
	int (*allreduce)(const void *, void *, size_t, int, int, void *,
	    void *);
};

/* nccl_bind - from both libraries; -1 with the reason */
static int
nccl_bind(struct nccl *n, char *why, size_t len)
{
	const struct {
		const char *library, *name;
		void *where;
	} want[] = {
		{ "libcuda.so.1", "cuCtxSynchronize", &n->synchronize },
		{ "libnccl.so.2", "ncclGetUniqueId", &n->unique },
		{ "libnccl.so.2", "ncclCommInitRank", &n->init },
		{ "libnccl.so.2", "ncclCommDestroy", &n->destroy },
		{ "libnccl.so.2", "ncclBcast", &n->bcast },
		{ "libnccl.so.2", "ncclSend", &n->send },
		{ "libnccl.so.2", "ncclRecv", &n->recv },
		{ "libnccl.so.2", "ncclAllReduce", &n->allreduce },
	};

	for (size_t i = 0; i < BASE_COUNT(want); i++) {
		void *so = dlopen(want[i].library, RTLD_NOW), *p;

		if (so == NULL) {
			snprintf(why, len, "%s is not here: %s",
			    want[i].library, dlerror());
			return -1;
		}
		p = dlsym(so, want[i].name);
		if (p == NULL) {
			snprintf(why, len, "%s has no '%s'", want[i].library,
			    want[i].name);
			return -1;
		}
		memcpy(want[i].where, &p, sizeof(p));
	}
	return 0;
}

static void *
nccl_open(struct ranks_place *p, char *why, size_t len)
{
	struct nccl *n = mem_alloc(sizeof(*n));

	if (nccl_bind(n, why, len) == 0)
		n->mpi = mpi_open(&n->at, why, len);
	if (n->mpi != NULL) {
		*p = n->at;
		return n;
	}
	mem_free(n);
	return NULL;
}

static void
nccl_close(void *arg)
{
	struct nccl *n = arg;

	if (n->comm != NULL)
		n->destroy(n->comm);
	mpi_close(n->mpi);
	mem_free(n);
}

/* nccl_begin - before a call; the first one makes the communicator, on the GPU
 * that has been chosen by then */
static int
nccl_begin(struct nccl *n)
{
	struct id id = { "" };

	if (n->comm == NULL) {
		if (n->at.rank == 0 && n->unique(&id) != 0)
			return -1;
		if (mpi_share(n->mpi, &id, sizeof(id)) == -1 ||
		    n->init(&n->comm, n->at.size, id, n->at.rank) != 0)
			return -1;
	}
	return n->synchronize() == 0 ? 0 : -1;
}

/* nccl_end - after a call that gave rc */
static int
nccl_end(struct nccl *n, int rc)
{
	return rc == 0 && n->synchronize() == 0 ? 0 : -1;
}

static int
nccl_share(void *arg, void *x, size_t bytes)
{
	return mpi_share(((struct nccl *)arg)->mpi, x, bytes);
}

static int
nccl_share_reals(void *arg, real *x, size_t count)
{
	struct nccl *n = arg;

	return nccl_begin(n) == -1 ? -1 : nccl_end(n, n->bcast(x, count,
	    FLOAT, 0, n->comm, STREAM));
}

static int
nccl_send(void *arg, const real *x, size_t count, int to)
{
	struct nccl *n = arg;

	return nccl_begin(n) == -1 ? -1 : nccl_end(n, n->send(x, count, FLOAT,
	    to, n->comm, STREAM));
}

static int
nccl_receive(void *arg, real *x, size_t count, int from)
{
	struct nccl *n = arg;

	return nccl_begin(n) == -1 ? -1 : nccl_end(n, n->recv(x, count, FLOAT,
	    from, n->comm, STREAM));
}

static int
nccl_sum_reals(void *arg, real *x, size_t count)
{
	struct nccl *n = arg;

	return nccl_begin(n) == -1 ? -1 : nccl_end(n, n->allreduce(x, x,
	    count, FLOAT, SUM, n->comm, STREAM));
}

static int
nccl_sum(void *arg, double *x, size_t count)
{
	return mpi_sum(((struct nccl *)arg)->mpi, x, count);
}

static const struct ranks_table table = {
	.abi = RANKS_ABI, .name = "nccl", .gpu = true, .open = nccl_open,
	.close = nccl_close, .share = nccl_share,
	.share_reals = nccl_share_reals, .send = nccl_send,
	.receive = nccl_receive, .sum_reals = nccl_sum_reals,
	.sum = nccl_sum,
};

RANKS
{
	return &table;
}
