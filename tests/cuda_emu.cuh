/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CUDA_EMU_CUH
#define TESTS_CUDA_EMU_CUH

/*
 * cuda_emu.cuh - CUDA's kernels on a machine without a GPU, for their test: a
 * block's threads are contexts that one thread of the machine runs in turn.
 * __syncthreads and a warp's exchanges wait until all that live have come; who
 * comes last goes on at once, each round has another order, and one warp is far
 * ahead, so that what relies on an order without waiting for it shows.  Dynamic
 * shared memory begins as NaN.  Device memory is the machine's.
 *
 * Only what kernels/cuda uses is here; cuda_emu_rt.cuh has the runtime and
 * cuBLAS.  What no emulation can show: speed, the limits of registers and shared
 * memory, what cuBLAS itself does.
 */

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

extern "C" {
#include "kernels/half.h"
}

#define __global__
#define __device__
#define __shared__	static

#define EMU_THREADS	1024		/* most of a block */
#define EMU_STACK	((size_t)64 << 10)
#define EMU_SHARED	((size_t)96 << 10)

struct dim3 {
	unsigned x, y, z;
	dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1)
	    : x(a), y(b), z(c) {}
};

static dim3 gridDim, blockDim, blockIdx, threadIdx;

/* a thread of the block */
struct emu_thread {
	ucontext_t first;		/* until it has begun */
	jmp_buf at;			/* since then */
	char *stack;
	unsigned index;
	bool begun, over;
	size_t waits, warp_waits;	/* barriers that it has come to */
	union {
		float f;
		unsigned u, tile[6];
		const unsigned *row;
	} put;				/* what its warp may read */
};

static emu_thread emu[EMU_THREADS], *emu_now;
static jmp_buf emu_back;
static void (*emu_body)(const void *f, void **arg);
static const void *emu_f;
static void **emu_arg;
alignas(16) static float emu_shared[EMU_SHARED / sizeof(float)];

static void
emu_yield(void)
{
	if (_setjmp(emu_now->at) == 0)
		_longjmp(emu_back, 1);
}

/* emu_wait - until threads first to end - 1 have come to as many barriers */
static void
emu_wait(size_t emu_thread::*count, unsigned first, unsigned end)
{
	size_t mine = ++(emu_now->*count);

	for (unsigned i = first; i < end; i++)
		while (!emu[i].over && emu[i].*count < mine)
			emu_yield();
}

static void
__syncthreads(void)
{
	emu_wait(&emu_thread::waits, 0, blockDim.x);
}

static unsigned
emu_warp(void)
{
	unsigned first = emu_now->index / 32 * 32, end = first + 32;

	emu_wait(&emu_thread::warp_waits, first,
	    end < blockDim.x ? end : blockDim.x);
	return first;
}

static void
__syncwarp(void)
{
	emu_warp();
}

static float
__shfl_sync(unsigned, float x, int lane)
{
	float got;

	emu_now->put.f = x;
	got = emu[emu_warp() + (unsigned)lane % 32].put.f;
	emu_warp();
	return got;
}

static float
__shfl_xor_sync(unsigned all, float x, int way)
{
	return __shfl_sync(all, x, (int)(emu_now->index % 32) ^ way);
}

static unsigned
__ballot_sync(unsigned, bool x)
{
	unsigned first, got = 0;

	emu_now->put.u = x;
	first = emu_warp();
	for (unsigned i = 0; i < 32 && first + i < blockDim.x; i++)
		if (!emu[first + i].over)
			got |= emu[first + i].put.u << i;
	emu_warp();
	return got;
}

static unsigned
pack_bf16(float low, float high)
{
	return half_to_bf16(low) | (unsigned)half_to_bf16(high) << 16;
}

/* emu_half - number i of words of two */
static float
emu_half(const unsigned *words, unsigned i)
{
	return half_bf16((uint16_t)(words[i / 2] >> i % 2 * 16));
}

static void
mma_bf16(float d[4], const unsigned a[4], const unsigned b[2])
{
	unsigned lane = emu_now->index % 32, first;

	memcpy(emu_now->put.tile, a, 16);
	memcpy(emu_now->put.tile + 4, b, 8);
	first = emu_warp();
	for (unsigned i = 0; i < 4; i++) {
		unsigned row = lane / 4 + i / 2 * 8;
		unsigned col = lane % 4 * 2 + i % 2;

		for (unsigned k = 0; k < 16; k++)
			d[i] += emu_half(emu[first + row % 8 * 4 + k % 8 / 2]
			    .put.tile + row / 8 + k / 8 * 2, k % 2) *
			    emu_half(emu[first + col * 4 + k % 8 / 2]
			    .put.tile + 4 + k / 8, k % 2);
	}
	emu_warp();
}

