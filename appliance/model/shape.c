/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/shape.h"
#include "appliance/text/json.h"

#include <math.h>

#define LARGEST	((int64_t)1 << 24)	/* of any one number */

static const struct {
	const char *name, *class;
} families[FAMILIES] = {
	[FAMILY_GPT2] = { "gpt2", "GPT2LMHeadModel" },
	[FAMILY_LLAMA] = { "llama", "LlamaForCausalLM" },
	[FAMILY_MISTRAL] = { "mistral", "MistralForCausalLM" },
	[FAMILY_QWEN2] = { "qwen2", "Qwen2ForCausalLM" },
	[FAMILY_QWEN3] = { "qwen3", "Qwen3ForCausalLM" },
	[FAMILY_GEMMA] = { "gemma", "GemmaForCausalLM" },
	[FAMILY_GEMMA2] = { "gemma2", "Gemma2ForCausalLM" },
	[FAMILY_GEMMA3] = { "gemma3_text", "Gemma3ForCausalLM" },
	[FAMILY_PHI3] = { "phi3", "Phi3ForCausalLM" },
	[FAMILY_NEOX] = { "gpt_neox", "GPTNeoXForCausalLM" },
	[FAMILY_OPT] = { "opt", "OPTForCausalLM" },
};

const char *
family_name(enum family f)
{
	return families[f].name;
}

const char *
family_class(enum family f)
{
	return families[f].class;
}

void
shape_family(struct shape *s, enum family f)
{
	bool gemma = f == FAMILY_GEMMA || f == FAMILY_GEMMA2 ||
	    f == FAMILY_GEMMA3;

	s->family = f;
	s->layernorm = f == FAMILY_GPT2 || f == FAMILY_NEOX || f == FAMILY_OPT;
	s->less_one = gemma;
	s->head_norms = f == FAMILY_QWEN3 || f == FAMILY_GEMMA3;
	s->post_norms = f == FAMILY_GEMMA2 || f == FAMILY_GEMMA3;
	s->gated = !s->layernorm;
	s->act = s->gated && !gemma ? ACT_SILU : f == FAMILY_OPT ? ACT_RELU :
	    f == FAMILY_NEOX ? ACT_GELU_ERF : ACT_GELU;
	s->places = f == FAMILY_GPT2 || f == FAMILY_OPT;
	s->place_skip = f == FAMILY_OPT ? 2 : 0;
	s->turned = s->places ? 0 : s->D;
	s->rope.theta = 10000;
	s->qkv_bias = s->layernorm || f == FAMILY_QWEN2;
	s->out_bias = s->mlp_bias = s->layernorm;
	s->two_ropes = f == FAMILY_GEMMA3;
	s->embed_scale = gemma ? sqrt((double)s->C) : 0;
}

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

/* must_be - a switch that is computed in one position only */
static int
must_be(struct view root, const char *name, bool want, struct err *e)
{
	if (bool_of(root, name, want) == want)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: '%s' is %s, which is not "
	    "computed", name, want ? "false" : "true");
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

/* shape_act - the activation by any of its names; the family's if absent */
static int
shape_act(struct view root, const char *name, struct shape *s, struct err *e)
{
	static const struct {
		const char *name;
		enum kernel_act act;
	} acts[] = {
		{ "gelu_new", ACT_GELU }, { "gelu_pytorch_tanh", ACT_GELU },
		{ "gelu_fast", ACT_GELU }, { "gelu", ACT_GELU_ERF },
		{ "silu", ACT_SILU }, { "swish", ACT_SILU },
		{ "relu", ACT_RELU },
	};
	struct view raw;

	if (!json_get(root, name, &raw) || json_is_null(raw))
		return 0;
	for (size_t i = 0; i < BASE_COUNT(acts); i++)
		if (text_is(root, name, acts[i].name)) {
			s->act = acts[i].act;
			return 0;
		}
	return err_set(e, FATE_REJECT, "config.json: '%s' is %.*s, which is "
	    "not computed", name, (int)(raw.n < 40 ? raw.n : 40), raw.p);
}

