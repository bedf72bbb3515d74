/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_config.json, read; peft.h says what is refused */
#include "appliance/base/base.h"
#include "appliance/model/peft.h"
#include "appliance/text/json.h"

#include <math.h>

/* keys that are read, and keys that change nothing here */
static const char *const known[] = {
	"peft_type", "task_type", "base_model_name_or_path", "r", "lora_alpha",
	"lora_dropout", "target_modules", "exclude_modules", "bias",
	"use_rslora", "use_dora", "modules_to_save", "init_lora_weights",
	"layers_to_transform", "layers_pattern", "rank_pattern",
	"alpha_pattern", "fan_in_fan_out", "inference_mode", "revision",
	"auto_mapping", "peft_version", "megatron_core", "qalora_group_size",
	"loftq_config", "eva_config", "corda_config", "lora_ga_config",
	"ensure_weight_tying", "runtime_config", "enable_lora", "merge_weights",
};

/* keys that say another computation unless they are null, false or empty */
static const char *const refused[] = {
	"alora_invocation_tokens", "arrow_config", "layer_replication",
	"lora_bias", "megatron_config", "monteclora_config", "kasa_config",
	"velora_config", "target_parameters", "trainable_token_indices",
	"use_bdlora", "use_qalora",
};

static bool
among(struct view name, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (view_is(name, v[i]))
			return true;
	return false;
}

/* unset - null, false, {} or [] */
static bool
unset(struct view value)
{
	struct json_iter i;
	struct view k, v;
	bool b;

	if (json_is_null(value) || (json_bool(value, &b) && !b))
		return true;
	if (json_open(&i, value, '{'))
		return !json_member(&i, &k, &v);
	return json_open(&i, value, '[') && !json_element(&i, &v);
}

static int
bad(const char *key, const char *wants, struct err *e)
{
	return err_set(e, FATE_REJECT, "adapter_config.json: '%s' must be %s",
	    key, wants);
}

/* get - a member that is there and not null */
static bool
get(struct view json, const char *key, struct view *v)
{
	return json_get(json, key, v) && !json_is_null(*v);
}

static int
get_text(struct arena *a, struct view json, const char *key, const char **out,
    struct err *e)
{
	struct view v, text;

	if (!get(json, key, &v))
		return 0;
	if (!json_string(a, v, &text))
		return bad(key, "a text", e);
	*out = arena_strn(a, text.p, text.n);
	return 0;
}

static int
get_flag(struct view json, const char *key, bool *out, struct err *e)
{
	struct view v;

	return !get(json, key, &v) || json_bool(v, out) ? 0 :
	    bad(key, "true or false", e);
}

static int
get_number(struct view json, const char *key, double *out, struct err *e)
{
	struct view v;

	return !get(json, key, &v) || (json_number(v, out) &&
	    isfinite(*out)) ? 0 : bad(key, "a number", e);
}

/* get_match - a text is an expression, a list has names; a name that stands in
 * it twice counts once */
static int
get_match(struct arena *a, struct view json, const char *key,
    struct match *out, bool expression, struct err *e)
{
	struct view v, text;
	struct json_iter i;
	size_t most = 0, k;
	const char *name;

	if (!get(json, key, &v))
		return 0;
	if (json_string(a, v, &text)) {
		name = arena_strn(a, text.p, text.n);
		if (expression) {
			out->expression = name;
			return 0;
		}
		out->v = arena_array(a, 1, sizeof(*out->v));
		out->v[out->n++] = name;
		return 0;
	}
	if (!json_open(&i, v, '['))
		return bad(key, "a text or a list of texts", e);
	while (json_element(&i, &text))
		most++;
	out->v = arena_array(a, most + 1, sizeof(*out->v));
	json_open(&i, v, '[');
	while (json_element(&i, &v)) {
		if (!json_string(a, v, &text))
			return bad(key, "a text or a list of texts", e);
		name = arena_strn(a, text.p, text.n);
		for (k = 0; k < out->n && strcmp(out->v[k], name) != 0; k++)
			continue;
		if (k == out->n)
			out->v[out->n++] = name;
	}
	return 0;
}

static int
get_pattern(struct arena *a, struct view json, const char *key,
    struct match_pattern **out, size_t *n, struct err *e)
{
	struct view v, k, value, text;
	struct json_iter i;
	size_t most = 0;

	if (!get(json, key, &v))
		return 0;
	if (!json_open(&i, v, '{'))
		return bad(key, "an object of numbers", e);
	while (json_member(&i, &k, &value))
		most++;
	*out = arena_array(a, most + 1, sizeof(**out));
	json_open(&i, v, '{');
	while (json_member(&i, &k, &value)) {
		if (!json_string(a, k, &text) || !json_number(value,
		    &(*out)[*n].value) || !isfinite((*out)[*n].value))
			return bad(key, "an object of numbers", e);
		(*out)[(*n)++].key = arena_strn(a, text.p, text.n);
	}
	return 0;
}

static int
get_layers(struct arena *a, struct view json, struct adapter_conf *c,
    struct err *e)
{
	const char *key = "layers_to_transform";
	struct view v, x;
	struct json_iter i;
	size_t most = 0;
	int64_t one;

