/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_HELD_H
#define KERNELS_HELD_H

#include "kernels/half.h"

/*
 * held.h - a number of a held matrix, the same on every device; NF4's codes
 * are QLoRA's (Dettmers et al. 2023, appendix E).
 */

#ifdef __CUDACC__
#define HELD	static inline __device__
#define HELD_TABLE	static __device__ const
#else
#define HELD	static inline
#define HELD_TABLE	static const
#endif

#define NF4_BLOCK	64		/* numbers of one scale */
#define NF4_STEP	256		/* scales of one step */

#define NF4_CODES							\
	-1.f, -0.6961928009986877f, -0.5250730514526367f,		\
	-0.39491748809814453f, -0.28444138169288635f,			\
	-0.18477343022823334f, -0.09105003625154495f, 0.f,		\
	0.07958029955625534f, 0.16093020141124725f,			\
	0.24611230194568634f, 0.33791524171829224f,			\
	0.44070982933044434f, 0.5626170039176941f,			\
	0.7229568362236023f, 1.f

HELD_TABLE float nf4_codes[16] = { NF4_CODES };

/* held_scale - of NF4's block b */
HELD float
held_scale(const struct kernel_held *h, size_t b)
{
	if (h->scale != NULL)
		return h->scale[b];
	return h->map[h->byte[b]] * h->step[b / NF4_STEP] + h->mean;
}

/* held_number - the i-th of all */
HELD float
held_number(const struct kernel_held *h, size_t i)
{
	const uint16_t *half = (const uint16_t *)h->data;
	uint8_t two;

	if (h->form == FORM_BF16)
		return half_bf16(half[i]);
	if (h->form == FORM_F16)
		return half_f16(half[i]);
	two = ((const uint8_t *)h->data)[i / 2];
	return nf4_codes[i % 2 == 0 ? two >> 4 : two & 15] *
	    held_scale(h, i / NF4_BLOCK);
}

#endif
