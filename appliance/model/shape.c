/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/encoder_shape.h"
#include "appliance/model/t5_shape.h"
#include "appliance/text/json.h"

#include <math.h>

void
shape_family(struct shape *s, enum family f)
{
	bool gemma = f == FAMILY_GEMMA || f == FAMILY_GEMMA2 ||
	    f == FAMILY_GEMMA3;

	s->family = f;
	s->encoder = f >= FAMILY_BERT;
	s->layernorm = f == FAMILY_GPT2 || f == FAMILY_NEOX ||
	    f == FAMILY_OPT || s->encoder;
	s->less_one = gemma;
	s->head_norms = f == FAMILY_QWEN3 || f == FAMILY_QWEN3_MOE ||
	    f == FAMILY_GEMMA3;
	s->post_norms = f == FAMILY_GEMMA2 || f == FAMILY_GEMMA3;
	s->gated = !s->layernorm;
	s->act = s->gated && !gemma ? ACT_SILU : f == FAMILY_OPT ? ACT_RELU :
	    f == FAMILY_NEOX || s->encoder ? ACT_GELU_ERF : ACT_GELU;
	s->places = f == FAMILY_GPT2 || f == FAMILY_OPT || s->encoder;
	s->place_skip = f == FAMILY_OPT ? 2 : 0;
	s->turned = s->places ? 0 : s->D;
	s->rope.theta = 10000;
	s->qkv_bias = s->layernorm || f == FAMILY_QWEN2 ||
	    f == FAMILY_QWEN2_MOE;
	s->out_bias = s->mlp_bias = s->layernorm;
	s->two_ropes = f == FAMILY_GEMMA3;
	s->embed_scale = gemma ? sqrt((double)s->C) : 0;
	s->seq2seq = f == FAMILY_T5 || f == FAMILY_MT5;
	if (s->seq2seq)
		s->turned = 0;
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
	    x >= 0 && x < CONF_LARGEST)
		s->bos = (int32_t)x;
	if (!json_get(root, "eos_token_id", &raw))
		return;
	if (json_integer(raw, &x) && x >= 0 && x < CONF_LARGEST)
		s->stop[s->nstops++] = (int32_t)x;
	else if (json_open(&it, raw, '['))
		while (json_element(&it, &v) && s->nstops < SHAPE_STOPS)
			if (json_integer(v, &x) && x >= 0 && x < CONF_LARGEST)
				s->stop[s->nstops++] = (int32_t)x;
}

double
shape_scale(const struct shape *s, size_t layer)
{
	double x = s->score_scale != 0 ? s->score_scale :
	    1 / sqrt((double)s->D);

	return s->score_layers ? x / (double)(layer + 1) : s->score_scale;
}

int
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
		if (conf_is(root, name, acts[i].name)) {
			s->act = acts[i].act;
			return 0;
		}
	return err_set(e, FATE_REJECT, "config.json: '%s' is %.*s, which is "
	    "not computed", name, (int)(raw.n < 40 ? raw.n : 40), raw.p);
}

static int
shape_gpt2(struct view root, struct shape *s, struct err *e)
{
	if (conf_size(root, "vocab_size", 0, &s->V, e) == -1 ||
	    conf_size(root, "n_positions", 1024, &s->T, e) == -1 ||
	    conf_size(root, "n_embd", 0, &s->C, e) == -1 ||
	    conf_size(root, "n_layer", 0, &s->L, e) == -1 ||
	    conf_size(root, "n_head", 0, &s->H, e) == -1 ||
	    conf_size(root, "n_inner", 4 * s->C, &s->F, e) == -1 ||
	    conf_must(root, "add_cross_attention", false, e) == -1)
		return -1;
	s->score_scale = conf_bool(root, "scale_attn_weights", true) ? 0 : 1;
	s->score_layers = conf_bool(root, "scale_attn_by_inverse_layer_idx",
	    false);
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, FAMILY_GPT2);
	s->eps = conf_number(root, "layer_norm_epsilon", 1e-5);
	s->tied = conf_bool(root, "tie_word_embeddings", true);
	return shape_act(root, "activation_function", s, e);
}

