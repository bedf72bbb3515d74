/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "kernels/cpu/pool.h"
#include "kernels/kernel.h"

/*
 * cpu.h - the CPU device.  Files that include it are compiled once for each
 * instruction set, which names ISA; OP(x) is then cpu_x_ISA.
 */

#define OP__(name, isa)	cpu_##name##_##isa
#define OP_(name, isa)	OP__(name, isa)
#define OP(name)	OP_(name, ISA)

struct cpu {
	struct pool *pool;
	void *room;			/* of a call: room.h */
	size_t room_bytes;
};

extern const struct kernels cpu_table_base, cpu_table_avx2, cpu_table_avx512;

/* cpu_has_avx2, cpu_has_avx512 - can this machine run what was compiled so;
 * whatever has AVX2 has F16C, which clang 14 has no name for */
#define cpu_has(set)	(__builtin_cpu_supports(set) != 0)
#define cpu_has_avx2()	(cpu_has("avx2") && cpu_has("fma"))
#define cpu_has_avx512() (cpu_has_avx2() && cpu_has("avx512f") &&	\
	cpu_has("avx512bw") && cpu_has("avx512dq") &&			\
	cpu_has("avx512vl") && cpu_has("avx512vnni"))

#ifdef ISA
#include "kernels/cpu/vec.h"

/* part - the run of rows (or columns) that is task i of n */
static inline void
part(size_t all, size_t n, size_t i, size_t *from, size_t *to)
{
	*from = all * i / n;
	*to = all * (i + 1) / n;
}

/* tasks_for - how many tasks rows of so much work are worth */
static inline size_t
tasks_for(void *dev, size_t rows, size_t work)
{
	const struct cpu *c = dev;
	size_t most = (size_t)pool_threads(c->pool) * 4;
	size_t n = rows * work / 16384 + 1;

	n = n < most ? n : most;
	return n < rows ? n : rows;
}

#include "kernels/cpu/table.h"
#endif

#endif
