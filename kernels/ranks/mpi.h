/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RANKS_MPI_H
#define RANKS_MPI_H

#include "kernels/ranks.h"

/*
 * mpi.h - Open MPI's part in a transport: all of ranks-mpi, and what passes
 * between the hosts in ranks-nccl.  The functions are those of struct
 * ranks_table (ranks.h).
 */

void *mpi_open(struct ranks_place *, char *why, size_t len);
void mpi_close(void *);
int mpi_share(void *, void *x, size_t bytes);
int mpi_share_reals(void *, real *x, size_t n);
int mpi_send(void *, const real *x, size_t n, int to);
int mpi_receive(void *, real *x, size_t n, int from);
int mpi_sum_reals(void *, real *x, size_t n);
int mpi_sum(void *, double *x, size_t n);

#endif
