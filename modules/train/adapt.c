/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: from the options to what is trained, and back to the host. */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <stdlib.h>

/* what attention's query and value come from, as PEFT has it for each family */
static const char *const defaults[] = { "c_attn", "query_key_value",
	"qkv_proj", "q_proj", "v_proj", "query", "value", "q_lin", "v_lin",
	"q", "v" };

static struct match
match_of(const struct opt_list *l)
{
	return (struct match){ NULL, l->v, l->n };
}

/* pattern_of - NAME:NUMBER, the name may have colons */
static int
pattern_of(struct arena *a, const struct opt_list *l, const char *option,
    struct match_pattern **out, size_t *n, struct err *e)
{
	*out = arena_array(a, l->n + 1, sizeof(**out));
	for (*n = 0; *n < l->n; ++*n) {
		const char *s = l->v[*n], *colon = strrchr(s, ':');
		char *end = NULL;
		double x = colon == NULL ? 0 : strtod(colon + 1, &end);

		if (colon == NULL || end == colon + 1 || *end != '\0')
			return err_set(e, FATE_REJECT, "%s: '%s' is no "
			    "NAME:NUMBER", option, s);
		(*out)[*n] = (struct match_pattern){ arena_strn(a, s,
		    (size_t)(colon - s)), x };
	}
	return 0;
}

static int
layers_of(struct arena *a, const struct opt_list *l, struct adapter_conf *c,
    struct err *e)
{
	char *end;

	c->layer = arena_array(a, l->n + 1, sizeof(*c->layer));
	for (size_t i = 0; i < l->n; i++) {
		c->layer[c->nlayers++] = strtoll(l->v[i], &end, 10);
		if (end == l->v[i] || *end != '\0')
			return err_set(e, FATE_REJECT, "layers_to_transform: "
			    "'%s' is no number", l->v[i]);
	}
	return 0;
}

/* encoder_conf - its task; a classifier is trained whole, as in PEFT, and with
 * it the dense layer before it, which may be new as well */
static void
encoder_conf(const struct train *t, struct adapter_conf *c)
{
	static const char *own[][2] = { { "classifier", "pooler.dense" },
	    { "classifier", "pre_classifier" } };
	enum family family = t->model.w.shape.family;
	enum head_kind kind = t->model.w.shape.head.kind;
	bool labels = kind == HEAD_CLASSES || kind == HEAD_TAGS;

	c->task = kind == HEAD_CLASSES ? "SEQ_CLS" : kind == HEAD_TAGS ?
	    "TOKEN_CLS" : "FEATURE_EXTRACTION";
	if (labels && c->save.n == 0)
		c->save = (struct match){ .v = own[family ==
		    FAMILY_DISTILBERT], .n = kind == HEAD_TAGS || family ==
		    FAMILY_ROBERTA || family == FAMILY_XLM_ROBERTA ||
		    family == FAMILY_MPNET ? 1 : 2 };
}

/* targets_of - a list, an expression, or the defaults that the base has */
static void
targets_of(struct train *t, struct adapter_conf *c)
{
	const struct train_conf *o = t->conf;
	struct arena *a = t->stage->arena;
	size_t n;
	const struct piece *p;

	c->target = match_of(&o->target_modules);
	if (o->target_regex != NULL)
		c->target = (struct match){ .expression = o->target_regex };
	else if (c->target.n == 1 && strcmp(c->target.v[0],
	    "all-linear") == 0)
		c->target = (struct match){ .expression = "all-linear" };
	if (c->target.expression != NULL || c->target.n > 0)
		return;
	p = weights_pieces(a, &t->model.w, &n);
	c->target.v = arena_array(a, BASE_COUNT(defaults),
	    sizeof(*c->target.v));
	for (size_t k = 0; k < BASE_COUNT(defaults); k++)
		for (size_t i = 0; i < n; i++)
			if (strstr(p[i].name, arena_printf(a, ".%s.weight",
			    defaults[k])) != NULL) {
				c->target.v[c->target.n++] = defaults[k];
				break;
			}
}

