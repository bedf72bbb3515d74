/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/gguf_arch.h"

#include <stdlib.h>

#define LAYER	"model.layers.*."

/* what every family of Llama's kind has */
#define DECODER_NUMBERS	\
	{ "context_length", "max_position_embeddings", true, true }, \
	{ "embedding_length", "hidden_size", true, true }, \
	{ "block_count", "num_hidden_layers", true, true }, \
	{ "feed_forward_length", "intermediate_size", true, true }, \
	{ "attention.head_count", "num_attention_heads", true, true }, \
	{ "attention.head_count_kv", "num_key_value_heads", true, false }, \
	{ "attention.key_length", "head_dim", true, false }, \
	{ "attention.layer_norm_rms_epsilon", "rms_norm_eps", false, true }, \
	{ "attention.sliding_window", "sliding_window", true, false }

static const struct gguf_number decoder_numbers[] = {
	DECODER_NUMBERS, { NULL, NULL, false, false }
};

static const struct gguf_number gemma_numbers[] = {
	DECODER_NUMBERS,
	{ "attn_logit_softcapping", "attn_logit_softcapping", false, false },
	{ "final_logit_softcapping", "final_logit_softcapping", false, false },
	{ NULL, NULL, false, false }
};

#define EXPERT_NUMBERS(experts)	\
	DECODER_NUMBERS, \
	{ "expert_count", experts, true, true }, \
	{ "expert_used_count", "num_experts_per_tok", true, true }

static const struct gguf_number mixtral_numbers[] = {
	EXPERT_NUMBERS("num_local_experts"), { NULL, NULL, false, false }
};

static const struct gguf_number qwen3moe_numbers[] = {
	EXPERT_NUMBERS("num_experts"),
	{ "expert_feed_forward_length", "moe_intermediate_size", true, true },
	{ NULL, NULL, false, false }
};

static const struct gguf_number qwen2moe_numbers[] = {
	EXPERT_NUMBERS("num_experts"),
	{ "expert_feed_forward_length", "moe_intermediate_size", true, true },
	{ "expert_shared_feed_forward_length",
	    "shared_expert_intermediate_size", true, true },
	{ NULL, NULL, false, false }
};

/* of GPT-NeoX and of BERT */
static const struct gguf_number layernorm_numbers[] = {
	{ "context_length", "max_position_embeddings", true, true },
	{ "embedding_length", "hidden_size", true, true },
	{ "block_count", "num_hidden_layers", true, true },
	{ "feed_forward_length", "intermediate_size", true, true },
	{ "attention.head_count", "num_attention_heads", true, true },
	{ "attention.layer_norm_epsilon", "layer_norm_eps", false, true },
	{ NULL, NULL, false, false }
};

static const struct gguf_number gpt2_numbers[] = {
	{ "context_length", "n_positions", true, true },
	{ "embedding_length", "n_embd", true, true },
	{ "block_count", "n_layer", true, true },
	{ "feed_forward_length", "n_inner", true, false },
	{ "attention.head_count", "n_head", true, true },
	{ "attention.layer_norm_epsilon", "layer_norm_epsilon", false, true },
	{ NULL, NULL, false, false }
};

#define ENDS	\
	{ "token_embd.weight", "model.embed_tokens.weight", 0, false }, \
	{ "output.weight", "lm_head.weight", 0, false }

#define MLP	\
	{ "blk.*.ffn_gate.weight", LAYER "mlp.gate_proj.weight", 0, false }, \
	{ "blk.*.ffn_gate.bias", LAYER "mlp.gate_proj.bias", 0, false }, \
	{ "blk.*.ffn_up.weight", LAYER "mlp.up_proj.weight", 0, false }, \
	{ "blk.*.ffn_up.bias", LAYER "mlp.up_proj.bias", 0, false }, \
	{ "blk.*.ffn_down.weight", LAYER "mlp.down_proj.weight", 0, false }, \
	{ "blk.*.ffn_down.bias", LAYER "mlp.down_proj.bias", 0, false }

