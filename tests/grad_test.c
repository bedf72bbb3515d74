/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients by central differences.  This program is compiled with REAL=double
 * and has ref's kernels and the decoder in it: each parameter and input that an
 * operation has is moved by a little both ways, and the change of a weighted
 * sum of its results is compared with the gradient that the operation gives.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/random.h"
#include "tests/tap.h"

#include <math.h>

#define STEP	3e-6
#define NEAR	2e-7

static const struct kernels *k;

/* some - n numbers of a stream, moderate in size */
static real *
some(struct arena *a, uint64_t stream, size_t n)
{
	real *x = arena_array(a, n, sizeof(*x));

	for (size_t i = 0; i < n; i++)
		x[i] = random_normal(7, stream, i);
	return x;
}

/* an operation under test: inputs that may move, one result */
struct probe {
	void (*run)(struct probe *);		/* results from inputs */
	void (*grad)(struct probe *);		/* dx[] from dy */
	real *x[4], *dx[4], *y, *dy, *keep, *mean;
	size_t n[4], ny;
	size_t R, C, turned;
	enum kernel_act act;
	double cap;
	struct kernel_heads heads;
	int32_t *id, *pos;
	real *table;
};

static double
probe_sum(struct probe *p)
{
	double sum = 0;

	p->run(p);
	for (size_t i = 0; i < p->ny; i++)
		sum += p->y[i] * p->dy[i];
	return sum;
}

/* probe_check - every input, every number */
static void
probe_check(struct probe *p, struct arena *a, const char *name)
{
	double worst = 0, up, down, slope, off;

	p->y = arena_array(a, p->ny, sizeof(real));
	p->dy = some(a, 99, p->ny);
	for (size_t i = 0; i < 4; i++)
		p->dx[i] = arena_array(a, p->n[i] + 1, sizeof(real));
	p->run(p);
	p->grad(p);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < p->n[i]; j++) {
			real was = p->x[i][j];

			p->x[i][j] = was + STEP;
			up = probe_sum(p);
			p->x[i][j] = was - STEP;
			down = probe_sum(p);
			p->x[i][j] = was;
			slope = (up - down) / (2 * STEP);
			off = fabs(slope - p->dx[i][j]) / (1 + fabs(slope));
			worst = off > worst ? off : worst;
		}
	tap(worst < NEAR, "%s: gradient, worst difference %.1e", name, worst);
}

static void
layernorm_run(struct probe *p)
{
	k->layernorm(NULL, p->y, p->mean, p->keep, p->x[0], p->x[1], p->x[2],
	    p->R, p->C, 1e-5);
}

static void
layernorm_back(struct probe *p)
{
	k->layernorm_grad(NULL, p->dx[0], p->dx[1], p->dx[2], p->dy, p->x[0],
	    p->x[1], p->mean, p->keep, p->R, p->C);
}

static void
rmsnorm_run(struct probe *p)
{
	k->rmsnorm(NULL, p->y, p->keep, p->x[0], p->x[1], p->R, p->C, 1e-5);
}

static void
rmsnorm_back(struct probe *p)
{
	k->rmsnorm_grad(NULL, p->dx[0], p->dx[1], p->dy, p->x[0], p->x[1],
	    p->keep, p->R, p->C);
}

static void
act_run(struct probe *p)
{
	k->act(NULL, p->y, p->x[0], p->ny, p->act);
}

static void
act_back(struct probe *p)
{
	k->act_grad(NULL, p->dx[0], p->dy, p->x[0], p->ny, p->act);
}

static void
glu_run(struct probe *p)
{
	k->glu(NULL, p->y, p->x[0], p->R, p->C, p->act);
}

static void
glu_back(struct probe *p)
{
	k->glu_grad(NULL, p->dx[0], p->dy, p->x[0], p->R, p->C, p->act);
}

static void
weigh_run(struct probe *p)
{
	k->weigh(NULL, p->y, p->x[0], p->x[1], p->R, p->C);
}

static void
weigh_back(struct probe *p)
{
	k->weigh_grad(NULL, p->dx[0], p->dx[1], p->dy, p->x[0], p->x[1], p->R,
	    p->C);
}

/* three heads of C channels in rows that are wider */
static void
heads_run(struct probe *p)
{
	k->headnorm(NULL, p->y, 3 * p->C, p->keep, p->x[0], 3 * p->C + 2,
	    p->x[1], p->R, 3, p->C, 1e-5);
}

