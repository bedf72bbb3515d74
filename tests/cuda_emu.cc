/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA device's kernels as kernel_test runs them: cuda_emu.cuh */
#include "kernels/cuda/table.cuh"

static void *
emu_open(int, char *, size_t)
{
	static struct cuda c;

	c.precision = PRECISION_F32;
	c.halves = true;
	c.work = (float *)malloc(WORK_BYTES);
	return &c;
}

static void
emu_close(void *dev)
{
	free(((struct cuda *)dev)->work);
}

static void
cuda_get(void *, void *host, const void *from, size_t bytes)
{
	memcpy(host, from, bytes);
}

extern "C" const struct kernels *
cuda_emulated(void)
{
	static struct kernels k;

	k.name = "cuda";
	k.open = emu_open;
	k.close = emu_close;
	k.get = cuda_get;
	table_fill(&k);
	return &k;
}