static int
shape_opt(struct view root, struct shape *s, struct err *e)
{
	size_t project;

	if (conf_size(root, "vocab_size", 0, &s->V, e) == -1 ||
	    conf_size(root, "max_position_embeddings", 2048, &s->T, e) == -1 ||
	    conf_size(root, "hidden_size", 0, &s->C, e) == -1 ||
	    conf_size(root, "num_hidden_layers", 0, &s->L, e) == -1 ||
	    conf_size(root, "num_attention_heads", 0, &s->H, e) == -1 ||
	    conf_size(root, "ffn_dim", 0, &s->F, e) == -1 ||
	    conf_size(root, "word_embed_proj_dim", s->C, &project, e) == -1 ||
	    conf_must(root, "do_layer_norm_before", true, e) == -1 ||
	    conf_must(root, "_remove_final_layer_norm", false, e) == -1 ||
	    conf_must(root, "layer_norm_elementwise_affine", true, e) == -1 ||
	    conf_must(root, "enable_bias", true, e) == -1)
		return -1;
	if (project != s->C)
		return err_set(e, FATE_REJECT, "config.json: "
		    "'word_embed_proj_dim' is not 'hidden_size', which is not "
		    "computed");
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, FAMILY_OPT);
	s->eps = 1e-5;			/* PyTorch's; the file has none */
	s->tied = conf_bool(root, "tie_word_embeddings", true);
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
	double part = conf_number(root, neox ? "rotary_pct" :
	    "partial_rotary_factor", neox ? 0.25 : 1);
	struct view v;
	size_t old;

	if (json_get(root, "rope_parameters", &v))
		part = conf_number(v, "partial_rotary_factor", part);
	s->turned = part > 0 && part <= 1 ? (size_t)(part * (double)s->D) : 0;
	if (s->turned < 2 || s->turned % 2 != 0)
		return err_set(e, FATE_REJECT, "a head of %zu channels cannot "
		    "be turned in pairs", s->turned);
	s->rope.theta = conf_number(root, neox ? "rotary_emb_base" :
	    "rope_theta", s->two_ropes || s->family == FAMILY_MIXTRAL ? 1e6 :
	    10000);
	s->local_rope.theta = conf_number(root, "rope_local_base_freq", 10000);
	if (conf_size(root, "original_max_position_embeddings", s->family ==
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
	size_t from = conf_count(root, "max_window_layers", 28);
	size_t every = conf_count(root, "sliding_window_pattern", 6);

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
	bool moe = s->family == FAMILY_QWEN2_MOE ||
	    s->family == FAMILY_QWEN3_MOE;
	bool qwen = moe || s->family == FAMILY_QWEN2 ||
	    s->family == FAMILY_QWEN3;
	bool llama = s->family == FAMILY_LLAMA || s->family == FAMILY_NEOX ||
	    s->family == FAMILY_GEMMA;
	size_t def = s->family == FAMILY_PHI3 || s->family ==
	    FAMILY_MIXTRAL ? 0 : 4096;
	struct view raw;
	bool any = false;

	if (llama || (qwen && !conf_bool(root, "use_sliding_window", false)))
		return 0;
	if (moe)			/* its versions do not agree where */
		return conf_must(root, "use_sliding_window", false, e);
	if (json_get(root, "sliding_window", &raw))
		def = 0;
	if (json_get(root, "sliding_window", &raw) && !json_is_null(raw)) {
		if (conf_size(root, "sliding_window", 0, &s->window, e) == -1)
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
		s->mlp_bias = conf_bool(root, "mlp_bias", false);
		/* fall through */
	case FAMILY_QWEN3:
	case FAMILY_QWEN3_MOE:
	case FAMILY_GEMMA:
	case FAMILY_GEMMA2:
	case FAMILY_GEMMA3:
		s->qkv_bias = s->out_bias = conf_bool(root, "attention_bias",
		    false);
		break;
	case FAMILY_NEOX:
		s->qkv_bias = s->out_bias = conf_bool(root, "attention_bias",
		    true);
		break;
	case FAMILY_QWEN2_MOE:
		s->qkv_bias = conf_bool(root, "qkv_bias", true);
		break;
	default:
		break;
	}
}

/* dense_layers - those whose MLP has no experts */
static void
dense_layers(struct view root, struct shape *s)
{
	size_t every = conf_count(root, "decoder_sparse_step", 1);
	struct json_iter it;
	struct view list, v;
	int64_t x;

	for (size_t i = 0; i < s->L; i++)
		s->sparse[i] = s->family == FAMILY_MIXTRAL ||
		    (every > 0 && (i + 1) % every == 0);
	if (json_get(root, "mlp_only_layers", &list) &&
	    json_open(&it, list, '['))
		while (json_element(&it, &v))
			if (json_integer(v, &x) && x >= 0 &&
			    (size_t)x < s->L)
				s->sparse[x] = false;
}

/* shape_experts - how many, how wide, and in which layers */
static int
shape_experts(struct view root, struct shape *s, struct err *e)
{
	bool mixtral = s->family == FAMILY_MIXTRAL;
	struct view raw;

	if (!mixtral && s->family != FAMILY_QWEN2_MOE &&
	    s->family != FAMILY_QWEN3_MOE)
		return 0;
	if (conf_size(root, mixtral || !json_get(root, "num_experts", &raw) ?
	    "num_local_experts" : "num_experts", 0, &s->E, e) == -1 ||
	    conf_size(root, "num_experts_per_tok", 0, &s->K, e) == -1 ||
	    conf_size(root, "moe_intermediate_size", mixtral ? s->F : 0,
	    &s->EF, e) == -1 || (s->family == FAMILY_QWEN2_MOE &&
	    conf_size(root, "shared_expert_intermediate_size", 5632, &s->SF,
	    e) == -1))
		return -1;
	s->norm_chosen = mixtral || conf_bool(root, "norm_topk_prob", false);
	dense_layers(root, s);
	if (s->K <= s->E && s->E * s->L <= 1 << 16)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: %zu of %zu experts "
	    "cannot be chosen", s->K, s->E);
}

