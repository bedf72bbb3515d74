/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's kernels, of each instruction set that this machine has, against
 * ref's on odd shapes; and what inference promises: a row's result does not
 * depend on the rows beside it, nor on threads.  The CUDA device's kernels as
 * well, without a GPU (cuda_emu.cuh).
 */
#include "appliance/base/base.h"
#include "kernels/block32.h"
#include "kernels/cpu/cpu.h"
#include "tests/pair.h"

static const size_t sizes[][3] = { { 1, 1, 1 }, { 2, 3, 5 }, { 7, 17, 9 },
    { 33, 31, 70 }, { 13, 100, 600 }, { 3, 40, 2500 } };
/* and more rows than are laid out at once */
static const size_t products[][3] = { { 1, 1, 1 }, { 2, 3, 5 }, { 7, 17, 9 },
    { 33, 31, 70 }, { 13, 100, 600 }, { 3, 40, 2500 }, { 1040, 51, 20 },
    { 70, 430, 390 } };

/* gemm_rows - AVX-512's products are our own: a row alone has the same bytes */
static void
gemm_rows(const struct both *b, size_t s, const real *x, const real *w,
    const real *y)
{
	size_t M = products[s][0], N = products[s][1], K = products[s][2];
	struct pair one = none(N);
	size_t apart = 0;

	for (size_t r = 0; r < M; r += 1 + M / 40) {
		b->k[1]->gemm(b->dev[1], 0, 0, 1, N, K, 0.5, x + r * K, w, 0,
		    one.v[1]);
		apart += memcmp(one.v[1], y + r * N, N * sizeof(real)) != 0;
	}
	tap(apart == 0, "%s gemm, shape %zu: a row alone has the same bytes",
	    b->isa, s);
}

static void
test_gemm(const struct both *b)
{
	for (size_t s = 0; s < BASE_COUNT(products); s++)
		for (int t = 0; t < 4; t++) {
			size_t M = products[s][0], N = products[s][1];
			size_t K = products[s][2];
			struct pair x = some(1, M * K), w = some(2, N * K);
			struct pair y = some(3, M * N);

			for (int i = 0; i < 2; i++)
				b->k[i]->gemm(b->dev[i], t & 1, t >> 1, M, N,
				    K, 0.5, x.v[i], w.v[i], t == 2 ? 1 : 0,
				    y.v[i]);
			same(b, "gemm", s * 4 + (size_t)t, y);
			if (t == 0 && strncmp(b->isa, "avx512", 6) == 0)
				gemm_rows(b, s, x.v[1], w.v[1], y.v[1]);
		}
}

static void
test_product(const struct both *b)
{
	for (size_t s = 0; s < BASE_COUNT(sizes); s++) {
		size_t M = sizes[s][0], N = sizes[s][1], K = sizes[s][2];
		struct pair x = some(1, M * K), w = some(2, N * K);
		struct pair y = none(M * N);
		void *packed;
		size_t apart = 0;

		for (int i = 0; i < 2; i++) {
			packed = arena_alloc(arena, b->k[i]->packed_size(
			    b->dev[i], N, K));
			b->k[i]->pack(b->dev[i], packed, w.v[i], N, K);
			b->k[i]->product(b->dev[i], y.v[i], x.v[i], packed, M,
			    N, K);
		}
		same(b, "product", s, y);
		for (size_t r = 0; r < M; r++) {
			b->k[1]->product(b->dev[1], y.v[0], x.v[1] + r * K,
			    packed, 1, N, K);
			apart += memcmp(y.v[0], y.v[1] + r * N, N *
			    sizeof(real)) != 0;
		}
		tap(apart == 0, "%s product, shape %zu: a row alone has the "
		    "same bytes", b->isa, s);
	}
}

/* blocks_of - random weights; a scale of 0, the ends of what a number can be */
static unsigned char *
blocks_of(enum kernel_quant form, size_t N, size_t K)
{
	size_t n = N * block32_count(K), bytes = block32_bytes(form);
	unsigned char *all = arena_alloc(arena, n * bytes), *b = all;

	for (size_t i = 0; i < n; i++, b += bytes) {
		for (size_t k = 0; k < bytes; k++)
			b[k] = (unsigned char)(random_unit(12, i, k) * 256);
		b[1] = (unsigned char)(i % 7 == 3 ? 0 : 0x1c | (b[1] & 0x83));
		b[0] = i % 7 == 3 ? 0 : b[0];
		if (i % 5 == 2)
			memset(b + 2, form == KERNEL_Q8 ? 0x7f + (int)i % 2 :
			    (int)i % 2 * 0xff, bytes - 2);
	}
	return all;
}