static void
heads_back(struct probe *p)
{
	k->headnorm_grad(NULL, p->dx[0], p->dx[1], p->dy, 3 * p->C, p->x[0],
	    3 * p->C + 2, p->x[1], p->keep, p->R, 3, p->C);
}

static void
embed_run(struct probe *p)
{
	k->embed(NULL, p->y, p->x[0], p->x[1], p->id, p->pos, p->R, p->C);
}

static void
embed_back(struct probe *p)
{
	k->embed_grad(NULL, p->dx[0], p->dx[1], p->dy, p->id, p->pos, p->R,
	    p->C);
}

static void
bias_run(struct probe *p)
{
	memcpy(p->y, p->x[0], p->ny * sizeof(real));
	k->bias(NULL, p->y, p->x[1], p->R, p->C);
}

static void
bias_back(struct probe *p)
{
	memcpy(p->dx[0], p->dy, p->ny * sizeof(real));
	k->bias_grad(NULL, p->dx[1], p->dy, p->R, p->C);
}

static void
rope_run(struct probe *p)
{
	memcpy(p->y, p->x[0], p->ny * sizeof(real));
	k->rope(NULL, p->y, p->table, p->pos, p->R, p->C, 2, p->C / 2,
	    p->turned, 0);
}

static void
rope_back(struct probe *p)
{
	memcpy(p->dx[0], p->dy, p->ny * sizeof(real));
	k->rope(NULL, p->dx[0], p->table, p->pos, p->R, p->C, 2, p->C / 2,
	    p->turned, 1);
}

static void
attend_run(struct probe *p)
{
	k->attend(NULL, p->y, p->keep, p->x[0], p->x[1], p->x[2], &p->heads);
}

static void
attend_back(struct probe *p)
{
	k->attend_grad(NULL, p->dx[0], p->dx[1], p->dx[2], p->dy, p->y,
	    p->keep, p->x[0], p->x[1], p->x[2], &p->heads);
}

static void
classify_run(struct probe *p)
{
	real *copy = p->table;

	memcpy(copy, p->x[0], p->n[0] * sizeof(real));
	k->classify(NULL, p->y, copy, p->id, p->R, p->C, 0, p->cap);
}

/* all losses weigh the same here: dy is a scale */
static void
classify_back(struct probe *p)
{
	for (size_t r = 1; r < p->R; r++)
		p->dy[r] = p->dy[0];
	memcpy(p->dx[0], p->x[0], p->n[0] * sizeof(real));
	k->classify(NULL, p->y, p->dx[0], p->id, p->R, p->C, p->dy[0],
	    p->cap);
}

/* three words of each row are named, one of them its target */
static const struct kernel_teacher *
taught(void)
{
	static const int32_t id[] = { 3, 1, 6, 0, 2, 5, 4, 3, 0, 6, 2, 3 };
	static const real p[] = { 0.5, 0.2, 0.1, 0.3, 0.3, 0.4, 0.05, 0.9,
	    0.01, 0.2, 0.2, 0.2 };
	static const struct kernel_teacher o = { id, p, 3, 1.7, 0.6 };

	return &o;
}

static void
distill_run(struct probe *p)
{
	real nll[4], copy[64];

	memcpy(copy, p->x[0], p->n[0] * sizeof(real));
	k->distill(NULL, p->y, nll, copy, p->id, taught(), p->R, p->C, 0,
	    p->cap);
}

static void
distill_back(struct probe *p)
{
	real y[4], nll[4];

	for (size_t r = 1; r < p->R; r++)
		p->dy[r] = p->dy[0];
	memcpy(p->dx[0], p->x[0], p->n[0] * sizeof(real));
	k->distill(NULL, y, nll, p->dx[0], p->id, taught(), p->R, p->C,
	    p->dy[0], p->cap);
}

/* fill_probe - sizes and inputs */
static void
fill_probe(struct probe *p, struct arena *a, size_t n0, size_t n1, size_t n2,
    size_t ny)
{
	size_t n[] = { n0, n1, n2, 0 };

	memcpy(p->n, n, sizeof(n));
	p->ny = ny;
	for (size_t i = 0; i < 4; i++)
		p->x[i] = some(a, i + 1, n[i] + 1);
}