#define ATTN	LAYER "self_attn."
#define VALUES	\
	{ "blk.*.attn_v.weight", ATTN "v_proj.weight", 0, false }, \
	{ "blk.*.attn_v.bias", ATTN "v_proj.bias", 0, false }, \
	{ "blk.*.attn_output.weight", ATTN "o_proj.weight", 0, false }, \
	{ "blk.*.attn_output.bias", ATTN "o_proj.bias", 0, false }

#define PLAIN_QK	\
	{ "blk.*.attn_q.weight", ATTN "q_proj.weight", 0, false }, \
	{ "blk.*.attn_q.bias", ATTN "q_proj.bias", 0, false }, \
	{ "blk.*.attn_k.weight", ATTN "k_proj.weight", 0, false }, \
	{ "blk.*.attn_k.bias", ATTN "k_proj.bias", 0, false }

#define NORMS(change)	\
	{ "output_norm.weight", "model.norm.weight", change, false }, \
	{ "blk.*.attn_norm.weight", LAYER "input_layernorm.weight", change, \
	    false }

#define TWO_NORMS(change)	\
	NORMS(change), \
	{ "blk.*.ffn_norm.weight", LAYER "post_attention_layernorm.weight", \
	    change, false }

#define END	{ NULL, NULL, 0, false }

#define PAIRED_QK	\
	{ "blk.*.attn_q.weight", ATTN "q_proj.weight", TENSOR_HALVED, false }, \
	{ "blk.*.attn_q.bias", ATTN "q_proj.bias", TENSOR_HALVED, false }, \
	{ "blk.*.attn_k.weight", ATTN "k_proj.weight", TENSOR_HALVED, true }, \
	{ "blk.*.attn_k.bias", ATTN "k_proj.bias", TENSOR_HALVED, true }

static const struct gguf_name llama_names[] = {
	ENDS, MLP, VALUES, TWO_NORMS(0), PAIRED_QK, END
};

#define MOE	LAYER "block_sparse_moe."

/* old files have a tensor for each expert; they are not written */
static const struct gguf_name mixtral_names[] = {
	ENDS, VALUES, TWO_NORMS(0), PAIRED_QK,
	{ "blk.*.ffn_gate_inp.weight", MOE "gate.weight", 0, false },
	{ "blk.*.ffn_gate_exps.weight", MOE "experts.#.w1.weight", 0, false },
	{ "blk.*.ffn_down_exps.weight", MOE "experts.#.w2.weight", 0, false },
	{ "blk.*.ffn_up_exps.weight", MOE "experts.#.w3.weight", 0, false },
	{ "blk.*.ffn_gate.#.weight", MOE "experts.#.w1.weight", 0, false },
	{ "blk.*.ffn_down.#.weight", MOE "experts.#.w2.weight", 0, false },
	{ "blk.*.ffn_up.#.weight", MOE "experts.#.w3.weight", 0, false },
	END
};

static const struct gguf_name qwen_names[] = {
	ENDS, MLP, VALUES, TWO_NORMS(0), PLAIN_QK,
	{ "blk.*.attn_q_norm.weight", ATTN "q_norm.weight", 0, false },
	{ "blk.*.attn_k_norm.weight", ATTN "k_norm.weight", 0, false },
	END
};

#define QWEN_EXPERTS	\
	{ "blk.*.ffn_gate_inp.weight", LAYER "mlp.gate.weight", 0, false }, \
	{ "blk.*.ffn_gate_exps.weight", LAYER \
	    "mlp.experts.#.gate_proj.weight", 0, false }, \
	{ "blk.*.ffn_up_exps.weight", LAYER "mlp.experts.#.up_proj.weight", \
	    0, false }, \
	{ "blk.*.ffn_down_exps.weight", LAYER \
	    "mlp.experts.#.down_proj.weight", 0, false }

#define SHARED	LAYER "mlp.shared_expert"

