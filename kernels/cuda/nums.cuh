/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUDA_NUMS_CUH
#define CUDA_NUMS_CUH

/*
 * nums.cuh - tensors that may lie in 16 bits (kernel.h's halves).
 *
 * To who calls the operations such a tensor is a pointer to reals like any
 * other, so that places in it are counted as always, but into addresses that
 * are reserved and hold nothing: the device looks up what they stand for.  Each
 * kernel that may meet them has `struct nums` instead of a pointer; how its
 * numbers lie is the same for all threads, so asking costs a register, and
 * sums and results stay floats on their way.
 */
#include "kernels/cuda/grid.cuh"

extern "C" {
#include "kernels/half.h"
}

#include <sys/mman.h>

#define NUMS_REAL	(-1)		/* beside kernel_form's */
#define NUMS_FORMS	2		/* those of 16 bits */

struct nums {
	char *p;
	int form;
};

/* memory that was given out, and the addresses that stand for its numbers */
struct block {
	char *p, *as[NUMS_FORMS];
	size_t bytes;
};

static __device__ inline float
nums_get(struct nums x, size_t i)
{
	if (x.form == NUMS_REAL)
		return ((const float *)x.p)[i];
	return x.form == FORM_BF16 ? half_bf16(((const uint16_t *)x.p)[i]) :
	    half_f16(((const uint16_t *)x.p)[i]);
}

static __device__ inline void
nums_put(struct nums x, size_t i, float v)
{
	if (x.form == NUMS_REAL)
		((float *)x.p)[i] = v;
	else
		((uint16_t *)x.p)[i] = half_narrow(v, (enum kernel_form)
		    x.form);
}

/* nums_at - from number i on */
static __device__ inline struct nums
nums_at(struct nums x, size_t i)
{
	x.p += i * (x.form == NUMS_REAL ? sizeof(float) : sizeof(uint16_t));
	return x;
}

/* FOUR - numbers that a thread takes at once, where they are aligned to it */
#define FOUR		4

static __device__ inline bool
nums_four(struct nums x)
{
	return (uintptr_t)x.p % (x.form == NUMS_REAL ? 16 : 8) == 0;
}

/* nums_get4, nums_put4 - numbers i to i + 3 of n; i is a multiple of 4 */
static __device__ inline void
nums_get4(float v[FOUR], struct nums x, size_t i, size_t n)
{
	struct alignas(8) { uint16_t v[FOUR]; } two;
	struct alignas(16) { float v[FOUR]; } four;

	if (i + FOUR > n || !nums_four(x)) {
		for (size_t k = 0; k < FOUR; k++)
			v[k] = i + k < n ? nums_get(x, i + k) : 0;
	} else if (x.form == NUMS_REAL) {
		four = ((decltype(four) *)x.p)[i / FOUR];
		for (size_t k = 0; k < FOUR; k++)
			v[k] = four.v[k];
	} else {
		two = ((decltype(two) *)x.p)[i / FOUR];
		for (size_t k = 0; k < FOUR; k++)
			v[k] = x.form == FORM_BF16 ? half_bf16(two.v[k]) :
			    half_f16(two.v[k]);
	}
}

static __device__ inline void
nums_put4(struct nums x, size_t i, size_t n, const float v[FOUR])
{
	struct alignas(8) { uint16_t v[FOUR]; } two;
	struct alignas(16) { float v[FOUR]; } four;

	if (i + FOUR > n || !nums_four(x)) {
		for (size_t k = 0; k < FOUR && i + k < n; k++)
			nums_put(x, i + k, v[k]);
	} else if (x.form == NUMS_REAL) {
		for (size_t k = 0; k < FOUR; k++)
			four.v[k] = v[k];
		((decltype(four) *)x.p)[i / FOUR] = four;
	} else {
		for (size_t k = 0; k < FOUR; k++)
			two.v[k] = half_narrow(v[k], (enum kernel_form)x.form);
		((decltype(two) *)x.p)[i / FOUR] = two;
	}
}

/* EACH4 - i over every fourth of n things */
#define EACH4(i, n)							\
	for (size_t i = ((size_t)blockIdx.x * blockDim.x +		\
	    threadIdx.x) * FOUR; i < (n);				\
	    i += (size_t)gridDim.x * blockDim.x * FOUR)

static inline unsigned
blocks_for4(size_t n)
{
	return blocks_for((n + FOUR - 1) / FOUR);
}

/* nums_of - what a pointer that an operation was given stands for */
static struct nums
nums_of(const struct cuda *c, const real *x)
{
	struct nums at = { (char *)x, NUMS_REAL };

	for (size_t i = 0; i < c->nblocks; i++)
		for (int f = 0; f < NUMS_FORMS; f++) {
			const struct block *b = &c->block[i];

			if (b->as[f] == NULL || at.p < b->as[f] ||
			    at.p >= b->as[f] + 2 * b->bytes)
				continue;
			at.p = b->p + (at.p - b->as[f]) / 2;
			at.form = f;
			return at;
		}
	return at;
}

/* block_add, block_drop - memory is given out, and given back */
static void
block_add(struct cuda *c, void *p, size_t bytes)
{
	struct block b = { (char *)p, { NULL, NULL }, bytes };

	if (c->nblocks == c->blocks) {
		c->blocks = c->blocks == 0 ? 64 : 2 * c->blocks;
		c->block = (struct block *)mem_grow(c->block, c->blocks *
		    sizeof(b));
	}
	c->block[c->nblocks++] = b;
}

static void
block_drop(struct cuda *c, const void *p)
{
	for (size_t i = 0; i < c->nblocks; i++) {
		struct block *b = &c->block[i];

		if (b->p != p)
			continue;
		for (int f = 0; f < NUMS_FORMS; f++)
			if (b->as[f] != NULL)
				(void)munmap(b->as[f], 2 * b->bytes);
		*b = c->block[--c->nblocks];
		return;
	}
}

/* cuda_halves - addresses that nobody else can have: the driver's as well are
 * of this process */
static real *
cuda_halves(void *dev, void *p, enum kernel_form form)
{
	struct cuda *c = (struct cuda *)dev;
	size_t i = 0;
	struct block *b;
	void *at;

	while (i < c->nblocks && ((char *)p < c->block[i].p || (char *)p >=
	    c->block[i].p + c->block[i].bytes))
		i++;
	if (i == c->nblocks || (form != FORM_BF16 && form != FORM_F16))
		panic("numbers of 16 bits that are none of the GPU's");
	b = &c->block[i];
	if (b->as[form] == NULL) {
		at = mmap(NULL, 2 * b->bytes, PROT_NONE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			msg_fatal(75, "no addresses for %zu MiB",
			    b->bytes >> 19);
		b->as[form] = (char *)at;
	}
	return (real *)(b->as[form] + 2 * ((char *)p - b->p));
}

#endif
