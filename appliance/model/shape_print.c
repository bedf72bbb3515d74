/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of a shape, in the spelling that both transformers 4 and 5 read
 * (rope_theta and rope_scaling, not rope_parameters).  Members of the file that
 * was read stay, but for those that said the same in other words.
 */
#include "appliance/base/base.h"
#include "appliance/model/encoder_shape.h"
#include "appliance/model/t5_shape.h"
#include "appliance/text/json.h"

#include <math.h>

#define CONFIG_MAX	((size_t)1 << 20)

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
	[FAMILY_MIXTRAL] = { "mixtral", "MixtralForCausalLM" },
	[FAMILY_QWEN2_MOE] = { "qwen2_moe", "Qwen2MoeForCausalLM" },
	[FAMILY_QWEN3_MOE] = { "qwen3_moe", "Qwen3MoeForCausalLM" },
	[FAMILY_T5] = { "t5", "T5ForConditionalGeneration" },
	[FAMILY_MT5] = { "mt5", "MT5ForConditionalGeneration" },
	[FAMILY_BERT] = { "bert", "Bert" },
	[FAMILY_ROBERTA] = { "roberta", "Roberta" },
	[FAMILY_XLM_ROBERTA] = { "xlm-roberta", "XLMRoberta" },
	[FAMILY_DISTILBERT] = { "distilbert", "DistilBert" },
	[FAMILY_MPNET] = { "mpnet", "MPNet" },
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

/* a member of the object that is being written */
static void
print_size(struct buf *b, const char *name, size_t x)
{
	buf_printf(b, ",\n \"%s\": %zu", name, x);
}

/* print_number - transformers 5 refuses 30 where it wants 30.0 */
static void
print_number(struct buf *b, const char *name, double x)
{
	buf_printf(b, ",\n \"%s\": ", name);
	buf_json_num(b, x);
	if (x == floor(x) && fabs(x) < 1e15)
		buf_str(b, ".0");
}

static void
print_bool(struct buf *b, const char *name, bool x)
{
	buf_printf(b, ",\n \"%s\": %s", name, x ? "true" : "false");
}

static void
print_text(struct buf *b, const char *name, const char *x)
{
	buf_printf(b, ",\n \"%s\": \"%s\"", name, x);
}

/* print_cap - a number, or null where there is none */
static void
print_cap(struct buf *b, const char *name, double x)
{
	if (x > 0)
		print_number(b, name, x);
	else
		buf_printf(b, ",\n \"%s\": null", name);
}

/* print_ends - bos and eos as they are read back */
static void
print_ends(const struct shape *s, struct buf *b)
{
	if (s->bos >= 0)
		buf_printf(b, ",\n \"bos_token_id\": %d", s->bos);
	else
		buf_str(b, ",\n \"bos_token_id\": null");
	buf_str(b, ",\n \"eos_token_id\": ");
	for (size_t i = 0; i < s->nstops; i++)
		buf_printf(b, "%s%d", i > 0 ? ", " : s->nstops > 1 ? "[" : "",
		    s->stop[i]);
	buf_str(b, s->nstops > 1 ? "]" : s->nstops == 0 ? "null" : "");
}

static const char *
act_name(const struct shape *s)
{
	switch (s->act) {
	case ACT_GELU:
		return s->family == FAMILY_GPT2 ? "gelu_new" :
		    "gelu_pytorch_tanh";
	case ACT_GELU_ERF:
		return "gelu";
	case ACT_SILU:
		return "silu";
	default:
		return "relu";
	}
}

static void
print_gpt2(const struct shape *s, struct buf *b)
{
	print_size(b, "n_positions", s->T);
	print_size(b, "n_embd", s->C);
	print_size(b, "n_layer", s->L);
	print_size(b, "n_head", s->H);
	print_size(b, "n_inner", s->F);
	print_text(b, "activation_function", act_name(s));
	print_number(b, "layer_norm_epsilon", s->eps);
	print_bool(b, "scale_attn_weights", s->score_scale == 0);
	print_bool(b, "scale_attn_by_inverse_layer_idx", s->score_layers);
}

