/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu - tokens a second of a decoder's training step on a device, and how much
 * of a GPU's products that is:
 *
 *	gpu DEVICE.so WHAT [BATCH [CONTEXT [STEPS]]]
 *
 * WHAT is 124M, 1558M (GPT-2's shapes, all of it trained), lora (1558M, LoRA of
 * rank 16 on every linear layer) or tiny.  Weights and words are random.  It is
 * the decoder's and the optimiser's own code, in bf16, without the trainer:
 * forward, backward, the gradient's length, AdamW.  A token counts 6 operations
 * for each weight and 6 L C T for attention; under LoRA 4 for each, since the
 * base's gradients are not computed.  Sequences are as long as CONTEXT.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/when.h"
#include "appliance/model/optimise.h"
#include "appliance/model/random.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define PEAK	989e12			/* H100's and H200's, dense bf16 */

static const struct size {
	const char *name;
	size_t V, C, L, H;
	bool lora;
} sizes[] = {
	{ "124M", 50257, 768, 12, 12, false },
	{ "1558M", 50257, 1600, 48, 25, false },
	{ "lora", 50257, 1600, 48, 25, true },
	{ "tiny", 61, 16, 2, 2, false },
	{ "tiny-lora", 61, 16, 2, 2, true },
};

struct bench {
	struct arena *arena;
	struct device device;
	struct weights w;
	struct adapter adapter;
	struct slab slab;
	struct decoder decoder;
	struct optimise optimise;
	int32_t *id, *target;
	size_t B, T, steps;
};

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "gpu: %s: %s\n", what, why);
	return 1;
}

/* open_device - a table as it stands in its file */
static int
open_device(struct bench *b, const char *path)
{
	const struct kernels *(*table)(void);
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	char why[256] = "";

	if (so == NULL)
		return fail(path, dlerror());
	*(void **)&table = dlsym(so, "kernels");
	if (table == NULL || table()->abi != KERNEL_ABI)
		return fail(path, "it is no device of this version");
	b->device.k = table();
	b->device.dev = b->device.k->open(0, why, sizeof(why));
	return b->device.dev == NULL ? fail(path, why) : 0;
}

/* weights_random - 0.02 normal is costly to draw for a billion: a stretch of it
 * again and again */
static void
weights_random(const struct bench *b)
{
	const size_t n = (size_t)1 << 20;
	real *some = arena_array(b->arena, n, sizeof(*some));
	const struct decoder *d = &b->decoder;
	const struct kernels *k = b->device.k;
	size_t m;

	for (size_t i = 0; i < n; i++)
		some[i] = (real)(0.02 * random_normal(1, 1, i));
	for (size_t at = 0; at < d->nrun; at += m) {
		m = d->nrun - at < n ? d->nrun - at : n;
		k->put(b->device.dev, d->run + at, some, m * sizeof(*some));
	}
	if (d->adapter != NULL)
		k->put(b->device.dev, d->arun, d->adapter->run,
		    d->adapter->all * sizeof(real));
}

static int
plan(struct bench *b, const struct size *z, bool half)
{
	struct shape s = { .family = FAMILY_GPT2, .V = z->V, .T = b->T,
	    .C = z->C, .L = z->L, .H = z->H, .G = z->H, .D = z->C / z->H,
	    .F = 4 * z->C, .eps = 1e-5, .tied = true, .bos = -1 };
	struct adapter_conf c = { .r = 16, .alpha = 32,
	    .target = { .expression = "all-linear" } };
	struct err e = { .text = "" };
	bool *frozen = NULL;

	shape_family(&s, s.family);
	weights_layout(b->arena, &s, &b->w);
	if (z->lora) {
		frozen = arena_array(b->arena, b->w.n, sizeof(*frozen));
		memset(frozen, 1, b->w.n * sizeof(*frozen));
		if (adapter_plan(b->arena, &b->w, &c, &b->adapter, &e) == -1)
			return fail(z->name, e.text);
		adapter_layout(b->arena, &b->w, &b->adapter);
		adapter_init(&b->adapter, NULL, 1);
	}
	slab_init(&b->slab, b->arena, &b->device);
	decoder_want(&b->decoder, b->arena, &b->w, &b->slab,
	    &(struct decoder_conf){ .B = b->B, .T = b->T, .frozen = frozen,
	    .adapter = z->lora ? &b->adapter : NULL, .half = half,
	    .form = FORM_BF16 });
	b->optimise = (struct optimise){ .kind = OPTIMISER_ADAMW,
	    .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8 };
	optimise_want(&b->optimise, b->arena, &b->decoder, &b->slab);
	if (slab_take(&b->slab, &e) == -1)
		return fail(z->name, e.text);
	decoder_ready(&b->decoder);
	optimise_ready(&b->optimise);
	weights_random(b);
	return 0;
}

