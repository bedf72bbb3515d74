/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held matrices: NF4 beside bitsandbytes' (tests/peer/nf4.py prints the table),
 * every device's widen beside the plain one, linear layers and whole decoders
 * with held weights beside the same numbers as reals.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/engine/nf4.h"
#include "appliance/engine/quant.h"
#include "appliance/model/decoder.h"
#include "appliance/model/random.h"
#include "kernels/held.h"
#include "tests/emulated.h"
#include "tests/tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN	((size_t)64 * 600)

/* the scales' bytes as bitsandbytes has them */
static const char golden_bytes[] =
    "03070b0e1216191e2126292d2f35383d40555bb8bec5c8cbd1d1d6dbe0e1e8e6"
    "eef1f8f7ff03070a0f1216191e2126292d3233383d4451a7a7c0c4c9cad0cfd7"
    "d8e1e1e7ebeceff8f9fd03060a0e12161a1d21252a2c3133383a4851a2b6bfc2"
    "c9cbcfd5d5d9e0e3e5edeaf2f0fbfb03070a0e12161a1e21242a2d3135373b46"
    "5699bbbcc4c4ccced5d7dadbe4e5ebeef0f2fcfc03070a0f11161a1e2125272d"
    "3035383c3e5a6eb7c0c3c5cecfd3d8d9e0dfe6eaf0f0f7f4fe03070a0e111619"
    "1e21252a2c3035393b474a9fb2c1c3c9c8d0d2d9dadfdee8e8f0f2f5fcfa0307"
    "0b0e12151a1e22252a2b31333a3c4348a4abc1c4c7cdcdd2d8dbdde5e3e9eef3"
    "f2faf704080c0f13171a1e2326292e3034393d405d5eb4b7c5c6ccccd3d3dcdd"
    "e3e6e8eaf3f4f8fe04080c0f13171a1e2126292e3135373d3f58a2afbbc5c7cb"
    "d0d1d5dcdee1e8e6eeebf5f7ff04080b0f13171b1e2127292d3234393a4254a6"
    "aec1c0c8cad1d2d7d6dfe0e7e9ecedf7f7fd04080c0f13171b1e22242a2d3234"
    "393a464fa5b3c0c5c5cad0d3d5dcdbe1e5ebebf2f0f9fb04080c0f13161b1e22"
    "26292d3135383e3e53a0b7bec5c4cbccd5d5dbdfe0e3ebedf1f6f6fa04080b10"
    "12171b1f2126282d3036383d445160babfc4c9cacdd4d7d9e0dfe6e4eeeff7f4"
    "fc04080b0f13171a1f22262a2d3036393c484da2a3c0c3c9cbcfcfd8d9dfe2e5"
    "e7f1f1f7fbfc02060a0e12151a1c21252a2c3132393b46559aa8c2c3c8ccced5"
    "d4dbdfe5e5ece9f3f5fdfd02060a0e1216191c2224292d3035363c415a6db8b7"
    "c4c7cecfd4d3dcdde5e6eaf0eff4fbff02060a0e1216191e";

static struct arena *arena;

/* number - of nf4.py: exact in both languages */
static float
number(uint64_t i)
{
	float u = (float)((uint32_t)(i * 2654435761u) >> 8) / 16777216.f;
	float x = u - 0.5f;

	return x * x * x * ((float)(i / 64 % 37 + 1) / 64.f);
}

static uint64_t
fold(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = h * 31 + p[i];
	return h;
}

/* a matrix in one form, all of it on the host */
static struct kernel_held
hold(const float *x, size_t n, enum kernel_form form, bool doubled)
{
	struct kernel_held h = { .form = form };
	float *scale = arena_array(arena, nf4_scales(n), sizeof(*scale));
	float *map = arena_array(arena, NF4_MAP, sizeof(*map));
	float *step = arena_array(arena, nf4_steps(n), sizeof(*step));
	uint8_t *data = arena_array(arena, n, 2);
	uint8_t *byte = arena_array(arena, nf4_scales(n), 1);

	h.data = data;
	if (form != FORM_NF4) {
		quant_form(form == FORM_BF16 ? GGUF_FORM_BF16 :
		    GGUF_FORM_F16)->encode(x, data, n);
		return h;
	}
	nf4_encode(x, n, data, scale);
	h.scale = scale;
	if (!doubled)
		return h;
	nf4_map(map);
	h.scale = NULL;
	h.map = map;
	h.byte = byte;
	h.step = step;
	h.mean = nf4_double(scale, nf4_scales(n), map, byte, step);
	return h;
}

