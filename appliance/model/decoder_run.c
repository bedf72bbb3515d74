/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder forward, what is judged of it, and backward. */
#include "appliance/base/base.h"
#include "appliance/model/block.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/dropout.h"
#include "appliance/model/half.h"

/* shorthand for what every function below needs */
#define OPS(d)								\
	const struct kernels *k = (d)->device->k;			\
	void *dev = (d)->device->dev;					\
	const struct shape *m = &(d)->w->shape;				\
	const size_t R = (d)->R, C = m->C

void
decoder_classify(const struct decoder *d, size_t row, size_t n, double scale)
{
	size_t ld = d->to_head.ldy;

	OPS(d);
	(void)R;
	(void)C;
	if (ld > 0)
		k->classify_part(dev, d->loss + row, d->logits, d->target +
		    row, n, m->V, ld, scale, m->logit_cap);
	else
		k->classify(dev, d->loss + row, d->logits, d->target + row, n,
		    m->V, scale, m->logit_cap);
}

/* judge_next - the loss of the next word */
static void
judge_next(struct decoder *d, size_t row, size_t n, double scale, void *arg)
{
	(void)arg;
	decoder_classify(d, row, n, scale);
}

void
decoder_words(struct decoder *d, const int32_t *id, const int32_t *target)
{
	const struct device *v = d->device;

	if (id != NULL)
		v->k->put(v->dev, d->id, id, d->R * sizeof(*id));
	if (target != NULL)
		v->k->put(v->dev, d->target, target, d->rows *
		    sizeof(*target));
}

void
decoder_head(struct decoder *d, const int32_t *target, decoder_judge *judge,
    void *arg, double scale)
{
	size_t n, rows = d->rows, was = d->work.row;
	size_t first = was / d->T * (rows / d->B);

	OPS(d);
	(void)R;
	(void)k;
	(void)dev;
	decoder_words(d, NULL, target);
	judge = judge == NULL ? judge_next : judge;
	half_begin(d);
	for (size_t r = 0; r < rows; r += d->chunk) {
		n = rows - r < d->chunk ? rows - r : d->chunk;
		d->work.row = first + r;
		linear_forward(d->device, &d->to_head, &d->work, d->logits,
		    d->norm + r * C, n);
		judge(d, r, n, scale, arg);
		if (scale != 0)
			half_round(d, d->logits, n * m->V);
		if (scale != 0)
			linear_backward(d->device, &d->to_head, &d->work,
			    d->dn + r * C, d->logits, d->norm + r * C, n);
	}
	d->work.row = was;
	half_end(d);
}

double
decoder_sum(const struct decoder *d)
{
	real *loss = mem_alloc(d->rows * sizeof(*loss));
	double sum = 0;

	d->device->k->get(d->device->dev, loss, d->loss, d->rows *
	    sizeof(*loss));
	for (size_t i = 0; i < d->rows; i++)
		sum += (double)loss[i];
	mem_free(loss);
	return sum;
}

void
decoder_embed(const struct decoder *d, real *y, size_t skip)
{
	const real *token = decoder_param(d, d->w->token);
	const real *place = decoder_param(d, d->w->place);

	OPS(d);
	(void)m;
	place = place == NULL ? NULL : place + skip;
	if (token != NULL) {
		k->embed(dev, y, token, place, d->id, d->pos, R, C);
		return;
	}
	k->widen(dev, y, &d->held->v[d->held->first[0]].k, d->id, 0, R, C);
	if (place == NULL)
		return;
	k->embed(dev, d->dx, place, NULL, d->pos, NULL, R, C);
	k->add(dev, y, d->dx, R * C);
}

void
decoder_forward(struct decoder *d, const int32_t *id, bool learns)
{
	OPS(d);
	decoder_words(d, id, NULL);
	dropout_set(d, learns);
	half_begin(d);
	decoder_norms(d);
	decoder_embed(d, d->layer[0].in, m->place_skip * C);
	if (m->embed_scale != 0)
		k->mix(dev, d->layer[0].in, m->embed_scale, d->layer[0].in, 0,
		    R * C);
	dropout_rows(d, DROPOUT_EMBED, 0, d->layer[0].in);
	for (size_t i = 0; i < m->L; i++) {
		block_forward(d, i, false);
		if (learns)
			half_keep(d, i);
	}
	block_sum_norm(d, d->norm, d->mean, d->keep, d->last,
	    d->layer[m->L - 1].mid, d->w->norm, d->w->norm_b);
	half_round(d, d->norm, R * C);
	half_end(d);
}

void
decoder_backward(struct decoder *d)
{
	real *dplace = decoder_grad(d, d->w->place);

	OPS(d);
	half_begin(d);
	k->fill(dev, d->dx, R * C, 0);
	block_norm_grad(d, d->dx, d->dn, d->last, d->mean, d->keep,
	    d->w->norm, d->w->norm_b);
	for (size_t i = m->L; i-- > 0; ) {
		if (d->recompute && i + 1 < m->L)
			block_forward(d, i, true);
		half_back(d, i);
		block_backward(d, i);
	}
	dropout_rows(d, DROPOUT_EMBED, 0, d->dx);
	if (m->embed_scale != 0)
		k->mix(dev, d->dx, m->embed_scale, d->dx, 0, R * C);
	k->embed_grad(dev, decoder_grad(d, d->w->token), dplace == NULL ?
	    NULL : dplace + m->place_skip * C, d->dx, d->id, d->pos, R, C);
	half_end(d);
}

double
decoder_run(struct decoder *d, const int32_t *id, const int32_t *target,
    double scale)
{
	const struct device *v = d->device;

	decoder_words(d, id, target);
	device_begin(v, scale != 0 ? GRAPH_LEARN : GRAPH_LOOK);
	decoder_forward(d, NULL, scale != 0);
	decoder_head(d, NULL, NULL, NULL, scale);
	if (scale != 0)
		decoder_backward(d);
	device_end(v);
	return decoder_sum(d);
}
