/* SPDX-License-Identifier: Apache-2.0 */
/* a model's config.json and tensors under GGUF's names */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/gguf_arch.h"
#include "appliance/model/gguf_model.h"
#include "appliance/model/shape.h"
#include "appliance/text/gguf_put.h"
#include "appliance/text/json.h"

#include <math.h>
#include <stdlib.h>

#define EXPERTS_MAX	1024

/* what Hugging Face's own buffers are called: nothing of them is learnt */
static const char *const buffers[] = {
	".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"
};

struct writer {
	struct arena *arena;
	struct view config;
	const struct gguf_arch *arch;
	struct shape shape;
	struct buf *b;
	uint64_t keys;
	struct err *e;
};

/* config_number - a member of config.json; false: absent or null */
static bool
config_number(struct view config, const char *name, double *x)
{
	struct view raw;

	return json_get(config, name, &raw) && json_number(raw, x);
}

/* writer_new - the object in a config.json, and its family's table */
static int
writer_new(struct arena *a, struct view config, struct writer *w,
    struct err *e)
{
	struct view raw, type;

	*w = (struct writer){ .arena = a, .e = e };
	if (json_value(config, &w->config, e) == -1)
		return err_prefix(e, "config.json: ");
	if (!json_get(w->config, "model_type", &raw) ||
	    !json_string(a, raw, &type))
		return err_set(e, FATE_REJECT, "config.json has no "
		    "'model_type'");
	w->arch = gguf_arch_of(type);
	if (w->arch == NULL)
		return err_set(e, FATE_REJECT, "model_type '%.*s' has no "
		    "table for GGUF: %s have", (int)(type.n < 60 ? type.n :
		    60), type.p, gguf_arch_names(a));
	return shape_parse(config, &w->shape, e);
}

static const char *
arch_key(struct writer *w, const char *name)
{
	w->keys++;
	return arena_printf(w->arena, "%s.%s", w->arch->arch, name);
}

static void
put_u32(struct writer *w, const char *name, double x)
{
	gguf_put_u32(w->b, arch_key(w, name), (uint32_t)x);
}

static void
put_f32(struct writer *w, const char *name, double x)
{
	gguf_put_f32(w->b, arch_key(w, name), x);
}

/* number_of - a number of the table under any of its names */
static bool
number_of(struct writer *w, const struct gguf_number *n, double *x)
{
	if (config_number(w->config, n->hf, x))
		return true;
	if (strcmp(n->hf, "num_experts") == 0)
		return config_number(w->config, "num_local_experts", x);
	if (strcmp(n->hf, "n_inner") != 0 ||
	    !config_number(w->config, "n_embd", x))
		return false;
	*x *= 4;
	return true;
}

/* put_numbers - the table's, and what GGUF wants said */
static int
put_numbers(struct writer *w)
{
	double x;

	for (const struct gguf_number *n = w->arch->number; n->key != NULL;
	    n++) {
		if (!number_of(w, n, &x)) {
			if (n->needed)
				return err_set(w->e, FATE_REJECT,
				    "config.json has no '%s'", n->hf);
		} else if (!n->whole)
			put_f32(w, n->key, x);
		else if (x < 0 || x > UINT32_MAX)
			return err_set(w->e, FATE_REJECT, "config.json: '%s' "
			    "is out of all proportion", n->hf);
		else
			put_u32(w, n->key, x);
	}
	if (config_number(w->config, "head_dim", &x))
		put_u32(w, "attention.value_length", x);
	if (config_number(w->config, "vocab_size", &x) && x >= 0)
		put_u32(w, "vocab_size", x);
	return 0;
}

/* rope_of - the object that scales RoPE, old or new spelling; its type */
static bool
rope_of(struct arena *a, struct view config, struct view *rope,
    struct view *type)
{
	struct view raw;

	if (!(json_get(config, "rope_scaling", rope) && !json_is_null(*rope)) &&
	    !(json_get(config, "rope_parameters", rope) &&
	    !json_is_null(*rope)))
		return false;
	return (json_get(*rope, "rope_type", &raw) ||
	    json_get(*rope, "type", &raw)) && json_string(a, raw, type);
}

/* long_factor - what longrope multiplies cosines and sines by */
static double
long_factor(const struct shape *s)
{
	double old = (double)s->rope.original, longer = (double)s->T / old;

	return s->rope.attention > 0 ? s->rope.attention : longer <= 1 ? 1 :
	    sqrt(1 + log(longer) / log(old));
}

