/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoder-decoders beside what transformers computed, on each device:
 * tests/golden/t5/CASE, made by tests/peer/golden_t5.py (which says what is in
 * it).  As in family_test, weights come by the names of tensors.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/decoder_parts.h"
#include "appliance/model/t5.h"
#include "appliance/model/t5_predict.h"
#include "appliance/model/t5_shape.h"
#include "tests/golden.h"
#include "tests/tap.h"

#include <math.h>
#include <stdlib.h>

enum { B = 2, T = 24, T2 = 18, R = B * T, R2 = B * T2, TEXTS = 4, FAR = 40,
	TARGETS = 4 + 7 + 6 + 16 };

static struct arena *arena;

/* inputs and targets of the rows: three in the first sequence, one in the
 * second; where in it each begins */
static const struct {
	size_t b, at, n, to, m;
} texts[TEXTS] = {
	{ 0, 0, 5, 0, 4 }, { 0, 5, 9, 4, 7 }, { 0, 14, 10, 11, 6 },
	{ 1, 0, 20, 0, 16 }
};

struct scene {
	const char *name;
	struct weights w;
	struct golden g;
	int32_t id[R], from[R], to[R];
	int32_t out[R2], own_from[R2], own_to[R2], in_from[R2], in_to[R2];
	int32_t target[R2];
	size_t row[TARGETS];		/* of each target */
	struct t5_micro micro;
};

static int32_t
word(const struct scene *s, const char *stream, size_t i)
{
	return (int32_t)((golden_stream(stream, i) + 1) / 2 *
	    (double)(s->w.shape.V - 3)) + 3;
}

/* texts_of - ids and targets, and which rows see which */
static void
texts_of(struct scene *s)
{
	size_t r, in = 0, out = 0;

	for (size_t t = 0; t < TEXTS; t++) {
		for (size_t i = 0; i < texts[t].n; i++) {
			r = texts[t].b * T + texts[t].at + i;
			s->id[r] = word(s, "ids", in++);
			s->from[r] = (int32_t)texts[t].at;
			s->to[r] = (int32_t)(texts[t].at + texts[t].n);
		}
		for (size_t i = 0; i < texts[t].m; i++) {
			r = texts[t].b * T2 + texts[t].to + i;
			s->row[out] = r;
			s->out[r] = i == 0 ? s->w.shape.begin :
			    s->target[r - 1];
			s->target[r] = word(s, "targets", out++);
			s->own_from[r] = (int32_t)texts[t].to;
			s->own_to[r] = (int32_t)(texts[t].to + i + 1);
			s->in_from[r] = (int32_t)texts[t].at;
			s->in_to[r] = (int32_t)(texts[t].at + texts[t].n);
		}
	}
	s->micro = (struct t5_micro){ s->id, s->out, { s->from, s->to },
	    { s->own_from, s->own_to }, { s->in_from, s->in_to }, s->target };
}

/* test_buckets - one line: the numbers of all distances */
static void
test_buckets(const struct scene *s, const char *line, bool both)
{
	const struct shape *m = &s->w.shape;
	const char *p = strstr(s->g.want, line);
	char *end;
	size_t bad = 0;

	p = p == NULL ? "" : p + strlen(line);
	for (int64_t i = -FAR; i <= FAR; i++) {
		bad += strtol(p, &end, 10) != t5_bucket(i, both, m->buckets,
		    m->far) || end == p;
		p = end;
	}
	tap(bad == 0, "%s: the buckets of distances, %s", s->name, both ?
	    "both ways" : "backwards");
}

static int
scene_read(struct scene *s, int dir)
{
	struct shape a;
	const char *want;
	struct err e = { .text = "" };
	int rc = golden_shape(arena, dir, &a, &want, &e);

	tap(rc == 0, "%s: all spellings of config.json mean the same %s",
	    s->name, e.text);
	if (rc == -1)
		return -1;
	weights_layout(arena, &a, &s->w);
	s->g.floor = 1e-6;
	golden_fill(arena, &s->w, want, &s->g);
	for (size_t r = 0; r < R2; r++)
		s->target[r] = -1;
	texts_of(s);
	test_buckets(s, "\nbucket both ", true);
	test_buckets(s, "\nbucket back ", false);
	return 0;
}

/* model_new - with the scene's weights on the device */
static void
model_new(struct arena *a, const struct scene *s, struct device *d,
    struct decoder_conf conf, struct decoder *c)
{
	struct slab *slab = arena_alloc(a, sizeof(*slab));
	struct err e;

