/* SPDX-License-Identifier: Apache-2.0 */
/* The reference device: memory, products, tables, losses, steps */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/ref/ref.h"

#include <math.h>

static void *
ref_open(int number, char *why, size_t len)
{
	struct ref *r = mem_alloc(sizeof(*r));

	(void)number;
	(void)why;
	(void)len;
	r->precision = PRECISION_F32;
	return r;
}

static void
ref_close(void *dev)
{
	mem_free(dev);
}

static const char *
ref_isa(void *dev)
{
	(void)dev;
	return "plain C";
}

static void *
ref_alloc(void *dev, size_t bytes)
{
	(void)dev;
	return mem_alloc(bytes);
}

static void
ref_release(void *dev, void *p)
{
	(void)dev;
	mem_free(p);
}

static void
ref_put(void *dev, void *to, const void *host, size_t bytes)
{
	(void)dev;
	memcpy(to, host, bytes);
}

static void
ref_get(void *dev, void *host, const void *from, size_t bytes)
{
	(void)dev;
	memcpy(host, from, bytes);
}

static void
ref_fill(void *dev, real *x, size_t n, double value)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		x[i] = (real)value;
}

static int
ref_precision(void *dev, enum kernel_precision p)
{
	((struct ref *)dev)->precision = p;
	return 0;
}

static void
ref_gemm(void *dev, int ta, int tb, size_t M, size_t N, size_t K, double alpha,
    const real *a, const real *b, double beta, real *c)
{
	ref_gemm_part(dev, ta, tb, M, N, K, alpha, a, ta ? M : K, b,
	    tb ? K : N, beta, c, N);
}

static void
ref_bias(void *dev, real *y, const real *b, size_t R, size_t N)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t n = 0; n < N; n++)
			y[r * N + n] += b[n];
}

static void
ref_bias_grad(void *dev, real *db, const real *dy, size_t R, size_t N)
{
	(void)dev;
	for (size_t n = 0; n < N; n++) {
		double sum = 0;

		for (size_t r = 0; r < R; r++)
			sum += (double)dy[r * N + n];
		db[n] = (real)((double)db[n] + sum);
	}
}

static void
ref_add(void *dev, real *y, const real *x, size_t n)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

static void
ref_softcap(void *dev, real *y, size_t n, double cap)
{
	(void)dev;
	for (size_t i = 0; i < n; i++)
		y[i] = (real)(cap * tanh((double)y[i] / cap));
}

static void
ref_embed(void *dev, real *y, const real *token, const real *place,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t c = 0; c < C; c++)
			y[r * C + c] = token[(size_t)id[r] * C + c] +
			    (place == NULL ? 0 :
			    place[(size_t)pos[r] * C + c]);
}

static void
ref_embed_grad(void *dev, real *dtoken, real *dplace, const real *dy,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	(void)dev;
	for (size_t r = 0; r < R; r++)
		for (size_t c = 0; c < C; c++) {
			if (dtoken != NULL)
				dtoken[(size_t)id[r] * C + c] +=
				    dy[r * C + c];
			if (dplace != NULL)
				dplace[(size_t)pos[r] * C + c] +=
				    dy[r * C + c];
		}
}

static void
ref_classify(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap)
{
	for (size_t r = 0; r < R; r++) {
		real *x = logits + r * V;
		double max = -HUGE_VAL, sum = 0, lse, slope;

		if (cap != 0)
			ref_softcap(dev, x, V, cap);
		for (size_t i = 0; i < V; i++)
			max = (double)x[i] > max ? (double)x[i] : max;
		for (size_t i = 0; i < V; i++)
			sum += exp((double)x[i] - max);
		lse = max + log(sum);
		loss[r] = target[r] < 0 ? 0 :
		    (real)(lse - (double)x[target[r]]);
		for (size_t i = 0; scale != 0 && i < V; i++) {
			slope = cap == 0 ? 1 : 1 - (double)x[i] / cap *
			    ((double)x[i] / cap);
			x[i] = target[r] < 0 ? 0 : (real)(scale * slope *
			    (exp((double)x[i] - lse) -
			    (i == (size_t)target[r])));
		}
	}
}