static void
errors(const struct kernel_held *h, const float *x, double *squares,
    double *lost)
{
	*squares = *lost = 0;
	for (size_t i = 0; i < GOLDEN; i++) {
		double y = (double)held_number(h, i);

		*squares += y * y;
		*lost += (y - (double)x[i]) * (y - (double)x[i]);
	}
}

/* bytes_off - how many are not bitsandbytes'; 1000 if one is not beside it */
static size_t
bytes_off(const struct kernel_held *h)
{
	size_t off = 0;
	unsigned want;

	for (size_t i = 0; i < nf4_scales(GOLDEN); i++) {
		sscanf(golden_bytes + 2 * i, "%2x", &want);
		off += abs((int)h->byte[i] - (int)want) > 1 ? 1000 :
		    h->byte[i] != want;
	}
	return off;
}

static bool
near(double x, double want, double within)
{
	return fabs(x - want) <= within * fabs(want);
}

static void
test_golden(void)
{
	static const double steps[] = { 0.0355579108, 0.0361630991,
	    0.0352530703 };
	float *x = arena_array(arena, GOLDEN, sizeof(*x));
	struct kernel_held one, two;
	double squares, lost;
	bool ok = true;

	for (size_t i = 0; i < GOLDEN; i++)
		x[i] = number(i);
	one = hold(x, GOLDEN, FORM_NF4, false);
	tap(fold(one.data, GOLDEN / 2) == 0x0247000998bb3119, "codes of %zu "
	    "numbers are bitsandbytes'", GOLDEN);
	errors(&one, x, &squares, &lost);
	tap(near(squares, 9.97188956188, 1e-9) && near(lost, 0.0895542128039,
	    1e-9), "and so are the numbers they stand for");
	two = hold(x, GOLDEN, FORM_NF4, true);
	/* of two bytes that are as near it does not always take the nearer */
	tap(bytes_off(&two) <= 2 && near((double)two.mean, 0.0358022228,
	    2e-7), "double quantised: its bytes, all but %zu of %zu, and its "
	    "mean", bytes_off(&two), nf4_scales(GOLDEN));
	for (size_t i = 0; i < BASE_COUNT(steps); i++)
		ok &= near((double)two.step[i], steps[i], 1e-6);
	errors(&two, x, &squares, &lost);
	tap(ok && near(squares, 9.97451485987, 1e-4) && near(lost,
	    0.0896735136489, 1e-4), "its steps and its numbers");
}

/* test_halves - all there are, by IEEE 754's formula */
static void
test_halves(void)
{
	size_t wrong = 0;

	for (uint32_t h = 0; h < 65536; h++) {
		int exp = h >> 10 & 31, frac = h & 1023;
		float x = half_f16((uint16_t)h);
		float y = exp == 31 ? frac != 0 ? NAN : HUGE_VALF :
		    ldexpf((float)(exp == 0 ? frac : frac + 1024),
		    (exp == 0 ? 1 : exp) - 25);

		y = h >> 15 ? -y : y;
		wrong += isnan(y) ? !isnan(x) : x != y ||
		    signbit(x) != signbit(y);
	}
	tap(wrong == 0, "all 65536 halves");
}

static void
test_widen(const struct device *d, const char *name, size_t R, size_t K)
{
	size_t n = R * K;
	float *x = arena_array(arena, n, sizeof(*x));
	int32_t row[] = { 3, 0, 3, (int32_t)R - 1 };
	real *y = arena_array(arena, n, sizeof(*y));
	double off = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = (float)random_normal(3, K, i);
	for (int form = 0; form < 4; form++) {
		struct kernel_held h = hold(x, n, form < 2 ? (enum kernel_form)
		    form : FORM_NF4, form == 3);

		d->k->widen(d->dev, y, &h, NULL, 1, R - 1, K);
		for (size_t i = 0; i < n - K; i++)
			off = fmax(off, fabs((double)(y[i] - held_number(&h,
			    K + i))));
		d->k->widen(d->dev, y, &h, row, 0, BASE_COUNT(row), K);
		for (size_t i = 0; i < BASE_COUNT(row) * K; i++)
			off = fmax(off, fabs((double)(y[i] - held_number(&h,
			    (size_t)row[i / K] * K + i % K))));
	}
	tap(off < 1e-6, "%s widen, %zu rows of %zu: %.1e", name, R, K, off);
}

