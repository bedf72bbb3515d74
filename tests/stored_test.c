/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders whose results lie in 16 bits (model/half.h), on the CUDA device,
 * emulated: their gradients are about as far from 32 bits as those of the CPU's
 * way, which rounds what lies in reals.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/model/decoder.h"
#include "appliance/model/half.h"
#include "appliance/model/random.h"
#include "tests/emulated.h"
#include "tests/tap.h"

#include <math.h>

#define SEQUENCES	((size_t)2)
#define PLACES		((size_t)18)
#define WORDS		((size_t)61)

struct scene {
	const char *name;
	enum family family;
	bool adapter, recompute;
	enum kernel_form form;
};

static const struct scene scenes[] = {
	{ "GPT-2", FAMILY_GPT2, false, false, FORM_BF16 },
	{ "GPT-2 with recompute", FAMILY_GPT2, false, true, FORM_F16 },
	{ "Qwen3", FAMILY_QWEN3, false, false, FORM_BF16 },
	{ "Gemma 2", FAMILY_GEMMA2, false, false, FORM_BF16 },
	{ "NeoX", FAMILY_NEOX, false, true, FORM_BF16 },
	{ "Llama with LoRA and dropout", FAMILY_LLAMA, true, false,
	    FORM_BF16 },
};

static struct arena *arena;

/* what a run leaves: its loss, the gradients, how much memory it took */
struct left {
	double loss;
	real *grad;
	size_t n, bytes;
};

/* put_all - weights and adapters, the same for every device */
static void
put_all(const struct decoder *d)
{
	size_t na = d->adapter == NULL ? 0 : d->adapter->all;
	real *x = arena_array(arena, d->nrun + na, sizeof(*x));
	const struct kernels *k = d->device->k;

	weights_init(d->w, 3, x);
	for (size_t i = 0; i < d->nrun + na; i++)
		x[i] += 0.1f * (real)random_normal(5, 1, i);
	k->put(d->device->dev, d->run, x, d->nrun * sizeof(*x));
	if (na > 0)
		k->put(d->device->dev, d->arun, x + d->nrun, na * sizeof(*x));
}

static struct left
run(struct device *device, const struct scene *c, const struct weights *w,
    const struct adapter *adapter, const bool *frozen, bool half)
{
	struct decoder *d = arena_alloc(arena, sizeof(*d));
	struct slab *s = arena_alloc(arena, sizeof(*s));
	int32_t id[SEQUENCES * PLACES], target[SEQUENCES * PLACES], from[SEQUENCES * PLACES];
	struct left x = { 0 };
	struct err e;

	for (size_t i = 0; i < SEQUENCES * PLACES; i++) {
		id[i] = (int32_t)(i * i * 7 % WORDS);
		target[i] = i % 5 == 4 ? -1 : (int32_t)((i * 11 + 3) % WORDS);
		from[i] = i % PLACES < 7 ? 0 : 7;
	}
	slab_init(s, arena, device);
	decoder_want(d, arena, w, s, &(struct decoder_conf){ .B = SEQUENCES,
	    .T = PLACES, .frozen = frozen, .adapter = adapter,
	    .recompute = c->recompute, .dropout = adapter == NULL ? 0 : 0.1, .half = half,
	    .form = c->form });
	if (slab_take(s, &e) == -1)
		panic("%s", e.text);
	decoder_ready(d);
	put_all(d);
	decoder_texts(d, from);
	d->work.key = 9;
	tap(d->stored == (half && device->k->halves != NULL), "%s on %s: "
	    "results lie in %s", c->name, device->k->name, d->stored ?
	    "16 bits" : "reals");
	for (int i = 0; i < 2; i++)	/* the second is a graph, if any is */
		x.loss = decoder_run(d, id, target, i == 0 ? 1e-2 : 2e-2);
	x.n = d->ngrad + (adapter == NULL ? 0 : adapter->all);
	x.grad = arena_array(arena, x.n, sizeof(*x.grad));
	device->k->get(device->dev, x.grad, d->grad, d->ngrad *
	    sizeof(*x.grad));
	if (adapter != NULL)
		device->k->get(device->dev, x.grad + d->ngrad, d->agrad,
		    adapter->all * sizeof(*x.grad));
	x.bytes = slab_size(s);
	slab_drop(s);
	return x;
}