/* emu_rows - the rows that all lanes name */
static void
emu_rows(const unsigned *rows[32], const unsigned *row)
{
	unsigned first;

	if ((uintptr_t)row % 16 != 0)
		abort();
	emu_now->put.row = row;
	first = emu_warp();
	for (unsigned i = 0; i < 32; i++)
		rows[i] = emu[first + i].put.row;
	emu_warp();
}

static void
ldmatrix(unsigned r[4], const unsigned *row)
{
	unsigned lane = emu_now->index % 32;
	const unsigned *rows[32];

	emu_rows(rows, row);
	for (unsigned i = 0; i < 4; i++)
		r[i] = rows[i * 8 + lane / 4][lane % 4];
}

static void
ldmatrix_trans(unsigned r[4], const unsigned *row)
{
	unsigned lane = emu_now->index % 32;
	const unsigned *rows[32];

	emu_rows(rows, row);
	for (unsigned i = 0; i < 4; i++)
		r[i] = pack_bf16(emu_half(rows[i * 8 + lane % 4 * 2],
		    lane / 4), emu_half(rows[i * 8 + lane % 4 * 2 + 1],
		    lane / 4));
}

static int
__popc(unsigned x)
{
	return __builtin_popcount(x);
}

static void
emu_enter(void)
{
	emu_body(emu_f, emu_arg);
	emu_now->over = true;
	_longjmp(emu_back, 1);
}

/* emu_step - run a thread until it waits or is over */
static void
emu_step(emu_thread *t)
{
	emu_now = t;
	threadIdx = dim3(t->index, 0, 0);
	if (_setjmp(emu_back) != 0)
		return;
	if (t->begun)
		_longjmp(t->at, 1);
	t->begun = true;
	setcontext(&t->first);
}

/* emu_some - one turn for each of n threads from `first` on, in an order of the
 * round's own; n is a power of two; was any left */
static bool
emu_some(unsigned first, unsigned n, unsigned round)
{
	static volatile unsigned k;
	static volatile bool left;

	left = false;
	for (k = 0; k < n; k++) {
		emu_thread *t = &emu[first + (k ^ (round * 2654435761u >>
		    16) % n)];

		if (t->over)
			continue;
		emu_step(t);
		left = true;
	}
	return left;
}

/* emu_block - run a block's threads until all are over; each round one warp is
 * far ahead of the others */
static void
emu_block(void)
{
	static unsigned round;
	unsigned n = blockDim.x, warp = n < 32 ? n : 32;

	for (unsigned i = 0; i < n; i++) {
		emu_thread *t = &emu[i];
		char *stack = t->stack != NULL ? t->stack :
		    (char *)malloc(EMU_STACK);

		memset(t, 0, sizeof(*t));
		t->stack = stack;
		t->index = i;
		getcontext(&t->first);
		t->first.uc_stack.ss_sp = stack;
		t->first.uc_stack.ss_size = EMU_STACK;
		makecontext(&t->first, emu_enter, 0);
	}
	do {
		unsigned ahead = ++round * 40503u % 65536 * (n / warp) >> 16;

		for (unsigned i = 0; i < 24; i++)
			if (!emu_some(ahead * warp, warp, round + i))
				break;
	} while (emu_some(0, n, round));
}

static void
emu_run(dim3 grid, unsigned threads, size_t shared,
    void (*body)(const void *, void **), const void *f, void **arg)
{
	if (threads > EMU_THREADS || (threads & (threads - 1)) != 0 ||
	    shared > EMU_SHARED)
		abort();
	emu_body = body;
	emu_f = f;
	emu_arg = arg;
	gridDim = grid;
	blockDim = dim3(threads);
	for (unsigned z = 0; z < grid.z; z++)
		for (unsigned y = 0; y < grid.y; y++)
			for (unsigned x = 0; x < grid.x; x++) {
				for (size_t i = 0; i < shared / sizeof(float);
				    i++)
					emu_shared[i] = NAN;
				blockIdx = dim3(x, y, z);
				emu_block();
			}
}

#define DYNAMIC(name)	float *name = emu_shared
#define UNROLL

#include "tests/cuda_emu_rt.cuh"

#endif
