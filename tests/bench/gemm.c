/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gemm ISA [K N [SECONDS]] - one thread's products with packed weights: GOP
 * (a multiplication and an addition are two) in a second of CPU time and GB of
 * packed weights read, best of several, for rows of 1, 8, 32, 128 and 512 at
 * once; before them, how fast the same thread reads memory.  Weights are of 256
 * MiB, so that a single row reads memory, not a cache.  ISA: base, avx2, avx512.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/model/random.h"
#include "kernels/cpu/cpu.h"
#include "tests/bench/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FORMS = 3, ROWS = 512 };

struct device {
	const struct kernels *k;
	void *dev;
};

static const char *const names[FORMS] = { "f32", "q8", "q4" };

/* weights - copies of one matrix, one after the other */
struct weights {
	int form;
	size_t N, K, bytes, mib, copies, next;
	char *packed;
};

static void
weights_fill(struct arena *a, struct device *d, struct weights *w)
{
	size_t blocks = (w->N * w->K + 31) / 32, size = w->form == 1 ? 34 : 18;
	unsigned char *raw;
	enum kernel_quant q = w->form == 1 ? KERNEL_Q8 : KERNEL_Q4;

	w->bytes = w->form == 0 ? d->k->packed_size(d->dev, w->N, w->K) :
	    d->k->quant_size(d->dev, q, w->N, w->K);
	w->bytes = (w->bytes + 63) / 64 * 64;
	w->copies = (w->mib << 20) / w->bytes + 1;
	w->packed = mem_alloc(w->copies * w->bytes + 64);
	w->packed += 64 - (uintptr_t)w->packed % 64;
	raw = arena_alloc(a, w->form == 0 ? w->N * w->K * sizeof(real) :
	    blocks * size);
	for (size_t i = 0; w->form > 0 && i < blocks * size; i++)
		raw[i] = i % size == 1 ? 0x1c : (unsigned char)(i * 37);
	for (size_t i = 0; i < w->copies; i++)
		if (w->form == 0)
			d->k->pack(d->dev, w->packed + i * w->bytes,
			    (const real *)(void *)raw, w->N, w->K);
		else
			d->k->quant_pack(d->dev, q, w->packed + i * w->bytes,
			    raw, w->N, w->K);
}

static void
once(struct device *d, struct weights *w, real *y, const real *x, size_t R)
{
	const void *p = w->packed + w->next * w->bytes;

	w->next = (w->next + 1) % w->copies;
	if (w->form == 0)
		d->k->product(d->dev, y, x, p, R, w->N, w->K);
	else
		d->k->quant_product(d->dev, w->form == 1 ? KERNEL_Q8 :
		    KERNEL_Q4, y, x, p, R, w->N, w->K);
}

/* best - the shortest time of one product within so many seconds */
static double
best(struct device *d, struct weights *w, real *y, const real *x, size_t R,
    double seconds)
{
	double end = cpu_seconds() + seconds, least = 1e9, t;
	size_t times = 1;

	while (cpu_seconds() < end) {
		t = cpu_seconds();
		for (size_t i = 0; i < times; i++)
			once(d, w, y, x, R);
		t = cpu_seconds() - t;
		if (t < 2e-3)
			times *= 2;
		else if (t / (double)times < least)
			least = t / (double)times;
	}
	return least;
}

static const struct kernels *
table_of(const char *isa)
{
#ifdef CPU_AVX2
	if (strcmp(isa, "avx512") == 0 && cpu_has_avx512())
		return &cpu_table_avx512;
	if (strcmp(isa, "avx2") == 0 && cpu_has_avx2())
		return &cpu_table_avx2;
#endif
	return strcmp(isa, "base") == 0 ? &cpu_table_base : NULL;
}

int
main(int argc, char **argv)
{
	static const size_t rows[] = { 1, 8, 32, 128, 512 };
	struct arena *a = arena_new();
	struct device own = { .k = table_of(argc > 1 ? argv[1] : "base") };
	struct device *d = &own;
	size_t K = argc > 3 ? (size_t)atoi(argv[2]) : 2048;
	size_t N = argc > 3 ? (size_t)atoi(argv[3]) : 5632;
	double seconds = argc > 4 ? atof(argv[4]) : 1;
	size_t mib = argc > 5 ? (size_t)atoi(argv[5]) : 256;
	real *x = arena_array(a, ROWS * K, sizeof(*x));
	real *y = arena_array(a, ROWS * N, sizeof(*y));

	if (d->k == NULL) {
		fprintf(stderr, "gemm: this machine has no '%s'\n", argv[1]);
		return 1;
	}
	d->dev = d->k->open(1, NULL, 0);
	printf("memory %.2f GB/s\n", memory(a));
	for (size_t i = 0; i < ROWS * K; i++)
		x[i] = (real)random_normal(1, 1, i);
	printf("%s %s, K %zu, N %zu, one thread\n", d->k->name,
	    d->k->isa(d->dev), K, N);
	for (int f = 0; f < FORMS; f++) {
		struct weights w = { .form = f, .N = N, .K = K,
			    .mib = mib };

		weights_fill(a, d, &w);
		for (size_t i = 0; i < BASE_COUNT(rows); i++) {
			double s = best(d, &w, y, x, rows[i], seconds);

			printf("%s  rows %3zu  %7.1f GOP/s  %6.2f GB/s\n",
			    names[f], rows[i], 2e-9 * (double)(rows[i] * N *
			    K) / s, 1e-9 * (double)w.bytes / s);
			fflush(stdout);
		}
	}
	d->k->close(d->dev);
	arena_free(a);
	return 0;
}