static void
test_rows(struct arena *a)
{
	static int32_t id[] = { 3, 0, 3, 1 }, pos[] = { 0, 1, 2, 0 };
	struct probe p = { .R = 4, .C = 7, .id = id, .pos = pos };

	p.keep = some(a, 50, 64);
	p.mean = some(a, 51, 64);
	p.table = some(a, 52, 256);
	p.run = layernorm_run;
	p.grad = layernorm_back;
	fill_probe(&p, a, 28, 7, 7, 28);
	probe_check(&p, a, "layernorm");
	p.run = rmsnorm_run;
	p.grad = rmsnorm_back;
	fill_probe(&p, a, 28, 7, 0, 28);
	probe_check(&p, a, "rmsnorm");
	p.run = heads_run;
	p.grad = heads_back;
	fill_probe(&p, a, 92, 7, 0, 84);
	probe_check(&p, a, "headnorm");
	p.run = weigh_run;
	p.grad = weigh_back;
	fill_probe(&p, a, 28, 4, 0, 28);
	probe_check(&p, a, "weigh");
	p.run = embed_run;
	p.grad = embed_back;
	fill_probe(&p, a, 35, 21, 0, 28);
	probe_check(&p, a, "embed");
	p.run = bias_run;
	p.grad = bias_back;
	fill_probe(&p, a, 28, 7, 0, 28);
	probe_check(&p, a, "bias");
	p.run = classify_run;
	p.grad = classify_back;
	id[2] = -1;
	fill_probe(&p, a, 28, 0, 0, 4);
	probe_check(&p, a, "classify");
	p.cap = 1.5;
	probe_check(&p, a, "classify, capped");
	p.run = distill_run;
	p.grad = distill_back;
	probe_check(&p, a, "distill, capped");
	p.cap = 0;
	probe_check(&p, a, "distill");
	id[2] = 3;
	p.C = 12;
	p.run = rope_run;
	p.grad = rope_back;
	for (size_t t = 0; t < 3; t++)
		for (size_t i = 0; i < 3; i++) {
			p.table[t * 6 + i] = cos(0.3 * (double)(t * (i + 1)));
			p.table[t * 6 + 3 + i] = sin(0.3 * (double)(t *
			    (i + 1)));
		}
	fill_probe(&p, a, 48, 0, 0, 48);
	p.turned = 6;
	probe_check(&p, a, "rope");
	p.turned = 4;
	probe_check(&p, a, "rope of a part");
}

static void
test_acts(struct arena *a)
{
	static const char *const names[] = { "gelu", "exact gelu", "silu",
	    "relu" };
	struct probe p = { .R = 4, .C = 7 };

	for (p.act = ACT_GELU; p.act <= ACT_RELU; p.act++) {
		p.run = act_run;
		p.grad = act_back;
		fill_probe(&p, a, 28, 0, 0, 28);
		probe_check(&p, a, names[p.act]);
		p.run = glu_run;
		p.grad = glu_back;
		fill_probe(&p, a, 56, 0, 0, 28);
		probe_check(&p, a, "and as a gate");
	}
}

static void
test_attend(struct arena *a, size_t H, size_t G, size_t window, double cap,
    bool both, double drop)
{
	static const int32_t texts[] = { 0, 0, 0, 0, 4, 0, 1, 1, 1, 1 };
	static const int32_t ends[] = { 4, 4, 4, 4, 5, 1, 5, 5, 5, 5 };
	struct probe p = { .run = attend_run, .grad = attend_back };
	size_t B = 2, T = 5, D = 3, R = B * T;
	char name[80];

	p.heads = (struct kernel_heads){ B, T, H, G, D, H * D, G * D, G * D,
	    window, cap == 0 ? 0 : 0.8, cap, window == 3 || both ? texts : NULL,
	    both ? ends : NULL, drop, 77 };
	p.keep = some(a, 50, B * T * H);
	fill_probe(&p, a, R * H * D, R * G * D, R * G * D, R * H * D);
	snprintf(name, sizeof(name), "attend %zu/%zu heads, window %zu, cap "
	    "%g%s, dropout %g", H, G, window, cap, both ? ", both ways" : "",
	    drop);
	probe_check(&p, a, name);
}

static const int32_t id[] = { 1, 4, 4, 9, 0, 10, 2, 3, 5, 6, 7, 8 };
static const int32_t target[] = { 4, 4, 9, 0, 10, -1, 3, 5, 6, 7, 8, 1 };

