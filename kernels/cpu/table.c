/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU's table for one instruction set, and its plain loops */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "kernels/cpu/quant.h"

#include <math.h>
#include <sys/mman.h>

#define NAME_(isa)	#isa
#define NAME(isa)	NAME_(isa)

static void *
cpu_open(int number, char *why, size_t len)
{
	struct cpu *c = mem_alloc(sizeof(*c));

	(void)why;
	(void)len;
	c->pool = pool_open(number);
	return c;
}

static void
cpu_close(void *dev)
{
	struct cpu *c = dev;

	pool_close(c->pool);
	mem_free(c->room);
	mem_free(c);
}

static int
cpu_precision(void *dev, enum kernel_precision p)
{
	(void)dev;
	return p == PRECISION_F32 ? 0 : -1;
}

static const char *
cpu_isa(void *dev)
{
	(void)dev;
	return NAME(ISA);
}

/* cpu_alloc - in large pages where it fills some, if the system has them: a
 * step passes over all of it, and finding small pages takes time */
static void *
cpu_alloc(void *dev, size_t bytes)
{
	const uintptr_t page = (uintptr_t)2 << 20;
	char *p = mem_alloc(bytes), *from;

	(void)dev;
	from = p + (-(uintptr_t)p & (page - 1));
	if (bytes >= 2 * page)
		(void)madvise(from, (size_t)(p + bytes - from) & ~(page - 1),
		    MADV_HUGEPAGE);
	return p;
}

static void
cpu_release(void *dev, void *p)
{
	(void)dev;
	mem_free(p);
}

static void
cpu_put(void *dev, void *to, const void *host, size_t bytes)
{
	(void)dev;
	memcpy(to, host, bytes);
}

static void
cpu_get(void *dev, void *host, const void *from, size_t bytes)
{
	(void)dev;
	memcpy(host, from, bytes);
}

/* one call of any of the loops below: runs of elements, rows or columns */
struct loop {
	void (*body)(const struct loop *, size_t from, size_t to);
	real *y, *m, *v;
	const real *x, *b;
	const int32_t *id, *pos;
	size_t all, R, N, tasks;
	double value;
	const struct kernel_adamw *o;
};

static void
loop_task(void *arg, size_t task, void *scratch)
{
	const struct loop *l = arg;
	size_t from, to;

	(void)scratch;
	part(l->all, l->tasks, task, &from, &to);
	l->body(l, from, to);
}

static void
loop_run(void *dev, struct loop *l, size_t all, size_t work)
{
	struct cpu *c = dev;

	l->all = all;
	l->tasks = tasks_for(dev, all, work);
	pool_run(c->pool, loop_task, l, l->tasks, 0);
}

static void
fill_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		l->y[i] = (real)l->value;
}

static void
cpu_fill(void *dev, real *x, size_t n, double value)
{
	struct loop l = { .body = fill_body, .y = x, .value = value };

	loop_run(dev, &l, n, 1);
}

static void
cpu_gemm(void *dev, int ta, int tb, size_t M, size_t N, size_t K, double alpha,
    const real *a, const real *b, double beta, real *c)
{
	OP(gemm_part)(dev, ta, tb, M, N, K, alpha, a, ta ? M : K, b,
	    tb ? K : N, beta, c, N);
}

static void
bias_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t r = from; r < to; r++)
		for (size_t n = 0; n < l->N; n++)
			l->y[r * l->N + n] += l->b[n];
}

static void
cpu_bias(void *dev, real *y, const real *b, size_t R, size_t N)
{
	struct loop l = { .body = bias_body, .y = y, .b = b, .N = N };

	loop_run(dev, &l, R, N);
}

static void
bias_grad_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t r = 0; r < l->R; r++)
		for (size_t n = from; n < to; n++)
			l->y[n] += l->x[r * l->N + n];
}

static void
cpu_bias_grad(void *dev, real *db, const real *dy, size_t R, size_t N)
{
	struct loop l = { .body = bias_grad_body, .y = db, .x = dy, .R = R,
	    .N = N };

	loop_run(dev, &l, N, R);
}

static void
add_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		l->y[i] += l->x[i];
}

static void
cpu_add(void *dev, real *y, const real *x, size_t n)
{
	struct loop l = { .body = add_body, .y = y, .x = x };

	loop_run(dev, &l, n, 1);
}

static void
embed_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t r = from; r < to; r++) {
		const real *t = l->x + (size_t)l->id[r] * l->N;
		const real *p = l->b == NULL ? NULL :
		    l->b + (size_t)l->pos[r] * l->N;

		for (size_t c = 0; c < l->N; c++)
			l->y[r * l->N + c] = t[c] + (p == NULL ? 0 : p[c]);
	}
}

static void
cpu_embed(void *dev, real *y, const real *token, const real *place,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct loop l = { .body = embed_body, .y = y, .x = token, .b = place,
	    .id = id, .pos = pos, .N = C };

	loop_run(dev, &l, R, C);
}