	if (!get(json, key, &v))
		return 0;
	if (json_integer(v, &one)) {
		c->layer = arena_array(a, 1, sizeof(*c->layer));
		c->layer[c->nlayers++] = one;
		return 0;
	}
	if (!json_open(&i, v, '['))
		return bad(key, "a number or a list of numbers", e);
	while (json_element(&i, &x))
		most++;
	c->layer = arena_array(a, most + 1, sizeof(*c->layer));
	json_open(&i, v, '[');
	while (json_element(&i, &x))
		if (!json_integer(x, &c->layer[c->nlayers++]))
			return bad(key, "a number or a list of numbers", e);
	return 0;
}

/* get_init - those that change the base make an adapter of another base */
static int
get_init(struct arena *a, struct view json, struct adapter_conf *c,
    struct err *e)
{
	static const char *const fits[] = { "gaussian", "eva", "orthogonal" };
	struct view v, text;
	bool plain;

	if (!get(json, "init_lora_weights", &v) || json_bool(v, &plain))
		return 0;
	if (!json_string(a, v, &text))
		return bad("init_lora_weights", "true, false or a name", e);
	if (!among(text, fits, BASE_COUNT(fits)))
		return err_set(e, FATE_REJECT, "init_lora_weights '%.*s' "
		    "changes the base: convert the adapter to plain LoRA",
		    (int)(text.n < 40 ? text.n : 40), text.p);
	if (view_is(text, "gaussian"))
		c->init = INIT_GAUSSIAN;
	return 0;
}

static int
get_bias(struct arena *a, struct view json, struct adapter_conf *c,
    struct err *e)
{
	const char *bias = "none";

	if (get_text(a, json, "bias", &bias, e) == -1)
		return -1;
	if (strcmp(bias, "all") == 0)
		c->bias = BIAS_ALL;
	else if (strcmp(bias, "lora_only") == 0)
		c->bias = BIAS_LORA_ONLY;
	else if (strcmp(bias, "none") != 0)
		return bad("bias", "none, all or lora_only", e);
	return 0;
}

/* conf_keys - what is refused, and what is not known */
static int
conf_keys(struct arena *a, struct view json, struct peft *p, struct err *e)
{
	struct view key, value, name;
	struct json_iter i;

	json_open(&i, json, '{');
	while (json_member(&i, &key, &value)) {
		if (!json_string(a, key, &name))
			continue;
		if (among(name, refused, BASE_COUNT(refused)) &&
		    !unset(value))
			return err_set(e, FATE_REJECT, "adapter_config.json: "
			    "'%.*s' is not computed by this version",
			    (int)(name.n < 60 ? name.n : 60), name.p);
		if (!among(name, refused, BASE_COUNT(refused)) &&
		    !among(name, known, BASE_COUNT(known)) && !unset(value) &&
		    p->nwarnings < PEFT_WARNINGS)
			p->warning[p->nwarnings++] = arena_printf(a,
			    "adapter_config.json: '%.*s' is not known and left "
			    "out", (int)(name.n < 60 ? name.n : 60), name.p);
	}
	return 0;
}

int
peft_conf(struct arena *a, struct view text, struct peft *p, struct err *e)
{
	struct adapter_conf *c = &p->conf;
	const char *type = NULL;
	struct view json;
	struct json_iter i;
	double r = 8;

	c->alpha = 8;
	if (json_value(text, &json, e) == -1)
		return err_prefix(e, "adapter_config.json: ");
	if (!json_open(&i, json, '{'))
		return err_set(e, FATE_REJECT, "adapter_config.json is no "
		    "object");
	if (get_text(a, json, "peft_type", &type, e) == -1)
		return -1;
	if (type == NULL || strcmp(type, "LORA") != 0)
		return err_set(e, FATE_REJECT, "an adapter of kind '%.40s' is "
		    "not computed: LORA is", type == NULL ? "" : type);
	if (conf_keys(a, json, p, e) == -1 ||
	    get_text(a, json, "base_model_name_or_path", &c->base, e) == -1 ||
	    get_text(a, json, "task_type", &c->task, e) == -1 ||
	    get_number(json, "r", &r, e) == -1 ||
	    get_number(json, "lora_alpha", &c->alpha, e) == -1 ||
	    get_number(json, "lora_dropout", &c->dropout, e) == -1 ||
	    get_flag(json, "use_rslora", &c->rslora, e) == -1 ||
	    get_flag(json, "use_dora", &c->dora, e) == -1 ||
	    get_match(a, json, "target_modules", &c->target, true, e) == -1 ||
	    get_match(a, json, "exclude_modules", &c->exclude, true,
	    e) == -1 ||
	    get_match(a, json, "modules_to_save", &c->save, false, e) == -1 ||
	    get_match(a, json, "layers_pattern", &c->layers_pattern, false,
	    e) == -1 ||
	    get_pattern(a, json, "rank_pattern", &c->rank, &c->nranks,
	    e) == -1 ||
	    get_pattern(a, json, "alpha_pattern", &c->alphas, &c->nalphas,
	    e) == -1 || get_layers(a, json, c, e) == -1 ||
	    get_init(a, json, c, e) == -1 || get_bias(a, json, c, e) == -1)
		return -1;
	if (r < 1 || r > 65536 || r != floor(r))
		return bad("r", "a whole number", e);
	c->r = (int64_t)r;
	return 0;
}
