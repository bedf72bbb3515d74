/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preferences, compiled with REAL=double as grad_test is: the loss of a pair
 * against numbers that PyTorch computed (tests/peer/dpo.py prints them), the
 * gradients of all weights by central differences, and that a pair counts the
 * same beside others.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/prefer.h"
#include "appliance/model/random.h"
#include "tests/tap.h"

#include <math.h>

#define STEP	1e-5
#define PLACES	6

static const struct kernels *k;

static const struct {
	double beta, smoothing, model[2], reference[2], loss, slope;
} golden[] = {
	{ 0.1, 0.0, { -20.5, -30.25 }, { -21.0, -29.0 }, 0.60947043066304685,
	    -0.045636131276292118 },
	{ 0.1, 0.0, { -40.0, -10.0 }, { -30.0, -30.0 }, 3.0485873515737421,
	    -0.095257412682243331 },
	{ 0.5, 0.1, { -3.0, -7.0 }, { -4.0, -4.5 }, 0.33522415043808723,
	    -0.024023599015844742 },
	{ 1.0, 0.25, { -300.0, -5.0 }, { -10.0, -10.0 }, 221.25,
	    -0.75 },
	{ 2.0, 0.0, { -1.0, -900.0 }, { -200.0, -10.0 }, 0,
	    0 },
	{ 0.3, 0.5, { -8.0, -2.0 }, { -8.0, -2.0 }, 0.69314718055994529,
	    0 },
};

static void
test_golden(void)
{
	for (size_t i = 0; i < BASE_COUNT(golden); i++) {
		struct prefer p = { golden[i].beta, golden[i].smoothing,
		    NULL };
		struct prefer_sums s = { 0 };
		double slope, loss = prefer_loss(&p, golden[i].model,
		    golden[i].reference, &slope, &s);

		tap(fabs(loss - golden[i].loss) <= 1e-12 * (1 + loss) &&
		    fabs(slope - golden[i].slope) <= 1e-12 &&
		    s.right == (s.margin > 0) && fabs(s.margin -
		    (s.reward[0] - s.reward[1])) < 1e-9, "beta %g, smoothing "
		    "%g: loss %.6g", p.beta, p.smoothing, loss);
	}
}

/* a decoder and a micro-batch of two pairs */
struct rig {
	struct device device;
	struct slab slab;
	struct weights w;
	struct decoder d;
	struct prefer p;
};

static const int32_t id[] = { 1, 4, 4, 9, 0, 10,  1, 4, 3, 5, 6, 7,
	2, 2, 8, 0, 0, 0,  2, 2, 9, 9, 1, 0 };
static const int32_t target[] = { -1, 4, 9, 0, 10, -1,  -1, 3, 5, 6, 7, 2,
	-1, 8, 3, -1, -1, -1,  -1, 9, 9, 1, 3, -1 };
static const double reference[] = { -9, -8.5, -4, -9.75 };

static struct rig *
rig_new(struct arena *a, size_t B)
{
	struct rig *r = arena_alloc(a, sizeof(*r));
	struct shape s = { .family = FAMILY_LLAMA, .V = 11, .T = PLACES, .C = 8,
	    .L = 2, .H = 4, .G = 2, .D = 2, .F = 10, .eps = 1e-5,
	    .tied = true };
	struct err e;

	shape_family(&s, FAMILY_LLAMA);
	weights_layout(a, &s, &r->w);
	r->device.k = k;
	r->device.dev = k->open(1, NULL, 0);
	arena_defer(a, k->close, r->device.dev);
	r->p = (struct prefer){ 0.7, 0.1, NULL };
	slab_init(&r->slab, a, &r->device);
	decoder_want(&r->d, a, &r->w, &r->slab, &(struct decoder_conf){
	    .B = B, .T = PLACES });
	prefer_want(&r->p, &r->slab, B * PLACES);
	if (slab_take(&r->slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(&r->d);
	weights_init(&r->w, 3, r->d.run);
	for (size_t i = 0; i < r->w.all; i++)
		r->d.run[i] += 0.3 * random_normal(5, 1, i);
	return r;
}

static double
rig_run(struct rig *r, size_t from, double scale)
{
	struct prefer_sums s = { 0 };

	return prefer_run(&r->p, &r->d, id + from * PLACES, target + from *
	    PLACES, reference + from, scale, &s);
}

static void
test_slopes(struct arena *a)
{
	struct rig *r = rig_new(a, 4);
	double worst = 0, up, down, slope, off;
	real keep;

	rig_run(r, 0, 0.5);
	for (size_t i = 0; i < r->w.all; i++) {
		keep = r->d.run[i];
		r->d.run[i] = keep + STEP;
		up = rig_run(r, 0, 0);
		r->d.run[i] = keep - STEP;
		down = rig_run(r, 0, 0);
		r->d.run[i] = keep;
		slope = 0.5 * (up - down) / (2 * STEP);
		off = fabs(slope - r->d.grad[i]) / (1 + fabs(slope));
		worst = off > worst ? off : worst;
	}
	tap(worst < 1e-6, "gradients of %zu numbers, worst difference %.1e",
	    r->w.all, worst);
}

static void
test_pairs(struct arena *a)
{
	struct rig *both = rig_new(a, 4), *one = rig_new(a, 2);
	double logp[4], off = 0, sum;
	int32_t none[4 * PLACES];

	sum = rig_run(one, 0, 1) + rig_run(one, 2, 1);
	tap(fabs(rig_run(both, 0, 1) - sum) < 1e-12, "two pairs side by side: "
	    "the sum of both losses, %.6g", sum);
	for (size_t i = 0; i < one->w.all; i++)
		off = fmax(off, fabs(one->d.grad[i] - both->d.grad[i]));
	tap(off < 1e-12, "and of their gradients");
	memcpy(none, target, sizeof(none));
	for (size_t i = 2 * PLACES; i < 4 * PLACES; i++)
		none[i] = -1;
	tap(prefer_run(&both->p, &both->d, id, none, reference, 0,
	    &(struct prefer_sums){ 0 }) == rig_run(one, 0, 0),
	    "a pair that only fills counts nothing");
	prefer_logp(&both->d, id, target, logp);
	sum = decoder_run(&both->d, id, target, 0);
	tap(fabs(logp[0] + logp[1] + logp[2] + logp[3] + sum) < 1e-12,
	    "log p is what the losses say");
	sum = prefer_run(&both->p, &both->d, id, target, logp, 0,
	    &(struct prefer_sums){ 0 });
	tap(fabs(sum - 2 * log(2)) < 1e-12, "the reference itself: log 2 a "
	    "pair");
}

int
main(void)
{
	struct arena *a = arena_new();

	k = kernels();
	test_golden();
	test_slopes(a);
	test_pairs(a);
	arena_free(a);
	return tap_done();
}
