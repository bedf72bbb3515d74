/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of numbers of 16 bits: the rounding itself by a table, ref by what
 * it makes of rounded numbers, CUDA's attention against ref.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"
#include "kernels/half.h"
#include "tests/pair.h"

/* x, as bf16 and as f16 see it */
static const float seen[][3] = {
	{ 1, 1, 1 }, { -0.0f, -0.0f, -0.0f },
	{ 0x1.01p0f, 1, 0x1.01p0f },		/* ties to even */
	{ 0x1.03p0f, 0x1.04p0f, 0x1.03p0f },
	{ 0x1.010002p0f, 0x1.02p0f, 0x1.01p0f },
	{ -0x1.002p0f, -1, -1 }, { 0x1.006p0f, 1, 0x1.008p0f },
	{ 65519, 65536, 65504 }, { 65520, 65536, HUGE_VALF },
	{ 0x1.ffp127f, HUGE_VALF, HUGE_VALF },
	{ 0x1p-24f, 0x1p-24f, 0x1p-24f }, { 0x1p-25f, 0x1p-25f, 0 },
	{ 0x1.8p-24f, 0x1.8p-24f, 0x1p-23f },
	{ 0x1p-133f, 0x1p-133f, 0 }, { 0x1p-134f, 0, 0 },
	{ -HUGE_VALF, -HUGE_VALF, -HUGE_VALF },
};

static const char *const names[] = { "f32", "bf16", "f16" };

static void
test_seen(void)
{
	float x;

	for (size_t i = 0; i < BASE_COUNT(seen); i++)
		for (int p = PRECISION_F32; p <= PRECISION_F16; p++) {
			x = half_seen(seen[i][0], (enum kernel_precision)p);
			tap(memcmp(&x, &seen[i][p], sizeof(x)) == 0,
			    "%a is %a in %s", (double)seen[i][0],
			    (double)seen[i][p], names[p]);
		}
	tap(isnan(half_seen(NAN, PRECISION_BF16)) && isnan(half_seen(-NAN,
	    PRECISION_F16)), "what is not a number stays so");
}

/* test_ref - a product of rounded numbers is what it is without rounding */
static void
test_ref(enum kernel_precision p)
{
	enum { M = 5, N = 7, K = 11 };
	struct pair x = some(1, M * K), w = some(2, N * K), y = none(M * N);
	char why[8];
	void *dev = ref->open(1, why, sizeof(why));

	for (size_t i = 0; i < x.n; i++)
		x.v[1][i] = half_seen(x.v[0][i], p);
	for (size_t i = 0; i < w.n; i++)
		w.v[1][i] = half_seen(w.v[0][i], p);
	ref->gemm(dev, 0, 1, M, N, K, 1, x.v[1], w.v[1], 0, y.v[1]);
	tap(ref->precision(dev, p) == 0, "ref has %s", names[p]);
	ref->gemm(dev, 0, 1, M, N, K, 1, x.v[0], w.v[0], 0, y.v[0]);
	same(&(struct both){ .isa = "ref", .near = 1e-30 }, names[p], 0, y);
	tap(worst(x) > 1e-4 && worst(w) > 1e-4,
	    "which is not the numbers' own");
	ref->close(dev);
}

static const struct kernel_heads heads[] = {
	{ .B = 1, .T = 1, .H = 1, .G = 1, .D = 1 },
	{ .B = 2, .T = 7, .H = 4, .G = 2, .D = 5 },
	{ .B = 1, .T = 150, .H = 2, .G = 1, .D = 64 },
	{ .B = 2, .T = 130, .H = 2, .G = 2, .D = 16, .window = 20 },
	{ .B = 1, .T = 90, .H = 3, .G = 1, .D = 80, .scale = 0.3, .cap = 2 },
	{ .B = 1, .T = 200, .H = 2, .G = 2, .D = 9, .window = 100 },
	{ .B = 1, .T = 70, .H = 2, .G = 1, .D = 128 },
	{ .B = 1, .T = 40, .H = 1, .G = 1, .D = 130 },
	{ .B = 2, .T = 133, .H = 4, .G = 2, .D = 20 },
	{ .B = 1, .T = 40, .H = 2, .G = 1, .D = 64 },
};

/* test_attend - heads number h, every second with texts side by side, the last
 * two with texts seen both ways */