static void
ref_adamw(void *dev, real *p, const real *g, real *m, real *v, size_t n,
    const struct kernel_adamw *o)
{
	double fix1 = 1 - pow(o->beta1, (double)o->step);
	double fix2 = 1 - pow(o->beta2, (double)o->step);

	(void)dev;
	for (size_t i = 0; i < n; i++) {
		double d = (double)g[i] * o->scale;
		double m1 = o->beta1 * (double)m[i] + (1 - o->beta1) * d;
		double v1 = o->beta2 * (double)v[i] + (1 - o->beta2) * d * d;

		m[i] = (real)m1;
		v[i] = (real)v1;
		p[i] = (real)((double)p[i] * (1 - o->lr * o->decay) -
		    o->lr * (m1 / fix1) / (sqrt(v1 / fix2) + o->eps));
	}
}

static double
ref_sumsq(void *dev, const struct kernel_array *a, size_t n)
{
	double sum = 0;

	(void)dev;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < a[k].n; i++)
			sum += (double)a[k].x[i] * (double)a[k].x[i];
	return sum;
}

static size_t
ref_packed_size(void *dev, size_t N, size_t K)
{
	(void)dev;
	return N * K * sizeof(real);
}

static void
ref_pack(void *dev, void *packed, const real *w, size_t N, size_t K)
{
	(void)dev;
	memcpy(packed, w, N * K * sizeof(real));
}

static void
ref_product(void *dev, real *y, const real *x, const void *packed, size_t R,
    size_t N, size_t K)
{
	ref_gemm(dev, 0, 1, R, N, K, 1, x, packed, 0, y);
}

static const struct kernels ref_kernels = {
	.abi = KERNEL_ABI, .name = "ref", .open = ref_open,
	.close = ref_close, .isa = ref_isa, .alloc = ref_alloc,
	.release = ref_release, .put = ref_put, .get = ref_get,
	.fill = ref_fill, .precision = ref_precision,
	.gemm = ref_gemm, .bias = ref_bias,
	.bias_grad = ref_bias_grad, .add = ref_add, .embed = ref_embed,
	.embed_grad = ref_embed_grad, .layernorm = ref_layernorm,
	.layernorm_grad = ref_layernorm_grad, .rmsnorm = ref_rmsnorm,
	.rmsnorm_grad = ref_rmsnorm_grad, .headnorm = ref_headnorm,
	.headnorm_grad = ref_headnorm_grad, .rope = ref_rope,
	.add_norm = ref_add_norm, .headnorm_rope = ref_headnorm_rope,
	.headnorm_rope_grad = ref_headnorm_rope_grad,
	.attend = ref_attend, .attend_grad = ref_attend_grad,
	.softmax = ref_softmax, .softmax_grad = ref_softmax_grad,
	.act = ref_act, .act_grad = ref_act_grad, .glu = ref_glu,
	.glu_grad = ref_glu_grad, .weigh = ref_weigh,
	.weigh_grad = ref_weigh_grad, .classify = ref_classify,
	.distill = ref_distill,
	.adamw = ref_adamw, .sumsq = ref_sumsq,
	.packed_size = ref_packed_size, .pack = ref_pack,
	.product = ref_product, .store = ref_store, .look = ref_look,
	.gemm_part = ref_gemm_part, .mix = ref_mix, .dropout = ref_dropout,
	.dora_norm = ref_dora_norm, .dora_turn = ref_dora_turn,
	.dora_turn_grad = ref_dora_turn_grad,
	.softcap = ref_softcap, .widen = ref_widen,
	.narrow = ref_narrow, .round = ref_round,
	.quant_size = ref_quant_size, .quant_pack = ref_quant_pack,
	.quant_product = ref_quant_product, .quant_embed = ref_quant_embed,
};

KERNELS
{
	return &ref_kernels;
}
