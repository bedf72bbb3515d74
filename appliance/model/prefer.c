/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pair's loss is known when both of its sequences have been seen, and the
 * gradient of each target's logits is that of its own loss times a weight that
 * the pair's margin gives.  So the head is run twice: for the losses, then with
 * the weights.
 */
#include "appliance/base/base.h"
#include "appliance/model/prefer.h"

#include <math.h>

void
prefer_want(struct prefer *p, struct slab *s, size_t R)
{
	slab_reals(s, "logits", R, &p->weight);
}

/* softplus - log(1 + exp(x)) */
static double
softplus(double x)
{
	return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double
sigmoid(double x)
{
	return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

double
prefer_loss(const struct prefer *p, const double model[2],
    const double reference[2], double *slope, struct prefer_sums *sums)
{
	double reward[2], margin, keep = 1 - p->smoothing;

	for (int i = 0; i < 2; i++) {
		reward[i] = p->beta * (model[i] - reference[i]);
		sums->reward[i] += reward[i];
	}
	margin = reward[0] - reward[1];
	sums->margin += margin;
	sums->right += margin > 0;
	*slope = p->beta * (p->smoothing * sigmoid(margin) - keep *
	    sigmoid(-margin));
	return keep * softplus(-margin) + p->smoothing * softplus(margin);
}

/* sequences - minus the sums of what the head has left */
static void
sequences(const struct decoder *d, double *logp)
{
	real *loss = mem_alloc(d->R * sizeof(*loss));

	d->device->k->get(d->device->dev, loss, d->loss, d->R * sizeof(*loss));
	for (size_t b = 0; b < d->B; b++) {
		logp[b] = 0;
		for (size_t i = 0; i < d->T; i++)
			logp[b] -= (double)loss[b * d->T + i];
	}
	mem_free(loss);
}

/* losses - of every target; learns: with dropout, for the way back */
static void
losses(struct decoder *d, const int32_t *id, const int32_t *target,
    bool learns)
{
	decoder_words(d, id, target);
	device_begin(d->device, learns ? GRAPH_LEARN : GRAPH_LOOK);
	decoder_forward(d, NULL, learns);
	decoder_head(d, NULL, NULL, NULL, 0);
	device_end(d->device);
}

void
prefer_logp(struct decoder *d, const int32_t *id, const int32_t *target,
    double *logp)
{
	losses(d, id, target, false);
	sequences(d, logp);
}

/* judge_pairs - gradients of the next word's loss, each times its weight */
static void
judge_pairs(struct decoder *d, size_t row, size_t n, double scale, void *arg)
{
	size_t ld = d->to_head.ldy > 0 ? d->to_head.ldy : d->w->shape.V;
	const struct prefer *p = arg;

	decoder_classify(d, row, n, scale);
	d->device->k->weigh(d->device->dev, d->logits, d->logits, p->weight +
	    row, n, ld);
}

/* is_pair - it has a target */
static bool
is_pair(const int32_t *target, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (target[i] >= 0)
			return true;
	return false;
}

double
prefer_run(const struct prefer *p, struct decoder *d, const int32_t *id,
    const int32_t *target, const double *reference, double scale,
    struct prefer_sums *sums)
{
	double *logp = mem_alloc(d->B * sizeof(*logp)), slope, sum = 0;
	real *weight = mem_alloc(d->R * sizeof(*weight));
	const size_t T = d->T;

	losses(d, id, target, scale != 0);
	sequences(d, logp);
	for (size_t b = 0; b + 1 < d->B; b += 2) {
		slope = 0;
		if (is_pair(target + b * T, 2 * T))
			sum += prefer_loss(p, logp + b, reference + b, &slope,
			    sums);
		for (size_t i = 0; i < 2 * T; i++)
			weight[b * T + i] = (real)(i < T ? -slope : slope);
	}
	if (scale != 0) {
		d->device->k->put(d->device->dev, p->weight, weight, d->R *
		    sizeof(*weight));
		device_begin(d->device, GRAPH_BACK);
		decoder_head(d, NULL, judge_pairs, (void *)(uintptr_t)p,
		    scale);
		decoder_backward(d);
		device_end(d->device);
	}
	mem_free(weight);
	mem_free(logp);
	return sum;
}
