/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters, compiled with REAL=double as grad_test is: which modules they are
 * for, gradients by central differences, and the laws that tie an adapted model
 * to its base and to what the two are merged to.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/decoder.h"
#include "appliance/model/random.h"
#include "tests/tap.h"

#include <math.h>

#define STEP	1e-5

static const struct kernels *k;

/* a decoder with an adapter, all in one place */
struct rig {
	struct device device;
	struct slab slab;
	struct weights w;
	struct adapter adapter;
	struct decoder d;
	bool *frozen;
};

static const int32_t id[] = { 1, 4, 4, 9, 0, 10, 2, 3, 5, 6, 7, 8 };
static const int32_t target[] = { 4, 4, 9, 0, 10, -1, 3, 5, 6, 7, 8, 1 };

static void
shape_of(struct shape *s, enum family family, bool tied)
{
	*s = (struct shape){ .family = family, .V = 11, .T = 6, .C = 8, .L = 2,
	    .H = 4, .G = family == FAMILY_GPT2 ? 4 : 2, .D = 2, .F = 10,
	    .eps = 1e-5, .tied = tied };
	shape_family(s, family);
	s->qkv_bias = s->out_bias = s->mlp_bias = true;
}

/* rig_new - c NULL: no adapter, nothing frozen.  The base's numbers are far
 * from any symmetry, and the same in every rig of that shape */
