/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoders and their heads beside what transformers computed, on each device:
 * tests/golden/encoders/CASE, made by tests/peer/golden_encoders.py (which says
 * what is in it).  As in family_test, weights come by the names of tensors.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/contrast.h"
#include "appliance/model/encoder.h"
#include "tests/golden.h"
#include "tests/tap.h"

#include <math.h>

enum { B = 2, T = 24, R = B * T, TEXTS = 4 };

static struct arena *arena;

/* the texts of the rows: three in the first sequence, one in the second */
static const struct encoder_text texts[TEXTS] = {
	{ 0, 5 }, { 5, 9 }, { 14, 10 }, { 24, 24 }
};

/* one case: a model, what it reads, what is wanted */
struct scene {
	const char *name;
	struct weights w;
	struct golden g;
	int32_t id[R], from[R], to[R], type[R];
	int32_t row[R], target[R];
	double value[R];
	struct encoder_wanted wanted;
	size_t n;			/* rows of outputs */
};

/* rows_of - which are asked for, and what is wanted of each */
static void
rows_of(struct scene *s)
{
	const struct shape_head *h = &s->w.shape.head;
	size_t step = h->kind == HEAD_MASKED ? 3 : 2;

	s->n = h->kind == HEAD_CLASSES || h->kind == HEAD_EMBED ? TEXTS :
	    R / step;
	for (size_t i = 0; i < s->n; i++) {
		s->row[i] = s->n == TEXTS ? (int32_t)texts[i].row :
		    (int32_t)(i * step);
		s->target[i] = h->kind == HEAD_MASKED ?
		    s->id[R - 1 - i * step] : h->kind == HEAD_TAGS ?
		    (int32_t)(i * step % h->labels) : h->labels == 0 ? 0 :
		    (int32_t)(i % h->labels);
	}
	for (size_t i = 0; h->kind == HEAD_CLASSES && i < s->n * h->labels;
	    i++)
		s->value[i] = h->problem == PROBLEM_NUMBERS ?
		    golden_stream("value", i) : golden_stream("value", i) > 0;
	s->wanted = (struct encoder_wanted){ s->row, s->n, s->target,
	    h->kind == HEAD_CLASSES && h->problem != PROBLEM_ONE ? s->value :
	    NULL };
}

/* texts_of - ids, and where each row's text is */
static void
texts_of(struct scene *s)
{
	size_t V = s->w.shape.V;

	for (size_t t = 0; t < TEXTS; t++)
		for (size_t i = 0; i < texts[t].n; i++) {
			size_t r = texts[t].row + i;

			s->id[r] = (int32_t)((golden_stream("ids", r) + 1) /
			    2 * (double)(V - 3)) + 3;
			s->from[r] = (int32_t)(texts[t].row % T);
			s->to[r] = (int32_t)(texts[t].row % T + texts[t].n);
			s->type[r] = s->w.shape.types > 1 && i >= texts[t].n /
			    2;
		}
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
	s->g.floor = 1e-3;		/* of sums over whole texts */
	golden_fill(arena, &s->w, want, &s->g);
	texts_of(s);
	rows_of(s);
	return 0;
}

/* encoder_new - with the scene's weights on the device */
static void
encoder_new(struct arena *a, const struct scene *s, struct device *d,
    struct decoder_conf conf, struct decoder *c)
{
	struct slab *slab = arena_alloc(a, sizeof(*slab));
	struct err e;

	conf.B = B;
	conf.T = T;
	slab_init(slab, a, d);
	decoder_want(c, a, &s->w, slab, &conf);
	if (slab_take(slab, &e) == -1)
		panic("%s", e.text);
	decoder_ready(c);
	d->k->put(d->dev, c->run, s->g.run, s->w.all * sizeof(real));
	encoder_texts(c, s->from, s->to, s->type);
}

/* learn - loss and gradient, as the case has it, times `by` */
static double
learn(const struct scene *s, struct decoder *c, double by)
{
	const struct shape *m = &s->w.shape;
	real x[TEXTS * 64], dx[TEXTS * 64];
	double sum, scale = by / (double)s->n;

	if (m->head.kind != HEAD_EMBED)
		return encoder_run(c, s->id, &s->wanted, scale);
	encoder_embed(c, s->id, texts, TEXTS, false, x);
	sum = contrast(x, TEXTS, m->C, true, 0.05, dx);
	for (size_t i = 0; i < TEXTS * m->C; i++)
		dx[i] *= (real)scale;
	encoder_embed_grad(c, texts, TEXTS, dx);
	return sum;
}

/* test_half - products of 16 bits: a gradient like the other, also recomputed;
 * f16 with a scale of its loss */