/* test_quant_shape - quantised products: near ref's, and a row alone the same */
static void
test_quant_shape(const struct both *b, enum kernel_quant form, size_t s)
{
	size_t M = sizes[s][0], N = sizes[s][1], K = sizes[s][2], apart = 0;
	unsigned char *blocks = blocks_of(form, N, K);
	struct pair x = some(1, M * K), y = none(M * N), t = none(N * K);
	int32_t *id = arena_array(arena, N, sizeof(*id));
	double off = 0;
	void *packed;

	for (size_t i = 0; i < N; i++)
		id[i] = (int32_t)(i * 5 % N);
	for (size_t i = 0; i < K; i++)		/* a row of one number */
		x.v[0][i] = x.v[1][i] = i == 0 && M > 1 ? 3e30f : 0;
	for (int i = 0; i < 2; i++) {
		packed = arena_alloc(arena, b->k[i]->quant_size(b->dev[i],
		    form, N, K));
		b->k[i]->quant_pack(b->dev[i], form, packed, blocks, N, K);
		b->k[i]->quant_product(b->dev[i], form, y.v[i], x.v[i],
		    packed, M, N, K);
		b->k[i]->quant_embed(b->dev[i], form, t.v[i], packed, id, N, N,
		    K);
	}
	tap(memcmp(t.v[0], t.v[1], N * K * sizeof(real)) == 0,
	    "%s quant_embed %d, shape %zu: what the blocks hold", b->isa,
	    form == KERNEL_Q8 ? 8 : 4, s);
	for (size_t r = 0; r < M; r++) {
		double of = worst((struct pair){ { y.v[0] + r * N,
		    y.v[1] + r * N }, N });

		off = of > off ? of : off;
	}
	tap(off < b->near, "%s quant_product %d, shape %zu: %.1e", b->isa,
	    form == KERNEL_Q8 ? 8 : 4, s, off);
	for (size_t r = 0; r < M; r++) {
		b->k[1]->quant_product(b->dev[1], form, y.v[0], x.v[1] + r * K,
		    packed, 1, N, K);
		apart += memcmp(y.v[0], y.v[1] + r * N, N * sizeof(real)) != 0;
	}
	tap(apart == 0, "%s quant_product %d, shape %zu: a row alone has the "
	    "same bytes", b->isa, form == KERNEL_Q8 ? 8 : 4, s);
}

static void
test_quant(const struct both *b)
{
	for (size_t s = 0; b->k[1]->quant_size != NULL &&
	    s < BASE_COUNT(sizes); s++) {
		test_quant_shape(b, KERNEL_Q8, s);
		test_quant_shape(b, KERNEL_Q4, s);
	}
}

static void
test_norms(const struct both *b)
{
	for (size_t s = 0; s < BASE_COUNT(sizes); s++) {
		size_t R = sizes[s][0], C = sizes[s][1] + 1;
		struct pair x = some(1, R * C), w = some(2, C);
		struct pair c = some(3, C), dy = some(4, R * C);
		struct pair y = none(R * C), keep = none(R), mean = none(R);
		struct pair dx = some(5, R * C), dw = some(6, C);
		struct pair db = some(7, C);

		for (int i = 0; i < 2; i++) {
			b->k[i]->layernorm(b->dev[i], y.v[i], mean.v[i],
			    keep.v[i], x.v[i], w.v[i], c.v[i], R, C, 1e-5);
			b->k[i]->layernorm_grad(b->dev[i], dx.v[i], dw.v[i],
			    db.v[i], dy.v[i], x.v[i], w.v[i], mean.v[i],
			    keep.v[i], R, C);
		}
		same(b, "layernorm", s, y);
		same(b, "layernorm dx", s, dx);
		same(b, "layernorm dw", s, dw);
		same(b, "layernorm db", s, db);
		for (int i = 0; i < 2; i++) {
			b->k[i]->rmsnorm(b->dev[i], y.v[i], keep.v[i],
			    x.v[i], w.v[i], R, C, 1e-6);
			b->k[i]->rmsnorm_grad(b->dev[i], dx.v[i], dw.v[i],
			    dy.v[i], x.v[i], w.v[i], keep.v[i], R, C);
		}
		same(b, "rmsnorm", s, y);
		same(b, "rmsnorm dx", s, dx);
		same(b, "rmsnorm dw", s, dw);
	}
}