static const struct gguf_name qwen2moe_names[] = {
	ENDS, VALUES, TWO_NORMS(0), PLAIN_QK, QWEN_EXPERTS,
	{ GGUF_SHARED_GATE, SHARED "_gate.weight", 0, false },
	{ "blk.*.ffn_gate_shexp.weight", SHARED ".gate_proj.weight", 0, false },
	{ "blk.*.ffn_up_shexp.weight", SHARED ".up_proj.weight", 0, false },
	{ "blk.*.ffn_down_shexp.weight", SHARED ".down_proj.weight", 0, false },
	END
};

static const struct gguf_name qwen3moe_names[] = {
	ENDS, VALUES, TWO_NORMS(0), PLAIN_QK, QWEN_EXPERTS,
	{ "blk.*.attn_q_norm.weight", ATTN "q_norm.weight", 0, false },
	{ "blk.*.attn_k_norm.weight", ATTN "k_norm.weight", 0, false },
	END
};

/* GGUF holds 1 + w of Gemma's norms */
static const struct gguf_name gemma_names[] = {
	ENDS, MLP, VALUES, TWO_NORMS(TENSOR_LESS_ONE), PLAIN_QK, END
};

static const struct gguf_name gemma2_names[] = {
	ENDS, MLP, VALUES, NORMS(TENSOR_LESS_ONE), PLAIN_QK,
	{ "blk.*.post_attention_norm.weight", LAYER
	    "post_attention_layernorm.weight", TENSOR_LESS_ONE, false },
	{ "blk.*.ffn_norm.weight", LAYER "pre_feedforward_layernorm.weight",
	    TENSOR_LESS_ONE, false },
	{ "blk.*.post_ffw_norm.weight", LAYER
	    "post_feedforward_layernorm.weight", TENSOR_LESS_ONE, false },
	{ "blk.*.attn_q_norm.weight", ATTN "q_norm.weight", TENSOR_LESS_ONE,
	    false },
	{ "blk.*.attn_k_norm.weight", ATTN "k_norm.weight", TENSOR_LESS_ONE,
	    false },
	END
};

static const struct gguf_name phi3_names[] = {
	ENDS, VALUES, TWO_NORMS(0),
	{ "blk.*.attn_qkv.weight", ATTN "qkv_proj.weight", 0, false },
	{ "blk.*.ffn_up.weight", LAYER "mlp.gate_up_proj.weight", 0, false },
	{ "blk.*.ffn_down.weight", LAYER "mlp.down_proj.weight", 0, false },
	END
};

#define H	"transformer.h.*."
#define BOTH(gguf, hf)	\
	{ gguf ".weight", hf ".weight", 0, false }, \
	{ gguf ".bias", hf ".bias", 0, false }
#define CONV1D(gguf, hf)	\
	{ gguf ".weight", hf ".weight", TENSOR_TURNED, false }, \
	{ gguf ".bias", hf ".bias", 0, false }

static const struct gguf_name gpt2_names[] = {
	{ "token_embd.weight", "transformer.wte.weight", 0, false },
	{ "position_embd.weight", "transformer.wpe.weight", 0, false },
	{ "output.weight", "lm_head.weight", 0, false },
	BOTH("output_norm", "transformer.ln_f"),
	BOTH("blk.*.attn_norm", H "ln_1"),
	BOTH("blk.*.ffn_norm", H "ln_2"),
	CONV1D("blk.*.attn_qkv", H "attn.c_attn"),
	CONV1D("blk.*.attn_output", H "attn.c_proj"),
	CONV1D("blk.*.ffn_up", H "mlp.c_fc"),
	CONV1D("blk.*.ffn_down", H "mlp.c_proj"),
	END
};

#define NEOX	"gpt_neox.layers.*."