static struct rig *
rig_new(struct arena *a, enum family family, bool tied,
    const struct adapter_conf *c, bool recompute)
{
	struct rig *r = arena_alloc(a, sizeof(*r));
	struct decoder_conf conf = { .B = 2, .T = 6, .recompute = recompute };
	struct shape s;
	struct err e;

	shape_of(&s, family, tied);
	weights_layout(a, &s, &r->w);
	r->device.k = k;
	r->device.dev = k->open(1, NULL, 0);
	arena_defer(a, k->close, r->device.dev);
	slab_init(&r->slab, a, &r->device);
	if (c != NULL) {
		if (adapter_check(c, &e) == -1 || adapter_plan(a, &r->w, c,
		    &r->adapter, &e) == -1)
			panic("%s", e.text);
		conf.adapter = &r->adapter;
		conf.frozen = r->frozen = arena_array(a, r->w.n,
		    sizeof(*r->frozen));
		memset(r->frozen, 1, r->w.n * sizeof(*r->frozen));
		for (size_t i = 0; i < r->adapter.nsaved; i++)
			r->frozen[weights_find(&r->w,
			    r->adapter.saved[i].at)] = false;
	}
	decoder_want(&r->d, a, &r->w, &r->slab, &conf);
	if (slab_take(&r->slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(&r->d);
	weights_init(&r->w, 3, r->d.run);
	for (size_t i = 0; i < r->w.all; i++)
		r->d.run[i] += 0.3 * random_normal(5, 1, i);
	if (c != NULL) {
		adapter_init(&r->adapter, r->d.run, 9);
		memcpy(r->d.arun, r->adapter.run, r->adapter.all *
		    sizeof(real));
	}
	return r;
}

/* rig_stir - B and the magnitudes as if training had gone on for a while */
static void
rig_stir(struct rig *r)
{
	for (size_t i = 0; i < r->adapter.all; i++)
		r->d.arun[i] += 0.2 * random_normal(6, 1, i);
	memcpy(r->adapter.run, r->d.arun, r->adapter.all * sizeof(real));
	for (size_t i = 0, at = 0; i < r->adapter.nsaved; i++) {
		const struct piece *p = &r->adapter.saved[i];
		size_t n = (p->rows == 0 ? 1 : p->rows) * p->cols;

		for (size_t j = 0; j < n; j++)
			r->d.run[p->at + j] += 0.1 * random_normal(8, i, j);
		memcpy(r->adapter.base + at, r->d.run + p->at, n *
		    sizeof(real));
		at += n;
	}
}

static double
rig_loss(struct rig *r)
{
	return decoder_run(&r->d, id, target, 0);
}

/* slope_off - the worst difference of some numbers' gradients */
static double
slope_off(struct rig *r, real *x, const real *g, size_t n, double scale)
{
	double worst = 0, up, down, slope, off;
	real *was = arena_array(r->d.arena, n, sizeof(*was)), keep;

	memcpy(was, g, n * sizeof(*was));	/* the runs below add to g */
	for (size_t i = 0; i < n; i++) {
		keep = x[i];
		x[i] = keep + STEP;
		up = decoder_run(&r->d, id, target, scale);
		x[i] = keep - STEP;
		down = decoder_run(&r->d, id, target, scale);
		x[i] = keep;
		slope = scale * (up - down) / (2 * STEP);
		off = fabs(slope - was[i]) / (1 + fabs(slope));
		worst = off > worst ? off : worst;
	}
	return worst;
}

static const char *all_names[] = { "lm_head", "q_proj", "v_proj", "o_proj",
    "up_proj", "down_proj", "c_attn", "c_proj", "c_fc" };
static const char *save_names[] = { "k_proj", "ln_f", "norm" };

/* test_slopes - every number that is trained, with dropout: scale != 0 */
static void
test_slopes(struct arena *a, enum family family, double dropout)
{
	struct adapter_conf c = { .r = 3, .alpha = 5, .dropout = dropout,
	    .target = { NULL, all_names, BASE_COUNT(all_names) },
	    .save = { NULL, save_names + (family == FAMILY_GPT2 ? 1 : 0), 1 },
	    .bias = BIAS_LORA_ONLY };
	struct rig *r = rig_new(a, family, false, &c, dropout > 0);
	double off, worst = 0;
	size_t frozen = 0;

	rig_stir(r);
	r->d.work.key = 99;
	decoder_run(&r->d, id, target, 0.5);
	off = slope_off(r, r->d.arun, r->d.agrad, r->adapter.all, 0.5);
	tap(off < 1e-6, "%s, dropout %g: gradients of %zu modules' %zu "
	    "numbers, worst difference %.1e", family == FAMILY_GPT2 ? "gpt2" :
	    "llama", dropout, r->adapter.n, r->adapter.all, off);
	k->fill(NULL, r->d.grad, r->d.ngrad, 0);
	decoder_run(&r->d, id, target, 0.5);
	for (size_t i = 0; i < r->adapter.nsaved; i++) {
		const struct piece *p = &r->adapter.saved[i];

		k->fill(NULL, r->d.grad, r->d.ngrad, 0);
		decoder_run(&r->d, id, target, 0.5);
		off = slope_off(r, r->d.run + p->at, decoder_grad(&r->d,
		    p->at), (p->rows == 0 ? 1 : p->rows) * p->cols, 0.5);
		worst = off > worst ? off : worst;
	}
	tap(worst < 1e-6, "and of %zu saved parts, worst difference %.1e",
	    r->adapter.nsaved, worst);
	for (size_t i = 0; i < r->w.n; i++)
		frozen += decoder_grad(&r->d, r->w.v[i].at) == NULL;
	tap(frozen > r->w.n / 2 && r->d.ngrad < r->w.all / 2, "%zu of %zu "
	    "parameters are frozen and have no gradient", frozen, r->w.n);
}

/* a linear layer with two DoRA modules and one LoRA module on 9 rows */
struct one {
	struct device device;
	struct linear l;
	struct linear_work work;
	struct lora lora[3];
	real *run, *grad, *x, *dx, *y, *dy;
};

#define ONE_N	9
#define ONE_K	5
#define ONE_R	4
#define ONE_RANK	2

static double
one_sum(struct one *o)
{
	double sum = 0;

	linear_forward(&o->device, &o->l, &o->work, o->y, o->x, ONE_R);
	for (size_t i = 0; i < ONE_R * ONE_N; i++)
		sum += o->y[i] * o->dy[i];
	return sum;
}

static double
one_off(struct one *o, real *x, const real *g, size_t n)
{
	double worst = 0, up, down, off;

	for (size_t i = 0; i < n; i++) {
		real was = x[i];

		x[i] = was + STEP;
		up = one_sum(o);
		x[i] = was - STEP;
		down = one_sum(o);
		x[i] = was;
		off = fabs((up - down) / (2 * STEP) - g[i]);
		worst = off > worst ? off : worst;
	}
	return worst;
}

static real *
some(struct arena *a, uint64_t stream, size_t n)
{
	real *x = arena_array(a, n + 1, sizeof(*x));

	for (size_t i = 0; i < n; i++)
		x[i] = random_normal(4, stream, i);
	return x;
}

/* test_dora - the rows' lengths count as constants, so they are not made anew
 * while the numbers move */
static void
test_dora(struct arena *a)
{
	size_t rank = 3 * ONE_RANK, na = rank * ONE_K, nb = ONE_N * ONE_RANK;
	struct one *o = arena_alloc(a, sizeof(*o));
	size_t row = 0;

	o->device.k = k;
	o->device.dev = k->open(1, NULL, 0);
	arena_defer(a, k->close, o->device.dev);
	o->run = some(a, 1, na + nb + ONE_N);
	o->grad = arena_array(a, na + nb + ONE_N, sizeof(real));
	o->x = some(a, 2, ONE_R * ONE_K);
	o->dx = some(a, 3, ONE_R * ONE_K);
	o->y = some(a, 4, ONE_R * ONE_N);
	o->dy = some(a, 5, ONE_R * ONE_N);
	o->l = (struct linear){ .N = ONE_N, .K = ONE_K, .rank = rank,
	    .w = some(a, 6, ONE_N * ONE_K), .b = some(a, 7, ONE_N),
	    .dw = some(a, 8, ONE_N * ONE_K), .db = some(a, 9, ONE_N),
	    .lora = o->lora, .nlora = 3, .h = some(a, 10, ONE_R * rank) };
	o->work = (struct linear_work){ .x = some(a, 11, ONE_R * ONE_K),
	    .dh = some(a, 12, ONE_R * rank), .dy = some(a, 13, ONE_R *
	    ONE_N) };
	for (size_t i = 0; i < 3; i++, row += 3)
		o->lora[i] = (struct lora){ .row = row, .rows = 3,
		    .r = ONE_RANK, .scale = 0.7, .dora = i != 1,
		    .a = o->run + i * ONE_RANK * ONE_K, .da = o->grad + i *
		    ONE_RANK * ONE_K, .b = o->run + na + row * ONE_RANK,
		    .db = o->grad + na + row * ONE_RANK, .m = o->run + na +
		    nb + row, .dm = o->grad + na + nb + row,
		    .norm = some(a, 14, 3), .u = some(a, 15, 3 * ONE_R) };
	memset(o->l.dw, 0, ONE_N * ONE_K * sizeof(real));
	memset(o->l.db, 0, ONE_N * sizeof(real));
	linear_norms(&o->device, &o->l, &o->work);
	linear_forward(&o->device, &o->l, &o->work, o->y, o->x, ONE_R);
	linear_backward(&o->device, &o->l, &o->work, o->dx, o->dy, o->x,
	    ONE_R);
	tap(one_off(o, o->run, o->grad, na) < 1e-7, "DoRA: gradient of A");
	tap(one_off(o, o->run + na, o->grad + na, nb) < 1e-7,
	    "DoRA: gradient of B");
	tap(one_off(o, o->run + na + nb, o->grad + na + nb, 3) < 1e-7,
	    "DoRA: gradient of the magnitude");
	tap(one_off(o, o->x, o->dx, ONE_R * ONE_K) < 1e-7,
	    "DoRA: gradient of x");
	tap(one_off(o, (real *)(uintptr_t)o->l.w, o->l.dw, ONE_N * ONE_K) <
	    1e-7 && one_off(o, (real *)(uintptr_t)o->l.b, o->l.db, ONE_N) <
	    1e-7, "DoRA: gradients of a weight that is not frozen, and bias");
}

/* test_laws - B = 0 is the base; merged is unmerged; recompute: no bit else */
static void
test_laws(struct arena *a, enum family family, bool dora, bool rslora)
{
	struct adapter_conf c = { .r = 2, .alpha = 3, .dora = dora,
	    .rslora = rslora, .target = { "all-linear", NULL, 0 },
	    .bias = BIAS_ALL };
	struct rig *base = rig_new(a, family, true, NULL, false);
	struct rig *r = rig_new(a, family, true, &c, false);
	struct rig *again = rig_new(a, family, true, &c, true);
	const char *name = family == FAMILY_GPT2 ? "gpt2" : "llama";
	double before = rig_loss(base), with = rig_loss(r), merged;
	struct err e;

	tap(dora ? fabs(before - with) < 1e-12 * before : before == with,
	    "%s%s: B = 0 is the base", name, dora ? ", DoRA" : "");
	rig_stir(r);
	rig_stir(again);
	with = rig_loss(r);
	if (adapter_merge(&r->adapter, base->d.run, &e) == -1)
		panic("%s", e.text);
	merged = rig_loss(base);
	tap(fabs(with - before) > 1e-3 && fabs(merged - with) < 1e-12 * with,
	    "merged is unmerged: %.15g %.15g", merged, with);
	decoder_run(&r->d, id, target, 0.5);
	decoder_run(&again->d, id, target, 0.5);
	tap(memcmp(r->d.agrad, again->d.agrad, r->adapter.all *
	    sizeof(real)) == 0 && memcmp(r->d.grad, again->d.grad,
	    r->d.ngrad * sizeof(real)) == 0, "recomputed: the same bits");
}

/* test_texts - side by side, their losses and gradients are those they have
 * alone, each in a sequence of its own */
static void
test_texts(struct arena *a, enum family family)
{
	static const int32_t side[] = { 1, 4, 4, 9, 0, 10, 2, 3, 0, 0, 0, 0 },
	    next[] = { 4, 4, -1, 0, 10, -1, 3, 5, -1, -1, -1, -1 },
	    from[] = { 0, 0, 0, 3, 3, 3, 0, 0, 2, 3, 4, 5 },
	    one[] = { 1, 4, 4, 0, 0, 0, 9, 0, 10, 0, 0, 0 },
	    one_next[] = { 4, 4, -1, -1, -1, -1, 0, 10, -1, -1, -1, -1 },
	    two[] = { 2, 3, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1 },
	    two_next[] = { 3, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	struct rig *r = rig_new(a, family, true, NULL, false);
	struct rig *alone = rig_new(a, family, true, NULL, false);
	double loss, sum, off = 0;

	decoder_texts(&r->d, from);
	loss = decoder_run(&r->d, side, next, 0.5);
	sum = decoder_run(&alone->d, one, one_next, 0.5);
	sum += decoder_run(&alone->d, two, two_next, 0.5);
	for (size_t i = 0; i < r->w.all; i++)
		off = fmax(off, fabs(r->d.grad[i] - alone->d.grad[i]));
	tap(fabs(loss - sum) < 1e-12 * sum && off < 1e-12, "texts side by "
	    "side: their losses and gradients as alone");
	decoder_texts(&r->d, NULL);
	tap(fabs(decoder_run(&r->d, side, next, 0) - sum) > 1e-6,
	    "and not without saying so");
}

/* test_names - PEFT's rules in cases */
static void
test_names(void)
{
	static const char *ends[] = { "q_proj", "mlp.up_proj" };
	static const struct {
		const char *expression, *name;
		bool want;
	} cases[] = {
		{ NULL, "model.layers.0.self_attn.q_proj", true },
		{ NULL, "q_proj", true },
		{ NULL, "model.layers.0.self_attn.eq_proj", false },
		{ NULL, "model.layers.0.mlp.up_proj", true },
		{ NULL, "model.layers.0.moe.up_proj", false },
		{ ".*\\.(q|v)_proj", "model.layers.0.self_attn.v_proj", true },
		{ ".*\\.(q|v)_proj", "model.layers.0.self_attn.v_proj2",
		    false },
		{ "model\\.layers\\.\\d+\\.mlp\\.(?:up|down)_proj",
		    "model.layers.17.mlp.down_proj", true },
		{ ".*?layers\\.[0-3]\\..*", "model.layers.2.mlp.up_proj",
		    true },
		{ "q_proj", "model.q_proj", false },
	};
	static const char *refused[] = { "(?!x)y", "a{2,3}", "(a", "\\bx",
	    "x\\" };
	struct match none = { NULL, NULL, 0 }, h = { NULL, NULL, 1 };
	static const char *stack[] = { "stack" };
	struct match_pattern p[] = { { "^model.decoder.layers.0.k_proj", 4 },
	    { "layers\\.1\\..*", 7 }, { "k_proj", 9 } };
	struct err e;
	size_t wrong = 0;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct match m = { cases[i].expression, ends, 2 };

		wrong += match_name(&m, cases[i].name) != cases[i].want;
	}
	tap(wrong == 0, "names, ends and expressions");
	for (size_t i = 0; i < BASE_COUNT(refused); i++)
		wrong += match_check(refused[i], &e) == 0;
	tap(wrong == 0, "what is not understood is refused");
	h.v = stack;
	tap(match_layer("model.layers.7.mlp.experts.3.w1", &none) == 7 &&
	    match_layer("h.7.attn", &none) == -1 &&
	    match_layer("transformer.h.7.attn", &none) == 7 &&
	    match_layer("stack.4.x", &h) == 4 &&
	    match_layer("model.layers.7.x", &h) == -1, "the layer of a name");
	tap(match_value(p, 3, "model.layers.1.q", 8) == 7 &&
	    match_value(p, 3, "model.layers.2.k_proj", 8) == 9 &&
	    match_value(p, 3, "model.layers.2.q", 8) == 8,
	    "rank_pattern: the first whose key matches");
}

/* test_plan - what settings choose, and what cannot be */
static void
test_plan(struct arena *a)
{
	static const char *qv[] = { "q_proj", "v_proj" }, *k_name = "k_proj",
	    *bad[] = { "query" }, *table[] = { "embed_tokens" };
	static int64_t second[] = { 1 };
	struct match_pattern eight[] = { { "v_proj", 8 } };
	struct adapter_conf c = { .r = 4, .alpha = 8, .rank = eight,
	    .nranks = 1, .alphas = eight, .nalphas = 1,
	    .target = { NULL, qv, 2 }, .layer = second, .nlayers = 1 };
	struct shape s;
	struct weights w;
	struct adapter d;
	struct err e;

	shape_of(&s, FAMILY_LLAMA, true);
	weights_layout(a, &s, &w);
	tap(adapter_plan(a, &w, &c, &d, &e) == 0 && d.n == 2 &&
	    strcmp(d.v[0].name, "model.layers.1.self_attn.q_proj") == 0 &&
	    d.v[0].r == 4 && d.v[1].r == 8 && d.v[0].scale == 2 &&
	    d.v[1].scale == 1 && d.v[1].a == 4 * s.C,
	    "a layer's modules, with ranks and alphas of their own");
	c.exclude = (struct match){ NULL, &k_name, 1 };
	c.target = (struct match){ "all-linear", NULL, 0 };
	c.nlayers = 0;
	tap(adapter_plan(a, &w, &c, &d, &e) == 0 && d.n == 12,
	    "all-linear but k_proj");
	c.target = (struct match){ NULL, bad, 1 };
	tap(adapter_plan(a, &w, &c, &d, &e) == -1 && strstr(e.text,
	    "q_proj") != NULL, "no such module: %s", e.text);
	c.target = (struct match){ NULL, table, 1 };
	tap(adapter_plan(a, &w, &c, &d, &e) == -1, "a table: %s", e.text);
	c.dora = true;
	c.dropout = 0.1;
	tap(adapter_check(&c, &e) == -1, "refused: %s", e.text);
}

int
main(void)
{
	struct arena *a = arena_new();

	k = kernels();
	test_names();
	test_plan(a);
	test_dora(a);
	test_slopes(a, FAMILY_GPT2, 0);
	test_slopes(a, FAMILY_LLAMA, 0);
	test_slopes(a, FAMILY_LLAMA, 0.3);
	test_texts(a, FAMILY_GPT2);
	test_texts(a, FAMILY_LLAMA);
	for (int i = 0; i < 4; i++) {
		test_laws(a, FAMILY_LLAMA, i & 1, i & 2);
		test_laws(a, FAMILY_GPT2, i & 1, i & 2);
	}
	arena_free(a);
	return tap_done();
}