#define LIN_N	((size_t)1100)
#define LIN_K	((size_t)1000)		/* more than one tile */
#define LIN_R	((size_t)3)

/* a layer of two held parts, or of reals, with LoRA and DoRA across both */
static void
one_linear(const struct device *d, struct linear *l, const real *run,
    struct lora *lora, real *out)
{
	struct linear_work w = { .dropout = 0 };
	real *y = out, *dx = y + LIN_R * LIN_N, *grad = dx + LIN_R * LIN_K;
	const real *x = run, *dy = run + LIN_R * LIN_K;
	size_t a = 2 * LIN_K;

	lora[0] = (struct lora){ .row = 0, .rows = 700, .r = 1, .scale = 0.5 };
	lora[1] = (struct lora){ .row = 700, .rows = 400, .r = 1,
	    .scale = 0.7, .dora = true, .m = run + 300 };
	for (size_t i = 0; i < 2; i++) {
		lora[i].a = run + 20 + i * LIN_K;
		lora[i].b = run + 50 + i * 700;
		lora[i].da = grad + i * LIN_K;
		lora[i].db = grad + a + i * 700;
	}
	lora[1].dm = grad + a + LIN_N;
	lora[1].norm = arena_array(arena, 400, sizeof(real));
	lora[1].u = arena_array(arena, LIN_R * 400, sizeof(real));
	l->lora = lora;
	l->nlora = l->rank = 2;
	l->h = arena_array(arena, LIN_R * 2, sizeof(real));
	linear_work_grow(&w, l);
	w.dh = arena_array(arena, LIN_R * 2, sizeof(real));
	w.dy = arena_array(arena, LIN_R * LIN_N, sizeof(real));
	w.wide = arena_array(arena, w.tile + 1, sizeof(real));
	linear_norms(d, l, &w);
	linear_forward(d, l, &w, y, x, LIN_R);
	linear_backward(d, l, &w, dx, dy, x, LIN_R);
}

static void
test_linear(const struct device *d, const char *name)
{
	size_t n = LIN_N * LIN_K, out = LIN_R * (LIN_N + LIN_K) + 2 * LIN_K +
	    LIN_N + 400;
	float *x = arena_array(arena, n, sizeof(*x));
	real *w = arena_array(arena, n, sizeof(*w));
	real *run = arena_array(arena, 8 * LIN_K, sizeof(*run));
	real *y = arena_array(arena, out, sizeof(*y));
	real *z = arena_array(arena, out, sizeof(*z));
	struct lora lora[2];
	struct kernel_held held[2];
	struct linear_part part[2] = { { 0, 900, &held[0] },
	    { 900, 200, &held[1] } };
	struct linear l = { .N = LIN_N, .K = LIN_K };
	double off = 0, most = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = (float)random_normal(4, 1, i) / 8;
	for (size_t i = 0; i < 8 * LIN_K; i++)
		run[i] = (real)random_normal(4, 2, i);
	held[0] = hold(x, 900 * LIN_K, FORM_NF4, true);
	held[1] = hold(x + 900 * LIN_K, 200 * LIN_K, FORM_BF16, false);
	for (size_t i = 0; i < n; i++)
		w[i] = i < 900 * LIN_K ? held_number(&held[0], i) :
		    held_number(&held[1], i - 900 * LIN_K);
	l.w = w;
	one_linear(d, &l, run, lora, y);
	l.w = NULL;
	l.part = part;
	l.nparts = 2;
	one_linear(d, &l, run, lora, z);
	for (size_t i = 0; i < out; i++) {
		off = fmax(off, fabs((double)(y[i] - z[i])));
		most = fmax(most, fabs((double)y[i]));
	}
	tap(off < 2e-6 * most, "%s: a linear layer held in two parts, forward "
	    "and back: %.1e of %.1f", name, off, most);
}

