/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

/*
 * emulated.h - the CUDA device without a GPU (cuda_emu.cuh), beside libquern.so
 * in tests/.  NULL: it was not built, since there is no C++ compiler, or this
 * is AddressSanitizer, which does not know its stacks.
 *
 * QUERN_TEST_GPU names a kernels/cuda.so instead: the same tests on a GPU.  It
 * is given the tests' own memory, heap and stack (cudaHostRegister; they are at
 * the same places for it), and must finish each kernel before it returns
 * (CUDA_LAUNCH_BLOCKING=1).
 */

#include "kernels/kernel.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMULATED_HEAP	((size_t)768 << 20)
#define EMULATED_STACK	((size_t)4 << 20)

/* emulated_register - what /proc says is the heap or the stack */
static inline void
emulated_register(void *so)
{
	char line[512];
	unsigned long from, to;
	int (*give)(void *, size_t, unsigned);
	FILE *f = fopen("/proc/self/maps", "r");

	*(void **)&give = dlsym(so, "cudaHostRegister");
	while (f != NULL && give != NULL && fgets(line, sizeof(line), f) !=
	    NULL) {
		if (strstr(line, "[heap]") == NULL && strstr(line,
		    "[stack]") == NULL)
			continue;
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    give((void *)from, to - from, 0) != 0)
			fprintf(stderr, "a GPU cannot read %s", line);
	}
	if (f != NULL)
		fclose(f);
}

/* emulated_reach - heap and stack as large as they will get, then the GPU's */
static inline void
emulated_reach(void *so)
{
	volatile char stack[EMULATED_STACK];
	void *heap;

	for (size_t i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	heap = malloc(EMULATED_HEAP);
	if (heap != NULL)
		memset(heap, 0, EMULATED_HEAP);
	free(heap);
	emulated_register(so);
}

static inline const struct kernels *
cuda_emulated(void)
{
	const char *bin = getenv("QUERN_BIN"), *gpu = getenv("QUERN_TEST_GPU");
	const struct kernels *(*table)(void);
	static bool reached;
	char path[4096];
	void *so;

#if defined(__SANITIZE_ADDRESS__)
	return NULL;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return NULL;
#endif
#endif
	snprintf(path, sizeof(path), "%s/tests/cuda_emu.so", bin == NULL ?
	    "." : bin);
	so = dlopen(gpu != NULL ? gpu : path, RTLD_NOW | RTLD_LOCAL);
	if (so == NULL)
		return NULL;
	if (gpu != NULL && !reached)
		emulated_reach(so);
	reached = true;
	*(void **)&table = dlsym(so, "kernels");
	return table();
}

#endif
