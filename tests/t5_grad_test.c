/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of whole encoder-decoders by central differences, on ref with
 * REAL=double: every parameter of a small one with and without a gate, with
 * texts side by side and rows that are no text's, with and without dropout.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/random.h"
#include "appliance/model/t5.h"
#include "tests/tap.h"

#include <math.h>

#define STEP	1e-5

/* two sequences of six inputs and five targets: two texts, then one */
static const int32_t id[] = { 1, 4, 4, 9, 2, 0, 2, 3, 5, 6, 7, 8 };
static const int32_t from[] = { 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0 };
static const int32_t to[] = { 3, 3, 3, 5, 5, 0, 6, 6, 6, 6, 6, 6 };
static const int32_t out[] = { 0, 4, 0, 0, 0, 0, 9, 1, 7, 10 };
static const int32_t own_from[] = { 0, 0, 2, 0, 0, 0, 0, 0, 0, 0 };
static const int32_t own_to[] = { 1, 2, 3, 0, 0, 1, 2, 3, 4, 5 };
static const int32_t in_from[] = { 0, 0, 3, 0, 0, 0, 0, 0, 0, 0 };
static const int32_t in_to[] = { 3, 3, 5, 0, 0, 6, 6, 6, 6, 6 };
static const int32_t target[] = { 4, 5, 6, -1, -1, 9, 1, 7, 10, 2 };

static const struct t5_micro micro = { id, out, { from, to },
	{ own_from, own_to }, { in_from, in_to }, target };

static const struct kernels *k;
static void *dev;

/* model_for - of a shape, with weights far from any symmetry */
static void
model_for(struct arena *a, const struct shape *s, double drop,
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
	    .B = 2, .T = 6, .targets = 5, .dropout = drop,
	    .attention_dropout = drop });
	if (slab_take(slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(d);
	weights_init(w, 3, d->run);
	for (size_t i = 0; i < w->all; i++)
		d->run[i] += 0.3 * random_normal(5, 1, i);
}

static void
test_model(struct arena *a, bool gated, bool tied)
{
	struct shape s = { .V = 11, .T = 6, .C = 8, .L = 3, .LE = 1, .H = 2,
	    .D = 3, .G = 2, .F = 10, .eps = 1e-5, .tied = tied, .buckets = 4,
	    .far = 3, .head_scale = tied ? 0.3 : 0 };
	struct weights w;
	struct decoder d;
	double worst = 0, up, slope, off, drop = gated == tied ? 0.2 : 0;
	double scale = drop > 0 ? 0.5 : 0;
	real *grad;

	shape_family(&s, FAMILY_T5);
	s.gated = gated;
	s.act = ACT_GELU;
	model_for(a, &s, drop, &w, &d);
	t5_run(&d, &micro, 0.5);
	grad = arena_copy(a, d.grad, w.all * sizeof(*grad));
	for (size_t i = 0; i < w.all; i++) {
		real was = d.run[i];

		d.run[i] = was + STEP;
		up = 0.5 * t5_run(&d, &micro, scale);
		d.run[i] = was - STEP;
		slope = (up - 0.5 * t5_run(&d, &micro, scale)) / (2 * STEP);
		d.run[i] = was;
		off = fabs(slope - grad[i]) / (1 + fabs(slope));
		worst = off > worst ? off : worst;
	}
	tap(worst < 1e-6, "t5%s%s, dropout %g: gradients of all %zu "
	    "parameters, worst difference %.1e", gated ? ", gated" : "", tied ?
	    ", tied" : "", drop, w.all, worst);
}

int
main(void)
{
	struct arena *a = arena_new();
	char why[64];

	k = kernels();
	dev = k->open(1, why, sizeof(why));
	for (int i = 0; i < 4; i++)
		test_model(a, i & 1, i & 2);
	arena_free(a);
	k->close(dev);
	return tap_done();
}