static const struct gguf_name neox_names[] = {
	{ "token_embd.weight", "gpt_neox.embed_in.weight", 0, false },
	{ "output.weight", "embed_out.weight", 0, false },
	BOTH("output_norm", "gpt_neox.final_layer_norm"),
	BOTH("blk.*.attn_norm", NEOX "input_layernorm"),
	BOTH("blk.*.ffn_norm", NEOX "post_attention_layernorm"),
	{ "blk.*.attn_qkv.weight", NEOX "attention.query_key_value.weight",
	    TENSOR_BY_HEAD, false },
	{ "blk.*.attn_qkv.bias", NEOX "attention.query_key_value.bias",
	    TENSOR_BY_HEAD, false },
	BOTH("blk.*.attn_output", NEOX "attention.dense"),
	BOTH("blk.*.ffn_up", NEOX "mlp.dense_h_to_4h"),
	BOTH("blk.*.ffn_down", NEOX "mlp.dense_4h_to_h"),
	END
};

#define EMBEDDINGS	"embeddings."
#define ENCODER	"encoder.layer.*."

/* a model of embeddings: without heads, and without the pooler */
static const struct gguf_name bert_names[] = {
	{ "token_embd.weight", EMBEDDINGS "word_embeddings.weight", 0, false },
	{ "position_embd.weight", EMBEDDINGS "position_embeddings.weight", 0,
	    false },
	{ "token_types.weight", EMBEDDINGS "token_type_embeddings.weight", 0,
	    false },
	BOTH("token_embd_norm", EMBEDDINGS "LayerNorm"),
	BOTH("blk.*.attn_q", ENCODER "attention.self.query"),
	BOTH("blk.*.attn_k", ENCODER "attention.self.key"),
	BOTH("blk.*.attn_v", ENCODER "attention.self.value"),
	BOTH("blk.*.attn_output", ENCODER "attention.output.dense"),
	BOTH("blk.*.attn_output_norm", ENCODER "attention.output.LayerNorm"),
	BOTH("blk.*.ffn_up", ENCODER "intermediate.dense"),
	BOTH("blk.*.ffn_down", ENCODER "output.dense"),
	BOTH("blk.*.layer_output_norm", ENCODER "output.LayerNorm"),
	END
};

#define SILU	"\"hidden_act\": \"silu\""
#define GELU	"\"hidden_act\": \"gelu_pytorch_tanh\", " \
	"\"hidden_activation\": \"gelu_pytorch_tanh\""

/* llama.cpp has experts in every layer; whether the weights of the chosen ones
 * add up to 1 is the architecture's */
#define EVERY_LAYER	", \"use_sliding_window\": false, " \
	"\"decoder_sparse_step\": 1, \"mlp_only_layers\": []"

static const struct gguf_arch archs[] = {
	{ "llama", "llama", "LlamaForCausalLM", SILU, decoder_numbers,
	    llama_names },
	{ "llama", "mistral", "MistralForCausalLM", SILU, decoder_numbers,
	    llama_names },
	{ "llama", "mixtral", "MixtralForCausalLM", SILU, mixtral_numbers,
	    mixtral_names },
	{ "qwen2", "qwen2", "Qwen2ForCausalLM", SILU
	    ", \"use_sliding_window\": false", decoder_numbers, qwen_names },
	{ "qwen3", "qwen3", "Qwen3ForCausalLM", SILU
	    ", \"use_sliding_window\": false", decoder_numbers, qwen_names },
	{ "qwen2moe", "qwen2_moe", "Qwen2MoeForCausalLM", SILU EVERY_LAYER
	    ", \"norm_topk_prob\": false", qwen2moe_numbers, qwen2moe_names },
	{ "qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", SILU EVERY_LAYER
	    ", \"norm_topk_prob\": true",
	    qwen3moe_numbers, qwen3moe_names },
	{ "gemma", "gemma", "GemmaForCausalLM", GELU, gemma_numbers,
	    gemma_names },
	{ "gemma2", "gemma2", "Gemma2ForCausalLM", GELU, gemma_numbers,
	    gemma2_names },
	{ "gemma3", "gemma3_text", "Gemma3ForCausalLM", GELU, gemma_numbers,
	    gemma2_names },
	{ "phi3", "phi3", "Phi3ForCausalLM", SILU, decoder_numbers,
	    phi3_names },
	{ "gptneox", "gpt_neox", "GPTNeoXForCausalLM",
	    "\"hidden_act\": \"gelu\"", layernorm_numbers, neox_names },
	{ "bert", "bert", "BertModel", "\"hidden_act\": \"gelu\"",
	    layernorm_numbers, bert_names },
	{ "gpt2", "gpt2", "GPT2LMHeadModel",
	    "\"activation_function\": \"gelu_new\"", gpt2_numbers,
	    gpt2_names },
};

