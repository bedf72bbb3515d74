/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_RANDOM_H
#define MODEL_RANDOM_H

#include <stdint.h>

/*
 * random.h - numbers by counter: Philox4x32-10 (Salmon et al. 2011).  A number
 * is a function of (seed, stream, index) and of nothing else, so any part of a
 * run can be made again without what came before it.
 */

void random_four(uint64_t seed, uint64_t stream, uint64_t index,
    uint32_t out[4]);

/* random_key - a key for numbers that are drawn elsewhere (kernels/drop.h) */
uint64_t random_key(uint64_t seed, uint64_t stream);

/* random_unit - from 0 to below 1, 53 bits */
double random_unit(uint64_t seed, uint64_t stream, uint64_t index);

/* random_normal - mean 0, deviation 1 (Box and Muller) */
double random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* random_place - where index i of 0 to n - 1 goes in a shuffle of n; a
 * bijection for each (seed, stream) */
uint64_t random_place(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i);

#endif
