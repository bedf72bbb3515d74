/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distillation on the CPU.  The words that a teacher names are few: they are
 * set aside, so that the passes over a row know nothing of them, and come back
 * at the end.  ref/distill.c has the formulas.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

struct distill_call {
	real *loss, *nll, *logits;
	const int32_t *target;
	const struct kernel_teacher *o;
	size_t R, V, tasks;
	float scale, cap;
};

/* a row under way */
struct distill_row {
	real *x;
	const int32_t *id;
	const real *p;
	real named[KERNEL_TAUGHT];	/* logits of the words set aside */
	float hard, soft, wanted;	/* log sums; the target's logit */
	float rest[2];			/* teacher's and student's */
};

/* row_sum - of exp((x - max) t) */
static double
row_sum(const real *x, size_t n, float max, float t)
{
	double sum = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		sum += (double)vsum(vexp((load(x + i) - splat(max)) *
		    splat(t)));
	for (; i < n; i++)
		sum += (double)expf((x[i] - max) * t);
	return sum;
}

/* row_open - sets the named words aside, and sums */
static void
row_open(const struct distill_call *k, struct distill_row *w)
{
	const size_t K = k->o->K, V = k->V;
	double hard, soft, others, p = 1;
	float max, t = 1 / (float)k->o->temperature;

	for (size_t i = 0; i < K; i++) {
		w->named[i] = w->x[w->id[i]];
		p -= (double)w->p[i];
	}
	max = row_max(w->x, V);
	for (size_t i = 0; i < K; i++)
		w->x[w->id[i]] = -HUGE_VALF;
	soft = others = row_sum(w->x, V, max, t);
	hard = t == 1 ? others : row_sum(w->x, V, max, 1);
	for (size_t i = 0; i < K; i++) {
		soft += (double)expf((w->named[i] - max) * t);
		hard += (double)expf(w->named[i] - max);
	}
	w->hard = max + (float)log(hard);
	w->soft = max * t + (float)log(soft);
	w->rest[0] = p > 0 ? (float)p : 0;
	w->rest[1] = (float)(others / soft);
	w->rest[1] = w->rest[1] > 1e-37f ? w->rest[1] : 1e-37f;
}

/* row_divergence - of the teacher from the student */
static double
row_divergence(const struct distill_call *k, const struct distill_row *w)
{
	float t = 1 / (float)k->o->temperature;
	double sum = 0;

	for (size_t i = 0; i < k->o->K; i++)
		if (w->p[i] > 0)
			sum += (double)w->p[i] * (log((double)w->p[i]) -
			    (double)(w->named[i] * t - w->soft));
	return w->rest[0] > 0 ? sum + (double)w->rest[0] *
	    log((double)w->rest[0] / (double)w->rest[1]) : sum;
}

/* row_slopes - the gradient of a row in its place */
static void
row_slopes(const struct distill_call *k, struct distill_row *w, int32_t want)
{
	const struct kernel_teacher *o = k->o;
	float c = k->cap == 0 ? 0 : 1 / (k->cap * k->cap);
	float t = 1 / (float)o->temperature, fade = 1 - w->rest[0] /
	    w->rest[1];
	float soft = k->scale * (float)(o->alpha * o->temperature);
	float hard = k->scale * (float)(1 - o->alpha);
	real *x = w->x;
	size_t i;

	for (i = 0; i + LANES <= k->V; i += LANES) {
		vec y = load(x + i);
		vec cut = k->cap == 0 ? splat(1) : splat(1) - splat(c) * y * y;

		save(x + i, cut * (splat(soft * fade) * vexp(y * splat(t) -
		    splat(w->soft)) + splat(hard) * vexp(y -
		    splat(w->hard))));
	}
	for (; i < k->V; i++)
		x[i] = (1 - c * x[i] * x[i]) * (soft * fade * expf(x[i] * t -
		    w->soft) + hard * expf(x[i] - w->hard));
	x[want] -= hard * (1 - c * w->wanted * w->wanted);
	for (i = 0; i < o->K; i++) {
		float y = w->named[i];

		x[w->id[i]] = (1 - c * y * y) * (soft * (expf(y * t -
		    w->soft) - w->p[i]) + hard * (expf(y - w->hard) -
		    (w->id[i] == want)));
	}
}

static void
distill_task(void *arg, size_t task, void *scratch)
{
	const struct distill_call *k = arg;
	const struct kernel_teacher *o = k->o;
	double t = o->temperature;
	struct distill_row w;
	size_t r, to;

	(void)scratch;
	for (part(k->R, k->tasks, task, &r, &to); r < to; r++) {
		w.x = k->logits + r * k->V;
		w.id = o->id + r * o->K;
		w.p = o->p + r * o->K;
		k->loss[r] = k->nll[r] = 0;
		if (k->target[r] < 0) {
			memset(w.x, 0, k->V * sizeof(*w.x));
			continue;
		}
		if (k->cap != 0)
			row_cap(w.x, k->V, k->cap);
		w.wanted = w.x[k->target[r]];
		row_open(k, &w);
		k->nll[r] = w.hard - w.wanted;
		k->loss[r] = (real)(o->alpha * t * t * row_divergence(k, &w) +
		    (1 - o->alpha) * (double)k->nll[r]);
		row_slopes(k, &w, k->target[r]);
	}
}

void
OP(distill)(void *dev, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *o, size_t R, size_t V,
    double scale, double cap)
{
	struct cpu *c = dev;
	struct distill_call k = { .loss = loss, .nll = nll, .logits = logits,
	    .target = target, .o = o, .R = R, .V = V, .scale = (float)scale,
	    .cap = (float)cap };

	k.tasks = tasks_for(dev, R, V * 16);
	pool_run(c->pool, distill_task, &k, k.tasks, 0);
}
