/* SPDX-License-Identifier: Apache-2.0 */
/* PEFT's directories: there and back, settings that are refused, and those that
 * people carry (QUERN_TEST_DATA) */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/model/peft.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
weights_of(struct arena *a, struct weights *w, size_t C, size_t L)
{
	struct shape s = { .family = FAMILY_GPT2, .V = 7, .T = 4, .C = C,
	    .L = L, .H = 2, .G = 2, .D = C / 2, .F = 4 * C, .eps = 1e-5,
	    .tied = true, .qkv_bias = true, .mlp_bias = true };

	weights_layout(a, &s, w);
}

/* test_again - every kind of tensor, written and read: the same numbers */
static void
test_again(struct arena *a, int dir)
{
	static const char *save[] = { "ln_f" };
	struct match_pattern eight[] = { { "mlp.c_proj", 8 } };
	struct adapter_conf c = { .base = "some/base", .r = 3, .alpha = 6,
	    .dora = true, .rslora = true, .bias = BIAS_ALL,
	    .target = { "all-linear", NULL, 0 }, .save = { NULL, save, 1 },
	    .rank = eight, .nranks = 1, .alphas = eight, .nalphas = 1 };
	struct adapter one, two;
	struct weights w;
	struct peft p;
	struct err e;
	real *base;

	weights_of(a, &w, 6, 2);
	base = arena_array(a, w.all, sizeof(*base));
	weights_init(&w, 3, base);
	if (adapter_plan(a, &w, &c, &one, &e) == -1)
		panic("%s", e.text);
	adapter_init(&one, base, 4);
	for (size_t i = 0; i < one.all; i++)
		one.run[i] += (real)i / 64;
	if (peft_write(a, &one, &w, dir, &e) == -1 ||
	    peft_open(a, dir, &p, &e) == -1 ||
	    peft_fit(a, &p, &w, &two, &e) == -1)
		panic("%s", e.text);
	tap(two.n == 8 && two.n == one.n && two.nsaved == one.nsaved &&
	    memcmp(one.run, two.run, one.all * sizeof(real)) == 0,
	    "%zu modules and %zu saved parts, there and back", two.n,
	    two.nsaved);
	tap(two.v[3].r == 8 && two.v[3].scale == one.v[3].scale &&
	    two.v[0].scale == one.v[0].scale && p.conf.dora &&
	    strcmp(p.conf.base, "some/base") == 0 && p.nwarnings == 0,
	    "with their settings");
}

/* test_turned - NeoX's file has query, key and value of a head beside one
 * another, Gemma's its norms less 1: so lie B, a bias and a norm saved */
static void
test_turned(struct arena *a, int dir)
{
	static const char *save[] = { "query_key_value" }, *norm[] = { "norm" };
	struct shape s = { .family = FAMILY_NEOX, .V = 7, .T = 4, .C = 4,
	    .L = 1, .H = 2, .G = 2, .D = 2, .F = 8, .eps = 1e-5,
	    .layernorm = true, .qkv_bias = true, .out_bias = true,
	    .mlp_bias = true };
	struct adapter_conf c = { .r = 1, .alpha = 1, .bias = BIAS_ALL,
	    .target = { NULL, save, 1 } };
	struct adapter one, two;
	const struct tensor *t;
	struct weights w;
	struct peft p;
	struct err e;
	float flat[12];
	real *base;

	weights_layout(a, &s, &w);
	base = arena_array(a, w.all, sizeof(*base));
	if (adapter_plan(a, &w, &c, &one, &e) == -1)
		panic("%s", e.text);
	for (size_t i = 0; i < 12; i++)
		one.run[one.v[0].b + i] = (real)i;
	if (peft_write(a, &one, &w, dir, &e) == -1 ||
	    peft_open(a, dir, &p, &e) == -1 ||
	    peft_fit(a, &p, &w, &two, &e) == -1)
		panic("%s", e.text);
	t = tensors_find(&p.tensors, "base_model.model.gpt_neox.layers.0."
	    "attention.query_key_value.lora_B.weight");
	/* the first head's query, its key, its value; the second's */
	tap(t != NULL && tensor_read(t, flat, &e) == 0 && flat[1] == 1 &&
	    flat[2] == 4 && flat[4] == 8 && flat[6] == 2 && flat[11] == 11 &&
	    memcmp(one.run, two.run, one.all * sizeof(real)) == 0,
	    "rows of a fused matrix stand head by head");
	s = (struct shape){ .family = FAMILY_GEMMA, .V = 7, .T = 4, .C = 4,
	    .L = 1, .H = 2, .G = 2, .D = 2, .F = 8, .eps = 1e-5,
	    .gated = true, .tied = true, .less_one = true };
	c = (struct adapter_conf){ .r = 1, .alpha = 1, .save = { NULL, norm,
	    1 } };
	weights_layout(a, &s, &w);
	base = arena_array(a, w.all, sizeof(*base));
	for (size_t i = 0; i < w.all; i++)
		base[i] = (real)i;
	if (adapter_plan(a, &w, &c, &one, &e) == -1)
		panic("%s", e.text);
	adapter_init(&one, base, 1);
	if (peft_write(a, &one, &w, dir, &e) == -1 ||
	    peft_open(a, dir, &p, &e) == -1 ||
	    peft_fit(a, &p, &w, &two, &e) == -1)
		panic("%s", e.text);
	t = tensors_find(&p.tensors, "base_model.model.model.norm.weight");
	tap(one.nsaved == 3 && t != NULL && tensor_read(t, flat, &e) == 0 &&
	    flat[0] == (float)w.norm - 1 && memcmp(one.base, two.base, 12 *
	    sizeof(real)) == 0, "all norms are saved, less 1");
}

