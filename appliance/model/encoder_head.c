/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of an encoder's last rows.  A head reads few of them: they are
 * gathered, and their gradients scattered, by the operations of tables, in
 * which the rows are the words.
 */
#include "appliance/base/base.h"
#include "appliance/model/dropout.h"
#include "appliance/model/encoder.h"
#include "appliance/model/half.h"

#include <math.h>

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	struct encoder *x = (d)->encoder;				\
	const size_t C = m->C

/* by_tanh - what is between the dense layer and the matrix: tanh in BERT's and
 * RoBERTa's classifiers, ReLU in DistilBERT's, the model's own before words */
static bool
by_tanh(const struct shape *m)
{
	return m->head.kind == HEAD_CLASSES && m->family != FAMILY_DISTILBERT;
}

static enum kernel_act
head_act(const struct shape *m)
{
	return m->head.kind == HEAD_CLASSES ? ACT_RELU : m->act;
}

/* head_in - what the matrix reads */
static real *
head_in(const struct decoder *d)
{
	const struct encoder *x = d->encoder;

	return d->w->dense_norm != NO_WEIGHT ? x->normed :
	    d->w->dense != NO_WEIGHT ? x->act : x->picked;
}

/* head_forward - d->logits of n rows, at most a chunk */
static void
head_forward(const struct decoder *d, const int32_t *row, size_t n)
{
	OPS(d);

	k->put(dev, x->row, row, n * sizeof(*row));
	k->embed(dev, x->picked, d->last, NULL, x->row, NULL, n, C);
	half_begin(d);
	half_round(d, x->picked, n * C);
	if (d->w->dense != NO_WEIGHT) {
		linear_forward(d->device, &x->to_dense, &d->work, x->dense,
		    x->picked, n);
		if (by_tanh(m)) {
			k->mix(dev, x->act, 0, x->dense, 1, n * C);
			k->softcap(dev, x->act, n * C, 1);
		} else
			k->act(dev, x->act, x->dense, n * C, head_act(m));
	}
	if (d->w->dense_norm != NO_WEIGHT)
		k->layernorm(dev, x->normed, x->mean, x->keep, x->act,
		    decoder_param(d, d->w->dense_norm), decoder_param(d,
		    d->w->dense_norm_b), n, C, m->eps);
	half_round(d, head_in(d), n * C);
	linear_forward(d->device, &d->to_head, &d->work, d->logits,
	    head_in(d), n);
	half_end(d);
}

/* tanh_grad - of few numbers, on the host: dy becomes dy (1 - y y) */
static void
tanh_grad(const struct decoder *d, real *dy, const real *y, size_t n)
{
	const struct device *v = d->device;
	real *a = mem_alloc(n * sizeof(*a)), *b = mem_alloc(n * sizeof(*b));

	v->k->get(v->dev, a, dy, n * sizeof(*a));
	v->k->get(v->dev, b, y, n * sizeof(*b));
	for (size_t i = 0; i < n; i++)
		a[i] *= 1 - b[i] * b[i];
	v->k->put(v->dev, dy, a, n * sizeof(*a));
	mem_free(a);
	mem_free(b);
}

/* head_backward - d->logits are their gradients now; they are added to dx */
static void
head_backward(const struct decoder *d, size_t n)
{
	real *dy;

	OPS(d);
	dy = x->dpicked;
	half_begin(d);
	half_round(d, d->logits, n * weights_head_rows(d->w));
	linear_backward(d->device, &d->to_head, &d->work, dy, d->logits,
	    head_in(d), n);
	if (d->w->dense_norm != NO_WEIGHT) {
		k->fill(dev, x->dnormed, n * C, 0);
		k->layernorm_grad(dev, x->dnormed, decoder_grad(d,
		    d->w->dense_norm), decoder_grad(d, d->w->dense_norm_b),
		    dy, x->act, decoder_param(d, d->w->dense_norm), x->mean,
		    x->keep, n, C);
		dy = x->dnormed;
	}
	if (d->w->dense != NO_WEIGHT) {
		if (by_tanh(m))
			tanh_grad(d, dy, x->act, n * C);
		else
			k->act_grad(dev, dy, dy, x->dense, n * C,
			    head_act(m));
		half_round(d, dy, n * C);
		linear_backward(d->device, &x->to_dense, &d->work,
		    dy == x->dpicked ? x->dnormed : x->dpicked, dy, x->picked,
		    n);
		dy = dy == x->dpicked ? x->dnormed : x->dpicked;
	}
	half_end(d);
	k->embed_grad(dev, d->dx, NULL, dy, x->row, NULL, n, C);
}

/* value_loss - of one number beside what is wanted; the slope */
static double
value_loss(enum problem problem, double y, double want, double *slope)
{
	double off = y - want;

	if (problem == PROBLEM_NUMBERS) {
		*slope = 2 * off;
		return off * off;
	}
	*slope = 1 / (1 + exp(-y)) - want;
	return fmax(y, 0) - y * want + log1p(exp(-fabs(y)));
}