static void
test_half(struct arena *a, const struct scene *s, struct device *d,
    const real *grad, enum kernel_form form)
{
	const char *name = form == FORM_BF16 ? "bf16" : "f16";
	const double scale = form == FORM_BF16 ? 1 : 256;
	const size_t all = s->w.all * sizeof(real);
	struct decoder_conf conf = { .half = true, .form = form };
	real *half = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	/* PyTorch's autocast loses twice as much (tests/peer/half.py) */
	const double most = form == FORM_BF16 ? 2e-4 : 1e-5;
	double whole, worst, loss, want;
	struct decoder c;

	sscanf(s->g.want, "loss %lf", &want);
	encoder_new(a, s, d, conf, &c);
	loss = learn(s, &c, scale);
	d->k->get(d->dev, half, c.grad, all);
	conf.recompute = true;
	encoder_new(a, s, d, conf, &c);
	learn(s, &c, scale);
	d->k->get(d->dev, again, c.grad, all);
	golden_angles(&s->w, grad, half, &whole, &worst);
	tap(whole < most && worst < 10 * most && worst > 1e-8 &&
	    fabs(loss / want - 1) < (form == FORM_F16 ? 1e-3 : 1e-2) &&
	    memcmp(half, again, all) == 0, "%s on %s in %s: the gradient's "
	    "cosine 1 - %.1e, a tensor's 1 - %.1e, loss %.1e; recomputed, "
	    "the same bits", s->name, d->k->name, name, whole, worst, loss /
	    want - 1);
}

static void
test_case(const struct scene *s, struct device *d)
{
	struct arena *a = arena_new();
	size_t width = s->w.shape.head.kind == HEAD_EMBED ? s->w.shape.C :
	    weights_head_rows(&s->w);
	size_t all = s->w.all * sizeof(real);
	real *out = arena_array(a, s->n * width, sizeof(real));
	real *grad = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	struct decoder c, lean;
	double sum, want, off;
	const char *which = "";

	encoder_new(a, s, d, (struct decoder_conf){ .B = B }, &c);
	sscanf(s->g.want, "loss %lf", &want);
	if (s->w.shape.head.kind == HEAD_EMBED)
		encoder_embed(&c, s->id, texts, TEXTS, false, out);
	else
		encoder_outputs(&c, s->id, s->row, s->n, out);
	off = golden_rows(&s->g, out, s->n, width);
	sum = learn(s, &c, 1);
	tap(off < 1e-5 && fabs(sum - want) < 1e-5 * want, "%s on %s: outputs "
	    "%.1e, loss %.1e", s->name, d->k->name, off, fabs(sum - want) /
	    want);
	d->k->get(d->dev, grad, c.grad, all);
	off = golden_grads(arena, &s->g, grad, &which);
	tap(off < 1e-4, "%s on %s: gradients of all tensors %.1e %s", s->name,
	    d->k->name, off, which);
	encoder_new(a, s, d, (struct decoder_conf){ .recompute = true },
	    &lean);
	learn(s, &lean, 1);
	d->k->get(d->dev, again, lean.grad, all);
	tap(memcmp(grad, again, all) == 0, "%s on %s: recomputed, the same "
	    "bits", s->name, d->k->name);
	/* ref's and the CPU's rounding are the same (half_test) */
	test_half(a, s, d, grad, strcmp(d->k->name, "ref") == 0 ? FORM_F16 :
	    FORM_BF16);
	arena_free(a);
}

static void
test_both(const char *name, int dir, struct device *const device[2])
{
	struct scene s = { .name = name };

	if (scene_read(&s, dir) == 0) {
		test_case(&s, device[0]);
		test_case(&s, device[1]);
	}
	arena_reset(arena);
}

/* what is refused, and how */
static void
test_refused(void)
{
	static const char *const bad[][2] = {
		{ "\"mpnet\", \"relative_attention_num_buckets\": 16",
		    "'relative_attention_num_buckets' is 16" },
		{ "\"deberta-v2\"", "'model_type' is \"deberta-v2\"" },
		{ "\"bert\", \"position_embedding_type\": \"relative_key\"",
		    "'position_embedding_type' is \"relative_key\"" },
	};
	struct shape s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(bad); i++) {
		const char *json = arena_printf(arena, "{\"vocab_size\": 43, "
		    "\"model_type\": %s}", bad[i][0]);

		e.text[0] = '\0';
		tap(shape_parse(view_of(json), &s, &e) == -1 && strstr(e.text,
		    bad[i][1]) != NULL, "refused: %s", e.text);
	}
}

int
main(int argc, char **argv)
{
	arena = arena_new();
	tap(golden_each("encoders", argc > 1 ? argv[1] : NULL, test_both) > 0,
	    "there are cases");
	test_refused();
	arena_free(arena);
	return tap_done();
}
