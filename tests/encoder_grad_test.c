/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of whole encoders by central differences, on ref with
 * REAL=double: every parameter of a small one of each family under each head.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/contrast.h"
#include "appliance/model/encoder.h"
#include "appliance/model/random.h"
#include "tests/tap.h"

#include <math.h>

#define STEP	1e-5

static const struct kernels *k;
static void *dev;

/* decoder_for - of a shape, with weights far from any symmetry */
static void
decoder_for(struct arena *a, const struct shape *s, double drop,
    struct weights *w, struct decoder *d)
{
	struct device *device = arena_alloc(a, sizeof(*device));
	struct slab *slab = arena_alloc(a, sizeof(*slab));
	struct err e;

	weights_layout(a, s, w);
	device->k = k;
	device->dev = dev;
	slab_init(slab, a, device);
	decoder_want(d, a, w, slab, &(struct decoder_conf){
	    .B = 2, .T = 6, .dropout = drop, .attention_dropout = drop });
	if (slab_take(slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(d);
	weights_init(w, 3, d->run);
	for (size_t i = 0; i < w->all; i++)
		d->run[i] += 0.3 * random_normal(5, 1, i);
}

/* encoder_loss - of one head or another; scale: with the gradient */
static double
encoder_loss(struct decoder *d, double scale)
{
	static const int32_t id[] = { 1, 4, 4, 9, 0, 10, 2, 3, 5, 6, 7, 8 };
	static const int32_t row[] = { 0, 3, 4, 6 }, target[] = { 2, 0, 1, 2 };
	static const double value[] = { 1, 0, 1, 0, 1, 1, 0, 0.5, 1, 0, 0, 1 };
	static const struct encoder_text text[] = { { 0, 3 }, { 3, 1 },
	    { 4, 2 }, { 6, 6 } };
	const struct shape_head *h = &d->w->shape.head;
	struct encoder_wanted w = { row, 4, target, h->kind == HEAD_CLASSES &&
	    h->problem != PROBLEM_ONE ? value : NULL };
	real x[32], dx[32];
	double sum;

	if (h->kind != HEAD_EMBED)
		return encoder_run(d, id, &w, scale);
	encoder_embed(d, id, text, 4, scale != 0, x);
	sum = contrast(x, 4, d->w->shape.C, h->normalize, 0.5, dx);
	for (size_t i = 0; i < 32; i++)
		dx[i] *= scale;
	if (scale != 0)
		encoder_embed_grad(d, text, 4, dx);
	return sum;
}

/* test_encoder - the same for an encoder with a head; texts lie side by side */
static void
test_encoder(struct arena *a, enum family family, struct shape_head head,
    double drop)
{
	static const int32_t from[] = { 0, 0, 0, 3, 4, 4, 0, 0, 0, 0, 0, 0 };
	static const int32_t to[] = { 3, 3, 3, 4, 6, 6, 6, 6, 6, 6, 6, 6 };
	static const int32_t type[] = { 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1 };
	struct shape s = { .V = 11, .T = 6, .C = 8, .L = 2, .H = 4, .D = 2,
	    .G = 4, .F = 10, .eps = 1e-5, .tied = true, .head = head };
	struct weights w;
	struct decoder d;
	double worst = 0, up, slope, off, scale = drop > 0 ? 0.5 : 0;
	real *grad;

	shape_family(&s, family);
	s.types = family == FAMILY_DISTILBERT || family == FAMILY_MPNET ? 0 :
	    2;
	s.place_skip = family == FAMILY_ROBERTA ? 2 : 0;
	s.buckets = family == FAMILY_MPNET ? 4 : 0;
	s.far = 3;
	decoder_for(a, &s, drop, &w, &d);
	encoder_texts(&d, from, to, s.types == 0 ? NULL : type);
	encoder_loss(&d, 0.5);
	grad = arena_array(a, w.all, sizeof(*grad));
	memcpy(grad, d.grad, w.all * sizeof(*grad));
	for (size_t i = 0; i < w.all; i++) {
		real was = d.run[i];

		d.run[i] = was + STEP;
		up = 0.5 * encoder_loss(&d, scale);
		d.run[i] = was - STEP;
		slope = (up - 0.5 * encoder_loss(&d, scale)) / (2 * STEP);
		d.run[i] = was;
		off = fabs(slope - grad[i]) / (1 + fabs(slope));
		worst = off > worst ? off : worst;
	}
	tap(worst < 1e-6, "encoder %s%s, dropout %g: gradients of all %zu "
	    "parameters, worst difference %.1e", family_class(family),
	    head_class(head.kind), drop, w.all, worst);
}

int
main(void)
{
	static const enum family families[] = { FAMILY_BERT, FAMILY_ROBERTA,
	    FAMILY_DISTILBERT, FAMILY_MPNET };
	static const struct shape_head heads[] = {
		{ .kind = HEAD_MASKED },
		{ .kind = HEAD_TAGS, .labels = 3 },
		{ .kind = HEAD_CLASSES, .labels = 3 },
		{ .kind = HEAD_CLASSES, .labels = 3, .problem = PROBLEM_MANY },
		{ .kind = HEAD_CLASSES, .labels = 3,
		    .problem = PROBLEM_NUMBERS },
		{ .kind = HEAD_EMBED },
		{ .kind = HEAD_EMBED, .pool = POOL_CLS, .normalize = true },
	};
	struct arena *a = arena_new();
	char why[64];

	k = kernels();
	dev = k->open(1, why, sizeof(why));
	for (size_t f = 0; f < BASE_COUNT(families); f++)
		for (size_t h = 0; h < BASE_COUNT(heads); h++)
			test_encoder(a, families[f], heads[h], (f + h) % 3 ==
			    0 ? 0.2 : 0);
	arena_free(a);
	k->close(dev);
	return tap_done();
}