/* loss_learning - of the whole program as it learns: with dropout */
static double
loss_learning(struct decoder *d)
{
	decoder_forward(d, id, true);
	decoder_head(d, target, NULL, NULL, 0);
	return decoder_sum(d);
}

/* test_decoder - the whole program: every parameter of a small model */
static void
test_decoder(struct arena *a, const struct shape *s, double drop)
{
	struct device *device = arena_alloc(a, sizeof(*device));
	struct slab *slab = arena_alloc(a, sizeof(*slab));
	struct weights w;
	struct decoder d;
	struct err e;
	double worst = 0, up, down, slope, off;

	weights_layout(a, s, &w);
	device->k = k;
	device->dev = k->open(1, NULL, 0);
	arena_defer(a, k->close, device->dev);
	slab_init(slab, a, device);
	decoder_want(&d, a, &w, slab, &(struct decoder_conf){
	    .B = 2, .T = 6, .dropout = drop, .attention_dropout = drop });
	if (slab_take(slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(&d);
	weights_init(&w, 3, d.run);
	for (size_t i = 0; i < w.all; i++)	/* far from any symmetry */
		d.run[i] += 0.3 * random_normal(5, 1, i);
	decoder_run(&d, id, target, 0.5);
	for (size_t i = 0; i < w.all; i++) {
		real was = d.run[i];

		d.run[i] = was + STEP;
		up = 0.5 * loss_learning(&d);
		d.run[i] = was - STEP;
		down = 0.5 * loss_learning(&d);
		d.run[i] = was;
		slope = (up - down) / (2 * STEP);
		off = fabs(slope - d.grad[i]) / (1 + fabs(slope));
		worst = off > worst ? off : worst;
	}
	tap(worst < 1e-6, "decoder %s%s, dropout %g: gradients of all %zu "
	    "parameters, worst difference %.1e", family_name(s->family),
	    s->tied ? "" : " untied", drop, w.all, worst);
}

/* test_family - with whatever else the family's members can ask for */
static void
test_family(struct arena *a, enum family family, bool tied, double drop)
{
	struct shape s = { .V = 11, .T = 6, .C = 8, .L = 2, .H = 4, .D = 2,
	    .G = 2, .F = 10, .eps = 1e-5, .tied = tied };

	shape_family(&s, family);
	if (s.layernorm)
		s.G = s.H;
	if (family == FAMILY_LLAMA)
		s.qkv_bias = s.out_bias = s.mlp_bias = true;
	if (family != FAMILY_GPT2 && family != FAMILY_LLAMA) {
		s.window = 3;
		s.local[1] = true;
	}
	if (family == FAMILY_NEOX) {
		s.H = s.G = 2;
		s.D = 4;
		s.turned = 2;
		s.parallel = true;
	}
	if (family >= FAMILY_MIXTRAL) {
		s.E = 5;
		s.K = 2;
		s.EF = 6;
		s.SF = family == FAMILY_QWEN2_MOE ? 4 : 0;
		s.norm_chosen = family != FAMILY_QWEN2_MOE;
		s.sparse[0] = true;
		s.sparse[1] = family == FAMILY_MIXTRAL;
	}
	if (s.post_norms)
		s.score_scale = 0.9;
	if (family == FAMILY_GEMMA2)
		s.score_cap = s.logit_cap = 2;
	s.local_rope.theta = 100;
	test_decoder(a, &s, drop);
}

int
main(void)
{
	struct arena *a = arena_new();

	k = kernels();
	test_rows(a);
	test_acts(a);
	test_attend(a, 2, 2, 0, 0, false, 0);
	test_attend(a, 4, 2, 0, 0, true, 0.3);
	test_attend(a, 2, 2, 0, 1.5, true, 0);
	test_attend(a, 4, 2, 0, 0, false, 0);
	test_attend(a, 4, 2, 3, 0, false, 0.3);
	test_attend(a, 2, 1, 2, 1.5, false, 0.3);
	for (enum family f = 0; f < FAMILY_T5; f++)
		test_family(a, f, true, f % 2 == 0 ? 0.2 : 0);
	test_family(a, FAMILY_LLAMA, false, 0);
	test_family(a, FAMILY_NEOX, false, 0.2);
	arena_free(a);
	return tap_done();
}
