/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models of every family beside what transformers computed for them, on each
 * device: tests/golden/models/CASE, made by tests/peer/golden_models.py (which
 * says what is in it).  Weights come from a generator that both sides have, by
 * the names of tensors: names, pieces and places are under test as well.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/engine/quant.h"
#include "appliance/model/decoder.h"
#include "appliance/model/predict.h"
#include "tests/golden.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

enum { B = 2, T = 24 };

static struct arena *arena;

/* one case: a model, what it reads, what is wanted */
struct scene {
	const char *name;
	struct weights w;
	struct golden g;
	int32_t id[B * T], target[B * T];
};

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
	s->g.floor = 1e-4;
	golden_fill(arena, &s->w, want, &s->g);
	for (size_t i = 0; i < B * T; i++)
		s->id[i] = (int32_t)((golden_stream("ids", i) + 1) / 2 *
		    (double)a.V);
	for (size_t i = 0; i < B * T; i++)
		s->target[i] = i % T == T - 1 ? -1 : s->id[i + 1];
	return 0;
}

/* decoder_new - with the scene's weights on the device */
static void
decoder_new(struct arena *a, const struct scene *s, struct device *d,
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
	d->k->put(d->dev, c->run, s->g.run, s->w.all * sizeof(*s->g.run));
}

/* test_half - products of 16 bits; f16 with a scale of its loss */
static void
test_half(struct arena *a, const struct scene *s, struct device *d,
    const real *grad, enum kernel_form form)
{
	const char *name = form == FORM_BF16 ? "bf16" : "f16";
	const double scale = form == FORM_BF16 ? 1 : 256;
	const size_t all = s->w.all * sizeof(real);
	real *half = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	struct decoder c, lean;
	double whole, worst, loss, want;
	/* PyTorch's autocast loses as much (tests/peer/half.py), most by Gemma's
	 * large rows, by signs before OPT's ReLU and by a row that goes to
	 * another of Qwen3's experts */
	const double most = form == FORM_F16 ? 1e-4 : s->w.shape.embed_scale
	    != 0 ? 1e-2 : 1e-3;
	const double tensor = form == FORM_F16 ? 3e-4 : s->w.shape.E > 0 ?
	    4e-2 : 2e-2;

	sscanf(s->g.want, "loss %lf", &want);
	decoder_new(a, s, d, (struct decoder_conf){ .half = true,
	    .form = form }, &c);
	decoder_new(a, s, d, (struct decoder_conf){ .half = true,
	    .form = form, .recompute = true }, &lean);
	loss = decoder_run(&c, s->id, s->target, scale / (B * (T - 1)));
	decoder_run(&lean, s->id, s->target, scale / (B * (T - 1)));
	d->k->get(d->dev, half, c.grad, all);
	d->k->get(d->dev, again, lean.grad, all);
	golden_angles(&s->w, grad, half, &whole, &worst);
	tap(whole < most && worst < tensor && worst > 1e-7 &&
	    fabs(loss / want - 1) < (form == FORM_F16 ? 1e-4 : 1e-3),
	    "%s on %s in %s: the gradient's cosine 1 - %.1e, a tensor's "
	    "1 - %.1e, loss %.1e", s->name, d->k->name, name, whole, worst,
	    loss / want - 1);
	tap(memcmp(half, again, all) == 0, "%s on %s in %s: recomputed, the "
	    "same bits", s->name, d->k->name, name);
}

static void
test_train(const struct scene *s, struct device *d)
{
	struct arena *a = arena_new();
	size_t n = B * T * s->w.shape.V, all = s->w.all * sizeof(real);
	real *logits = arena_array(a, n, sizeof(real));
	real *grad = arena_array(a, s->w.all, sizeof(real));
	real *again = arena_array(a, s->w.all, sizeof(real));
	struct decoder c, lean;
	double sum, want, off;
	const char *which = "";

	decoder_new(a, s, d, (struct decoder_conf){ .B = B }, &c);
	sscanf(s->g.want, "loss %lf", &want);
	sum = decoder_run(&c, s->id, s->target, 0);
	d->k->get(d->dev, logits, c.logits, n * sizeof(real));
	off = golden_rows(&s->g, logits, B * T, s->w.shape.V);
	tap(off < 1e-5 && fabs(sum - want) < 1e-5 * want, "%s on %s: logits "
	    "%.1e, loss %.1e", s->name, d->k->name, off, fabs(sum - want) /
	    want);
	decoder_run(&c, s->id, s->target, 1.0 / (B * (T - 1)));
	d->k->get(d->dev, grad, c.grad, all);
	off = golden_grads(arena, &s->g, grad, &which);
	tap(off < 1e-4, "%s on %s: gradients of all tensors %.1e %s", s->name,
	    d->k->name, off, which);
	decoder_new(a, s, d, (struct decoder_conf){ .recompute = true },
	    &lean);
	decoder_run(&lean, s->id, s->target, 1.0 / (B * (T - 1)));
	d->k->get(d->dev, again, lean.grad, all);
	tap(memcmp(grad, again, all) == 0, "%s on %s: recomputed, the same "
	    "bits", s->name, d->k->name);
	for (int form = FORM_BF16; form <= FORM_F16; form++)
		test_half(a, s, d, grad, (enum kernel_form)form);
	arena_free(a);
}