static int
shape_gpt2(struct view root, struct shape *s, struct err *e)
{
	if (size_of(root, "vocab_size", 0, &s->V, e) == -1 ||
	    size_of(root, "n_positions", 1024, &s->T, e) == -1 ||
	    size_of(root, "n_embd", 0, &s->C, e) == -1 ||
	    size_of(root, "n_layer", 0, &s->L, e) == -1 ||
	    size_of(root, "n_head", 0, &s->H, e) == -1 ||
	    size_of(root, "n_inner", 4 * s->C, &s->F, e) == -1 ||
	    must_be(root, "scale_attn_weights", true, e) == -1 ||
	    must_be(root, "scale_attn_by_inverse_layer_idx", false, e) == -1 ||
	    must_be(root, "add_cross_attention", false, e) == -1)
		return -1;
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, FAMILY_GPT2);
	s->eps = number_of(root, "layer_norm_epsilon", 1e-5);
	s->tied = bool_of(root, "tie_word_embeddings", true);
	return shape_act(root, "activation_function", s, e);
}

static int
shape_opt(struct view root, struct shape *s, struct err *e)
{
	size_t project;

	if (size_of(root, "vocab_size", 0, &s->V, e) == -1 ||
	    size_of(root, "max_position_embeddings", 2048, &s->T, e) == -1 ||
	    size_of(root, "hidden_size", 0, &s->C, e) == -1 ||
	    size_of(root, "num_hidden_layers", 0, &s->L, e) == -1 ||
	    size_of(root, "num_attention_heads", 0, &s->H, e) == -1 ||
	    size_of(root, "ffn_dim", 0, &s->F, e) == -1 ||
	    size_of(root, "word_embed_proj_dim", s->C, &project, e) == -1 ||
	    must_be(root, "do_layer_norm_before", true, e) == -1 ||
	    must_be(root, "_remove_final_layer_norm", false, e) == -1 ||
	    must_be(root, "layer_norm_elementwise_affine", true, e) == -1 ||
	    must_be(root, "enable_bias", true, e) == -1)
		return -1;
	if (project != s->C)
		return err_set(e, FATE_REJECT, "config.json: "
		    "'word_embed_proj_dim' is not 'hidden_size', which is not "
		    "computed");
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, FAMILY_OPT);
	s->eps = 1e-5;			/* PyTorch's; the file has none */
	s->tied = bool_of(root, "tie_word_embeddings", true);
	return shape_act(root, "activation_function", s, e);
}

/* rope_of - the old spelling (rope_scaling), or transformers 5's, in which
 * Gemma 3 has an object for each kind of layer */
static int
rope_of(struct view root, const char *kind, struct shape *s,
    struct rope *r, struct err *e)
{
	struct view v, inner;
	bool is_local = r == &s->local_rope;

	if (json_get(root, "rope_parameters", &v) && !json_is_null(v)) {
		if (json_get(v, kind, &inner))
			v = inner;
		else if (is_local)
			return 0;
		return rope_parse(v, s->T, s->turned, r, e);
	}
	if (!is_local && json_get(root, "rope_scaling", &v) &&
	    !json_is_null(v))
		return rope_parse(v, s->T, s->turned, r, e);
	return 0;
}

static int
shape_rope(struct view root, struct shape *s, struct err *e)
{
	bool neox = s->family == FAMILY_NEOX;
	double part = number_of(root, neox ? "rotary_pct" :
	    "partial_rotary_factor", neox ? 0.25 : 1);
	struct view v;
	size_t old;

	if (json_get(root, "rope_parameters", &v))
		part = number_of(v, "partial_rotary_factor", part);
	s->turned = part > 0 && part <= 1 ? (size_t)(part * (double)s->D) : 0;
	if (s->turned < 2 || s->turned % 2 != 0)
		return err_set(e, FATE_REJECT, "a head of %zu channels cannot "
		    "be turned in pairs", s->turned);
	s->rope.theta = number_of(root, neox ? "rotary_emb_base" :
	    "rope_theta", s->two_ropes ? 1e6 : 10000);
	s->local_rope.theta = number_of(root, "rope_local_base_freq", 10000);
	if (size_of(root, "original_max_position_embeddings", s->family ==
	    FAMILY_PHI3 ? 4096 : SIZE_MAX, &old, e) == -1)
		return -1;
	s->rope.original = old == SIZE_MAX ? 0 : old;
	if (rope_of(root, "full_attention", s, &s->rope, e) == -1 ||
	    rope_of(root, "sliding_attention", s, &s->local_rope, e) == -1)
		return -1;
	if (s->family == FAMILY_PHI3 && s->rope.kind == ROPE_YARN)
		return err_set(e, FATE_REJECT, "config.json: RoPE of the type "
		    "'yarn' in phi3 means 'longrope': name it so");
	if (s->rope.theta > 1 && s->local_rope.theta > 1)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: 'rope_theta' is not above "
	    "1");
}

