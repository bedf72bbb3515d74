/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NF4_H
#define ENGINE_NF4_H

#include "kernels/kernel.h"

/*
 * nf4.h - numbers to NF4 and its scales to bytes, as QLoRA has it (Dettmers et
 * al. 2023) and bitsandbytes 0.50 lays it out: kernel.h's struct kernel_held.
 * Decoding is kernels/held.h.
 *
 * A block of 64 numbers is divided by its largest magnitude, the scale, and
 * each becomes the nearest of 16 codes; between two of them, the lower one.
 * Double quantised, the mean of a matrix's scales is taken off and 256 of them
 * at a time are divided by their largest magnitude, the step; each becomes the
 * nearest number of a map of 256 whose exponents are decimal (dynamic tree
 * quantisation, Dettmers 2016).  To encode is the same on every machine.
 */

#define NF4_MAP		256

/* nf4_bytes, nf4_scales, nf4_steps - how many n numbers have */
size_t nf4_bytes(size_t n);
size_t nf4_scales(size_t n);
size_t nf4_steps(size_t n);

/* nf4_map - the map, rising */
void nf4_map(float map[NF4_MAP]);

/* nf4_encode - n finite numbers: data[nf4_bytes(n)], scale[nf4_scales(n)] */
void nf4_encode(const float *x, size_t n, uint8_t *data, float *scale);

/* nf4_double - n scales to byte[n] and a step for each 256; their mean */
float nf4_double(const float *scale, size_t n, const float map[NF4_MAP],
    uint8_t *byte, float *step);

#endif