static void
test_settings(struct arena *a)
{
	static const struct {
		const char *json, *word;	/* NULL: it is taken */
	} cases[] = {
		{ "{\"peft_type\":\"LORA\",\"target_modules\":\"x\"}", NULL },
		{ "{\"peft_type\":\"LORA\",\"modules_to_save\":"
		    "[\"c\",\"c\"],\"loftq_config\":{}}", NULL },
		{ "{\"peft_type\":\"IA3\"}", "IA3" },
		{ "{}", "kind" },
		{ "[]", "object" },
		{ "{\"peft_type\":\"LORA\",\"r\":0}", "'r'" },
		{ "{\"peft_type\":\"LORA\",\"r\":2.5}", "'r'" },
		{ "{\"peft_type\":\"LORA\",\"r\":1e99}", "'r'" },
		{ "{\"peft_type\":\"LORA\",\"lora_alpha\":\"8\"}",
		    "lora_alpha" },
		{ "{\"peft_type\":\"LORA\",\"use_dora\":3}", "use_dora" },
		{ "{\"peft_type\":\"LORA\",\"bias\":\"some\"}", "bias" },
		{ "{\"peft_type\":\"LORA\",\"target_modules\":[1]}",
		    "target_modules" },
		{ "{\"peft_type\":\"LORA\",\"rank_pattern\":{\"a\":[]}}",
		    "rank_pattern" },
		{ "{\"peft_type\":\"LORA\",\"lora_bias\":true}", "lora_bias" },
		{ "{\"peft_type\":\"LORA\",\"init_lora_weights\":\"pissa\"}",
		    "pissa" },
		{ "{\"peft_type\":\"LORA\",\"layer_replication\":[[0,2]]}",
		    "layer_replication" },
	};
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct peft p = { .n = 0 };
		int rc = peft_conf(a, view_of(cases[i].json), &p, &e);

		tap(cases[i].word == NULL ? rc == 0 : rc == -1 &&
		    strstr(e.text, cases[i].word) != NULL, "%s%s%s",
		    cases[i].json, rc == -1 ? ": " : "", rc == -1 ? e.text :
		    "");
	}
}

/* test_real - adapters that people carry */
static void
test_real(struct arena *a, const char *data)
{
	static const struct {
		const char *name;
		size_t parts, warnings;
	} cases[] = {
		{ "lora-bert-base-multitask", 26, 0 },
		{ "lora-dpo-lab08", 24, 0 },
		{ "lora-gpt2-seqcls", 13, 0 },
	};
	struct weights w;
	struct adapter d;
	struct peft p;
	struct err e;
	int dir, rc;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		dir = file_dir(AT_FDCWD, arena_printf(a, "%s/weights/%s",
		    data, cases[i].name), &e);
		tap(dir != -1 && peft_open(a, dir, &p, &e) == 0 &&
		    p.n == cases[i].parts && p.nwarnings == cases[i].warnings,
		    "%s: %zu parts", cases[i].name, cases[i].parts);
		if (dir != -1)
			close(dir);
	}
	weights_of(a, &w, 768, 12);
	tap(peft_fit(a, &p, &w, &d, &e) == -1 && strstr(e.text,
	    "'score.weight', which this base does not have (task_type "
	    "SEQ_CLS)") != NULL, "a classifier's head has no place: %s",
	    e.text);
	weights_of(a, &w, 64, 2);
	tap(peft_fit(a, &p, &w, &d, &e) == -1, "another base: %s", e.text);
	dir = file_dir(AT_FDCWD, arena_printf(a, "%s/weights/%s", data,
	    "lora-distilbert-classifier-nested"), &e);
	rc = dir == -1 ? 0 : peft_open(a, dir, &p, &e);
	tap(rc == -1 && strstr(e.text, "stands there twice") != NULL,
	    "one module under three names is refused: %s", e.text);
	close(dir);
}

int
main(void)
{
	const char *path = tap_dir();
	const char *data = getenv("QUERN_TEST_DATA");
	struct arena *a = arena_new();
	struct err e;
	int dir;

	dir = file_dir(AT_FDCWD, path, &e);
	test_again(a, dir);
	test_turned(a, dir);
	test_settings(a);
	if (data != NULL)
		test_real(a, data);
	else
		tap(true, "# SKIP QUERN_TEST_DATA does not name a folder with "
		    "test data");
	close(dir);
	file_remove(AT_FDCWD, path, &e);
	arena_free(a);
	return tap_done();
}