static int
put_rope(struct writer *w)
{
	struct view rope, type;
	double x;

	put_f32(w, "rope.freq_base", w->shape.rope.theta);
	put_u32(w, "rope.dimension_count", (double)w->shape.turned);
	if (!rope_of(w->arena, w->config, &rope, &type) ||
	    view_is(type, "default"))
		return 0;
	if (w->shape.rope.kind == ROPE_LLAMA3 ||
	    w->shape.rope.kind == ROPE_LONG) {	/* their tables are tensors */
		put_u32(w, "rope.scaling.original_context_length",
		    (double)w->shape.rope.original);
		if (w->shape.rope.kind == ROPE_LONG)
			put_f32(w, "rope.scaling.attn_factor",
			    long_factor(&w->shape));
		return 0;
	}
	if (!view_is(type, "linear") && !view_is(type, "yarn"))
		return err_set(w->e, FATE_REJECT, "config.json: RoPE of type "
		    "'%.*s' is not written to GGUF", (int)(type.n < 40 ?
		    type.n : 40), type.p);
	gguf_put_text(w->b, arch_key(w, "rope.scaling.type"), type);
	if (config_number(rope, "factor", &x))
		put_f32(w, "rope.scaling.factor", x);
	if (config_number(rope, "original_max_position_embeddings", &x))
		put_u32(w, "rope.scaling.original_context_length", x);
	if (config_number(rope, "beta_fast", &x))
		put_f32(w, "rope.scaling.yarn_beta_fast", x);
	if (config_number(rope, "beta_slow", &x))
		put_f32(w, "rope.scaling.yarn_beta_slow", x);
	return 0;
}

/* put_encoder - what BERT has besides */
static void
put_encoder(struct writer *w)
{
	gguf_put_bool(w->b, arch_key(w, "attention.causal"), false);
	gguf_put_u32(w->b, "tokenizer.ggml.token_type_count",
	    (uint32_t)w->shape.types);
	w->keys++;
}

int
gguf_keys(struct arena *a, struct view config, struct buf *b, uint64_t *n,
    struct err *e)
{
	struct writer w;

	if (writer_new(a, config, &w, e) == -1)
		return -1;
	if (!conf_bool(config, "scale_attn_weights", true) ||
	    conf_bool(config, "scale_attn_by_inverse_layer_idx", false))
		return err_set(e, FATE_REJECT, "config.json: 'scale_attn_"
		    "weights' or 'scale_attn_by_inverse_layer_idx' is not the "
		    "usual one, for which GGUF has no word");
	w.b = b;
	gguf_put_text(b, "general.architecture", view_of(w.arch->arch));
	gguf_put_text(b, "general.type", VIEW("model"));
	gguf_put_u32(b, "general.quantization_version", 2);
	w.keys = 3;
	if (put_numbers(&w) == -1 ||
	    (w.shape.turned > 0 && put_rope(&w) == -1))
		return -1;
	if (w.shape.encoder)
		put_encoder(&w);
	if (strcmp(w.arch->arch, "gptneox") == 0)
		gguf_put_bool(b, arch_key(&w, "use_parallel_residual"),
		    w.shape.parallel);
	*n = w.keys;
	return 0;
}

/* is_buffer - is it none of the model's parameters; a pooler is none of what
 * makes embeddings */
static bool
is_buffer(const struct writer *w, const char *name)
{
	size_t n = strlen(name), k;

	if (w->shape.encoder && w->shape.head.kind == HEAD_EMBED &&
	    (strncmp(name, "pooler.", 7) == 0 ||
	    strcmp(name, "embeddings.position_ids") == 0))
		return true;
	for (size_t i = 0; i < BASE_COUNT(buffers); i++) {
		k = strlen(buffers[i]);
		if (n > k && strcmp(name + n - k, buffers[i]) == 0)
			return true;
	}
	return false;
}

static void
add_table(struct tensors *out, const char *name, const float *v, size_t n)
{
	out->v[out->n++] = (struct tensor){ .name = name, .dtype = "F32",
	    .form = quant_form(GGUF_FORM_F32), .ndims = 1, .shape = { n },
	    .count = n, .fd = -1, .values = v };
}

/* add_tables - what RoPE is stretched by, as Llama 3 and Phi-3 have it */
static void
add_tables(struct writer *w, struct tensors *out)
{
	static const char *const names[] = { "rope_factors_short.weight",
	    "rope_factors_long.weight" };
	const struct rope *r = &w->shape.rope;
	size_t n = w->shape.turned / 2;
	float *v;

	if (r->kind == ROPE_LLAMA3) {
		v = arena_array(w->arena, n, sizeof(*v));
		gguf_llama3(r->theta, 2 * n, r->factor, r->low, r->high,
		    (double)r->original, v);
		add_table(out, "rope_freqs.weight", v, n);
	}
	for (int i = 0; i < 2 && r->kind == ROPE_LONG; i++) {
		v = arena_array(w->arena, n, sizeof(*v));
		for (size_t k = 0; k < n; k++)
			v[k] = (float)r->stretch[i][k];
		add_table(out, names[i], v, n);
	}
}

/* layer_of - the number behind blk., or -1 */
static long
layer_of(const char *name)
{
	return strncmp(name, "blk.", 4) == 0 ? strtol(name + 4, NULL, 10) : -1;
}

