/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_GRID_CUH
#define CUDA_GRID_CUH

/*
 * grid.cuh - what every kernel of the CUDA device stands on.
 *
 * The kernels and the functions that start them are compiled twice: by nvcc for
 * the GPU, and by a C++ compiler for tests/kernel_test, where
 * tests/cuda_emu.cuh runs a grid's threads one after the other and stands in for
 * CUDA's runtime and cuBLAS, so that the same lines are held against ref on
 * machines without a GPU.
 *
 * Sums are taken in an order that depends on the shapes alone: the same call
 * gives the same bytes.
 */

#include <math.h>

extern "C" {
#include "appliance/base/base.h"
#include "appliance/base/buf.h"
#include "appliance/base/msg.h"
#include "kernels/kernel.h"
}

#define WARP		32
#define THREADS		256		/* of a block, where nothing else asks */
#define WARPS		(THREADS / WARP)
#define ALL_LANES	0xffffffffu

/* bytes of device memory that operations may use until their end */
#define WORK_BYTES	((size_t)64 << 20)

#ifdef __CUDACC__

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

/* DYNAMIC - the dynamic shared memory */
#define DYNAMIC(name)	extern __shared__ __align__(16) float name[]

/* UNROLL - the next loop, so that what it indexes can be registers */
#define UNROLL		_Pragma("unroll")

/* pack_bf16 - two numbers as a word; the first lies lower */
static __device__ inline unsigned
pack_bf16(float low, float high)
{
	__nv_bfloat162 two = __floats2bfloat162_rn(low, high);

	return *reinterpret_cast<unsigned *>(&two);
}

/*
 * mma_bf16 - d[16,8] += a[16,16] b[16,8] of a warp; ldmatrix - four blocks of
 * 8 by 8 numbers out of shared memory, of which lane l names row l % 8 of block
 * l / 8 (16 bytes, aligned); _trans: turned.  Both as PTX has them; cuda_open
 * sees to it that no GPU without them is asked.
 */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define PTX(...)	asm volatile(__VA_ARGS__)
#else
#define PTX(...)	__trap()
#endif

static __device__ inline void
mma_bf16(float d[4], const unsigned a[4], const unsigned b[2])
{
	PTX("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
	    "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
	    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
	    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
	    "r"(b[1]));
}

static __device__ inline void
ldmatrix(unsigned r[4], const unsigned *row)
{
	PTX("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
	    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	    : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}

static __device__ inline void
ldmatrix_trans(unsigned r[4], const unsigned *row)
{
	PTX("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
	    "{%0, %1, %2, %3}, [%4];"
	    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	    : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}

/* KNOW - what an emulation has to know of a kernel that it will start */
#define KNOW(f)		((void)(f))

#else
#include "tests/cuda_emu.cuh"
#endif

struct cuda {
	int number;
	cudaStream_t stream;
	cublasHandle_t blas;
	float *work;
	enum kernel_precision precision;
	bool halves;			/* are there products of bf16 */
	struct block *block;		/* memory given out: nums.cuh */
	size_t nblocks, blocks;
	struct lt *lt;			/* those of 16 bits: lt.cuh */
	struct tape *tape;		/* what is taken down now: tape.cuh */
	struct tape *tapes;
	const char *no_graphs;		/* why there are none */
	const char *last;		/* that was started */
	const char *(*words)(void *);	/* of who uses it: kernel.h's on_loss */
	void *words_arg;
	struct buf text;		/* what was told or chosen */
	char isa[16], name[64];
};

/* lost - the device is gone, or we have handed it nonsense: the process ends;
 * must - unless all is well */
static void lost(const struct cuda *, const char *what, const char *why);
static void must(const struct cuda *, cudaError_t, const char *what);

/* a kernel's start, as cudaLaunchKernel wants it; size: of each argument */
struct start {
	const void *f;
	const char *name;
	dim3 grid;
	unsigned block, n;
	size_t shared;
	void **arg;
	const size_t *size;
};

static void start_kernel(struct cuda *, const struct start *);

/* tape_flush - what was only taken down so far is started: tape.cuh */
static void tape_flush(struct cuda *);

/* launch - arguments become what the kernel's parameters are */
template<class T> struct as {
	typedef T is;
};

template<class... P> static void
launch(struct cuda *c, const char *name, dim3 grid, unsigned block,
    size_t shared, void (*f)(P...), typename as<P>::is... p)
{
	void *arg[] = { (void *)&p... };
	static const size_t size[] = { sizeof(P)... };
	const struct start s = { (const void *)f, name, grid, block,
	    sizeof...(p), shared, arg, size };

	KNOW(f);
	start_kernel(c, &s);
}

/* LAUNCH - start kernel f on a grid; shared: bytes of dynamic memory */
#define LAUNCH(c, grid, block, shared, f, ...)				\
	launch(c, #f, grid, block, shared, f, __VA_ARGS__)

/* blocks_for - a grid that strides over n things */
static inline unsigned
blocks_for(size_t n)
{
	size_t blocks = (n + THREADS - 1) / THREADS;

	return (unsigned)(blocks < 1 ? 1 : blocks < 65535 ? blocks : 65535);
}

/* rows whose gradients one block adds up before all blocks' are added */
#define CHUNK_ROWS	64
#define CHUNKS		128

/* chunks_for - into how many parts R rows of n sums are cut */
static inline size_t
chunks_for(size_t R, size_t n)
{
	size_t most = n == 0 ? 0 : WORK_BYTES / sizeof(float) / n;
	size_t chunks = (R + CHUNK_ROWS - 1) / CHUNK_ROWS;

	most = most < CHUNKS ? most : CHUNKS;
	return chunks < most ? chunks : most;
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