static void
test_attend(const struct both *b, size_t h)
{
	struct kernel_heads s = heads[h];
	size_t R = s.B * s.T, wide = (s.H + 2 * s.G) * s.D, n = R * wide;
	int32_t *from = arena_array(arena, R, sizeof(*from));
	int32_t *to = arena_array(arena, R, sizeof(*to));
	int32_t *whole = arena_array(arena, R, sizeof(*whole));
	struct pair x = some(1, n), dx = none(n);
	struct pair y = none(R * s.H * s.D), lse = none(R * s.H);
	struct pair dy = some(4, R * s.H * s.D);
	size_t k = s.H * s.D, v = k + s.G * s.D;
	bool flash = s.D <= 128;

	s.q = s.k = s.v = wide;
	for (size_t r = 0; r < R; r++)
		from[r] = r % s.T == 0 ? 0 : r * r % 29 == 7 ?
		    (int32_t)(r % s.T) : from[r - 1];
	for (size_t r = 0; r < R; r++)
		whole[r] = (int32_t)s.T;
	for (size_t r = R; r-- > 0;)
		to[r] = r % s.T == s.T - 1 ? (int32_t)s.T : from[r + 1] ==
		    from[r] ? to[r + 1] : from[r + 1];
	s.from = h % 2 == 1 ? from : NULL;
	s.to = h < 8 ? NULL : h % 2 == 1 ? to : whole;
	for (int i = 0; i < 2; i++) {
		b->k[i]->attend(b->dev[i], y.v[i], lse.v[i], x.v[i],
		    x.v[i] + k, x.v[i] + v, &s);
		b->k[i]->attend_grad(b->dev[i], dx.v[i], dx.v[i] + k,
		    dx.v[i] + v, dy.v[i], y.v[i], lse.v[i], x.v[i],
		    x.v[i] + k, x.v[i] + v, &s);
	}
	tap(worst(y) < (flash ? 1e-2 : 2e-5) && worst(lse) < (flash ? 4e-3 :
	    2e-5) && worst(dx) < (flash ? 1e-2 : 2e-5) &&
	    (flash == (worst(y) > 1e-6)), "%s attention, shape %zu: %.1e, "
	    "sums %.1e, gradients %.1e", b->isa, h, worst(y), worst(lse),
	    worst(dx));
}

/* test_products - what cuBLASLt is told: every way round, on odd shapes, on
 * parts of wider matrices */
static void
test_products(const struct both *b, enum kernel_precision p)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 2, 3, 5 },
	    { 33, 31, 70 }, { 7, 65, 130 } };
	enum { EDGE = 3 };

	for (int i = 0; i < 2; i++)
		b->k[i]->precision(b->dev[i], p);
	for (size_t s = 0; s < BASE_COUNT(shapes) * 4; s++) {
		size_t M = shapes[s / 4][0], N = shapes[s / 4][1];
		size_t K = shapes[s / 4][2];
		int ta = s & 1, tb = s >> 1 & 1;
		size_t lda = (ta ? M : K) + EDGE, ldb = (tb ? K : N) + EDGE;
		struct pair x = some(1, (ta ? K : M) * lda);
		struct pair w = some(2, (tb ? N : K) * ldb);
		struct pair y = some(3, M * (N + EDGE));

		for (int i = 0; i < 2; i++)
			b->k[i]->gemm_part(b->dev[i], ta, tb, M, N, K, 0.5,
			    x.v[i] + 1, lda, w.v[i] + 2, ldb, s % 3 == 0,
			    y.v[i] + 1, N + EDGE);
		same(b, names[p], s, y);
	}
}

/* test_cuda - its kernels, emulated, and what it asks of cuBLAS */
static void
test_cuda(const struct kernels *cuda)
{
	struct both b = { .k = { ref, cuda }, .isa = "cuda", .near = 2e-5 };
	char why[256] = "";

	for (int i = 0; i < 2; i++)
		b.dev[i] = b.k[i]->open(0, why, sizeof(why));
	tap(b.dev[1] != NULL, "%s opens %s", b.isa, why);
	if (b.dev[1] == NULL)
		return;
	test_products(&b, PRECISION_F16);
	test_products(&b, PRECISION_BF16);
	b.k[0]->precision(b.dev[0], PRECISION_F32);
	for (size_t h = 0; h < BASE_COUNT(heads); h++) {
		test_attend(&b, h);
		arena_reset(arena);
	}
	for (int i = 0; i < 2; i++)
		b.k[i]->close(b.dev[i]);
}

#ifndef GPU_ALONE
/* test_cpu - a device may decline, and computes as before */
static void
test_cpu(void)
{
	char why[64];
	void *dev = cpu_table_base.open(1, why, sizeof(why));

	tap(cpu_table_base.precision(dev, PRECISION_BF16) == -1 &&
	    cpu_table_base.precision(dev, PRECISION_F32) == 0,
	    "the CPU gains nothing by 16 bits");
	cpu_table_base.close(dev);
}
#endif

int
main(void)
{
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	arena = arena_new();
	ref = kernels();
	test_seen();
	test_ref(PRECISION_BF16);
	test_ref(PRECISION_F16);
#ifndef GPU_ALONE
	test_cpu();
#endif
	if (cuda_emulated() != NULL)
		test_cuda(cuda_emulated());
	else
		printf("ok %d - # SKIP the CUDA kernels: no C++ compiler, or "
		    "the sanitizer, which does not know their stacks\n",
		    ++tap_cases);
	arena_free(arena);
	return tap_done();
}
