/* SPDX-License-Identifier: Apache-2.0 */
/* whether a GGUF file's keys say what a config.json said */
#include "appliance/base/base.h"
#include "appliance/model/gguf_model.h"
#include "appliance/model/shape.h"

struct member {
	const char *what;		/* of config.json, or in words */
	bool same;
};

/* same_rope - a table of factors is in floats */
static bool
same_rope(const struct rope *x, const struct rope *y)
{
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < ROPE_PAIRS; k++)
			if ((float)x->stretch[i][k] != (float)y->stretch[i][k])
				return false;
	return x->kind == y->kind && (float)x->theta == (float)y->theta &&
	    (x->kind == ROPE_PLAIN || ((float)x->factor == (float)y->factor &&
	    x->original == y->original && x->attention == y->attention &&
	    (float)x->fast == (float)y->fast && (float)x->slow ==
	    (float)y->slow && x->low == y->low && x->high == y->high));
}

int
gguf_same(const struct shape *x, const struct shape *y, struct err *e)
{
	const struct member members[] = {
		{ "the number of layers, channels, words or places", x->L ==
		    y->L && x->C == y->C && x->V == y->V && x->T == y->T },
		{ "the heads", x->H == y->H && x->G == y->G && x->D == y->D },
		{ "the MLP's size", x->F == y->F },
		{ "the number of experts or their sizes", x->E == y->E &&
		    x->K == y->K && x->EF == y->EF && x->SF == y->SF },
		{ "norm_topk_prob", x->E == 0 ||
		    x->norm_chosen == y->norm_chosen },
		{ "which layers have experts", memcmp(x->sparse, y->sparse,
		    sizeof(x->sparse)) == 0 },
		{ "the activation", x->act == y->act },
		{ "the norms' eps", (float)x->eps == (float)y->eps },
		{ "which matrices have biases", x->qkv_bias == y->qkv_bias &&
		    x->out_bias == y->out_bias && x->mlp_bias == y->mlp_bias },
		{ "tie_word_embeddings", x->tied == y->tied },
		{ "use_parallel_residual", x->parallel == y->parallel },
		{ "the head", x->head.kind == y->head.kind },
		{ "type_vocab_size", x->types == y->types },
		{ "how many channels of a head are turned", x->turned ==
		    y->turned },
		{ "how positions are turned", same_rope(&x->rope, &y->rope) },
		{ "how positions of local layers are turned", !x->two_ropes ||
		    same_rope(&x->local_rope, &y->local_rope) },
		{ "sliding_window", x->window == y->window },
		{ "which layers have a window", x->window == 0 ||
		    memcmp(x->local, y->local, sizeof(x->local)) == 0 },
		{ "the scale of scores (query_pre_attn_scalar)",
		    (float)x->score_scale == (float)y->score_scale },
		{ "the caps of scores or logits", (float)x->score_cap ==
		    (float)y->score_cap && (float)x->logit_cap ==
		    (float)y->logit_cap },
	};

	for (size_t i = 0; i < BASE_COUNT(members); i++)
		if (!members[i].same)
			return err_set(e, FATE_REJECT, "config.json: %s "
			    "cannot be said in GGUF for the model_type '%s'",
			    members[i].what, family_name(x->family));
	return 0;
}