/* a base's tensors made of numbers; rounded: as they will be held */
static void
tensors_make(const struct weights *w, struct tensors *t, const real *run,
    real *rounded, enum held_form form)
{
	size_t n, most;
	struct piece *p = weights_pieces(arena, w, &n);

	*t = (struct tensors){ .n = n };
	t->v = arena_array(arena, n, sizeof(*t->v));
	for (size_t i = 0; i < n; i++) {
		size_t rows = p[i].rows == 0 ? 1 : p[i].rows;
		float *v = arena_array(arena, rows * p[i].cols, sizeof(*v));
		float *ours = arena_array(arena, rows * p[i].cols,
		    sizeof(*v));
		struct kernel_held h;

		most = rows * p[i].cols;
		for (size_t k = 0; k < most; k++) {
			ours[k] = run[p[i].at + k];
			v[piece_place(&p[i], k / p[i].cols, k % p[i].cols)] =
			    ours[k] - p[i].less_one;
		}
		t->v[i] = (struct tensor){ .name = p[i].name, .values = v,
		    .form = quant_form(GGUF_FORM_F32), .count = most,
		    .ndims = p[i].rows == 0 ? 1 : 2 };
		t->v[i].shape[0] = p[i].rows == 0 || p[i].turned ?
		    p[i].cols : p[i].rows;
		t->v[i].shape[1] = p[i].turned ? p[i].rows : p[i].cols;
		h = hold(ours, most, form == HELD_NF4 ? FORM_NF4 : FORM_F16,
		    true);
		for (size_t k = 0; k < most; k++)
			rounded[p[i].at + k] = held_number(&h, k);
	}
	tensors_sort(t);
}

/* loss_of - of a decoder; held NULL: of the run as it is */
static double
loss_of(struct device *device, const struct weights *w, struct held *held,
    const struct tensors *t, const bool *frozen, const real *run)
{
	static const int32_t id[] = { 1, 4, 4, 9, 0, 10, 2, 3, 5, 6, 7, 8 };
	static const int32_t target[] = { 4, 4, 9, 0, 10, -1, 3, 5, 6, 7, 8,
	    1 };
	struct decoder *d = arena_alloc(arena, sizeof(*d));
	struct slab *s = arena_alloc(arena, sizeof(*s));
	struct err e;

	slab_init(s, arena, device);
	decoder_want(d, arena, w, s, &(struct decoder_conf){ .B = 2, .T = 6,
	    .frozen = frozen, .held = held });
	if (slab_take(s, &e) == -1)
		panic("%s", e.text);
	decoder_ready(d);
	if (held == NULL)
		device->k->put(device->dev, d->run, run, w->all *
		    sizeof(*run));
	else if (decoder_read(d, t, &e) == -1)
		panic("%s", e.text);
	return decoder_run(d, id, target, 1);
}

static void
test_decoder(struct device *device, enum family family, enum held_form form,
    const char *name)
{
	struct shape s = { .family = family, .V = 11, .T = 6, .C = 72,
	    .L = 2, .H = 4, .G = family == FAMILY_GPT2 ||
	    family == FAMILY_NEOX ? 4 : 2, .D = 18, .F = 40, .eps = 1e-5 };
	struct weights w;
	struct tensors t;
	struct held held;
	real *run, *rounded;
	bool *frozen;
	double plain, same, got;

	shape_family(&s, family);
	weights_layout(arena, &s, &w);
	run = arena_array(arena, w.all, sizeof(*run));
	rounded = arena_array(arena, w.all, sizeof(*run));
	frozen = arena_array(arena, w.n, sizeof(*frozen));
	memset(frozen, 1, w.n * sizeof(*frozen));
	weights_init(&w, 3, run);
	for (size_t i = 0; i < w.all; i++)
		run[i] += 0.2f * (real)random_normal(5, 1, i);
	tensors_make(&w, &t, run, rounded, form);
	held_plan(arena, &w, &t, frozen, form, true, &held);
	for (size_t i = 0; i < w.n; i++)	/* what stays as it is */
		if (held.count[i] == 0)
			memcpy(rounded + w.v[i].at, run + w.v[i].at,
			    w.v[i].rows * w.v[i].cols * sizeof(*run));
	plain = loss_of(device, &w, NULL, NULL, frozen, run);
	same = loss_of(device, &w, NULL, NULL, frozen, rounded);
	got = loss_of(device, &w, &held, &t, frozen, NULL);
	tap(held.n > 6 && near(got, same, 1e-6) && fabs(got - plain) > 1e-6,
	    "%s in %s: loss %.6f as of rounded reals %.6f, not of the base's "
	    "%.6f", name, form == HELD_NF4 ? "NF4" : "halves", got, same,
	    plain);
}

/* half_of - a half without its sign as a number; infinity counts as the number
 * that would come after the largest */
