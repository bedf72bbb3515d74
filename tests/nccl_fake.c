/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ranks-nccl.so calls of NCCL and the driver, done in the host's memory by
 * the MPI that is loaded already: stands in for both where there is no GPU.  A
 * call that NCCL would not understand gives its ncclInvalidArgument.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define WRONG	4			/* ncclInvalidArgument */

struct id {
	char b[128];
};

extern char ompi_mpi_comm_world[], ompi_mpi_op_sum[], ompi_mpi_float[];
int MPI_Allreduce(const void *, void *, int, void *, void *, void *);
int MPI_Bcast(void *, int, void *, int, void *);
int MPI_Send(const void *, int, void *, int, int, void *);
int MPI_Recv(void *, int, void *, int, int, void *, void *);
int MPI_Comm_size(void *, int *);
int MPI_Comm_rank(void *, int *);

int cuCtxSynchronize(void);
int ncclGetUniqueId(struct id *);
int ncclCommInitRank(void **, int, struct id, int);
int ncclCommDestroy(void *);
int ncclBcast(void *, size_t, int, int, void *, void *);
int ncclSend(const void *, size_t, int, int, void *, void *);
int ncclRecv(void *, size_t, int, int, void *, void *);
int ncclAllReduce(const void *, void *, size_t, int, int, void *, void *);

static char comm[1];
static int waited;			/* since the last call */

int
cuCtxSynchronize(void)
{
	waited = 1;
	return 0;
}

int
ncclGetUniqueId(struct id *id)
{
	memset(id->b, 'q', sizeof(id->b));
	return 0;
}

int
ncclCommInitRank(void **c, int size, struct id id, int rank)
{
	int n, r;

	MPI_Comm_size(ompi_mpi_comm_world, &n);
	MPI_Comm_rank(ompi_mpi_comm_world, &r);
	for (size_t i = 0; i < sizeof(id.b); i++)
		if (id.b[i] != 'q')
			return WRONG;
	*c = comm;
	return n == size && r == rank ? 0 : WRONG;
}

int
ncclCommDestroy(void *c)
{
	return c == comm ? 0 : WRONG;
}

/* fine - ncclFloat32, our communicator, the default stream, waited for */
static int
fine(int type, const void *c, const void *stream)
{
	int was = waited;

	waited = 0;
	return type == 7 && c == comm && stream == NULL && was;
}

int
ncclBcast(void *x, size_t n, int type, int root, void *c, void *stream)
{
	return fine(type, c, stream) ? MPI_Bcast(x, (int)n, ompi_mpi_float,
	    root, ompi_mpi_comm_world) : WRONG;
}

int
ncclSend(const void *x, size_t n, int type, int to, void *c, void *stream)
{
	return fine(type, c, stream) ? MPI_Send(x, (int)n, ompi_mpi_float, to,
	    3, ompi_mpi_comm_world) : WRONG;
}

int
ncclRecv(void *x, size_t n, int type, int from, void *c, void *stream)
{
	return fine(type, c, stream) ? MPI_Recv(x, (int)n, ompi_mpi_float,
	    from, 3, ompi_mpi_comm_world, NULL) : WRONG;
}

int
ncclAllReduce(const void *x, void *y, size_t n, int type, int op, void *c,
    void *stream)
{
	if (!fine(type, c, stream) || op != 0)
		return WRONG;
	return MPI_Allreduce(x == y ? (void *)1 : x, y, (int)n,
	    ompi_mpi_float, ompi_mpi_op_sum, ompi_mpi_comm_world);
}