/* predict_cut - all rows in calls of n, of both sequences in turn */
static real *
predict_cut(struct arena *a, const struct scene *s, struct predict *p,
    size_t n)
{
	size_t V = s->w.shape.V;
	real *out = arena_array(a, B * T * V, sizeof(*out));
	real *got = arena_array(a, B * T * V, sizeof(*got));
	int32_t id[B * T], slot[B * T], pos[B * T], want[B * T];
	struct predict_rows rows = { .id = id, .slot = slot, .pos = pos,
	    .want = want };

	for (size_t t = 0; t < T; t += n) {
		rows.n = 0;
		for (size_t b = 0; b < B; b++)
			for (size_t i = t; i < t + n && i < T; i++) {
				id[rows.n] = s->id[b * T + i];
				slot[rows.n] = (int32_t)b;
				pos[rows.n] = (int32_t)i;
				want[rows.n] = (int32_t)rows.n;
				rows.n++;
			}
		rows.nwant = rows.n;
		predict_logits(p, &rows, got);
		for (size_t r = 0; r < rows.n; r++)
			memcpy(out + ((size_t)slot[r] * T + (size_t)pos[r]) *
			    V, got + r * V, V * sizeof(*out));
	}
	return out;
}

static void
test_predict(const struct scene *s, struct device *d)
{
	struct arena *a = arena_new();
	struct err e;
	struct predict *p = predict_open(a, d, &s->w, s->g.run, B, T, B * T,
	    B * T, &e);
	size_t bytes = B * T * s->w.shape.V * sizeof(real);
	real *whole, *pieces;
	double off;

	if (p == NULL)
		panic("%s", e.text);
	whole = predict_cut(a, s, p, T);
	off = golden_rows(&s->g, whole, B * T, s->w.shape.V);
	tap(off < 1e-5, "%s on %s: looking forward %.1e", s->name, d->k->name,
	    off);
	pieces = predict_cut(a, s, p, 5);
	tap(memcmp(whole, pieces, bytes) == 0 && memcmp(whole, predict_cut(a,
	    s, p, 1), bytes) == 0, "%s on %s: however the texts are cut",
	    s->name, d->k->name);
	arena_free(a);
}

/* predict_of - quantised, of the run or of what weights_write made of it */
static struct predict *
predict_of(struct arena *a, const struct scene *s, struct device *d,
    enum packed_form form, const struct tensors *t, int images)
{
	struct predict_how how = { .form = form, .w = &s->w, .run = t == NULL ?
	    s->g.run : NULL, .tensors = t, .config = s->w.shape.source,
	    .images = images, .slots = B, .places = T, .rows = B * T,
	    .wanted = B * T };
	struct err e;
	struct predict *p = predict_packed(a, d, &how, &e);

	if (p == NULL)
		panic("%s", e.text);
	return p;
}

/* test_image - from a file of tensors the same as from the run, whether packed
 * in memory, into an image, or from that image; another file is another image;
 * a damaged head is no image */
static void
test_image(const struct scene *s, struct device *d, const real *want)
{
	struct arena *a = arena_new();
	size_t bytes = B * T * s->w.shape.V * sizeof(real);
	const char *dir = tap_dir();
	char **name;
	struct predict *p[4];
	struct tensors t;
	struct err e = { .text = "" };
	size_t n, images[3] = { 0 };
	int at = file_dir(AT_FDCWD, dir, &e), fd;
	bool same = at != -1;

	for (size_t i = 0; same && i < 4; i++) {
		if (i != 2 && i != 3 && (weights_write(a, &s->w, s->g.run, at,
		    &e) == -1 || tensors_open(a, at, "model.safetensors", &t,
		    &e) == -1))
			break;
		p[i] = predict_of(a, s, d, PACKED_Q8, &t, i == 0 ? -1 : at);
		same &= memcmp(predict_cut(a, s, p[i], T), want, bytes) == 0;
		same &= p[i]->check == p[0]->check;
		if (i > 0 && file_list(a, at, ".", &name, &n, &e) == 0)
			images[i - 1] = n - 1;
		if (i != 2)
			continue;
		for (size_t k = 0; k < n; k++)
			if (strstr(name[k], ".quernpak") != NULL &&
			    (fd = openat(at, name[k], O_WRONLY)) != -1)
				same &= pwrite(fd, "x", 1, 0) == 1 &&
				    close(fd) == 0;
	}
	tap(same && images[0] == 1 && images[1] == 1 && images[2] == 1,
	    "%s: from a file and its image the same; %zu, %zu, %zu images %s",
	    s->name, images[0], images[1], images[2], e.text);
	arena_free(a);
	if (at != -1)
		close(at);
	file_remove(AT_FDCWD, dir, &e);
}