static void
test_act(const struct both *b, size_t s, enum kernel_act a, struct pair x,
    struct pair dy)
{
	static const char *const names[] = { "gelu", "exact gelu", "silu",
	    "relu" };
	size_t R = sizes[s][0], F = sizes[s][1];
	struct pair y = none(R * F), dx = none(R * F), glu = none(R * F);
	struct pair dglu = none(2 * R * F), big = some(5, 9);

	for (size_t i = 0; i < 9; i++)		/* where e^x ends */
		big.v[0][i] = big.v[1][i] = (real)i * 25 - 100;
	for (int i = 0; i < 2; i++) {
		b->k[i]->act(b->dev[i], y.v[i], x.v[i], R * F, a);
		b->k[i]->act_grad(b->dev[i], dx.v[i], dy.v[i], x.v[i], R * F,
		    a);
		b->k[i]->glu(b->dev[i], glu.v[i], x.v[i], R, F, a);
		b->k[i]->glu_grad(b->dev[i], dglu.v[i], dy.v[i], x.v[i], R, F,
		    a);
		b->k[i]->act(b->dev[i], big.v[i], big.v[i], 9, a);
	}
	tap(worst(y) < b->near && worst(dx) < b->near && worst(glu) < b->near &&
	    worst(dglu) < b->near && worst(big) < b->near, "%s %s, shape %zu: alone "
	    "%.1e, gradient %.1e, as a gate %.1e, its gradient %.1e, at the "
	    "ends %.1e", b->isa, names[a], s, worst(y), worst(dx), worst(glu),
	    worst(dglu), worst(big));
}

static void
test_heads(const struct both *b)
{
	enum { R = 37, H = 3, D = 13, YS = 50, XS = 61 };
	struct pair x = some(1, R * XS), w = some(2, D), dy = some(3, R * YS);
	struct pair y = some(4, R * YS), keep = none(R * H);
	struct pair dx = some(5, R * XS), dw = some(6, D);

	for (int i = 0; i < 2; i++) {
		b->k[i]->headnorm(b->dev[i], y.v[i], YS, keep.v[i], x.v[i],
		    XS, w.v[i], R, H, D, 1e-6);
		b->k[i]->headnorm_grad(b->dev[i], dx.v[i], dw.v[i], dy.v[i],
		    YS, x.v[i], XS, w.v[i], keep.v[i], R, H, D);
		b->k[i]->headnorm(b->dev[i], x.v[i], XS, keep.v[i], x.v[i],
		    XS, w.v[i], R, H, D, 1e-6);
	}
	same(b, "headnorm", 0, y);
	same(b, "headnorm in place", 0, x);
	same(b, "headnorm dx", 0, dx);
	same(b, "headnorm dw", 0, dw);
}

/* bytes - are they the same */
static bool
bytes(struct pair p)
{
	return memcmp(p.v[0], p.v[1], p.n * sizeof(real)) == 0;
}

/* test_sums - a sum and its norm at once: ref's, and to the byte what the two
 * are one after the other */
static void
test_sums(const struct both *b)
{
	const struct kernels *k = b->k[1];
	void *dev = b->dev[1];

	for (size_t s = 0; s < 2 * BASE_COUNT(sizes); s++) {
		size_t R = sizes[s / 2][0], C = sizes[s / 2][1];
		bool layer = s % 2 == 0;
		struct pair x = some(1, R * C), r = some(2, R * C), w =
		    some(3, C), c = some(4, C), y = none(R * C), one = x;
		struct pair z = none(R * C), keep = none(R), mean = none(R);

		for (int i = 0; i < 2; i++)
			b->k[i]->add_norm(b->dev[i], y.v[i], layer ?
			    mean.v[i] : NULL, keep.v[i], x.v[i], r.v[i],
			    w.v[i], layer ? c.v[i] : NULL, R, C, 1e-5);
		same(b, "add_norm", s, y);
		same(b, "add_norm, what stays", s, x);
		same(b, "add_norm, kept", s, keep);
		one = some(1, R * C);
		k->add(dev, one.v[1], r.v[1], R * C);
		if (layer)
			k->layernorm(dev, z.v[0], mean.v[1], keep.v[1],
			    one.v[1], w.v[1], c.v[1], R, C, 1e-5);
		else
			k->rmsnorm(dev, z.v[0], keep.v[1], one.v[1], w.v[1],
			    R, C, 1e-5);
		tap(bytes((struct pair){ { z.v[0], y.v[1] }, R * C }) &&
		    bytes((struct pair){ { one.v[1], x.v[1] }, R * C }),
		    "%s add_norm, shape %zu: the bytes of the two", b->isa, s);
	}
}

