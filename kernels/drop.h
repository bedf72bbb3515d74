/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_DROP_H
#define KERNELS_DROP_H

#include <stdint.h>

/*
 * drop.h - the numbers of dropout, the same on every device: the finaliser of
 * SplitMix64 (Steele et al. 2014) over a key and an index.
 */

#ifdef __CUDACC__
#define DROP	static inline __host__ __device__
#else
#define DROP	static inline
#endif

#define DROP_NEXT	0x9E3779B97F4A7C15	/* from index to index */

/* drop_below - p as a limit of drop_draw; drop_draw - 32 bits; drop_from - the
 * key whose draw i is this one's from + i */
DROP uint32_t
drop_below(double p)
{
	return p >= 1 ? UINT32_MAX : (uint32_t)(p * 4294967296.0);
}

DROP uint32_t
drop_draw(uint64_t key, uint64_t i)
{
	uint64_t z = key + (i + 1) * DROP_NEXT;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return (uint32_t)((z ^ z >> 31) >> 32);
}

DROP uint64_t
drop_from(uint64_t key, uint64_t from)
{
	return key + from * DROP_NEXT;
}

#endif
