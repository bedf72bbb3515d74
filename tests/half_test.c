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

/* what operations make of tensors that lie in 16 bits (halves), beside what ref
 * makes of the same numbers */
static const struct both *stored_by;
static enum kernel_form stored_as;

/* stored - numbers that 16 bits hold, of which the device has them so */
static struct pair
stored(uint64_t stream, size_t n)
{
	const struct both *b = stored_by;
	struct pair p = some(stream, n);

	for (size_t i = 0; i < n; i++)
		p.v[0][i] = p.v[1][i] = half_round(p.v[0][i], stored_as);
	p.v[1] = b->k[1]->halves(b->dev[1], b->k[1]->alloc(b->dev[1],
	    (n + 16) * sizeof(uint16_t)), stored_as);
	b->k[1]->mix(b->dev[1], p.v[1], 0, p.v[0], 1, n);
	return p;
}

/* back - as reals again, and what ref made rounded as the others are */
static void
back(const char *name, size_t shape, struct pair p)
{
	const struct both *b = stored_by;
	struct pair got = none(p.n);

	b->k[1]->mix(b->dev[1], got.v[1], 0, p.v[1], 1, p.n);
	for (size_t i = 0; i < p.n; i++)
		got.v[0][i] = half_round(p.v[0][i], stored_as);
	same(b, name, shape, got);
}

static void
stored_products(const struct both *b, size_t M, size_t N, size_t K, size_t s)
{
	size_t lda = s % 4 < 2 ? (K + 7) / 8 * 8 : K + 1, wide = N + s % 3;
	struct pair x = stored(1, M * lda), w = stored(2, N * K);
	struct pair y = stored(3, M * wide), z = some(4, M * wide);
	struct pair dw = some(5, N * K);

	for (int i = 0; i < 2; i++) {
		b->k[i]->gemm_part(b->dev[i], 0, 1, M, N, K, 0.5, x.v[i], lda,
		    w.v[i], K, s % 2, y.v[i], wide);
		b->k[i]->gemm_part(b->dev[i], 0, 1, M, N, K, 0.5, x.v[i], lda,
		    w.v[i], K, 1, z.v[i], wide);
	}
	back("stored product", s, y);
	same(b, "product of stored numbers", s, z);
	y = stored(6, M * wide);
	for (int i = 0; i < 2; i++)
		b->k[i]->gemm_part(b->dev[i], 1, 0, N, K, M, 1, y.v[i], wide,
		    x.v[i], lda, 1, dw.v[i], K);
	same(b, "turned product of stored numbers", s, dw);
}

static void
stored_norms(const struct both *b, size_t R, size_t C)
{
	size_t D = C / 3, N = D / 2 * 2, ys = C + 5, xs = C + 11;
	struct pair x = some(1, R * C), r = stored(2, R * C), w = some(3, C);
	struct pair c = some(4, C), y = stored(5, R * C), keep = none(3 * R);
	struct pair mean = none(R), dx = some(6, R * C), dw = some(7, C);
	struct pair hx = stored(8, R * xs), hy = stored(9, R * ys);
	struct pair turned = stored(9, R * ys), t = some(10, 4 * N);
	struct pair dhx = stored(12, R * xs), dy = some(13, R * ys);
	struct pair z = stored(15, R * C), db = some(14, C);
	int32_t pos[64];

	for (size_t i = 0; i < R; i++)
		pos[i] = (int32_t)(i % 4);
	for (int i = 0; i < 2; i++) {
		const struct kernels *k = b->k[i];
		void *dev = b->dev[i];

		k->add_norm(dev, y.v[i], mean.v[i], keep.v[i], x.v[i], r.v[i],
		    w.v[i], c.v[i], R, C, 1e-5);
		k->layernorm_grad(dev, dx.v[i], dw.v[i], db.v[i], z.v[i],
		    x.v[i], w.v[i], mean.v[i], keep.v[i], R, C);
		k->headnorm(dev, hy.v[i], ys, keep.v[i], hx.v[i], xs, w.v[i],
		    R, 3, D, 1e-6);
		k->headnorm_rope(dev, turned.v[i], ys, keep.v[i], hx.v[i], xs,
		    w.v[i], t.v[i], pos, R, 3, D, N, 1e-6);
		k->headnorm_rope_grad(dev, dhx.v[i], dw.v[i], dy.v[i], ys,
		    hx.v[i], xs, w.v[i], keep.v[i], t.v[i], pos, R, 3, D, N);
		k->rope(dev, hx.v[i], t.v[i], pos, R, xs, 3, D, N, 1);
		k->rmsnorm(dev, z.v[i], keep.v[i], x.v[i], w.v[i], R, C, 1e-6);
	}
	back("stored add_norm", C, y);
	same(b, "add_norm of stored numbers", C, x);
	same(b, "layernorm dx of a stored dy", C, dx);
	back("stored headnorm", C, hy);
	back("stored headnorm_rope", C, turned);
	back("stored headnorm_rope dx", C, dhx);
	same(b, "norms of stored numbers, dw", C, dw);
	back("stored rope", C, hx);
	back("stored rmsnorm", C, z);
}