/* test_turned - a norm of heads and rope at once, likewise */
static void
test_turned(const struct both *b, size_t D, size_t N)
{
	enum { R = 37, H = 3, PLACES = 9 };
	size_t ys = H * D + 5, xs = H * D + 11;
	struct pair x = some(1, R * xs), w = some(2, D), t = some(3,
	    PLACES * N), dy = some(4, R * ys), y = some(5, R * ys);
	struct pair dx = some(6, R * xs), dw = some(7, D), keep = none(R * H);
	struct pair own = some(5, R * ys), odx = some(6, R * xs);
	struct pair odw = some(7, D), ody = some(4, R * ys);
	const struct kernels *k = b->k[1];
	void *dev = b->dev[1];
	int32_t pos[R];

	for (int i = 0; i < R; i++)
		pos[i] = i * 5 % PLACES;
	for (int i = 0; i < 2; i++) {
		b->k[i]->headnorm_rope(b->dev[i], y.v[i], ys, keep.v[i],
		    x.v[i], xs, w.v[i], t.v[i], pos, R, H, D, N, 1e-6);
		b->k[i]->headnorm_rope_grad(b->dev[i], dx.v[i], dw.v[i],
		    dy.v[i], ys, x.v[i], xs, w.v[i], keep.v[i], t.v[i], pos,
		    R, H, D, N);
	}
	same(b, "headnorm_rope", D, y);
	same(b, "headnorm_rope dx", D, dx);
	same(b, "headnorm_rope dw", D, dw);
	k->headnorm(dev, own.v[1], ys, keep.v[1], x.v[1], xs, w.v[1], R, H, D,
	    1e-6);
	k->rope(dev, own.v[1], t.v[1], pos, R, ys, H, D, N, 0);
	k->rope(dev, ody.v[1], t.v[1], pos, R, ys, H, D, N, 1);
	k->headnorm_grad(dev, odx.v[1], odw.v[1], ody.v[1], ys, x.v[1], xs,
	    w.v[1], keep.v[1], R, H, D);
	tap(bytes((struct pair){ { own.v[1], y.v[1] }, R * ys }) &&
	    bytes((struct pair){ { odx.v[1], dx.v[1] }, R * xs }) &&
	    bytes((struct pair){ { odw.v[1], dw.v[1] }, D }),
	    "%s headnorm_rope, %zu channels: the bytes of the two", b->isa, D);
}

static void
test_acts(const struct both *b)
{
	for (size_t s = 0; s < BASE_COUNT(sizes); s++) {
		size_t R = sizes[s][0], F = sizes[s][1];
		struct pair x = some(1, 2 * R * F), dy = some(2, R * F);
		struct pair bias = some(3, F), db = some(4, F);
		struct pair top = some(5, R * F), heavy = none(R * F);
		struct pair dx = none(R * F), dw = none(R);

		for (enum kernel_act a = ACT_GELU; a <= ACT_RELU; a++)
			test_act(b, s, a, x, dy);
		for (int i = 0; i < 2; i++) {
			b->k[i]->softcap(b->dev[i], top.v[i], R * F, 1.5);
			b->k[i]->weigh(b->dev[i], heavy.v[i], dy.v[i], x.v[i],
			    R, F);
			b->k[i]->weigh_grad(b->dev[i], dx.v[i], dw.v[i],
			    dy.v[i], top.v[i], x.v[i], R, F);
			b->k[i]->bias_grad(b->dev[i], db.v[i], dy.v[i], R, F);
			b->k[i]->bias(b->dev[i], dy.v[i], bias.v[i], R, F);
			b->k[i]->add(b->dev[i], dy.v[i], x.v[i], R * F);
		}
		same(b, "softcap", s, top);
		same(b, "weigh", s, heavy);
		same(b, "weigh dx", s, dx);
		same(b, "weigh dw", s, dw);
		same(b, "bias_grad", s, db);
		same(b, "bias and add", s, dy);
	}
}

