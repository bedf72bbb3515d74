/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/taught.h"

void
taught_want(struct taught *t, struct slab *s, size_t R)
{
	slab_ints(s, "logits", R * t->K, &t->id);
	slab_reals(s, "logits", R * t->K, &t->p);
	slab_reals(s, "logits", R, &t->nll);
}

static void
judge_taught(struct decoder *d, size_t row, size_t n, double scale, void *arg)
{
	const struct taught *t = arg;
	struct kernel_teacher o = { t->id + row * t->K, t->p + row * t->K,
	    t->K, t->temperature, t->alpha };

	size_t V = d->w->shape.V, ld = d->to_head.ldy;
	double cap = d->w->shape.logit_cap;

	if (ld > 0)
		d->device->k->distill_part(d->device->dev, d->loss + row,
		    t->nll + row, d->logits, d->target + row, &o, n, V, ld,
		    scale, cap);
	else
		d->device->k->distill(d->device->dev, d->loss + row, t->nll +
		    row, d->logits, d->target + row, &o, n, V, scale, cap);
}

double
taught_run(const struct taught *t, struct decoder *d, const int32_t *id,
    const int32_t *target, const int32_t *word, const real *p, double scale,
    double *nll)
{
	const struct kernels *k = d->device->k;
	real *host = mem_alloc(d->R * sizeof(*host));

	k->put(d->device->dev, t->id, word, d->R * t->K * sizeof(*word));
	k->put(d->device->dev, t->p, p, d->R * t->K * sizeof(*p));
	decoder_words(d, id, target);
	device_begin(d->device, scale != 0 ? GRAPH_LEARN : GRAPH_LOOK);
	decoder_forward(d, NULL, scale != 0);
	decoder_head(d, NULL, judge_taught, (void *)(uintptr_t)t, scale);
	if (scale != 0)
		decoder_backward(d);
	device_end(d->device);
	k->get(d->device->dev, host, t->nll, d->R * sizeof(*host));
	for (size_t i = 0; i < d->R; i++)
		*nll += (double)host[i];
	mem_free(host);
	return decoder_sum(d);
}