static void
stored_acts(const struct both *b, size_t R, size_t F)
{
	struct pair x = stored(1, 2 * R * F), dy = stored(2, R * F);
	struct pair y = stored(3, R * F), dx = stored(4, R * F);
	struct pair glu = stored(5, R * F), dglu = stored(6, 2 * R * F);
	struct pair bias = some(7, F), db = some(8, F), top = stored(9, R * F);
	struct pair heavy = stored(10, R * F), sum = stored(11, R * F);
	struct pair w = some(12, R);

	for (int i = 0; i < 2; i++) {
		const struct kernels *k = b->k[i];
		void *dev = b->dev[i];

		k->act(dev, y.v[i], x.v[i], R * F, ACT_GELU);
		k->act_grad(dev, dx.v[i], dy.v[i], x.v[i], R * F, ACT_SILU);
		k->glu(dev, glu.v[i], x.v[i], R, F, ACT_SILU);
		k->glu_grad(dev, dglu.v[i], dy.v[i], x.v[i], R, F, ACT_GELU);
		k->softcap(dev, top.v[i], R * F, 1.5);
		k->weigh(dev, heavy.v[i], dy.v[i], w.v[i], R, F);
		k->bias_grad(dev, db.v[i], dy.v[i], R, F);
		k->bias(dev, sum.v[i], bias.v[i], R, F);
		k->dropout(dev, dy.v[i], x.v[i], R * F, 0.3, 77, 0);
		k->round(dev, x.v[i], x.v[i], R * F, stored_as);
	}
	back("stored act", F, y);
	back("stored act dx", F, dx);
	back("stored glu", F, glu);
	back("stored glu dx", F, dglu);
	back("stored softcap", F, top);
	back("stored weigh", F, heavy);
	back("stored dropout", F, dy);
	back("stored bias", F, sum);
	back("what is rounded already", F, x);
	same(b, "bias_grad of stored numbers", F, db);
}

/* stored_words - logits of V words in rows that lie ld apart */
static void
stored_words(const struct both *b, size_t R, size_t V, size_t ld)
{
	struct pair x = stored(1, R * ld), y = stored(1, R * ld);
	struct pair loss = none(R), nll = none(R), p = some(2, R * 2);
	int32_t *id = arena_array(arena, 2 * R, sizeof(*id));
	int32_t *target = arena_array(arena, R, sizeof(*target));
	const struct kernels *k = b->k[1];
	double cap = V % 2 == 0 ? 2 : 0;

	for (size_t r = 0; r < R; r++) {
		target[r] = r % 4 == 3 ? -1 : (int32_t)(r * 5 % V);
		id[2 * r] = (int32_t)(r * 5 % V);
		id[2 * r + 1] = (int32_t)((r * 5 + 1) % V);
		p.v[0][2 * r] = p.v[1][2 * r] = 0.5f;
		p.v[0][2 * r + 1] = p.v[1][2 * r + 1] = 0.25f;
	}
	for (size_t r = 0; r < R; r++) {	/* ref's have no gaps */
		struct kernel_teacher o = { id + 2 * r, p.v[0] + 2 * r, 2, 2,
		    0.7 };

		ref->classify(b->dev[0], loss.v[0] + r, x.v[0] + r * ld,
		    target + r, 1, V, 0.25, cap);
		ref->distill(b->dev[0], nll.v[0] + r, nll.v[0] + r, y.v[0] +
		    r * ld, target + r, &o, 1, V, 0.25, 0);
	}
	k->classify_part(b->dev[1], loss.v[1], x.v[1], target, R, V, ld, 0.25,
	    cap);
	k->distill_part(b->dev[1], nll.v[1], nll.v[1], y.v[1], target,
	    &(struct kernel_teacher){ id, p.v[1], 2, 2, 0.7 }, R, V, ld, 0.25,
	    0);
	same(b, "loss of stored logits", V, loss);
	back("stored logits' gradient", V, x);
	back("stored logits' gradient of a teacher", V, y);
}

/* stored_attend - heads number h, all of it stored */
static void
stored_attend(const struct both *b, size_t h)
{
	struct kernel_heads s = heads[h];
	size_t R = s.B * s.T, wide = (s.H + 2 * s.G) * s.D, n = R * wide;
	size_t k = s.H * s.D, v = k + s.G * s.D;
	struct pair x = stored(1, n), dx = stored(2, n), lse = none(R * s.H);
	struct pair y = stored(3, R * k), dy = stored(4, R * k);

	s.q = s.k = s.v = wide;
	for (int i = 0; i < 2; i++) {
		b->k[i]->attend(b->dev[i], y.v[i], lse.v[i], x.v[i],
		    x.v[i] + k, x.v[i] + v, &s);
		b->k[i]->attend_grad(b->dev[i], dx.v[i], dx.v[i] + k,
		    dx.v[i] + v, dy.v[i], y.v[i], lse.v[i], x.v[i],
		    x.v[i] + k, x.v[i] + v, &s);
	}
	back("stored attention", h, y);
	back("stored attention's gradients", h, dx);
}

static void
test_stored(const struct both *all, enum kernel_form form)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 2, 3, 5 },
	    { 33, 31, 70 }, { 7, 64, 128 }, { 24, 40, 16 } };
	struct both b = *all;

	stored_by = &b;
	stored_as = form;
	b.near = form == FORM_BF16 ? 5e-3 : 6e-4;
	for (int i = 0; i < 2; i++)
		b.k[i]->precision(b.dev[i], form == FORM_BF16 ?
		    PRECISION_BF16 : PRECISION_F16);
	for (size_t s = 0; s < 2 * BASE_COUNT(shapes); s++)
		stored_products(&b, shapes[s / 2][0], shapes[s / 2][1],
		    shapes[s / 2][2], s);
	stored_norms(&b, 5, 12);
	stored_norms(&b, 33, 99);
	stored_acts(&b, 5, 7);
	stored_acts(&b, 9, 36);
	stored_words(&b, 9, 29, 64);
	stored_words(&b, 5, 300, 300);
	b.near = 1e-2;			/* as test_attend's */
	b.k[0]->precision(b.dev[0], PRECISION_F32);
	for (size_t h = 0; h < BASE_COUNT(heads); h += 2)
		stored_attend(&b, h);
	arena_reset(arena);
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
	test_stored(&b, FORM_BF16);
	test_stored(&b, FORM_F16);
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