static void
test_tables(const struct both *b, size_t R, size_t V)
{
	const size_t C = 19;
	struct pair t = some(1, V * C), p = some(2, R * C), y = none(R * C);
	struct pair dt = some(3, V * C), dp = some(4, R * C);
	struct pair x = some(5, R * V), loss = none(R), m = some(6, V * C);
	struct pair capped = some(5, R * V);
	struct pair v = some(7, V * C);
	struct kernel_adamw o = { 1e-2, 0.9, 0.95, 1e-8, 0.1, 0.7, 3 };
	int32_t *id = arena_array(arena, R, sizeof(*id));
	int32_t *pos = arena_array(arena, R, sizeof(*pos));
	double sum[2];

	for (size_t i = 0; i < R; i++) {
		/* a word that comes often, as in texts */
		id[i] = i % 3 == 1 ? 5 : (int32_t)(i * 7 % V);
		pos[i] = (int32_t)(i % 5);
	}
	for (size_t i = 0; i < v.n; i++)
		v.v[0][i] = v.v[1][i] = v.v[0][i] * v.v[0][i];
	for (int i = 0; i < 2; i++) {
		b->k[i]->embed(b->dev[i], y.v[i], t.v[i], p.v[i], id, pos, R,
		    C);
		b->k[i]->embed_grad(b->dev[i], dt.v[i], dp.v[i], y.v[i], id,
		    pos, R, C);
	}
	same(b, "embed", V, y);
	same(b, "embed dtoken", V, dt);
	same(b, "embed dplace", V, dp);
	id[3] = -1;
	for (int i = 0; i < 2; i++)
		b->k[i]->classify(b->dev[i], loss.v[i], x.v[i], id, R, V,
		    0.25, 0);
	same(b, "classify loss", V, loss);
	same(b, "classify gradient", V, x);
	for (int i = 0; i < 2; i++)
		b->k[i]->classify(b->dev[i], loss.v[i], capped.v[i], id, R, V,
		    0.25, 1.3);
	same(b, "classify capped, loss", V, loss);
	same(b, "classify capped, gradient", V, capped);
	for (int i = 0; i < 2; i++) {
		b->k[i]->adamw(b->dev[i], t.v[i], dt.v[i], m.v[i], v.v[i],
		    V * C, &o);
		sum[i] = b->k[i]->sumsq(b->dev[i], (struct kernel_array[]){
		    { dt.v[i], V * C }, { t.v[i], 1 }, { dp.v[i], 0 },
		    { dp.v[i] + 1, R * C - 1 } }, 4);
		b->k[i]->fill(b->dev[i], y.v[i], R * C, 0.5);
	}
	same(b, "adamw", V, t);
	same(b, "adamw m", V, m);
	same(b, "adamw v", V, v);
	same(b, "fill", V, y);
	tap(fabs(sum[0] - sum[1]) < 1e-4 * sum[0], "%s sumsq", b->isa);
}

/* test_wide - a table whose rows are wider than a GPU's block takes at once */
static void
test_wide(const struct both *b)
{
	enum { R = 7, V = 4, C = 1100 };
	static const int32_t id[R] = { 2, 0, 2, 2, 3, 0, 2 };
	struct pair dt = some(1, V * C), dy = some(2, R * C);

	for (int i = 0; i < 2; i++)
		b->k[i]->embed_grad(b->dev[i], dt.v[i], NULL, dy.v[i], id,
		    NULL, R, C);
	same(b, "embed dtoken", C, dt);
}

/* test_distill - the teacher names the target, or not; some rows are not learnt;
 * K may be all words */
static void
test_distill(const struct both *b, size_t R, size_t V, size_t K)
{
	struct kernel_teacher o[2];
	struct pair p = some(8, R * K);
	int32_t *id = arena_array(arena, R * K, sizeof(*id));
	int32_t *target = arena_array(arena, R, sizeof(*target));

	for (size_t r = 0; r < R; r++) {
		double sum = K < V ? 0.1 : 0;

		target[r] = r % 4 == 3 ? -1 : (int32_t)((r * 5 + r % 2) % V);
		for (size_t i = 0; i < K; i++) {
			id[r * K + i] = (int32_t)((r * 5 + i * 2 + (i * 2 >=
			    V && V % 2 == 0)) % V);
			sum += exp((double)p.v[0][r * K + i]);
		}
		for (size_t i = 0; i < K; i++)
			p.v[0][r * K + i] = p.v[1][r * K + i] =
			    (real)(exp((double)p.v[0][r * K + i]) / sum);
	}
	for (int way = 0; way < 3; way++) {
		struct pair x = some(5, R * V), loss = none(R), nll = none(R);

		for (int i = 0; i < 2; i++) {
			o[i] = (struct kernel_teacher){ id, p.v[i], K,
			    way == 0 ? 1 : 2.5, way == 2 ? 1 : 0.7 };
			b->k[i]->distill(b->dev[i], loss.v[i], nll.v[i],
			    x.v[i], target, &o[i], R, V, 0.25, way == 0 ? 0 :
			    1.3);
		}
		same(b, "distill loss", V, loss);
		same(b, "distill nll", V, nll);
		same(b, "distill gradient", V, x);
	}
}

