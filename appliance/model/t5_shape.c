/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/t5_shape.h"
#include "appliance/text/json.h"

#include <math.h>

/* there is no table of places: a sequence is as long as memory allows */
#define PLACES	((size_t)1 << 16)

/* 'feed_forward_proj': the activation, behind "gated-" where there is a gate.
 * "gated-gelu" has always meant GELU by tanh, "gelu" alone GELU as defined */
static const struct {
	const char *name;
	bool gated;
	enum kernel_act act;
} projections[] = {
	{ "relu", false, ACT_RELU }, { "gated-gelu", true, ACT_GELU },
	{ "gated-relu", true, ACT_RELU }, { "gated-silu", true, ACT_SILU },
	{ "gelu", false, ACT_GELU_ERF }, { "gelu_new", false, ACT_GELU },
	{ "silu", false, ACT_SILU }, { "gated-swish", true, ACT_SILU },
	{ "gated-gelu_new", true, ACT_GELU }, { "swish", false, ACT_SILU },
};

static int
t5_projection(struct view root, struct shape *s, struct err *e)
{
	struct view raw;

	if (!json_get(root, "feed_forward_proj", &raw) || json_is_null(raw)) {
		s->gated = s->family == FAMILY_MT5;
		s->act = s->gated ? ACT_GELU : ACT_RELU;
		return 0;
	}
	for (size_t i = 0; i < BASE_COUNT(projections); i++)
		if (conf_is(root, "feed_forward_proj", projections[i].name)) {
			s->gated = projections[i].gated;
			s->act = projections[i].act;
			return 0;
		}
	return err_set(e, FATE_REJECT, "config.json: 'feed_forward_proj' is "
	    "%.*s, which is not computed", (int)(raw.n < 40 ? raw.n : 40),
	    raw.p);
}

/* t5_sizes - mT5's defaults are those of its small one, as T5's are */
static int
t5_sizes(struct view root, enum family f, struct shape *s, struct err *e)
{
	bool mt5 = f == FAMILY_MT5;
	size_t LD;

	if (conf_size(root, "vocab_size", mt5 ? 250112 : 32128, &s->V,
	    e) == -1 || conf_size(root, "d_model", 512, &s->C, e) == -1 ||
	    conf_size(root, "d_kv", 64, &s->D, e) == -1 ||
	    conf_size(root, "d_ff", mt5 ? 1024 : 2048, &s->F, e) == -1 ||
	    conf_size(root, "num_layers", mt5 ? 8 : 6, &s->LE, e) == -1 ||
	    conf_size(root, "num_decoder_layers", s->LE, &LD, e) == -1 ||
	    conf_size(root, "num_heads", mt5 ? 6 : 8, &s->H, e) == -1 ||
	    conf_size(root, "relative_attention_num_buckets", 32, &s->buckets,
	    e) == -1 || conf_size(root, "relative_attention_max_distance",
	    128, &s->far, e) == -1)
		return -1;
	s->L = s->LE + LD;
	s->G = s->H;
	s->T = PLACES;
	if (s->buckets >= 4 && s->buckets % 2 == 0 && s->buckets <= 65536 &&
	    s->far > s->buckets / 2)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: %zu buckets cannot be "
	    "shared by distances up to %zu", s->buckets, s->far);
}

int
t5_parse(struct view root, enum family f, struct shape *s, struct err *e)
{
	bool tied = f == FAMILY_T5 && conf_bool(root, "tie_word_embeddings",
	    true);

	if (t5_sizes(root, f, s, e) == -1 ||
	    conf_must(root, "is_encoder_decoder", true, e) == -1)
		return -1;
	shape_family(s, f);
	s->eps = conf_number(root, "layer_norm_epsilon", 1e-6);
	s->tied = conf_bool(root, "scale_decoder_outputs", tied);
	if (s->tied)
		s->head_scale = 1 / sqrt((double)s->C);
	s->begin = (int32_t)conf_count(root, "decoder_start_token_id",
	    conf_count(root, "pad_token_id", 0));
	if ((size_t)s->begin >= s->V)
		return err_set(e, FATE_REJECT, "config.json: "
		    "'decoder_start_token_id' is no word of the vocabulary");
	return t5_projection(root, s, e);
}

void
t5_head(struct shape *s, const struct tensors *t)
{
	bool there = tensors_find(t, "lm_head.weight") != NULL;

	if (s->head_scale == 0)
		s->tied = !there;
}

void
t5_print(const struct shape *s, struct buf *b)
{
	const char *projection = "relu";

	for (size_t i = BASE_COUNT(projections); i-- > 0; )
		if (projections[i].gated == s->gated &&
		    projections[i].act == s->act)
			projection = projections[i].name;
	buf_printf(b, ",\n \"d_model\": %zu,\n \"d_kv\": %zu,\n \"d_ff\": %zu",
	    s->C, s->D, s->F);
	buf_printf(b, ",\n \"num_layers\": %zu,\n \"num_decoder_layers\": %zu,"
	    "\n \"num_heads\": %zu", s->LE, s->L - s->LE, s->H);
	buf_printf(b, ",\n \"relative_attention_num_buckets\": %zu,\n "
	    "\"relative_attention_max_distance\": %zu", s->buckets, s->far);
	buf_str(b, ",\n \"layer_norm_epsilon\": ");
	buf_json_num(b, s->eps);
	buf_printf(b, ",\n \"feed_forward_proj\": \"%s\",\n "
	    "\"is_encoder_decoder\": true,\n \"scale_decoder_outputs\": %s",
	    projection, s->head_scale != 0 ? "true" : "false");
	buf_printf(b, ",\n \"decoder_start_token_id\": %d", s->begin);
	if (s->source.n == 0)		/* it is padding, in T5's own */
		buf_printf(b, ",\n \"pad_token_id\": %d", s->begin);
}
