/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

/*
 * emulated.h - the CUDA device without a GPU (cuda_emu.cuh), beside libquern.so
 * in tests/.  NULL: it was not built, since there is no C++ compiler, or this
 * is AddressSanitizer, which does not know its stacks.
 */

#include "kernels/kernel.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static inline const struct kernels *
cuda_emulated(void)
{
	const char *bin = getenv("QUERN_BIN");
	const struct kernels *(*table)(void);
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
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so == NULL)
		return NULL;
	*(void **)&table = dlsym(so, "kernels");
	return table();
}

#endif
