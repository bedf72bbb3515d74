/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/gguf_arch.h"

#include <ctype.h>

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

static const struct gguf_name llama_names[] = {
	ENDS, MLP, VALUES, TWO_NORMS(0),
	{ "blk.*.attn_q.weight", ATTN "q_proj.weight", TENSOR_HALVED, false },
	{ "blk.*.attn_q.bias", ATTN "q_proj.bias", TENSOR_HALVED, false },
	{ "blk.*.attn_k.weight", ATTN "k_proj.weight", TENSOR_HALVED, true },
	{ "blk.*.attn_k.bias", ATTN "k_proj.bias", TENSOR_HALVED, true },
	END
};

static const struct gguf_name qwen_names[] = {
	ENDS, MLP, VALUES, TWO_NORMS(0), PLAIN_QK,
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

#define SILU	"\"hidden_act\": \"silu\""
#define GELU	"\"hidden_act\": \"gelu_pytorch_tanh\", " \
	"\"hidden_activation\": \"gelu_pytorch_tanh\""

static const struct gguf_arch archs[] = {
	{ "llama", "llama", "LlamaForCausalLM", SILU, decoder_numbers,
	    llama_names },
	{ "llama", "mistral", "MistralForCausalLM", SILU, decoder_numbers,
	    llama_names },
	{ "qwen2", "qwen2", "Qwen2ForCausalLM", SILU
	    ", \"use_sliding_window\": false", decoder_numbers, qwen_names },
	{ "qwen3", "qwen3", "Qwen3ForCausalLM", SILU
	    ", \"attention_bias\": false, \"use_sliding_window\": false",
	    decoder_numbers, qwen_names },
	{ "gemma", "gemma", "GemmaForCausalLM", GELU, gemma_numbers,
	    gemma_names },
	{ "gemma2", "gemma2", "Gemma2ForCausalLM", GELU, gemma_numbers,
	    gemma2_names },
	{ "gemma3", "gemma3_text", "Gemma3ForCausalLM", GELU, gemma_numbers,
	    gemma2_names },
	{ "phi3", "phi3", "Phi3ForCausalLM", SILU, decoder_numbers,
	    phi3_names },
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

/* name_fits - a pattern with at most one *; the number's place and length */
static bool
name_fits(const char *pattern, const char *name, const char **number,
    size_t *digits)
{
	const char *star = strchr(pattern, '*');
	size_t front = star == NULL ? strlen(pattern) :
	    (size_t)(star - pattern);

	*digits = 0;
	if (strncmp(name, pattern, front) != 0)
		return false;
	*number = name + front;
	if (star == NULL)
		return **number == '\0';
	while (isdigit((unsigned char)(*number)[*digits]))
		++*digits;
	return *digits > 0 && *digits < 5 &&
	    strcmp(*number + *digits, star + 1) == 0;
}

const struct gguf_name *
gguf_name(struct arena *a, const struct gguf_arch *arch, const char *name,
    bool from_gguf, const char **other)
{
	const char *number, *to, *star;
	size_t digits;

	for (const struct gguf_name *n = arch->name; n->gguf != NULL; n++) {
		if (!name_fits(from_gguf ? n->gguf : n->hf, name, &number,
		    &digits))
			continue;
		to = from_gguf ? n->hf : n->gguf;
		star = strchr(to, '*');
		*other = star == NULL ? to : arena_printf(a, "%.*s%.*s%s",
		    (int)(star - to), to, (int)digits, number, star + 1);
		return n;
	}
	return NULL;
}