static void
test_attend(const struct both *b)
{
	static const struct kernel_heads shapes[] = {
		{ 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL, NULL, 0, 0 },
		{ 2, 7, 4, 2, 5, 40, 40, 40, 0, 0, 0, NULL, NULL, 0, 0 },
		{ 1, 130, 2, 1, 16, 64, 64, 64, 0, 0, 0, NULL, NULL, 0, 0 },
		{ 3, 65, 3, 3, 9, 81, 81, 81, 0, 0, 0, NULL, NULL, 0, 0 },
		{ 2, 150, 2, 1, 8, 32, 32, 32, 2, 0.3, 0, NULL, NULL, 0, 0 },
		{ 1, 150, 4, 2, 7, 56, 56, 56, 20, 0, 0, NULL, NULL, 0, 0 },
		{ 1, 140, 2, 2, 16, 96, 96, 96, 100, 0.7, 2, NULL, NULL, 0, 0 },
		{ 2, 9, 2, 1, 3, 12, 12, 12, 200, 0, 1.5, NULL, NULL, 0, 0 },
	};

	for (size_t s = 0; s < 2 * BASE_COUNT(shapes); s++) {
		struct kernel_heads own = shapes[s / 2], *h = &own;
		size_t R = h->B * h->T, n = R * h->q;
		int32_t from[300], to[300];	/* texts of 1, 3, 5, ... */
		struct pair q = some(1, n), k = some(2, n), v = some(3, n);
		struct pair y = none(R * h->H * h->D), lse = none(R * h->H);
		struct pair dy = some(4, R * h->H * h->D);
		struct pair dq = none(n), dk = none(n), dv = none(n);

		for (size_t r = 0, t; r < R; r++) {
			t = (size_t)sqrt((double)(r % h->T));
			from[r] = (int32_t)(t * t);
			to[r] = (int32_t)fmin((t + 1) * (t + 1), h->T);
		}
		/* one key has no gradient but rounding */
		h->drop = s % 3 == 0 || h->T == 1 ? 0 : 0.3;
		h->key = s;
		h->from = s % 4 > 0 ? from : NULL;
		h->to = s % 2 == 1 && h->window == 0 ? to : NULL;
		for (int i = 0; i < 2; i++) {
			b->k[i]->attend(b->dev[i], y.v[i], lse.v[i], q.v[i],
			    k.v[i], v.v[i], h);
			b->k[i]->attend_grad(b->dev[i], dq.v[i], dk.v[i],
			    dv.v[i], dy.v[i], y.v[i], lse.v[i], q.v[i],
			    k.v[i], v.v[i], h);
		}
		same(b, "attend", s, y);
		same(b, "attend lse", s, lse);
		same(b, "attend dq", s, dq);
		same(b, "attend dk", s, dk);
		same(b, "attend dv", s, dv);
	}
}

/* test_halves - a cache of halves is one of reals that had been rounded; what
 * is too large for a half is the largest */
static void
test_halves(const struct both *b, const struct kernel_places *at, real *x,
    size_t rows, size_t wide, const struct kernel_heads *heads, size_t places)
{
	const struct kernels *k = b->k[1];
	size_t G = heads->G, D = heads->D, q = heads->H * D, n;
	struct pair y = none(rows * q), cache = none(places * 2 * G * D);
	struct pair half = none(places * G * D);

	if (k->look_half == NULL)
		return;
	x[q] = x[q + G * D] = 1e5f;
	k->store_half(b->dev[1], (uint16_t *)half.v[1], x + q, x + q + G * D,
	    at, rows, wide, G, D);
	k->look_half(b->dev[1], y.v[0], x, (uint16_t *)half.v[1], at, rows,
	    heads);
	x[q] = x[q + G * D] = 65504;
	n = rows * wide;
	for (size_t i = 0; i < n; i++)
		if (i % wide >= q)
			x[i] = half_round(x[i], FORM_F16);
	k->store(b->dev[1], cache.v[1], x + q, x + q + G * D, at, rows, wide,
	    G, D);
	k->look(b->dev[1], y.v[1], x, cache.v[1], at, rows, heads);
	tap(memcmp(y.v[0], y.v[1], rows * q * sizeof(real)) == 0, "%s look, "
	    "window %zu: halves as what they stand for", b->isa,
	    heads->window);
}