/* loss_values - of a chunk, on the host: its numbers are few */
static double
loss_values(const struct decoder *d, const double *want, size_t n,
    double scale)
{
	const struct device *v = d->device;
	const struct shape_head *h = &d->w->shape.head;
	size_t all = n * h->labels;
	real *y = mem_alloc(all * sizeof(*y));
	double sum = 0, slope;

	v->k->get(v->dev, y, d->logits, all * sizeof(*y));
	for (size_t i = 0; i < all; i++) {
		sum += value_loss(h->problem, (double)y[i], want[i], &slope) /
		    (double)h->labels;
		y[i] = (real)(scale * slope / (double)h->labels);
	}
	if (scale != 0)
		v->k->put(v->dev, d->logits, y, all * sizeof(*y));
	mem_free(y);
	return sum;
}

/* loss_targets - of a chunk: one of all words, classes or tags */
static double
loss_targets(const struct decoder *d, const int32_t *target, size_t n,
    double scale)
{
	const struct device *v = d->device;
	real *loss = mem_alloc(n * sizeof(*loss));
	double sum = 0;

	v->k->put(v->dev, d->target, target, n * sizeof(*target));
	v->k->classify(v->dev, d->loss, d->logits, d->target, n,
	    weights_head_rows(d->w), scale, 0);
	v->k->get(v->dev, loss, d->loss, n * sizeof(*loss));
	for (size_t i = 0; i < n; i++)
		sum += (double)loss[i];
	mem_free(loss);
	return sum;
}

/* head_drop - of the rows that a head reads, forward and back: labels' heads
 * have dropout, words' have not */
static void
head_drop(const struct decoder *d, real *x)
{
	if (d->w->shape.head.kind != HEAD_MASKED)
		dropout_rows(d, DROPOUT_HEAD, 0, x);
}

double
encoder_run(struct decoder *d, const int32_t *id,
    const struct encoder_wanted *w, double scale)
{
	size_t labels = d->w->shape.head.labels, n;
	double sum = 0;

	dropout_set(d, scale != 0);
	encoder_forward(d, id, scale != 0);
	head_drop(d, d->last);
	if (scale != 0)
		d->device->k->fill(d->device->dev, d->dx, d->R *
		    d->w->shape.C, 0);
	for (size_t at = 0; at < w->n; at += n) {
		n = w->n - at < d->chunk ? w->n - at : d->chunk;
		head_forward(d, w->row + at, n);
		sum += w->value != NULL ? loss_values(d, w->value + at *
		    labels, n, scale) : loss_targets(d, w->target + at, n,
		    scale);
		if (scale != 0)
			head_backward(d, n);
	}
	head_drop(d, d->dx);
	if (scale != 0)
		encoder_backward(d);
	return sum;
}

void
encoder_outputs(struct decoder *d, const int32_t *id, const int32_t *row,
    size_t all, real *out)
{
	size_t width = weights_head_rows(d->w), n;

	dropout_set(d, false);
	encoder_forward(d, id, false);
	for (size_t at = 0; at < all; at += n) {
		n = all - at < d->chunk ? all - at : d->chunk;
		head_forward(d, row + at, n);
		d->device->k->get(d->device->dev, out + at * width, d->logits,
		    n * width * sizeof(*out));
	}
}

/* shares - which part of which row each text's embedding is */
static void
shares(const struct decoder *d, const struct encoder_text *t, size_t n)
{
	const struct device *v = d->device;
	size_t R = d->R, rows;
	real *share = mem_alloc(n * R * sizeof(*share));

	memset(share, 0, n * R * sizeof(*share));
	for (size_t i = 0; i < n; i++) {
		rows = d->w->shape.head.pool == POOL_CLS ? 1 : t[i].n;
		for (size_t r = 0; r < rows; r++)
			share[i * R + t[i].row + r] = (real)1 / (real)rows;
	}
	v->k->put(v->dev, d->encoder->share, share, n * R * sizeof(*share));
	mem_free(share);
}

void
encoder_embed(struct decoder *d, const int32_t *id,
    const struct encoder_text *t, size_t all, bool learns, real *out)
{
	const struct device *v = d->device;
	struct encoder *x = d->encoder;
	size_t C = d->w->shape.C, n;

	dropout_set(d, learns);
	encoder_forward(d, id, learns);
	for (size_t at = 0; at < all; at += n) {
		n = all - at < x->texts ? all - at : x->texts;
		shares(d, t + at, n);
		v->k->gemm(v->dev, 0, 0, n, C, d->R, 1, x->share, d->last, 0,
		    x->picked);
		v->k->get(v->dev, out + at * C, x->picked, n * C *
		    sizeof(*out));
	}
}

void
encoder_embed_grad(struct decoder *d, const struct encoder_text *t,
    size_t all, const real *dy)
{
	const struct device *v = d->device;
	struct encoder *x = d->encoder;
	size_t C = d->w->shape.C, n;

	v->k->fill(v->dev, d->dx, d->R * C, 0);
	for (size_t at = 0; at < all; at += n) {
		n = all - at < x->texts ? all - at : x->texts;
		shares(d, t + at, n);
		v->k->put(v->dev, x->picked, dy + at * C, n * C *
		    sizeof(*dy));
		v->k->gemm(v->dev, 1, 0, d->R, C, n, 1, x->share, x->picked,
		    1, d->dx);
	}
	encoder_backward(d);
}