const struct gguf_arch *
gguf_arch(struct view name)
{
	for (size_t i = 0; i < BASE_COUNT(archs); i++)
		if (view_is(name, archs[i].arch))
			return &archs[i];
	return NULL;
}

const struct gguf_arch *
gguf_arch_of(struct view model_type)
{
	for (size_t i = 0; i < BASE_COUNT(archs); i++)
		if (view_is(model_type, archs[i].model_type))
			return &archs[i];
	return NULL;
}

const char *
gguf_arch_names(struct arena *a)
{
	const char *s = archs[0].model_type;

	for (size_t i = 1; i < BASE_COUNT(archs); i++)
		s = arena_printf(a, "%s, %s", s, archs[i].model_type);
	return s;
}

const struct gguf_arch *
gguf_arch_in(struct arena *a, const struct gguf *g, struct err *e)
{
	const struct gguf_arch *arch;
	struct view name;
	double window, experts = 0;

	if (!gguf_text(g, "general.architecture", &name)) {
		err_set(e, FATE_REJECT, "key 'general.architecture' is "
		    "missing");
		return NULL;
	}
	arch = gguf_arch(name);
	if (arch == NULL)
		err_set(e, FATE_REJECT, "architecture '%.*s' is not known: "
		    "%s are", (int)(name.n < 60 ? name.n : 60), name.p,
		    gguf_arch_names(a));
	else if (gguf_number(g, "llama.expert_count", &experts) && experts > 0)
		arch = gguf_arch_of(VIEW("mixtral"));
	else if (gguf_number(g, "llama.attention.sliding_window", &window))
		arch = gguf_arch_of(VIEW("mistral"));
	return arch;
}

/* name_fits - a pattern with a layer's and an expert's number in it */
static bool
name_fits(const char *pattern, const char *name, size_t number[2])
{
	size_t digits;

	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '*' && *pattern != '#') {
			if (*pattern != *name++)
				return false;
			continue;
		}
		digits = strspn(name, "0123456789");
		if (digits == 0 || digits > 4)
			return false;
		number[*pattern == '#'] = (size_t)strtoul(name, NULL, 10);
		name += digits;
	}
	return *name == '\0';
}

/* name_made - a pattern with its numbers */
static const char *
name_made(struct arena *a, const char *pattern, const size_t number[2])
{
	struct buf *b = buf_new(a, 256);

	for (; *pattern != '\0'; pattern++)
		if (*pattern == '*' || *pattern == '#')
			buf_printf(b, "%zu", number[*pattern == '#']);
		else
			buf_char(b, *pattern);
	return arena_strn(a, b->p, b->n);
}

const struct gguf_name *
gguf_name(struct arena *a, const struct gguf_arch *arch, const char *name,
    bool from_gguf, size_t *expert, const char **other)
{
	size_t number[2] = { 0, *expert };

	for (const struct gguf_name *n = arch->name; n->gguf != NULL; n++) {
		if (!name_fits(from_gguf ? n->gguf : n->hf, name, number))
			continue;
		*other = name_made(a, from_gguf ? n->hf : n->gguf, number);
		*expert = number[1];
		return n;
	}
	return NULL;
}

bool
gguf_has_all(const struct gguf_name *n)
{
	return strchr(n->hf, '#') != NULL && strchr(n->gguf, '#') == NULL;
}