static void
test_cache(const struct both *b, size_t G, size_t D, size_t window,
    double scale, double cap)
{
	enum { PLACES = 300, ROWS = 560, PER = 19 };
	size_t H = 2 * G, WIDE = 4 * G * D;
	struct kernel_heads heads = { .H = H, .G = G, .D = D, .q = WIDE,
	    .window = window, .scale = scale, .cap = cap };
	struct kernel_places at = { .per = PER };
	struct pair x = some(1, ROWS * WIDE), y = none(ROWS * H * D);
	struct pair cache = none(2 * PER * KERNEL_PAGE * 2 * G * D);
	struct pair table = some(2, PLACES * D * 2);
	int32_t slot[ROWS], pos[ROWS], pages[2 * PER];
	size_t apart = 0;

	for (int i = 0; i < ROWS; i++) {	/* some by turns, some in a row */
		slot[i] = i < 300 ? i % 2 : (i - 300) / 130;
		pos[i] = i < 300 ? i / 2 : 150 + (i - 300) % 130;
	}
	for (int i = 0; i < 2 * PER; i++)
		pages[i] = i * 7 % (2 * PER);
	at.slot = slot;
	at.pos = pos;
	at.table = pages;
	for (int i = 0; i < 2; i++) {
		b->k[i]->rope(b->dev[i], x.v[i], table.v[i], pos, ROWS, WIDE,
		    H, D, 10, 0);
		b->k[i]->rope(b->dev[i], x.v[i], table.v[i], pos, ROWS, WIDE,
		    H, D, 6, 1);
		b->k[i]->store(b->dev[i], cache.v[i], x.v[i] + H * D,
		    x.v[i] + (H + G) * D, &at, ROWS, WIDE, G, D);
		b->k[i]->look(b->dev[i], y.v[i], x.v[i], cache.v[i], &at,
		    ROWS, &heads);
	}
	same(b, "rope there and back", window, x);
	same(b, "look", window, y);
	for (size_t r = 0; r < ROWS; r++) {
		at.slot = slot + r;
		at.pos = pos + r;
		b->k[1]->look(b->dev[1], y.v[0], x.v[1] + r * WIDE,
		    cache.v[1], &at, 1, &heads);
		apart += memcmp(y.v[0], y.v[1] + r * H * D, H * D *
		    sizeof(real)) != 0;
	}
	tap(apart == 0, "%s look, window %zu: a row alone has the same bytes",
	    b->isa, window);
	at.slot = slot;
	at.pos = pos;
	test_halves(b, &at, x.v[1], ROWS, WIDE, &heads, 2 * PER *
	    KERNEL_PAGE);
}

static void
test_adapt(const struct both *b)
{
	enum { EDGE = 5 };

	for (size_t s = 0; s < BASE_COUNT(sizes); s++) {
		size_t R = sizes[s][0], N = sizes[s][1], K = sizes[s][2];
		size_t wide = N + EDGE;
		struct pair x = some(1, R * wide), w = some(2, N * K);
		struct pair a = some(3, 3 * K), c = some(4, N * 3);
		struct pair m = some(5, N), norm = none(N), y = some(6,
		    R * wide), dm = some(7, N), p = some(8, R * wide);
		struct pair keep = none(R * N);

		for (int i = 0; i < 2; i++) {
			b->k[i]->dora_norm(b->dev[i], norm.v[i], w.v[i],
			    a.v[i], c.v[i], 0.7, N, K, 3);
			b->k[i]->dora_turn(b->dev[i], y.v[i] + 1, wide,
			    keep.v[i], m.v[i], norm.v[i], R, N);
			b->k[i]->dora_turn_grad(b->dev[i], dm.v[i], x.v[i] + 2,
			    wide, keep.v[i], norm.v[i], R, N);
			b->k[i]->gemm_part(b->dev[i], 0, 1, R, N, 3, 0.5,
			    x.v[i] + 1, wide, c.v[i], 3, 1, p.v[i] + 2, wide);
			b->k[i]->gemm_part(b->dev[i], 1, 0, 3, K, N, 1,
			    c.v[i], 3, w.v[i], K, 0, a.v[i], K);
			b->k[i]->dropout(b->dev[i], x.v[i], p.v[i], p.n, 0.3,
			    77, 1);
			b->k[i]->mix(b->dev[i], w.v[i], 0.5, w.v[i], -2,
			    N * K);
		}
		same(b, "dora_norm", s, norm);
		same(b, "dora_turn", s, y);
		same(b, "dora_turn, kept", s, keep);
		same(b, "dora_turn_grad", s, dm);
		same(b, "gemm_part", s, p);
		same(b, "gemm_part turned", s, a);
		same(b, "dropout", s, x);
		same(b, "mix", s, w);
	}
}