/* by_layer - what belongs to none first, then by layers, then by name */
static int
by_layer(const void *va, const void *vb)
{
	const struct tensor *a = va, *b = vb;
	long x = layer_of(a->name), y = layer_of(b->name);

	return x != y ? x < y ? -1 : 1 : strcmp(a->name, b->name);
}

/* put_expert - one of those that GGUF has in one tensor */
static int
put_expert(struct writer *w, const struct tensor *from, const char *name,
    size_t expert, struct tensors *out)
{
	struct tensor *parts, *all = NULL;
	size_t E = w->shape.E;

	if (E > EXPERTS_MAX)
		return err_set(w->e, FATE_REJECT, "config.json: more than %d "
		    "experts are not written to GGUF", EXPERTS_MAX);
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].part != NULL && strcmp(out->v[i].name, name) == 0)
			all = &out->v[i];
	if (all == NULL) {
		all = &out->v[out->n++];
		parts = arena_array(w->arena, E, sizeof(*parts));
		*all = (struct tensor){ .name = name, .dtype = from->dtype,
		    .form = from->form, .fd = -1, .ndims = 3, .shape = { E,
		    from->shape[0], from->shape[1] }, .part = parts };
	}
	if (expert >= E || from->ndims != 2 || from->shape[0] !=
	    all->shape[1] || from->shape[1] != all->shape[2])
		return err_set(w->e, FATE_REJECT, "tensor '%.100s' has a "
		    "shape that config.json does not fit", from->name);
	parts = &all->part[expert];
	*parts = *from;
	all->parts++;
	all->count += from->count;
	if (all->form != NULL && from->form != all->form)
		all->form = from->form == NULL ? NULL :
		    quant_form(GGUF_FORM_F32);
	return 0;
}

/* put_named - one tensor under its other name */
static int
put_named(struct writer *w, const struct tensor *from, struct tensors *out)
{
	struct tensor *t = &out->v[out->n];
	size_t expert = 0;
	const char *name;
	const struct gguf_name *n = gguf_name(w->arena, w->arch, from->name,
	    false, &expert, &name);
	double H = 0, G;

	if (n == NULL && w->shape.encoder &&
	    strncmp(from->name, "bert.", 5) == 0)
		n = gguf_name(w->arena, w->arch, from->name + 5, false,
		    &expert, &name);
	if (n == NULL && strcmp(w->arch->arch, "gpt2") == 0)
		n = gguf_name(w->arena, w->arch, arena_printf(w->arena,
		    "transformer.%s", from->name), false, &expert, &name);
	if (n == NULL)
		return 1;
	if (gguf_has_all(n))
		return put_expert(w, from, name, expert, out);
	out->n++;
	*t = *from;
	t->name = name;
	if (strcmp(n->gguf, GGUF_SHARED_GATE) == 0 && t->ndims == 2 &&
	    t->shape[0] == 1) {
		t->shape[0] = t->shape[1];
		t->ndims = 1;
	}
	config_number(w->config, "num_attention_heads", &H);
	if (!config_number(w->config, "num_key_value_heads", &G))
		G = H;
	if ((n->change == TENSOR_TURNED && from->ndims != 2) ||
	    (n->change == TENSOR_BY_HEAD && (from->ndims == 0 || H < 1 ||
	    H > 65536 || from->shape[0] % (3 * (uint64_t)H) != 0)) ||
	    (n->change == TENSOR_HALVED && (from->ndims == 0 || G < 1 ||
	    H < 1 || H > 65536 || G > 65536 || from->shape[0] %
	    (2 * (uint64_t)(n->keys ? G : H)) != 0)))
		return err_set(w->e, FATE_REJECT, "tensor '%.100s' has a "
		    "shape that config.json does not fit", from->name);
	tensor_changed(t, tensor_back(n->change), (unsigned)(n->keys ? G : H));
	return 0;
}

int
gguf_named(struct arena *a, struct view config, const struct tensors *from,
    struct tensors *out, const char **extra, struct err *e)
{
	struct writer w;
	struct view raw;
	bool tied = false;
	int rc;

	if (writer_new(a, config, &w, e) == -1)
		return -1;
	if (json_get(w.config, "tie_word_embeddings", &raw))
		json_bool(raw, &tied);
	*extra = NULL;
	*out = (struct tensors){ .metadata = { "", 0 } };
	out->v = arena_array(a, from->n + 2, sizeof(*out->v));
	for (size_t i = 0; i < from->n; i++) {
		if (is_buffer(&w, from->v[i].name) || (tied &&
		    strcmp(from->v[i].name, "lm_head.weight") == 0))
			continue;
		rc = put_named(&w, &from->v[i], out);
		if (rc == -1)
			return -1;
		if (rc == 1)
			*extra = from->v[i].name;
	}
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].part != NULL && out->v[i].parts != w.shape.E)
			return err_set(e, FATE_REJECT, "'%s' would have %u of "
			    "%zu experts: the file is not whole",
			    out->v[i].name, out->v[i].parts, w.shape.E);
	add_tables(&w, out);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_layer);
	return 0;
}