	conf.B = B;
	conf.T = T;
	conf.targets = T2;
	slab_init(slab, a, d);
	decoder_want(c, a, &s->w, slab, &conf);
	if (slab_take(slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(c);
	d->k->put(d->dev, c->run, s->g.run, s->w.all * sizeof(real));
}

/* logits_keep - a judge: the logits of rows that have a target */
static void
logits_keep(struct decoder *c, size_t row, size_t n, double scale, void *arg)
{
	const struct device *d = c->device;
	size_t V = c->w->shape.V;

	(void)scale;
	d->k->get(d->dev, (real *)arg + row * V, c->logits, n * V *
	    sizeof(real));
}

/* outputs - the worst row of logits */
static double
outputs(struct arena *a, const struct scene *s, struct decoder *c)
{
	size_t V = s->w.shape.V;
	real *all = arena_array(a, R2 * V, sizeof(real));
	real *out = arena_array(a, TARGETS * V, sizeof(real));

	t5_forward(c, &s->micro, false);
	decoder_head(c, s->target, logits_keep, all, 0);
	for (size_t i = 0; i < TARGETS; i++)
		memcpy(out + i * V, all + s->row[i] * V, V * sizeof(real));
	return golden_rows(&s->g, out, TARGETS, V);
}

/* test_half - products of 16 bits: a gradient like the other, also recomputed;
 * f16 with a scale of its loss */
static void
test_half(struct arena *a, const struct scene *s, struct device *d,
    const real *grad, enum kernel_form form)
{
	const char *name = form == FORM_BF16 ? "bf16" : "f16";
	const double scale = (form == FORM_BF16 ? 1.0 : 256.0) / TARGETS;
	const size_t all = s->w.all * sizeof(real);
	struct decoder_conf conf = { .half = true, .form = form };
	real *half = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	/* PyTorch's autocast loses as much (tests/peer/half.py): scores, which
	 * are not scaled, are large */
	const double most = form == FORM_BF16 ? 4e-3 : 5e-4;
	double whole, worst, loss, want;
	struct decoder c;

	sscanf(s->g.want, "loss %lf", &want);
	model_new(a, s, d, conf, &c);
	loss = t5_run(&c, &s->micro, scale);
	d->k->get(d->dev, half, c.grad, all);
	conf.recompute = true;
	model_new(a, s, d, conf, &c);
	t5_run(&c, &s->micro, scale);
	d->k->get(d->dev, again, c.grad, all);
	golden_angles(&s->w, grad, half, &whole, &worst);
	tap(whole < most && worst < 5 * most && worst > 1e-8 &&
	    fabs(loss / want - 1) < (form == FORM_F16 ? 3e-4 : 2e-3) &&
	    memcmp(half, again, all) == 0, "%s on %s in %s: the gradient's "
	    "cosine 1 - %.1e, a tensor's 1 - %.1e, loss %.1e; recomputed, "
	    "the same bits", s->name, d->k->name, name, whole, worst, loss /
	    want - 1);
}

static void
test_case(const struct scene *s, struct device *d)
{
	struct arena *a = arena_new();
	size_t all = s->w.all * sizeof(real);
	real *grad = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	struct decoder c, lean;
	double sum, want, off;
	const char *which = "";

	model_new(a, s, d, (struct decoder_conf){ .B = B }, &c);
	sscanf(s->g.want, "loss %lf", &want);
	off = outputs(a, s, &c);
	sum = t5_run(&c, &s->micro, 1.0 / TARGETS);
	tap(off < 1e-5 && fabs(sum - want) < 1e-5 * want, "%s on %s: logits "
	    "%.1e, loss %.1e", s->name, d->k->name, off, fabs(sum - want) /
	    want);
	d->k->get(d->dev, grad, c.grad, all);
	off = golden_grads(arena, &s->g, grad, &which);
	tap(off < 1e-4, "%s on %s: gradients of all tensors %.1e %s", s->name,
	    d->k->name, off, which);
	model_new(a, s, d, (struct decoder_conf){ .recompute = true }, &lean);
	t5_run(&lean, &s->micro, 1.0 / TARGETS);
	d->k->get(d->dev, again, lean.grad, all);
	tap(memcmp(grad, again, all) == 0, "%s on %s: recomputed, the same "
	    "bits", s->name, d->k->name);
	for (int form = FORM_BF16; form <= FORM_F16; form++)
		test_half(a, s, d, grad, (enum kernel_form)form);
	arena_free(a);
}

/* predict_text - a text's logits, a token at a time, its input in a slot */
static void
predict_text(const struct scene *s, struct t5_predict *x, size_t t,
    size_t slot, real *out)
{
	size_t V = s->w.shape.V, in = texts[t].b * T + texts[t].at;
	size_t r = texts[t].b * T2 + texts[t].to;

	t5_predict_read(x, slot, s->id + in, texts[t].n);
	for (size_t i = 0; i < texts[t].m; i++)
		t5_predict_next(x, s->out + r + i, &(int32_t){ (int32_t)slot },
		    &(int32_t){ (int32_t)i }, 1, out + i * V);
}

/* predict_beside - all texts at once: each row's bytes are those of its text
 * alone */
static size_t
predict_beside(struct arena *a, const struct scene *s, struct t5_predict *x,
    const real *alone)
{
	size_t V = s->w.shape.V, n, apart = 0, first;
	real *out = arena_array(a, TEXTS * V, sizeof(real));
	int32_t id[TEXTS], slot[TEXTS], pos[TEXTS];

	for (size_t t = 0; t < TEXTS; t++)
		t5_predict_read(x, TEXTS - 1 - t, s->id + texts[t].b * T +
		    texts[t].at, texts[t].n);
	for (size_t i = 0; i < T2; i++) {
		n = 0;
		for (size_t t = 0; t < TEXTS; t++) {
			if (i >= texts[t].m)
				continue;
			id[n] = s->out[texts[t].b * T2 + texts[t].to + i];
			slot[n] = (int32_t)(TEXTS - 1 - t);
			pos[n++] = (int32_t)i;
		}
		if (n > 0)
			t5_predict_next(x, id, slot, pos, n, out);
		n = first = 0;
		for (size_t t = 0; t < TEXTS; first += texts[t++].m)
			if (i < texts[t].m)
				apart += memcmp(out + n++ * V, alone + (first +
				    i) * V, V * sizeof(real)) != 0;
	}
	return apart;
}

static void
test_predict(const struct scene *s, struct device *d)
{
	struct arena *a = arena_new();
	struct predict_how how = { .w = &s->w, .run = s->g.run, .images = -1,
	    .slots = TEXTS, .places = T };
	size_t V = s->w.shape.V, first = 0;
	real *out = arena_array(a, TARGETS * V, sizeof(real));
	struct t5_predict *x;
	struct err e = { .text = "" };
	double off;

	x = t5_predict_open(a, d, &how, &e);
	if (x == NULL)
		panic("%s", e.text);
	for (size_t t = 0; t < TEXTS; first += texts[t++].m)
		predict_text(s, x, t, t % 2, out + first * V);
	off = golden_rows(&s->g, out, TARGETS, V);
	tap(off < 1e-5, "%s on %s: a token at a time, logits %.1e", s->name,
	    d->k->name, off);
	tap(predict_beside(a, s, x, out) == 0, "%s on %s: beside one another, "
	    "the same bytes", s->name, d->k->name);
	arena_free(a);
}

static void
test_both(const char *name, int dir, struct device *const device[2])
{
	struct scene *s = arena_alloc(arena, sizeof(*s));

	s->name = name;
	if (scene_read(s, dir) == 0) {
		for (size_t i = 0; i < 2; i++) {
			test_case(s, device[i]);
			test_predict(s, device[i]);
		}
	}
	arena_reset(arena);
}

/* what is refused, and how */
static void
test_refused(void)
{
	static const struct {
		const char *more, *says;
	} bad[] = {
		{ "\"feed_forward_proj\": \"gated-mish\"", "feed_forward_proj" },
		{ "\"relative_attention_num_buckets\": 7", "buckets" },
		{ "\"relative_attention_max_distance\": 16", "buckets" },
		{ "\"is_encoder_decoder\": false", "is_encoder_decoder" },
		{ "\"decoder_start_token_id\": 43", "decoder_start_token_id" },
		{ "\"num_decoder_layers\": 2000", "proportion" },
	};
	struct shape s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(bad); i++) {
		const char *json = arena_printf(arena, "{\"model_type\": "
		    "\"t5\", \"vocab_size\": 43, %s}", bad[i].more);

		e.text[0] = '\0';
		tap(shape_parse((struct view){ json, strlen(json) }, &s,
		    &e) == -1 && strstr(e.text, bad[i].says) != NULL,
		    "refused: %s", e.text);
	}
}

int
main(int argc, char **argv)
{
	arena = arena_new();
	tap(golden_each("t5", argc > 1 ? argv[1] : NULL, test_both) > 0,
	    "there are cases");
	test_refused();
	arena_free(arena);
	return tap_done();
}