/* is_float - what is not rounded with the other matrices */
static bool
is_float(const struct weights *w, const struct weight *v)
{
	for (size_t i = 0; i < w->shape.L; i++) {
		if (v->at == w->layer[i].shared_gate)
			return false;
		if (v->at == w->layer[i].router)
			return true;
	}
	return v->rows == 1 || v->at == w->place;
}

/* rounded - the run with its matrices as a form has them */
static real *
rounded(struct arena *a, const struct scene *s, enum packed_form form)
{
	real *run = arena_copy(a, s->g.run, s->w.all * sizeof(*run));
	const struct quant *q8 = quant_named("q8_0"), *q;
	unsigned char raw[34];
	float x[32], y[32];

	for (size_t i = 0; i < s->w.n; i++) {
		const struct weight *v = &s->w.v[i];

		q = form == PACKED_Q8 || v->at == s->w.token ||
		    v->at == s->w.head ? q8 : quant_named("q4_0");
		if (is_float(&s->w, v))
			continue;
		for (size_t k = 0; k < v->rows * v->cols; k += 32) {
			size_t left = v->cols - k % v->cols;
			size_t n = left < 32 ? left : 32;

			memset(x, 0, sizeof(x));
			memcpy(x, run + v->at + k, n * sizeof(*x));
			q->encode(x, raw, 1);
			q->decode(raw, y, 1);
			memcpy(run + v->at + k, y, n * sizeof(*y));
			k -= 32 - n;
		}
	}
	return run;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* middle - the median of how far rows of logits are from another's, by norms:
 * a few rows may have chosen another expert */
static double
middle(const struct scene *s, const real *x, const real *y)
{
	double far[B * T];

	for (size_t r = 0; r < B * T; r++) {
		double off = 0, all = 0;

		for (size_t i = 0; i < s->w.shape.V; i++, x++, y++) {
			off += pow((double)*x - (double)*y, 2);
			all += pow((double)*y, 2);
		}
		far[r] = sqrt(off / all);
	}
	qsort(far, B * T, sizeof(*far), by_size);
	return far[B * T / 2];
}

/* test_quantised - near what floats give with weights rounded in the same way:
 * only activations are rounded besides; and the same however texts are cut */
static void
test_quantised(struct scene *s, struct device *d)
{
	size_t bytes = B * T * s->w.shape.V * sizeof(real);

	for (enum packed_form f = PACKED_Q8; f <= PACKED_Q4; f++) {
		struct arena *a = arena_new();
		struct predict *p = predict_of(a, s, d, f, NULL, -1);
		real *whole = predict_cut(a, s, p, T), *run = s->g.run;
		double off;

		s->g.run = rounded(a, s, f);
		off = middle(s, whole, predict_cut(a, s, predict_of(a, s, d,
		    PACKED_F32, NULL, -1), T));
		s->g.run = run;
		tap(off < 0.06, "%s on %s: in %s %.1e", s->name, d->k->name,
		    packed_names[f], off);
		tap(memcmp(whole, predict_cut(a, s, p, 5), bytes) == 0 &&
		    memcmp(whole, predict_cut(a, s, p, 1), bytes) == 0,
		    "%s on %s: in %s however the texts are cut", s->name,
		    d->k->name, packed_names[f]);
		if (f == PACKED_Q8)
			test_image(s, d, whole);
		arena_free(a);
	}
}

static void
test_case(const char *name, int dir, struct device *const device[2])
{
	struct scene s = { .name = name };

	if (scene_read(&s, dir) == 0) {
		for (int i = 0; i < 2; i++) {
			test_train(&s, device[i]);
			test_predict(&s, device[i]);
		}
		test_quantised(&s, device[1]);
	}
	arena_reset(arena);
}

int
main(int argc, char **argv)
{
	arena = arena_new();
	tap(golden_each("models", argc > 1 ? argv[1] : NULL, test_case) > 0,
	    "there are cases");
	arena_free(arena);
	return tap_done();
}
