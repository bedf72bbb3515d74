/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/encoder_shape.h"
#include "appliance/text/json.h"

/* is_roberta - are its places RoBERTa's */
static bool
is_roberta(enum family f)
{
	return f == FAMILY_ROBERTA || f == FAMILY_XLM_ROBERTA ||
	    f == FAMILY_MPNET;
}

/* the names of sizes, as BERT and as DistilBERT has them */
static const struct names {
	const char *C, *L, *H, *F, *act;
} names[] = {
	{ "hidden_size", "num_hidden_layers", "num_attention_heads",
	    "intermediate_size", "hidden_act" },
	{ "dim", "n_layers", "n_heads", "hidden_dim", "activation" },
};

/* encoder_places - RoBERTa's first place is behind the padding's row */
static int
encoder_places(struct view root, struct shape *s, struct err *e)
{
	size_t all;

	if (conf_size(root, "max_position_embeddings", 512, &all, e) == -1)
		return -1;
	s->place_skip = is_roberta(s->family) ? conf_count(root,
	    "pad_token_id", 1) + 1 : 0;
	if (all <= s->place_skip)
		return err_set(e, FATE_REJECT, "config.json: "
		    "'max_position_embeddings' leaves no place beside "
		    "'pad_token_id'");
	s->T = all - s->place_skip;
	return 0;
}

/* encoder_near - MPNet's relative positions, of which transformers computes 32
 * buckets up to 128 whatever the file says */
static int
encoder_near(struct view root, struct shape *s, struct err *e)
{
	if (s->family != FAMILY_MPNET)
		return 0;
	s->far = 128;
	if (conf_size(root, "relative_attention_num_buckets", 32, &s->buckets,
	    e) == -1)
		return -1;
	return s->buckets == 32 ? 0 : err_set(e, FATE_REJECT, "config.json: "
	    "'relative_attention_num_buckets' is %zu, which is not computed: "
	    "32 is", s->buckets);
}

/* encoder_plain - what is computed in one way only */
static int
encoder_plain(struct view root, struct err *e)
{
	struct view v;

	if (json_get(root, "position_embedding_type", &v) && !json_is_null(v) &&
	    !conf_is(root, "position_embedding_type", "absolute"))
		return err_set(e, FATE_REJECT, "config.json: "
		    "'position_embedding_type' is %.*s, which is not computed",
		    (int)(v.n < 40 ? v.n : 40), v.p);
	return conf_must(root, "tie_word_embeddings", true, e) == -1 ||
	    conf_must(root, "is_decoder", false, e) == -1 ||
	    conf_must(root, "add_cross_attention", false, e) == -1 ? -1 : 0;
}

int
encoder_parse(struct view root, enum family f, struct shape *s, struct err *e)
{
	bool distil = f == FAMILY_DISTILBERT;
	const struct names *n = &names[distil];

	if (conf_size(root, "vocab_size", 0, &s->V, e) == -1 ||
	    conf_size(root, n->C, 768, &s->C, e) == -1 ||
	    conf_size(root, n->L, distil ? 6 : 12, &s->L, e) == -1 ||
	    conf_size(root, n->H, 12, &s->H, e) == -1 ||
	    conf_size(root, n->F, 3072, &s->F, e) == -1 ||
	    encoder_plain(root, e) == -1)
		return -1;
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, f);
	if (!distil && f != FAMILY_MPNET && conf_size(root,
	    "type_vocab_size", 2, &s->types, e) == -1)
		return -1;
	s->eps = distil ? 1e-12 : conf_number(root, "layer_norm_eps", 1e-12);
	s->tied = true;
	if (encoder_places(root, s, e) == -1 || encoder_near(root, s, e) ==
	    -1 || shape_act(root, n->act, s, e) == -1)
		return -1;
	return head_parse(root, family_class(f), &s->head, e);
}

void
encoder_print(const struct shape *s, struct buf *b)
{
	const struct names *n = &names[s->family == FAMILY_DISTILBERT];

	buf_printf(b, ",\n \"%s\": %zu,\n \"%s\": %zu,\n \"%s\": %zu", n->C,
	    s->C, n->L, s->L, n->H, s->H);
	buf_printf(b, ",\n \"%s\": %zu,\n \"%s\": \"%s\"", n->F, s->F, n->act,
	    s->act == ACT_GELU_ERF ? "gelu" : s->act == ACT_GELU ?
	    "gelu_new" : s->act == ACT_SILU ? "silu" : "relu");
	buf_printf(b, ",\n \"max_position_embeddings\": %zu", s->T +
	    s->place_skip);
	if (is_roberta(s->family))
		buf_printf(b, ",\n \"pad_token_id\": %zu", s->place_skip - 1);
	if (s->family == FAMILY_MPNET)
		buf_printf(b, ",\n \"relative_attention_num_buckets\": %zu",
		    s->buckets);
	else if (s->family != FAMILY_DISTILBERT)
		buf_printf(b, ",\n \"type_vocab_size\": %zu", s->types);
	if (s->family != FAMILY_DISTILBERT) {
		buf_str(b, ",\n \"layer_norm_eps\": ");
		buf_json_num(b, s->eps);
	}
	head_print(&s->head, b);
}
