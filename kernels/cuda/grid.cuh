/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_GRID_CUH
#define CUDA_GRID_CUH

/*
 * grid.cuh - what every kernel of the CUDA device stands on.
 *
 * The kernels and the functions that start them are compiled twice: by nvcc for
 * the GPU, and by a C++ compiler for tests/kernel_test, where
 * tests/cuda_emu.cuh runs a grid's threads one after the other, so that the
 * same lines are held against ref on machines without a GPU.  So nothing
 * outside cuda.cu may use what only one of the two has.
 *
 * Sums are taken in an order that depends on the shapes alone: the same call
 * gives the same bytes.
 */

#include <math.h>

extern "C" {
#include "appliance/base/base.h"
#include "kernels/kernel.h"
}

#define WARP		32
#define THREADS		256		/* of a block, where nothing else asks */
#define WARPS		(THREADS / WARP)
#define ALL_LANES	0xffffffffu

/* bytes of device memory that operations may use until their end */
#define WORK_BYTES	((size_t)64 << 20)

#ifdef __CUDACC__

#include <cublas_v2.h>
#include <cuda_runtime.h>

struct cuda {
	int number;
	cudaStream_t stream;
	cublasHandle_t blas;
	float *work;
	char isa[16];
};

/* must - the device is gone, or we have handed it nonsense */
void must(const struct cuda *, cudaError_t, const char *what);

/* LAUNCH - start kernel f on a grid; shared: bytes of dynamic memory */
#define LAUNCH(c, grid, block, shared, f, ...) do {			\
	if ((shared) > 48 * 1024)					\
		must(c, cudaFuncSetAttribute(f,				\
		    cudaFuncAttributeMaxDynamicSharedMemorySize,	\
		    (int)(shared)), "get shared memory for '" #f "'");	\
	f<<<grid, block, shared, (c)->stream>>>(__VA_ARGS__);		\
	must(c, cudaGetLastError(), "start '" #f "'");			\
} while (0)

/* DYNAMIC - the dynamic shared memory */
#define DYNAMIC(name)	extern __shared__ float name[]

/* UNROLL - the next loop, so that what it indexes can be registers */
#define UNROLL		_Pragma("unroll")

#else
#include "tests/cuda_emu.cuh"
#endif

/* blocks_for - a grid that strides over n things */
static inline unsigned
blocks_for(size_t n)
{
	size_t blocks = (n + THREADS - 1) / THREADS;

	return (unsigned)(blocks < 1 ? 1 : blocks < 65535 ? blocks : 65535);
}

/* EACH - i over all n things, shared out among a grid's threads */
#define EACH(i, n)							\
	for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;	\
	    i < (n); i += (size_t)gridDim.x * blockDim.x)

/* warp_sum, warp_max - of all 32 lanes, in all of them */
static __device__ inline float
warp_sum(float x)
{
	for (int way = WARP / 2; way > 0; way /= 2)
		x += __shfl_xor_sync(ALL_LANES, x, way);
	return x;
}

static __device__ inline float
warp_max(float x)
{
	for (int way = WARP / 2; way > 0; way /= 2)
		x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, way));
	return x;
}

/* block_sum - of THREADS threads, in all of them; part: WARPS places */
static __device__ inline float
block_sum(float x, float *part)
{
	float sum = 0;

	x = warp_sum(x);
	__syncthreads();		/* part may still be read */
	if (threadIdx.x % WARP == 0)
		part[threadIdx.x / WARP] = x;
	__syncthreads();
	for (int w = 0; w < WARPS; w++)
		sum += part[w];
	return sum;
}

static __device__ inline float
block_max(float x, float *part)
{
	float most;

	x = warp_max(x);
	__syncthreads();
	if (threadIdx.x % WARP == 0)
		part[threadIdx.x / WARP] = x;
	__syncthreads();
	most = part[0];
	for (int w = 1; w < WARPS; w++)
		most = fmaxf(most, part[w]);
	return most;
}

#endif
