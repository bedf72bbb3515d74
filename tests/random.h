/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include "appliance/base/base.h"

/* random.h - the same numbers in every run */

static uint64_t seed = 88172645463325252u;

/* random_below - xorshift64 (Marsaglia 2003) */
static uint32_t
random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

#endif
