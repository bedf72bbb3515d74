/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ranks/mpi.h"

static const struct ranks_table table = {
	.abi = RANKS_ABI, .name = "mpi", .open = mpi_open,
	.close = mpi_close, .share = mpi_share,
	.share_reals = mpi_share_reals, .send = mpi_send,
	.receive = mpi_receive, .sum_reals = mpi_sum_reals, .sum = mpi_sum,
};

RANKS
{
	return &table;
}
