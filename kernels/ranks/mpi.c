/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks over Open MPI (its ABI of libmpi.so.40: handles are addresses of the
 * library's own objects).  The few functions that are called are declared here,
 * so that no MPI is needed to build.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/ranks/mpi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define SOME	((size_t)1 << 28)	/* of a call: MPI counts in int */
#define TAG	7

/* MPI_THREAD_SERIALIZED, MPI_COMM_TYPE_SHARED, MPI_IN_PLACE and
 * MPI_STATUS_IGNORE in this ABI */
#define SERIALIZED	2
#define SHARED		0
#define IN_PLACE	((void *)1)
#define NO_STATUS	NULL

struct mpi {
	void *world, *sum_op, *real_type, *double_type, *byte_type;
	void *no_info, *errors_return;
	int (*init)(int *, char ***, int, int *);
	int (*comm_rank)(void *, int *);
	int (*comm_size)(void *, int *);
	int (*comm_split_type)(void *, int, int, void *, void **);
	int (*comm_free)(void **);
	int (*set_errhandler)(void *, void *);
	int (*allreduce)(const void *, void *, int, void *, void *, void *);
	int (*bcast)(void *, int, void *, int, void *);
	int (*send)(const void *, int, void *, int, int, void *);
	int (*recv)(void *, int, void *, int, int, void *, void *);
	int (*finalize)(void);
};

/* mpi_bind - the library's functions and objects; the name of one that is
 * missing, or NULL */
static const char *
mpi_bind(struct mpi *m, void *so)
{
	const struct {
		const char *name;
		void *where;
	} want[] = {
		{ "ompi_mpi_comm_world", &m->world },
		{ "ompi_mpi_op_sum", &m->sum_op },
		{ "ompi_mpi_float", &m->real_type },
		{ "ompi_mpi_double", &m->double_type },
		{ "ompi_mpi_byte", &m->byte_type },
		{ "ompi_mpi_info_null", &m->no_info },
		{ "ompi_mpi_errors_return", &m->errors_return },
		{ "MPI_Init_thread", &m->init },
		{ "MPI_Comm_rank", &m->comm_rank },
		{ "MPI_Comm_size", &m->comm_size },
		{ "MPI_Comm_split_type", &m->comm_split_type },
		{ "MPI_Comm_free", &m->comm_free },
		{ "MPI_Comm_set_errhandler", &m->set_errhandler },
		{ "MPI_Allreduce", &m->allreduce },
		{ "MPI_Bcast", &m->bcast },
		{ "MPI_Send", &m->send },
		{ "MPI_Recv", &m->recv },
		{ "MPI_Finalize", &m->finalize },
	};

	for (size_t i = 0; i < BASE_COUNT(want); i++) {
		void *p = dlsym(so, want[i].name);

		if (p == NULL)
			return want[i].name;
		memcpy(want[i].where, &p, sizeof(p));
	}
	return NULL;
}

/* mpi_place - where we stand, among all and on this machine */
static int
mpi_place(struct mpi *m, struct ranks_place *p)
{
	void *near;

	if (m->set_errhandler(m->world, m->errors_return) != 0 ||
	    m->comm_rank(m->world, &p->rank) != 0 ||
	    m->comm_size(m->world, &p->size) != 0 ||
	    m->comm_split_type(m->world, SHARED, p->rank, m->no_info,
	    &near) != 0 || m->comm_rank(near, &p->local) != 0 ||
	    m->comm_size(near, &p->here) != 0)
		return -1;
	return m->comm_free(&near) == 0 ? 0 : -1;
}

void *
mpi_open(struct ranks_place *p, char *why, size_t len)
{
	struct mpi *m = mem_alloc(sizeof(*m));
	const char *missing = NULL;
	int level;
	void *so;

	/* who waits must not take the core of who is waited for; and a process
	 * of ours does not look into another's memory */
	setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
	setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
	/* its plug-ins find its symbols only if they are everyone's */
	so = dlopen("libmpi.so.40", RTLD_NOW | RTLD_GLOBAL);
	if (so == NULL)
		snprintf(why, len, "Open MPI is not here: %s", dlerror());
	else if ((missing = mpi_bind(m, so)) != NULL)
		snprintf(why, len, "libmpi.so.40 has no '%s'", missing);
	else if (m->init(NULL, NULL, SERIALIZED, &level) != 0 ||
	    level < SERIALIZED || mpi_place(m, p) == -1)
		snprintf(why, len, "MPI cannot start");
	else
		return m;
	mem_free(m);
	return NULL;
}

void
mpi_close(void *arg)
{
	struct mpi *m = arg;

	m->finalize();
	mem_free(m);
}

/* mpi_bcast - from rank 0, piece by piece */
static int
mpi_bcast(struct mpi *m, void *x, size_t n, size_t bytes, void *type)
{
	size_t here;

	for (size_t at = 0; at < n; at += here) {
		here = n - at < SOME ? n - at : SOME;
		if (m->bcast((char *)x + at * bytes, (int)here, type, 0,
		    m->world) != 0)
			return -1;
	}
	return 0;
}

int
mpi_share(void *arg, void *x, size_t bytes)
{
	struct mpi *m = arg;

	return mpi_bcast(m, x, bytes, 1, m->byte_type);
}

int
mpi_share_reals(void *arg, real *x, size_t n)
{
	struct mpi *m = arg;

	return mpi_bcast(m, x, n, sizeof(*x), m->real_type);
}

int
mpi_send(void *arg, const real *x, size_t n, int to)
{
	struct mpi *m = arg;
	size_t here;

	for (size_t at = 0; at < n; at += here) {
		here = n - at < SOME ? n - at : SOME;
		if (m->send(x + at, (int)here, m->real_type, to, TAG,
		    m->world) != 0)
			return -1;
	}
	return 0;
}

int
mpi_receive(void *arg, real *x, size_t n, int from)
{
	struct mpi *m = arg;
	size_t here;

	for (size_t at = 0; at < n; at += here) {
		here = n - at < SOME ? n - at : SOME;
		if (m->recv(x + at, (int)here, m->real_type, from, TAG,
		    m->world, NO_STATUS) != 0)
			return -1;
	}
	return 0;
}

/* mpi_all - sums in place.  MPI advises but does not promise the same bytes in
 * every rank; who relies on it compares (join.c) */
static int
mpi_all(struct mpi *m, void *x, size_t n, size_t bytes, void *type)
{
	size_t here;

	for (size_t at = 0; at < n; at += here) {
		here = n - at < SOME ? n - at : SOME;
		if (m->allreduce(IN_PLACE, (char *)x + at * bytes, (int)here,
		    type, m->sum_op, m->world) != 0)
			return -1;
	}
	return 0;
}

int
mpi_sum_reals(void *arg, real *x, size_t n)
{
	struct mpi *m = arg;

	return mpi_all(m, x, n, sizeof(*x), m->real_type);
}

int
mpi_sum(void *arg, double *x, size_t n)
{
	struct mpi *m = arg;

	return mpi_all(m, x, n, sizeof(*x), m->double_type);
}