static void
print_opt(const struct shape *s, struct buf *b)
{
	print_size(b, "max_position_embeddings", s->T);
	print_size(b, "hidden_size", s->C);
	print_size(b, "num_hidden_layers", s->L);
	print_size(b, "num_attention_heads", s->H);
	print_size(b, "ffn_dim", s->F);
	print_size(b, "word_embed_proj_dim", s->C);
	print_bool(b, "do_layer_norm_before", true);
	print_text(b, "activation_function", act_name(s));
}

/* part_of - of a head that is turned; its product with the head's size is cut
 * to a whole number by whoever reads it */
static double
part_of(const struct shape *s)
{
	double D = (double)s->D, x = (double)s->turned / D;

	return (size_t)(x * D) == s->turned ? x : ((double)s->turned + 0.5) /
	    D;
}

static void
print_rope(const struct shape *s, struct buf *b)
{
	bool neox = s->family == FAMILY_NEOX;

	print_number(b, neox ? "rotary_emb_base" : "rope_theta",
	    s->rope.theta);
	if (neox || s->turned != s->D)
		print_number(b, neox ? "rotary_pct" : "partial_rotary_factor",
		    part_of(s));
	if (s->two_ropes)
		print_number(b, "rope_local_base_freq", s->local_rope.theta);
	if (s->rope.kind == ROPE_PLAIN) {
		buf_str(b, ",\n \"rope_scaling\": null");
		return;
	}
	if (s->family == FAMILY_PHI3)
		print_size(b, "original_max_position_embeddings",
		    s->rope.original);
	buf_str(b, ",\n \"rope_scaling\": {");
	rope_print(&s->rope, s->turned, b);
	buf_char(b, '}');
}

/* print_scalar - what scores are divided by the root of; a whole number stays
 * one, transformers wants it so */
static void
print_scalar(const struct shape *s, struct buf *b)
{
	double x = s->score_scale > 0 ? 1 / (s->score_scale *
	    s->score_scale) : (double)s->D;

	buf_str(b, ",\n \"query_pre_attn_scalar\": ");
	buf_json_num(b, fabs(x - round(x)) < 1e-9 * x ? round(x) : x);
}

static void
print_experts(const struct shape *s, struct buf *b)
{
	bool mixtral = s->family == FAMILY_MIXTRAL, any = false;

	if (s->E == 0)
		return;
	print_size(b, mixtral ? "num_local_experts" : "num_experts", s->E);
	print_size(b, "num_experts_per_tok", s->K);
	if (mixtral)
		return;
	print_size(b, "moe_intermediate_size", s->EF);
	if (s->SF > 0)
		print_size(b, "shared_expert_intermediate_size", s->SF);
	print_bool(b, "norm_topk_prob", s->norm_chosen);
	print_size(b, "decoder_sparse_step", 1);
	buf_str(b, ",\n \"mlp_only_layers\": [");
	for (size_t i = 0; i < s->L; i++)
		if (!s->sparse[i]) {
			buf_printf(b, "%s%zu", any ? ", " : "", i);
			any = true;
		}
	buf_char(b, ']');
}

/* print_window - and which layers have it, where a family lets them differ */
static void
print_window(const struct shape *s, struct buf *b)
{
	bool qwen = s->family == FAMILY_QWEN2 || s->family == FAMILY_QWEN3;
	bool gemma = s->family == FAMILY_GEMMA2 || s->family == FAMILY_GEMMA3;

	if (s->family == FAMILY_LLAMA || s->family == FAMILY_NEOX ||
	    s->family == FAMILY_GEMMA)
		return;
	if (s->family == FAMILY_QWEN2_MOE || s->family == FAMILY_QWEN3_MOE) {
		print_bool(b, "use_sliding_window", false);
		return;
	}
	if (qwen)
		print_bool(b, "use_sliding_window", s->window > 0);
	if (s->window > 0)
		print_size(b, "sliding_window", s->window);
	else
		buf_str(b, ",\n \"sliding_window\": null");
	if (!qwen && !gemma)
		return;
	for (size_t i = 0; i < s->L; i++)
		buf_printf(b, "%s\"%s_attention\"", i > 0 ? ", " :
		    ",\n \"layer_types\": [", s->window > 0 && s->local[i] ?
		    "sliding" : "full");
	buf_char(b, ']');
}

