/* SPDX-License-Identifier: Apache-2.0 */
/* The widest instruction set that this machine has */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

KERNELS
{
#ifdef CPU_AVX2
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &cpu_table_avx2;
#endif
	return &cpu_table_base;
}
