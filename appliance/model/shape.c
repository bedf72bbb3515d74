/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/shape.h"
#include "appliance/text/json.h"

#define LARGEST	((int64_t)1 << 24)	/* of any one number */

/* text_is - is a member this text */
static bool
text_is(struct view root, const char *name, const char *text)
{
	struct view raw;

	return json_get(root, name, &raw) && raw.n == strlen(text) + 2 &&
	    memcmp(raw.p + 1, text, raw.n - 2) == 0;
}

/* size_of - a whole number from 1 on; def if absent or null, 0: needed */
static int
size_of(struct view root, const char *name, size_t def, size_t *out,
    struct err *e)
{
	struct view raw;
	int64_t x;

	*out = def;
	if (!json_get(root, name, &raw) || json_is_null(raw))
		return def > 0 ? 0 : err_set(e, FATE_REJECT,
		    "config.json has no '%s'", name);
	if (!json_integer(raw, &x) || x < 1 || x > LARGEST)
		return err_set(e, FATE_REJECT, "config.json: '%s' is no "
		    "number from 1 to %lld", name, (long long)LARGEST);
	*out = (size_t)x;
	return 0;
}

static double
number_of(struct view root, const char *name, double def)
{
	struct view raw;
	double x;

	return json_get(root, name, &raw) && json_number(raw, &x) ? x : def;
}

static bool
bool_of(struct view root, const char *name, bool def)
{
	struct view raw;
	bool x;

	return json_get(root, name, &raw) && json_bool(raw, &x) ? x : def;
}

/* shape_ends - bos_token_id, and eos_token_id as a number or a list */
static void
shape_ends(struct view root, struct shape *s)
{
	struct json_iter it;
	struct view raw, v;
	int64_t x;

	s->bos = -1;
	if (json_get(root, "bos_token_id", &raw) && json_integer(raw, &x) &&
	    x >= 0 && x < LARGEST)
		s->bos = (int32_t)x;
	if (!json_get(root, "eos_token_id", &raw))
		return;
	if (json_integer(raw, &x) && x >= 0 && x < LARGEST)
		s->stop[s->nstops++] = (int32_t)x;
	else if (json_open(&it, raw, '['))
		while (json_element(&it, &v) && s->nstops < SHAPE_STOPS)
			if (json_integer(v, &x) && x >= 0 && x < LARGEST)
				s->stop[s->nstops++] = (int32_t)x;
}

static int
shape_gpt2(struct view root, struct shape *s, struct err *e)
{
	if (size_of(root, "vocab_size", 0, &s->V, e) == -1 ||
	    size_of(root, "n_positions", 1024, &s->T, e) == -1 ||
	    size_of(root, "n_embd", 0, &s->C, e) == -1 ||
	    size_of(root, "n_layer", 0, &s->L, e) == -1 ||
	    size_of(root, "n_head", 0, &s->H, e) == -1 ||
	    size_of(root, "n_inner", 4 * s->C, &s->F, e) == -1)
		return -1;
	s->family = FAMILY_GPT2;
	s->G = s->H;
	s->D = s->C / s->H;
	s->eps = number_of(root, "layer_norm_epsilon", 1e-5);
	s->tied = bool_of(root, "tie_word_embeddings", true);
	s->qkv_bias = s->mlp_bias = true;
	if (!text_is(root, "activation_function", "gelu_new") &&
	    !text_is(root, "activation_function", "gelu_pytorch_tanh"))
		return err_set(e, FATE_REJECT, "config.json: "
		    "'activation_function' is not gelu_new");
	return 0;
}

/* shape_rope - plain RoPE, in the old spelling or in that of transformers 5 */
static int
shape_rope(struct view root, struct shape *s, struct err *e)
{
	struct view v;

	s->theta = number_of(root, "rope_theta", 10000);
	if (json_get(root, "rope_parameters", &v) && !json_is_null(v)) {
		s->theta = number_of(v, "rope_theta", s->theta);
		if (!text_is(v, "rope_type", "default"))
			return err_set(e, FATE_REJECT, "config.json: "
			    "'rope_parameters' of this type are not computed "
			    "yet");
	}
	if (json_get(root, "rope_scaling", &v) && !json_is_null(v) &&
	    !text_is(v, "rope_type", "default"))
		return err_set(e, FATE_REJECT, "config.json: 'rope_scaling' "
		    "is not computed yet");
	return 0;
}