/* apart - of gradients, beside the length of the first */
static double
apart(const struct left *a, const struct left *b)
{
	double off = 0, all = 0;

	for (size_t i = 0; i < a->n; i++) {
		double x = (double)a->grad[i], y = (double)b->grad[i];

		off += (x - y) * (x - y);
		all += x * x;
	}
	return sqrt(off / all);
}

static void
test_scene(struct device *ref, struct device *gpu, const struct scene *c)
{
	struct shape s = { .family = c->family, .V = WORDS, .T = PLACES, .C = 64,
	    .L = 2, .H = 4, .G = c->family == FAMILY_GPT2 ||
	    c->family == FAMILY_NEOX ? 4 : 2, .D = 16, .F = 104, .eps = 1e-5,
	    .bos = -1 };
	struct adapter_conf conf = { .r = 3, .alpha = 6, .dropout = 0.2,
	    .dora = true, .target = { .expression = "all-linear" } };
	struct left one, half, stored;
	struct adapter adapter;
	struct weights w;
	struct err e;
	bool *frozen = NULL;

	shape_family(&s, c->family);
	s.tied = true;
	weights_layout(arena, &s, &w);
	if (c->adapter) {
		frozen = arena_array(arena, w.n, sizeof(*frozen));
		memset(frozen, 1, w.n * sizeof(*frozen));
		if (adapter_plan(arena, &w, &conf, &adapter, &e) == -1)
			panic("%s", e.text);
		adapter_layout(arena, &w, &adapter);
	}
	one = run(ref, c, &w, c->adapter ? &adapter : NULL, frozen, false);
	half = run(ref, c, &w, c->adapter ? &adapter : NULL, frozen, true);
	stored = run(gpu, c, &w, c->adapter ? &adapter : NULL, frozen, true);
	tap(fabs(stored.loss - one.loss) < 2 * fabs(half.loss - one.loss) +
	    2e-4 * one.loss, "%s: loss %.5f, of 32 bits %.5f, of the CPU's "
	    "way %.5f", c->name, stored.loss, one.loss, half.loss);
	/* attention rounds to bf16 in any case */
	tap(apart(&one, &stored) < (c->form == FORM_F16 ? 5 : 2) *
	    apart(&one, &half) && apart(&one, &half) > 1e-5, "%s: gradients %.1e from those of 32 bits, the "
	    "CPU's way %.1e", c->name, apart(&one, &stored), apart(&one,
	    &half));
	tap(stored.bytes < half.bytes, "%s: %zu KiB, the CPU's way %zu",
	    c->name, stored.bytes >> 10, half.bytes >> 10);
	arena_reset(arena);
}

int
main(void)
{
	struct arena *own = arena_new();
	struct device *ref, gpu = { .k = cuda_emulated() };
	char why[256] = "";
	struct err e;

	if (gpu.k == NULL) {
		printf("ok 1 - # SKIP no C++ compiler, or the sanitizer\n"
		    "1..1\n");
		return 0;
	}
	arena = arena_new();
	ref = device_open(own, "ref", 1, &e);
	gpu.dev = gpu.k->open(0, why, sizeof(why));
	if (ref == NULL || gpu.dev == NULL)
		panic("%s%s", ref == NULL ? e.text : "", why);
	for (size_t i = 0; i < BASE_COUNT(scenes); i++)
		test_scene(ref, &gpu, &scenes[i]);
	arena_free(arena);
	gpu.k->close(gpu.dev);
	arena_free(own);
	return tap_done();
}