/* local_layers - which layers see a window only, where no list says it */
static void
local_layers(struct view root, struct shape *s)
{
	size_t from = (size_t)number_of(root, "max_window_layers", 28);
	size_t every = (size_t)number_of(root, "sliding_window_pattern", 6);

	for (size_t i = 0; i < s->L; i++)
		switch (s->family) {
		case FAMILY_QWEN2:
		case FAMILY_QWEN3:
			s->local[i] = i >= from;
			break;
		case FAMILY_GEMMA2:
			s->local[i] = i % 2 == 0;
			break;
		case FAMILY_GEMMA3:
			s->local[i] = every > 0 && (i + 1) % every != 0;
			break;
		default:
			s->local[i] = true;
		}
}

/* layer_list - 'layer_types', a word for each layer */
static int
layer_list(struct view list, struct shape *s, struct err *e)
{
	struct json_iter it;
	struct view v;
	size_t i = 0;

	json_open(&it, list, '[');
	while (json_element(&it, &v) && i < s->L) {
		s->local[i] = view_is(v, "\"sliding_attention\"");
		if (!s->local[i++] && !view_is(v, "\"full_attention\""))
			return err_set(e, FATE_REJECT, "config.json: "
			    "'layer_types' has %.*s, which is not computed",
			    (int)(v.n < 40 ? v.n : 40), v.p);
	}
	if (i == s->L && !json_element(&it, &v))
		return 0;
	return err_set(e, FATE_REJECT, "config.json: 'layer_types' is not a "
	    "list of %zu", s->L);
}

static int
shape_window(struct view root, struct shape *s, struct err *e)
{
	bool qwen = s->family == FAMILY_QWEN2 || s->family == FAMILY_QWEN3;
	bool llama = s->family == FAMILY_LLAMA || s->family == FAMILY_NEOX ||
	    s->family == FAMILY_GEMMA;
	size_t def = s->family == FAMILY_PHI3 ? 0 : 4096;
	struct view raw;
	bool any = false;

	if (llama || (qwen && !bool_of(root, "use_sliding_window", false)))
		return 0;
	if (json_get(root, "sliding_window", &raw))
		def = 0;
	if (json_get(root, "sliding_window", &raw) && !json_is_null(raw)) {
		if (size_of(root, "sliding_window", 0, &s->window, e) == -1)
			return -1;
	} else
		s->window = def;
	if (s->window == 0)
		return 0;
	local_layers(root, s);
	if (json_get(root, "layer_types", &raw) && !json_is_null(raw) &&
	    layer_list(raw, s, e) == -1)
		return -1;
	for (size_t i = 0; i < s->L; i++)
		any = any || s->local[i];
	s->window = any ? s->window : 0;
	return 0;
}

/* shape_biases - where a family leaves them to a switch */
static void
shape_biases(struct view root, struct shape *s)
{
	switch (s->family) {
	case FAMILY_LLAMA:
		s->mlp_bias = bool_of(root, "mlp_bias", false);
		/* fall through */
	case FAMILY_QWEN3:
	case FAMILY_GEMMA:
	case FAMILY_GEMMA2:
	case FAMILY_GEMMA3:
		s->qkv_bias = s->out_bias = bool_of(root, "attention_bias",
		    false);
		break;
	case FAMILY_NEOX:
		s->qkv_bias = s->out_bias = bool_of(root, "attention_bias",
		    true);
		break;
	default:
		break;
	}
}

/* shape_gemma - scores and logits with caps, a scale of its own */
static void
shape_gemma(struct view root, struct shape *s)
{
	bool two = s->family == FAMILY_GEMMA2;
	double scalar = number_of(root, "query_pre_attn_scalar", 256);
	struct view raw;

	s->score_cap = number_of(root, "attn_logit_softcapping", two &&
	    !json_get(root, "attn_logit_softcapping", &raw) ? 50 : 0);
	s->logit_cap = number_of(root, "final_logit_softcapping", two &&
	    !json_get(root, "final_logit_softcapping", &raw) ? 30 : 0);
	s->score_scale = scalar > 0 ? 1 / sqrt(scalar) : 0;
}

static size_t
head_size(const struct shape *s, enum family f)
{
	if (f == FAMILY_QWEN3)
		return 128;
	if (f == FAMILY_GEMMA || f == FAMILY_GEMMA2 || f == FAMILY_GEMMA3)
		return 256;
	return s->C < s->H ? 1 : s->C / s->H;
}

