/* SPDX-License-Identifier: Apache-2.0 */
/* The widest instruction set that this machine has */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

KERNELS
{
#ifdef CPU_AVX2
	if (cpu_has_avx512())
		return &cpu_table_avx512;
	if (cpu_has_avx2())
		return &cpu_table_avx2;
#endif
	return &cpu_table_base;
}
