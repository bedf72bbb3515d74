/* SPDX-License-Identifier: Apache-2.0 */
/* Does a search make sense: said before anything is trained. */
#include "appliance/base/base.h"
#include "modules/train/train.h"
#include "modules/train/unread.h"

/* what an option needs to matter in a search */
enum { ALWAYS, NEW, ADAPTER, WHOLE };

/* what may differ between trials: not what is learnt from, nor how long a
 * sequence is, for then their losses would be of different things */
static const struct {
	const char *name;
	int when;
} allowed[] = {
	{ "lr", ALWAYS }, { "min_lr", ALWAYS }, { "warmup", ALWAYS },
	{ "warmup_zero", ALWAYS }, { "schedule", ALWAYS },
	{ "cooldown", ALWAYS }, { "optimizer", ALWAYS },
	{ "weight_decay", ALWAYS }, { "beta1", ALWAYS }, { "beta2", ALWAYS },
	{ "eps", ALWAYS }, { "momentum", ALWAYS }, { "clip", ALWAYS },
	{ "dropout", ALWAYS }, { "attention_dropout", ALWAYS },
	{ "outlier", ALWAYS }, { "batch", ALWAYS }, { "accumulate", ALWAYS },
	{ "seed", ALWAYS }, { "steps", WHOLE }, { "epochs", WHOLE },
	{ "arch", NEW }, { "layers", NEW }, { "channels", NEW },
	{ "heads", NEW }, { "kv_heads", NEW }, { "hidden", NEW },
	{ "tied", NEW }, { "base_form", ADAPTER }, { "double_quant", ADAPTER },
	{ "rank", ADAPTER }, { "lora_alpha", ADAPTER },
	{ "lora_dropout", ADAPTER }, { "use_rslora", ADAPTER },
	{ "use_dora", ADAPTER }, { "bias", ADAPTER },
	{ "init_lora_weights", ADAPTER },
};

static int
axis_check(const struct train_conf *c, const struct axis *x, struct err *e)
{
	size_t i = 0;

	while (i < BASE_COUNT(allowed) && strcmp(allowed[i].name,
	    x->opt->name) != 0)
		i++;
	if (i == BASE_COUNT(allowed))
		return err_set(e, FATE_REJECT, "space: trials cannot be "
		    "compared that differ in '%s'", x->opt->name);
	if (unread_owner(c, x->opt->name) != NULL)
		return err_set(e, FATE_REJECT, "space: '%s' has no effect with "
		    "objective=%s", x->opt->name, objective_of(c)->name);
	if (allowed[i].when == NEW && c->base != NULL)
		return err_set(e, FATE_REJECT, "space: '%s' is the base's",
		    x->opt->name);
	if (allowed[i].when == ADAPTER && c->adapter == ADAPTER_NONE)
		return err_set(e, FATE_REJECT, "space: '%s' without an "
		    "adapter", x->opt->name);
	if (allowed[i].when == WHOLE && c->search == SEARCH_HALVING)
		return err_set(e, FATE_REJECT, "space: halving says '%s'",
		    x->opt->name);
	if (c->search == SEARCH_GRID && x->n == 0 && x->points == 0 &&
	    (!x->whole || x->log))
		return err_set(e, FATE_REJECT, "space: a grid needs the points "
		    "of '%s': %s:%g..%g%s:5", x->opt->name, x->opt->name,
		    x->low, x->high, x->log ? ":log" : "");
	return 0;
}

static int
space_check(const struct train_conf *c, struct arena *a, struct err *e)
{
	struct space s;

	if (space_read(a, train_opts, &c->space, &s, e) == -1)
		return err_prefix(e, "space: ");
	for (size_t i = 0; i < s.n; i++)
		if (axis_check(c, &s.v[i], e) == -1)
			return -1;
	if (c->search == SEARCH_GRID && space_cells(&s) > TRIALS_MOST)
		return err_set(e, FATE_REJECT, "space: a grid of more than %d "
		    "trials", TRIALS_MOST);
	return 0;
}

int
tune_check(const struct train_conf *c, struct err *e)
{
	struct arena *a;
	int rc;

	if (c->search == SEARCH_NONE && c->space.n > 0)
		return err_set(e, FATE_REJECT, "space without search=grid, "
		    "random, tpe or halving");
	if (c->search == SEARCH_NONE && c->trials > 0)
		return err_set(e, FATE_REJECT, "trials without a search");
	if (c->search == SEARCH_NONE)
		return 0;
	if (c->space.n == 0)
		return err_set(e, FATE_REJECT, "search without a space: the "
		    "options to search, as space=lr:1e-5..1e-3:log");
	if (c->valid == NULL)
		return err_set(e, FATE_REJECT, "search without valid: trials "
		    "are compared by their loss on records held back");
	if (c->ranks != RANKS_NONE)
		return err_set(e, FATE_REJECT, "search with ranks is not "
		    "there: trials are computed by one process");
	if (c->resume)
		return err_set(e, FATE_REJECT, "search with resume=yes is not "
		    "there: a job resumes a search by itself");
	if (c->search == SEARCH_GRID && c->trials > 0)
		return err_set(e, FATE_REJECT, "trials: a grid has as many as "
		    "its space has points");
	a = arena_new();
	rc = space_check(c, a, e);
	arena_free(a);
	return rc;
}
