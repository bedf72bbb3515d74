/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include "appliance/base/arena.h"

#include <time.h>

/* cpu.h - what this process has computed so far, and how fast memory is read */

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* memory - GB/s of adding up what no cache holds */
static double
memory(struct arena *a)
{
	size_t n = (size_t)32 << 20;
	uint64_t *p = arena_array(a, n, sizeof(*p)), sum[16] = { 0 };
	volatile uint64_t kept;
	double least = 1e9, t;

	for (int i = 0; i < 10; i++) {
		t = cpu_seconds();
		for (size_t k = 0; k < n; k += 16)
			for (size_t j = 0; j < 16; j++)
				sum[j] += p[k + j];
		t = cpu_seconds() - t;
		least = t < least ? t : least;
	}
	for (size_t j = 0; j < 16; j++)
		kept = sum[j];
	(void)kept;
	return 8e-9 * (double)n / least;
}

#endif