/* test_frozen - the input's gradient alone is the same as beside the others */
static void
test_frozen(const struct both *b)
{
	enum { R = 5, C = 19 };
	struct pair x = some(1, R * C), w = some(2, C), dy = some(3, R * C);
	struct pair mean = some(4, R), keep = some(5, R), dw = none(C);
	struct pair one = none(R * C), two = none(R * C);

	for (int i = 0; i < 2; i++) {
		b->k[i]->layernorm_grad(b->dev[i], one.v[0], dw.v[0], dw.v[1],
		    dy.v[0], x.v[0], w.v[0], mean.v[0], keep.v[0], R, C);
		b->k[i]->layernorm_grad(b->dev[i], one.v[1], NULL, NULL,
		    dy.v[0], x.v[0], w.v[0], mean.v[0], keep.v[0], R, C);
		b->k[i]->rmsnorm_grad(b->dev[i], two.v[0], dw.v[0], dy.v[0],
		    x.v[0], w.v[0], keep.v[0], R, C);
		b->k[i]->rmsnorm_grad(b->dev[i], two.v[1], NULL, dy.v[0],
		    x.v[0], w.v[0], keep.v[0], R, C);
	}
	tap(worst(one) == 0 && worst(two) == 0, "%s norms with frozen "
	    "parameters", b->isa);
}

static void
test_device(const struct kernels *k, const char *isa, int threads)
{
	struct both b = { .k = { ref, k }, .isa = isa, .near = 2e-5 };
	char why[256] = "";

	for (int i = 0; i < 2; i++)
		b.dev[i] = b.k[i]->open(threads, why, sizeof(why));
	tap(b.dev[1] != NULL, "%s opens %s", isa, why);
	if (b.dev[1] == NULL)
		return;
	test_gemm(&b);
	test_product(&b);
	test_quant(&b);
	test_norms(&b);
	test_sums(&b);
	test_turned(&b, 16, 16);
	test_turned(&b, 90, 70);
	test_turned(&b, 13, 6);
	test_acts(&b);
	test_tables(&b, 37, 29);
	test_tables(&b, 530, 700);
	test_wide(&b);
	test_distill(&b, 9, 29, 5);
	test_distill(&b, 5, 14, 14);
	test_distill(&b, 40, 701, 128);
	test_attend(&b);
	test_cache(&b, 3, 11, 0, 0, 0);
	test_cache(&b, 3, 11, 5, 0.2, 0);
	test_cache(&b, 3, 11, 17, 0, 1.5);
	test_cache(&b, 2, 64, 0, 0, 0);
	test_cache(&b, 1, 90, 100, 0, 0);
	test_heads(&b);
	test_adapt(&b);
	test_frozen(&b);
	for (int i = 0; i < 2; i++)
		b.k[i]->close(b.dev[i]);
	arena_reset(arena);
}

int
main(void)
{
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	arena = arena_new();
	ref = kernels();
#ifndef GPU_ALONE
	test_device(&cpu_table_base, "base, 1 thread", 1);
	test_device(&cpu_table_base, "base, 3 threads", 3);
#ifdef CPU_AVX2
	if (cpu_has_avx512()) {
		test_device(&cpu_table_avx512, "avx512, 1 thread", 1);
		test_device(&cpu_table_avx512, "avx512, 3 threads", 3);
	}
	if (cpu_has_avx2()) {
		test_device(&cpu_table_avx2, "avx2, 1 thread", 1);
		test_device(&cpu_table_avx2, "avx2, 3 threads", 3);
	}
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