static double
half_of(uint16_t h, enum kernel_form form)
{
	if (h == (form == FORM_BF16 ? 0x7f80 : 0x7c00))
		return ldexp(1, form == FORM_BF16 ? 128 : 16);
	return (double)(form == FORM_BF16 ? half_float((uint32_t)h << 16) :
	    half_f16(h));
}

/* rounds_to - is h the half nearest to x, the even one if two are as near */
static bool
rounds_to(real x, uint16_t h, real y, enum kernel_form form)
{
	struct kernel_held held = { .form = form, .data = &h };
	const uint16_t end = form == FORM_BF16 ? 0x7f80 : 0x7c00;
	uint16_t low = h & 0x7fff;
	float value = held_number(&held, 0), got = (float)y;
	double a = fabs((double)x), off, beside;

	if (isnan(x))
		return isnan(value) && isnan(y);
	if (low > end || memcmp(&value, &got, sizeof(got)) != 0 ||
	    !signbit(x) != !signbit(value))
		return false;
	if (isinf(x))
		return low == end;
	off = fabs(a - half_of(low, form));
	for (int i = -1; i <= 1; i += 2) {
		if ((i < 0 && low == 0) || (i > 0 && low == end))
			continue;
		beside = fabs(a - half_of((uint16_t)(low + i), form));
		if (off > beside || (off == beside && low % 2 != 0))
			return false;
	}
	return true;
}

/* test_round - around every half there is, and where halves end */
static void
test_round(const struct device *d, const char *name)
{
	enum { EACH = 7, N = 65536 * EACH };
	real *x = arena_array(arena, N, sizeof(*x));
	real *y = arena_array(arena, N, sizeof(*y));
	uint16_t *half = arena_array(arena, N, sizeof(*half));
	size_t wrong = 0;

	for (int form = FORM_BF16; form <= FORM_F16; form++) {
		for (uint32_t h = 0; h < 65536; h++) {
			float v = form == FORM_BF16 ? half_float(h << 16) :
			    half_f16((uint16_t)h), next = form == FORM_BF16 ?
			    half_float((h + 1) << 16) :
			    half_f16((uint16_t)(h + 1));
			float middle = (float)(((double)v + (double)next) / 2);
			real *p = x + EACH * h;

			p[0] = v;
			p[1] = nextafterf(v, INFINITY);
			p[2] = nextafterf(v, -INFINITY);
			p[3] = middle;
			p[4] = nextafterf(middle, INFINITY);
			p[5] = nextafterf(middle, -INFINITY);
			p[6] = (real)random_normal(8, h, 1) * v;
		}
		d->k->narrow(d->dev, half, x, N, (enum kernel_form)form);
		d->k->round(d->dev, y, x, N, (enum kernel_form)form);
		for (size_t i = 0; i < N; i++)
			wrong += !rounds_to(x[i], half[i], y[i],
			    (enum kernel_form)form);
	}
	tap(wrong == 0, "%s: numbers in 16 bits are the nearest", name);
}

static void
test_device(struct device *d, const char *name)
{
	test_round(d, name);
	test_widen(d, name, 5, 7);
	test_widen(d, name, 9, 64);
	test_widen(d, name, 11, 129);
	test_widen(d, name, 130, 700);
	test_linear(d, name);
}

int
main(void)
{
	struct device *d;
	struct err e;

	arena = arena_new();
	test_golden();
	test_halves();
	for (int i = 0; i < 3; i++) {
		d = device_open(arena, i == 0 ? "ref" : "cpu", i == 2 ? 3 : 1,
		    &e);
		if (d == NULL)
			panic("%s", e.text);
		test_device(d, i == 0 ? "ref" : i == 1 ? "cpu, 1 thread" :
		    "cpu, 3 threads");
	}
	for (int form = HELD_F16; form <= HELD_NF4; form++) {
		test_decoder(d, FAMILY_GPT2, (enum held_form)form, "gpt2");
		test_decoder(d, FAMILY_LLAMA, (enum held_form)form, "llama");
		test_decoder(d, FAMILY_NEOX, (enum held_form)form, "neox");
		test_decoder(d, FAMILY_GEMMA, (enum held_form)form, "gemma");
	}
	if (cuda_emulated() != NULL) {
		struct device cuda = { .k = cuda_emulated() };
		char why[64];

		cuda.dev = cuda.k->open(0, why, sizeof(why));
		test_device(&cuda, "cuda, emulated");
		cuda.k->close(cuda.dev);
	}
	arena_free(arena);
	return tap_done();
}