static int
shape_llama(struct view root, struct shape *s, struct err *e)
{
	if (size_of(root, "vocab_size", 0, &s->V, e) == -1 ||
	    size_of(root, "max_position_embeddings", 2048, &s->T, e) == -1 ||
	    size_of(root, "hidden_size", 0, &s->C, e) == -1 ||
	    size_of(root, "num_hidden_layers", 0, &s->L, e) == -1 ||
	    size_of(root, "num_attention_heads", 0, &s->H, e) == -1 ||
	    size_of(root, "num_key_value_heads", s->H, &s->G, e) == -1 ||
	    size_of(root, "head_dim", s->C < s->H ? 1 : s->C / s->H, &s->D,
	    e) == -1 || size_of(root, "intermediate_size", 0, &s->F, e) == -1)
		return -1;
	s->family = FAMILY_LLAMA;
	s->eps = number_of(root, "rms_norm_eps", 1e-6);
	s->tied = bool_of(root, "tie_word_embeddings", false);
	s->qkv_bias = bool_of(root, "attention_bias", false);
	s->mlp_bias = bool_of(root, "mlp_bias", false);
	if (!text_is(root, "hidden_act", "silu"))
		return err_set(e, FATE_REJECT, "config.json: 'hidden_act' is "
		    "not silu");
	return shape_rope(root, s, e);
}

int
shape_parse(struct view json, struct shape *s, struct err *e)
{
	struct view root, raw;
	int rc;

	memset(s, 0, sizeof(*s));
	if (json_value(json, &root, e) == -1)
		return err_prefix(e, "config.json: ");
	if (text_is(root, "model_type", "gpt2"))
		rc = shape_gpt2(root, s, e);
	else if (text_is(root, "model_type", "llama"))
		rc = shape_llama(root, s, e);
	else if (json_get(root, "model_type", &raw))
		return err_set(e, FATE_REJECT, "config.json: 'model_type' is "
		    "%.*s: gpt2 and llama are computed", (int)(raw.n < 60 ?
		    raw.n : 60), raw.p);
	else
		return err_set(e, FATE_REJECT, "config.json has no "
		    "'model_type'");
	if (rc == -1)
		return -1;
	shape_ends(root, s);
	return shape_check(s, e);
}

int
shape_check(const struct shape *s, struct err *e)
{
	if (s->D * s->H != s->C && s->family == FAMILY_GPT2)
		return err_set(e, FATE_REJECT, "%zu channels cannot be shared "
		    "by %zu heads", s->C, s->H);
	if (s->H % s->G != 0)
		return err_set(e, FATE_REJECT, "%zu heads cannot share %zu "
		    "key and value heads", s->H, s->G);
	if (s->family == FAMILY_LLAMA && s->D % 2 != 0)
		return err_set(e, FATE_REJECT, "a head of %zu channels cannot "
		    "be turned in pairs", s->D);
	if (s->C > 65536 || s->L > 1024 || s->H > 1024 || s->D > 4096 ||
	    s->F > 1 << 20 || s->V > 1 << 22)
		return err_set(e, FATE_REJECT, "a size in the model's shape is "
		    "out of all proportion");
	return 0;
}

/* print_ends - bos and eos as they are read back */
static void
print_ends(const struct shape *s, struct buf *b)
{
	if (s->bos >= 0)
		buf_printf(b, " \"bos_token_id\": %d,\n", s->bos);
	if (s->nstops == 0)
		return;
	buf_str(b, " \"eos_token_id\": ");
	for (size_t i = 0; i < s->nstops; i++)
		buf_printf(b, "%s%d", i > 0 ? ", " : s->nstops > 1 ? "[" : "",
		    s->stop[i]);
	buf_str(b, s->nstops > 1 ? "],\n" : ",\n");
}

void
shape_print(const struct shape *s, struct buf *b)
{
	bool gpt2 = s->family == FAMILY_GPT2;

	buf_printf(b, "{\n \"architectures\": [\"%s\"],\n \"model_type\": "
	    "\"%s\",\n \"vocab_size\": %zu,\n", gpt2 ? "GPT2LMHeadModel" :
	    "LlamaForCausalLM", gpt2 ? "gpt2" : "llama", s->V);
	if (gpt2)
		buf_printf(b, " \"n_positions\": %zu,\n \"n_embd\": %zu,\n"
		    " \"n_layer\": %zu,\n \"n_head\": %zu,\n \"n_inner\": %zu,"
		    "\n \"activation_function\": \"gelu_new\",\n"
		    " \"layer_norm_epsilon\": ", s->T, s->C, s->L, s->H,
		    s->F);
	else
		buf_printf(b, " \"max_position_embeddings\": %zu,\n"
		    " \"hidden_size\": %zu,\n \"num_hidden_layers\": %zu,\n"
		    " \"num_attention_heads\": %zu,\n"
		    " \"num_key_value_heads\": %zu,\n \"head_dim\": %zu,\n"
		    " \"intermediate_size\": %zu,\n \"hidden_act\": \"silu\","
		    "\n \"rope_theta\": %.17g,\n \"attention_bias\": %s,\n"
		    " \"mlp_bias\": %s,\n \"rms_norm_eps\": ", s->T, s->C,
		    s->L, s->H, s->G, s->D, s->F, s->theta,
		    s->qkv_bias ? "true" : "false",
		    s->mlp_bias ? "true" : "false");
	buf_json_num(b, s->eps);
	buf_str(b, ",\n");
	print_ends(s, b);
	buf_printf(b, " \"tie_word_embeddings\": %s,\n \"torch_dtype\": "
	    "\"float32\"\n}\n", s->tied ? "true" : "false");
}