/* shape_common - Llama's names, which most families took over */
static int
shape_common(struct view root, enum family f, struct shape *s, struct err *e)
{
	bool gemma = f == FAMILY_GEMMA || f == FAMILY_GEMMA2 ||
	    f == FAMILY_GEMMA3, neox = f == FAMILY_NEOX;
	struct view raw;

	if (size_of(root, "vocab_size", 0, &s->V, e) == -1 ||
	    size_of(root, "max_position_embeddings", f == FAMILY_PHI3 ? 4096 :
	    2048, &s->T, e) == -1 ||
	    size_of(root, "hidden_size", 0, &s->C, e) == -1 ||
	    size_of(root, "num_hidden_layers", 0, &s->L, e) == -1 ||
	    size_of(root, "num_attention_heads", 0, &s->H, e) == -1 ||
	    size_of(root, "num_key_value_heads", s->H, &s->G, e) == -1 ||
	    size_of(root, "head_dim", head_size(s, f), &s->D, e) == -1 ||
	    size_of(root, "intermediate_size", 0, &s->F, e) == -1 ||
	    must_be(root, "use_bidirectional_attention", false, e) == -1)
		return -1;
	if (s->L > SHAPE_LAYERS)
		return shape_check(s, e);
	shape_family(s, f);
	s->eps = number_of(root, neox ? "layer_norm_eps" : "rms_norm_eps",
	    neox || f == FAMILY_PHI3 ? 1e-5 : 1e-6);
	s->tied = bool_of(root, "tie_word_embeddings", gemma);
	s->parallel = neox && bool_of(root, "use_parallel_residual", true);
	if (neox)
		s->G = s->H;
	/* Gemma 1 came with 'hidden_act' gelu and meant gelu by tanh */
	if (f != FAMILY_GEMMA && shape_act(root, "hidden_act", s, e) == -1)
		return -1;
	if (gemma && json_get(root, "hidden_activation", &raw) &&
	    shape_act(root, "hidden_activation", s, e) == -1)
		return -1;
	shape_biases(root, s);
	if (f == FAMILY_GEMMA2 || f == FAMILY_GEMMA3)
		shape_gemma(root, s);
	return shape_rope(root, s, e) == -1 || shape_window(root, s, e) == -1 ?
	    -1 : 0;
}

static int
shape_named(struct view root, struct shape *s, struct err *e)
{
	struct view raw;

	if (!json_get(root, "model_type", &raw))
		return err_set(e, FATE_REJECT, "config.json has no "
		    "'model_type'");
	for (enum family f = 0; f < FAMILIES; f++)
		if (text_is(root, "model_type", families[f].name))
			return f == FAMILY_GPT2 ? shape_gpt2(root, s, e) :
			    f == FAMILY_OPT ? shape_opt(root, s, e) :
			    shape_common(root, f, s, e);
	return err_set(e, FATE_REJECT, "config.json: 'model_type' is %.*s, "
	    "which is not computed", (int)(raw.n < 60 ? raw.n : 60), raw.p);
}

int
shape_parse(struct view json, struct shape *s, struct err *e)
{
	struct view root, raw;

	memset(s, 0, sizeof(*s));
	if (json_value(json, &root, e) == -1)
		return err_prefix(e, "config.json: ");
	if (json_get(root, "quantization_config", &raw) && !json_is_null(raw))
		return err_set(e, FATE_REJECT, "config.json: the weights are "
		    "quantised ('quantization_config'), which is not "
		    "computed");
	if (shape_named(root, s, e) == -1)
		return -1;
	s->source = root;
	shape_ends(root, s);
	return shape_check(s, e);
}

int
shape_check(const struct shape *s, struct err *e)
{
	if (s->D * s->H != s->C && s->layernorm)
		return err_set(e, FATE_REJECT, "%zu channels cannot be shared "
		    "by %zu heads", s->C, s->H);
	if (s->H % s->G != 0)
		return err_set(e, FATE_REJECT, "%zu heads cannot share %zu "
		    "key and value heads", s->H, s->G);
	if (s->turned % 2 != 0)
		return err_set(e, FATE_REJECT, "a head of %zu channels cannot "
		    "be turned in pairs", s->turned);
	if (s->C > 65536 || s->L > SHAPE_LAYERS || s->H > 1024 ||
	    s->D > 4096 || s->F > 1 << 20 || s->V > 1 << 22)
		return err_set(e, FATE_REJECT, "a size in the model's shape is "
		    "out of all proportion");
	return 0;
}
