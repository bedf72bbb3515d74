/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores with a relative position bias: the CPU's and the CUDA device's
 * operations against ref's, as kernel_test has the others.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"
#include "tests/pair.h"

/* heads, queries, keys, buckets */
static const size_t shapes[][4] = { { 1, 1, 1, 1 }, { 3, 1, 17, 5 },
    { 2, 7, 7, 4 }, { 4, 33, 20, 8 }, { 2, 9, 300, 32 }, { 5, 64, 64, 32 } };

/* seen_of - a range of keys for each query, some of them empty */
static void
seen_of(size_t T, size_t K, int32_t *from, int32_t *to)
{
	for (size_t t = 0; t < T; t++) {
		size_t a = (size_t)(random_unit(1, 1, t) * (double)K);
		size_t b = (size_t)(random_unit(1, 2, t) * (double)(K + 1));

		from[t] = (int32_t)(a < b ? a : b);
		to[t] = (int32_t)(a < b ? b : a);
		if (t % 3 == 0) {
			from[t] = 0;
			to[t] = (int32_t)K;
		}
	}
}

static void
test_shape(const struct both *b, size_t i, bool biased)
{
	size_t H = shapes[i][0], T = shapes[i][1], K = shapes[i][2];
	size_t N = shapes[i][3], wrong = 0;
	int32_t *from = arena_array(arena, T, sizeof(*from));
	int32_t *to = arena_array(arena, T, sizeof(*to));
	int32_t *bucket = arena_array(arena, T + K, sizeof(*bucket));
	struct kernel_relative s = { H, T, K, N, from, to, bucket, NULL };
	struct pair x = some(1, H * T * K), dp = some(2, H * T * K);
	struct pair table = biased ? some(3, N * H) : none(N * H);
	struct pair dbias = some(4, N * H);

	seen_of(T, K, from, to);
	for (size_t k = 0; k + 1 < T + K; k++)
		bucket[k] = (int32_t)(random_unit(1, 3, k) * (double)N);
	for (int d = 0; d < 2; d++) {
		s.bias = biased ? table.v[d] : NULL;
		b->k[d]->softmax(b->dev[d], x.v[d], &s);
		b->k[d]->softmax_grad(b->dev[d], dp.v[d], biased ?
		    dbias.v[d] : NULL, x.v[d], &s);
	}
	for (size_t r = 0; r < H * T; r++)
		for (size_t j = 0; j < K; j++)
			wrong += (j < (size_t)from[r % T] ||
			    j >= (size_t)to[r % T]) && (x.v[1][r * K + j] != 0 ||
			    dp.v[1][r * K + j] != 0);
	tap(wrong == 0, "%s softmax, shape %zu: 0 where nothing is seen",
	    b->isa, i);
	same(b, biased ? "softmax with a bias" : "softmax", i, x);
	same(b, "softmax_grad", i, dp);
	same(b, "softmax_grad's table", i, dbias);
}

static void
test_device(const struct kernels *k, const char *isa, int threads)
{
	struct both b = { .k = { ref, k }, .isa = isa, .near = 2e-5 };
	char why[64];

	for (int i = 0; i < 2; i++)
		b.dev[i] = b.k[i]->open(threads, why, sizeof(why));
	for (size_t i = 0; i < BASE_COUNT(shapes); i++) {
		test_shape(&b, i, true);
		test_shape(&b, i, false);
	}
	for (int i = 0; i < 2; i++)
		b.k[i]->close(b.dev[i]);
	arena_reset(arena);
}

int
main(void)
{
	arena = arena_new();
	ref = kernels();
#ifndef GPU_ALONE
	test_device(&cpu_table_base, "base, 1 thread", 1);
	test_device(&cpu_table_base, "base, 3 threads", 3);
#ifdef CPU_AVX2
	if (cpu_has_avx512())
		test_device(&cpu_table_avx512, "avx512", 2);
	if (cpu_has_avx2())
		test_device(&cpu_table_avx2, "avx2", 2);
#endif
#endif
	if (cuda_emulated() != NULL)
		test_device(cuda_emulated(), "cuda, emulated", 0);
	else
		printf("ok %d - # SKIP the CUDA kernels: no C++ compiler, or "
		    "the sanitizer, which does not know their stacks\n",
		    ++tap_cases);
	arena_free(arena);
	return tap_done();
}