/* columns are shared out: the same token may stand in many rows */
static void
embed_grad_body(const struct loop *l, size_t from, size_t to)
{
	for (size_t r = 0; r < l->R; r++) {
		real *t = l->y == NULL ? NULL : l->y +
		    (size_t)l->id[r] * l->N;
		real *p = l->m == NULL ? NULL : l->m +
		    (size_t)l->pos[r] * l->N;
		const real *d = l->x + r * l->N;

		for (size_t c = from; t != NULL && c < to; c++)
			t[c] += d[c];
		for (size_t c = from; p != NULL && c < to; c++)
			p[c] += d[c];
	}
}

static void
cpu_embed_grad(void *dev, real *dtoken, real *dplace, const real *dy,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct loop l = { .body = embed_grad_body, .y = dtoken, .m = dplace,
	    .x = dy, .id = id, .pos = pos, .R = R, .N = C };

	if (dtoken != NULL || dplace != NULL)
		loop_run(dev, &l, C, R);
}

static void
adamw_body(const struct loop *l, size_t from, size_t to)
{
	const struct kernel_adamw *o = l->o;
	double fix1 = 1 - pow(o->beta1, (double)o->step);
	double fix2 = 1 - pow(o->beta2, (double)o->step);
	float b1 = (float)o->beta1, b2 = (float)o->beta2;
	float c1 = (float)(1 - o->beta1), c2 = (float)(1 - o->beta2);
	float shrink = (float)(1 - o->lr * o->decay), s = (float)o->scale;
	float rate = (float)(o->lr / fix1), root = (float)(1 / sqrt(fix2));

	for (size_t i = from; i < to; i++) {
		float d = l->x[i] * s;
		float m = b1 * l->m[i] + c1 * d;
		float v = b2 * l->v[i] + c2 * d * d;

		l->m[i] = m;
		l->v[i] = v;
		l->y[i] = l->y[i] * shrink - rate * m / (sqrtf(v) * root +
		    (float)o->eps);
	}
}

static void
cpu_adamw(void *dev, real *p, const real *g, real *m, real *v, size_t n,
    const struct kernel_adamw *o)
{
	struct loop l = { .body = adamw_body, .y = p, .x = g, .m = m, .v = v,
	    .o = o };

	loop_run(dev, &l, n, 4);
}

/* on one thread: it is read once a step, and its order must not change */
static double
array_sumsq(const real *x, size_t n)
{
	double sum[4] = { 0 };
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
		for (size_t k = 0; k < 4; k++)
			sum[k] += (double)x[i + k] * (double)x[i + k];
	for (; i < n; i++)
		sum[0] += (double)x[i] * (double)x[i];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double
cpu_sumsq(void *dev, const struct kernel_array *a, size_t n)
{
	double sum = 0;

	(void)dev;
	for (size_t i = 0; i < n; i++)
		sum += array_sumsq(a[i].x, a[i].n);
	return sum;
}

const struct kernels OP(table) = {
	.abi = KERNEL_ABI, .name = "cpu", .open = cpu_open,
	.close = cpu_close, .isa = cpu_isa, .alloc = cpu_alloc,
	.release = cpu_release, .put = cpu_put, .get = cpu_get,
	.fill = cpu_fill, .precision = cpu_precision,
	.gemm = cpu_gemm, .bias = cpu_bias,
	.bias_grad = cpu_bias_grad, .add = cpu_add, .embed = cpu_embed,
	.embed_grad = cpu_embed_grad, .layernorm = OP(layernorm),
	.layernorm_grad = OP(layernorm_grad), .rmsnorm = OP(rmsnorm),
	.rmsnorm_grad = OP(rmsnorm_grad), .headnorm = OP(headnorm),
	.headnorm_grad = OP(headnorm_grad), .rope = OP(rope),
	.add_norm = OP(add_norm), .headnorm_rope = OP(headnorm_rope),
	.headnorm_rope_grad = OP(headnorm_rope_grad),
	.attend = OP(attend), .attend_grad = OP(attend_grad),
	.softmax = OP(softmax), .softmax_grad = OP(softmax_grad),
	.act = OP(act), .act_grad = OP(act_grad), .glu = OP(glu),
	.glu_grad = OP(glu_grad), .weigh = OP(weigh),
	.weigh_grad = OP(weigh_grad), .classify = OP(classify),
	.distill = OP(distill),
	.adamw = cpu_adamw, .sumsq = cpu_sumsq,
	.packed_size = OP(packed_size), .pack = OP(pack),
	.product = OP(product), .store = OP(store), .look = OP(look),
	.gemm_part = OP(gemm_part), .mix = OP(mix), .dropout = OP(dropout),
	.dora_norm = OP(dora_norm), .dora_turn = OP(dora_turn),
	.dora_turn_grad = OP(dora_turn_grad),
	.softcap = OP(softcap), .widen = OP(widen),
	.narrow = OP(narrow), .round = OP(round),
	.quant_size = OP(quant_size), .quant_pack = OP(quant_pack),
	.quant_product = OP(quant_product), .quant_embed = OP(quant_embed),
#ifdef __F16C__
	.store_half = OP(store_half), .look_half = OP(look_half),
#endif
};
