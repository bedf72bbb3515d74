/* SPDX-License-Identifier: Apache-2.0 */
/* a model's config.json and tensors under GGUF's names */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/gguf_arch.h"
#include "appliance/model/gguf_model.h"
#include "appliance/text/gguf_put.h"
#include "appliance/text/json.h"

#include <math.h>
#include <stdlib.h>

/* what Hugging Face's own buffers are called: nothing of them is learnt */
static const char *const buffers[] = {
	".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"
};

struct writer {
	struct arena *arena;
	struct view config;
	const struct gguf_arch *arch;
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
	return w->arch != NULL ? 0 : err_set(e, FATE_REJECT, "model_type "
	    "'%.*s' has no table for GGUF: %s have",
	    (int)(type.n < 60 ? type.n : 60), type.p, gguf_arch_names(a));
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

/* put_numbers - the table's, and what GGUF wants said */
static int
put_numbers(struct writer *w)
{
	double x;

	for (const struct gguf_number *n = w->arch->number; n->key != NULL;
	    n++) {
		if (!config_number(w->config, n->hf, &x)) {
			if (strcmp(n->hf, "n_inner") == 0 &&
			    config_number(w->config, "n_embd", &x))
				put_u32(w, n->key, 4 * x);
			else if (n->needed)
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

/* head_size - channels that are turned */
static double
head_size(struct view config)
{
	double D = 0, C, H;

	if (!config_number(config, "head_dim", &D) &&
	    config_number(config, "hidden_size", &C) &&
	    config_number(config, "num_attention_heads", &H) && H > 0)
		D = C / H;
	return D;
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

static double
theta_of(struct view config)
{
	struct view rope;
	double theta = 10000;

	if (!config_number(config, "rope_theta", &theta) &&
	    json_get(config, "rope_parameters", &rope))
		config_number(rope, "rope_theta", &theta);
	return theta;
}

static int
put_rope(struct writer *w)
{
	struct view rope, type;
	double x;

	put_f32(w, "rope.freq_base", theta_of(w->config));
	put_u32(w, "rope.dimension_count", head_size(w->config));
	if (!rope_of(w->arena, w->config, &rope, &type) ||
	    view_is(type, "default") || view_is(type, "llama3"))
		return 0;		/* Llama 3's table is a tensor */
	if (!view_is(type, "linear") && !view_is(type, "yarn"))
		return err_set(w->e, FATE_REJECT, "config.json: RoPE of type "
		    "'%.*s' is not written to GGUF", (int)(type.n < 40 ?
		    type.n : 40), type.p);
	gguf_put_text(w->b, arch_key(w, "rope.scaling.type"), type);
	if (config_number(rope, "factor", &x))
		put_f32(w, "rope.scaling.factor", x);
	if (config_number(rope, "original_max_position_embeddings", &x))
		put_u32(w, "rope.scaling.original_context_length", x);
	return 0;
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
	    (strcmp(w.arch->arch, "gpt2") != 0 && put_rope(&w) == -1))
		return -1;
	*n = w.keys;
	return 0;
}

/* is_buffer - is it none of the model's parameters */
static bool
is_buffer(const char *name)
{
	size_t n = strlen(name), k;

	for (size_t i = 0; i < BASE_COUNT(buffers); i++) {
		k = strlen(buffers[i]);
		if (n > k && strcmp(name + n - k, buffers[i]) == 0)
			return true;
	}
	return false;
}

/* add_table - rope_freqs.weight for RoPE as Llama 3 has it */
static void
add_table(struct writer *w, struct tensors *out)
{
	double factor = 8, low = 1, high = 4, context = 8192;
	size_t D = (size_t)head_size(w->config);
	struct tensor *t = &out->v[out->n];
	struct view rope, type;
	float *v;

	if (!rope_of(w->arena, w->config, &rope, &type) ||
	    !view_is(type, "llama3") || D < 2 || D > 65536)
		return;
	config_number(rope, "factor", &factor);
	config_number(rope, "low_freq_factor", &low);
	config_number(rope, "high_freq_factor", &high);
	config_number(rope, "original_max_position_embeddings", &context);
	v = arena_array(w->arena, D / 2, sizeof(*v));
	gguf_llama3(theta_of(w->config), D, factor, low, high, context, v);
	*t = (struct tensor){ .name = "rope_freqs.weight", .dtype = "F32",
	    .form = quant_form(GGUF_FORM_F32), .ndims = 1,
	    .shape = { D / 2 }, .count = D / 2, .fd = -1, .values = v };
	out->n++;
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

static enum tensor_change
other_way(enum tensor_change c)
{
	return c == TENSOR_HALVED ? TENSOR_PAIRED :
	    c == TENSOR_LESS_ONE ? TENSOR_PLUS_ONE : c;
}

/* put_named - one tensor under its other name */
static int
put_named(struct writer *w, const struct tensor *from, struct tensor *t)
{
	const struct gguf_name *n = gguf_name(w->arena, w->arch, from->name,
	    false, &t->name);
	double H = 0, G;

	if (n == NULL && strcmp(w->arch->arch, "gpt2") == 0)
		n = gguf_name(w->arena, w->arch, arena_printf(w->arena,
		    "transformer.%s", from->name), false, &t->name);
	if (n == NULL)
		return 1;
	config_number(w->config, "num_attention_heads", &H);
	if (!config_number(w->config, "num_key_value_heads", &G))
		G = H;
	if ((n->change == TENSOR_TURNED && from->ndims != 2) ||
	    (n->change == TENSOR_HALVED && (from->ndims == 0 || G < 1 ||
	    H < 1 || H > 65536 || G > 65536 || from->shape[0] %
	    (2 * (uint64_t)(n->keys ? G : H)) != 0)))
		return err_set(w->e, FATE_REJECT, "tensor '%.100s' has a "
		    "shape that config.json does not fit", from->name);
	tensor_changed(t, other_way(n->change), (unsigned)(n->keys ? G : H));
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
	out->v = arena_array(a, from->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < from->n; i++) {
		if (is_buffer(from->v[i].name) || (tied &&
		    strcmp(from->v[i].name, "lm_head.weight") == 0))
			continue;
		out->v[out->n] = from->v[i];
		rc = put_named(&w, &from->v[i], &out->v[out->n]);
		if (rc == -1)
			return -1;
		if (rc == 1)
			*extra = from->v[i].name;
		else
			out->n++;
	}
	if (strcmp(w.arch->arch, "llama") == 0)
		add_table(&w, out);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_layer);
	return 0;
}