static void
print_common(const struct shape *s, struct buf *b)
{
	bool neox = s->family == FAMILY_NEOX;

	print_size(b, "max_position_embeddings", s->T);
	print_size(b, "hidden_size", s->C);
	print_size(b, "num_hidden_layers", s->L);
	print_size(b, "num_attention_heads", s->H);
	if (!neox) {
		print_size(b, "num_key_value_heads", s->G);
		print_size(b, "head_dim", s->D);
	}
	print_size(b, "intermediate_size", s->F);
	print_text(b, "hidden_act", act_name(s));
	if (s->less_one)
		print_text(b, "hidden_activation", act_name(s));
	print_rope(s, b);
	print_window(s, b);
	print_experts(s, b);
	if (s->family == FAMILY_QWEN2_MOE)
		print_bool(b, "qkv_bias", s->qkv_bias);
	else
		print_bool(b, "attention_bias", s->qkv_bias);
	if (s->family == FAMILY_LLAMA)
		print_bool(b, "mlp_bias", s->mlp_bias);
	if (neox)
		print_bool(b, "use_parallel_residual", s->parallel);
	if (s->post_norms) {
		print_scalar(s, b);
		print_cap(b, "attn_logit_softcapping", s->score_cap);
		print_cap(b, "final_logit_softcapping", s->logit_cap);
	}
	print_number(b, neox ? "layer_norm_eps" : "rms_norm_eps", s->eps);
}

/* kept - is a member of the source neither written anew nor out of date */
static bool
kept(struct view ours, struct view key)
{
	static const char *const gone[] = {
		"\"rope_parameters\"", "\"rope_scaling\"", "\"dtype\"",
		"\"torch_dtype\"", "\"layer_types\"", "\"model_type\"",
		"\"sliding_window_pattern\"", "\"_sliding_window_pattern\"",
		"\"transformers_version\"", "\"_name_or_path\""
	};
	struct json_iter it;
	struct view k, v;

	for (size_t i = 0; i < BASE_COUNT(gone); i++)
		if (view_is(key, gone[i]))
			return false;
	json_open(&it, ours, '{');
	while (json_member(&it, &k, &v))
		if (view_eq(k, key))
			return false;
	return true;
}

/* print_kept - the rest of the source; ours is a whole object */
static void
print_kept(const struct shape *s, struct view ours, struct buf *b)
{
	struct json_iter it;
	struct view k, v;

	if (s->source.n == 0 || !json_open(&it, s->source, '{'))
		return;
	while (json_member(&it, &k, &v))
		if (kept(ours, k)) {
			buf_str(b, ",\n ");
			buf_view(b, k);
			buf_str(b, ": ");
			buf_view(b, v);
		}
}

void
shape_print(const struct shape *s, struct buf *b)
{
	struct buf own;
	struct view ours;

	buf_init(&own, CONFIG_MAX);
	buf_printf(&own, "{\n \"architectures\": [\"%s%s\"],\n \"model_type\": "
	    "\"%s\"", family_class(s->family), s->encoder ?
	    head_class(s->head.kind) : "", family_name(s->family));
	print_size(&own, "vocab_size", s->V);
	if (s->encoder)
		encoder_print(s, &own);
	else if (s->seq2seq)
		t5_print(s, &own);
	else if (s->family == FAMILY_GPT2)
		print_gpt2(s, &own);
	else if (s->family == FAMILY_OPT)
		print_opt(s, &own);
	else
		print_common(s, &own);
	print_ends(s, &own);
	print_bool(&own, "tie_word_embeddings", s->tied);
	print_text(&own, "torch_dtype", "float32");
	ours = buf_get(&own);
	buf_view(b, ours);
	buf_char(&own, '}');
	print_kept(s, buf_get(&own), b);
	buf_str(b, "\n}\n");
	buf_free(&own);
}