static int
conf_of(struct train *t, struct adapter_conf *c, struct err *e)
{
	const struct train_conf *o = t->conf;
	struct arena *a = t->stage->arena;

	*c = (struct adapter_conf){ .base = o->base,
	    .task = t->objective->seq2seq ? "SEQ_2_SEQ_LM" : "CAUSAL_LM",
	    .r = o->rank, .alpha = o->lora_alpha, .dropout = o->lora_dropout,
	    .rslora = o->use_rslora, .dora = o->use_dora,
	    .bias = (enum adapter_bias)o->bias,
	    .init = (enum adapter_init)o->init_lora_weights,
	    .exclude = match_of(&o->exclude_modules),
	    .save = match_of(&o->modules_to_save) };
	targets_of(t, c);
	if (t->objective->head != NULL)
		encoder_conf(t, c);
	if (pattern_of(a, &o->rank_pattern, "rank_pattern", &c->rank,
	    &c->nranks, e) == -1 || pattern_of(a, &o->alpha_pattern,
	    "alpha_pattern", &c->alphas, &c->nalphas, e) == -1 ||
	    layers_of(a, &o->layers_to_transform, c, e) == -1)
		return -1;
	return adapter_check(c, e);
}

int
train_adapter(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	const struct weights *w = &t->model.w;
	struct adapter_conf c;

	if (t->conf->adapter == ADAPTER_NONE)
		return 0;
	if (conf_of(t, &c, e) == -1 ||
	    adapter_plan(a, w, &c, &t->adapter, e) == -1)
		return -1;
	adapter_init(&t->adapter, NULL, (uint64_t)t->conf->seed);
	t->frozen = arena_array(a, w->n, sizeof(*t->frozen));
	memset(t->frozen, 1, w->n * sizeof(*t->frozen));
	for (size_t i = 0; i < t->adapter.nsaved; i++)
		t->frozen[weights_find(w, t->adapter.saved[i].at)] = false;
	held_plan(a, w, &t->model.tensors, t->frozen,
	    (enum held_form)t->conf->base_form, t->conf->double_quant,
	    &t->base);
	return 0;
}

void
adapter_tell(const struct train *t)
{
	const size_t *bits = t->base.bits;

	msg_info("adapters for %zu modules: %zu of %zu parameters are trained",
	    t->adapter.n, t->optimise.all, t->model.w.all + t->adapter.all);
	if (t->base.n > 0)
		msg_info("of the base %zu parameters are held in 4 bits, %zu "
		    "in 16, %zu in 32", bits[HELD_NF4], bits[HELD_BF16] +
		    bits[HELD_F16], bits[HELD_F32]);
}

int
train_result(struct train *t, struct err *e)
{
	const struct decoder *d = &t->decoder;
	const struct kernels *k = t->device->k;
	struct adapter *x = &t->adapter;
	size_t at = 0, n;

	if (t->conf->adapter == ADAPTER_NONE) {
		model_room(t->stage->arena, &t->model);
		k->get(t->device->dev, t->model.run, d->run, t->model.w.all *
		    sizeof(*t->model.run));
		return 0;
	}
	k->get(t->device->dev, x->run, d->arun, x->all * sizeof(*x->run));
	for (size_t i = 0; i < x->nsaved; i++) {
		n = (x->saved[i].rows == 0 ? 1 : x->saved[i].rows) *
		    x->saved[i].cols;
		k->get(t->device->dev, x->base + at, decoder_param(d,
		    x->saved[i].at), n * sizeof(*x->base));
		at += n;
	}
	if (!t->conf->merge)
		return 0;
	/* into the base as its file has it, not as it was held */
	slab_drop(&t->slab);
	return model_read(t->stage->arena, &t->model, e) == -1 ? -1 :
	    adapter_merge(x, t->model.run, e);
}