static double
step(struct bench *b, size_t number)
{
	double loss, norm;

	for (size_t i = 0; i < b->decoder.R; i++) {
		b->id[i] = (int32_t)(random_unit(2, number, i) *
		    (double)b->w.shape.V);
		b->target[i] = (int32_t)(random_unit(3, number, i) *
		    (double)b->w.shape.V);
	}
	loss = decoder_run(&b->decoder, b->id, b->target, 1 /
	    (double)b->decoder.R);
	norm = optimise_norm(&b->optimise);
	optimise_step(&b->optimise, 1e-4, norm > 1 ? 1 / norm : 1,
	    (int64_t)number + 1);
	optimise_clear(&b->optimise);
	return loss / (double)b->decoder.R;
}

static void
measure(struct bench *b, const struct size *z)
{
	double n = (double)b->w.all, each, seconds, began, loss = 0, rate;
	const struct kernels *k = b->device.k;

	for (size_t i = 0; i < 3; i++)	/* the first ones make graphs */
		loss = step(b, i);
	began = when_mono();
	for (size_t i = 0; i < b->steps; i++)
		loss = step(b, i + 3);
	(void)optimise_norm(&b->optimise);	/* which waits */
	seconds = when_mono() - began;
	each = (z->lora ? 4 : 6) * n + 6 * (double)(z->L * z->C * b->T);
	rate = (double)(b->decoder.R * b->steps) / seconds;
	printf("%s on %s (%s): %zu parameters, %zu x %zu, %zu steps, loss "
	    "%.3f: %.1f ms a step, %.0f tokens/s, %.1f TFLOP/s", z->name,
	    k->name, k->isa(b->device.dev), b->w.all, b->B, b->T, b->steps,
	    loss, 1e3 * seconds / (double)b->steps, rate, rate * each / 1e12);
	if (strcmp(k->isa(b->device.dev), "sm_90") == 0)
		printf(", %.1f %% of 989", 100 * rate * each / PEAK);
	printf("\n%s\n", k->told == NULL ? "" : k->told(b->device.dev));
}

int
main(int argc, char **argv)
{
	struct bench b = { .arena = arena_new(), .B = 16, .T = 1024,
	    .steps = 20 };
	const struct size *z = sizes;

	if (argc < 3)
		return fail("usage", "gpu DEVICE.so WHAT [BATCH [CONTEXT "
		    "[STEPS]]]");
	while (strcmp(z->name, argv[2]) != 0)
		if (++z == sizes + BASE_COUNT(sizes))
			return fail(argv[2], "not one of 124M, 1558M, lora, "
			    "tiny, tiny-lora");
	b.B = argc > 3 ? strtoul(argv[3], NULL, 10) : b.B;
	b.T = argc > 4 ? strtoul(argv[4], NULL, 10) : b.T;
	b.steps = argc > 5 ? strtoul(argv[5], NULL, 10) : b.steps;
	if (open_device(&b, argv[1]) != 0)
		return 1;
	b.id = arena_array(b.arena, b.B * b.T, sizeof(*b.id));
	b.target = arena_array(b.arena, b.B * b.T, sizeof(*b.target));
	if (plan(&b, z, true) != 0)
		return 1;
	measure(&b, z);
	slab_drop(&b.slab);
	b.device.k->close(b.device.dev);
	return 0;
}