/* shape_gemma - scores and logits with caps, a scale of its own */
static void
shape_gemma(struct view root, struct shape *s)
{
	bool two = s->family == FAMILY_GEMMA2;
	double scalar = conf_number(root, "query_pre_attn_scalar", 256);
	struct view raw;

	s->score_cap = conf_number(root, "attn_logit_softcapping", two &&
	    !json_get(root, "attn_logit_softcapping", &raw) ? 50 : 0);
	s->logit_cap = conf_number(root, "final_logit_softcapping", two &&
	    !json_get(root, "final_logit_softcapping", &raw) ? 30 : 0);
	s->score_scale = scalar > 0 ? 1 / sqrt(scalar) : 0;
}

static size_t
head_size(const struct shape *s, enum family f)
{
	if (f == FAMILY_QWEN3)		/* and not qwen3_moe */
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

	if (conf_size(root, "vocab_size", 0, &s->V, e) == -1 ||
	    conf_size(root, "max_position_embeddings", f == FAMILY_PHI3 ? 4096 :
	    2048, &s->T, e) == -1 ||
	    conf_size(root, "hidden_size", 0, &s->C, e) == -1 ||
	    conf_size(root, "num_hidden_layers", 0, &s->L, e) == -1 ||
	    conf_size(root, "num_attention_heads", 0, &s->H, e) == -1 ||
	    conf_size(root, "num_key_value_heads", s->H, &s->G, e) == -1 ||
	    conf_size(root, "head_dim", head_size(s, f), &s->D, e) == -1 ||
	    conf_size(root, "intermediate_size", 0, &s->F, e) == -1 ||
	    conf_must(root, "use_bidirectional_attention", false, e) == -1)
		return -1;
	if (s->L > SHAPE_LAYERS)
		return shape_check(s, e);
	shape_family(s, f);
	s->eps = conf_number(root, neox ? "layer_norm_eps" : "rms_norm_eps",
	    neox || f == FAMILY_PHI3 || f == FAMILY_MIXTRAL ? 1e-5 : 1e-6);
	s->tied = conf_bool(root, "tie_word_embeddings", gemma);
	s->parallel = neox && conf_bool(root, "use_parallel_residual", true);
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
	return shape_experts(root, s, e) == -1 || shape_rope(root, s, e) ==
	    -1 || shape_window(root, s, e) == -1 ? -1 : 0;
}

static int
shape_named(struct view root, struct shape *s, struct err *e)
{
	struct view raw;

	if (!json_get(root, "model_type", &raw))
		return err_set(e, FATE_REJECT, "config.json has no "
		    "'model_type'");
	for (enum family f = 0; f < FAMILIES; f++)
		if (conf_is(root, "model_type", family_name(f)))
			return f == FAMILY_GPT2 ? shape_gpt2(root, s, e) :
			    f >= FAMILY_BERT ? encoder_parse(root, f, s, e) :
			    f == FAMILY_OPT ? shape_opt(root, s, e) :
			    f >= FAMILY_T5 ? t5_parse(root, f, s, e) :
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
	    s->D > 4096 || s->F > 1 << 20 || s->EF > 1 << 20 ||
	    s->SF > 1 << 20 || s->V > 1 << 22)
		return err_set(e, FATE_REJECT, "a size in the model's shape is "
		    "out of all proportion");
	return 0;
}
