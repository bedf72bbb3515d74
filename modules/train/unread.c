/* SPDX-License-Identifier: Apache-2.0 */
/* Options that are set, but that nobody would look at: said before anything is
 * read, since their effect would be missed only after the training. */
#include "appliance/base/base.h"
#include "modules/train/objective.h"
#include "modules/train/unread.h"

/* whose they are: words of the option `objective` */
static const struct {
	const char *name, *objectives;
} owned[] = {
	{ "arch", "causal dpo distill" }, { "kv_heads", "causal dpo distill" },
	{ "tied", "causal dpo distill span seq2seq" }, { "chosen", "dpo" },
	{ "rejected", "dpo" }, { "beta", "dpo" }, { "label_smoothing", "dpo" },
	{ "alpha", "distill" }, { "words", "distill" },
	{ "teacher_temperature", "distill" }, { "mask", "masked span" },
	{ "mean_span", "span" },
	{ "label", "classify regress" }, { "labels", "classify regress tag" },
	{ "multi", "classify" }, { "tokens", "tag" }, { "tags", "tag" },
	{ "pair", "masked classify regress contrast" },
	{ "pool", "contrast" }, { "normalize", "contrast" },
	{ "temperature", "contrast" },
};

const char *
unread_owner(const struct train_conf *c, const char *option)
{
	const char *name = objective_of(c)->name, *at;
	size_t n = strlen(name);

	for (size_t i = 0; i < BASE_COUNT(owned); i++) {
		if (strcmp(owned[i].name, option) != 0)
			continue;
		for (at = owned[i].objectives; *at != '\0'; at += *at == ' ') {
			size_t len = strcspn(at, " ");

			if (len == n && memcmp(at, name, n) == 0)
				return NULL;
			at += len;
		}
		return owned[i].objectives;
	}
	return NULL;
}

int
unread_check(const struct train_conf *c, struct err *e)
{
	struct arena *a = arena_new();
	struct train_conf *plain = arena_alloc(a, sizeof(*plain));
	struct buf *set = buf_new(a, 1 << 20), *def = buf_new(a, 1 << 20);
	const struct opt *o;
	const char *owner;
	int rc = opt_defaults(train_opts, plain, a, e);

	for (o = train_opts; rc == 0 && o->name != NULL; o++) {
		owner = unread_owner(c, o->name);
		if (owner == NULL)
			continue;
		set->n = def->n = 0;
		opt_value(o, c, set);
		opt_value(o, plain, def);
		if (!view_eq(buf_get(set), buf_get(def)))
			rc = err_set(e, FATE_REJECT, "%s=%s has no effect with "
			    "objective=%s; it is for %s", o->name,
			    buf_cstr(set), objective_of(c)->name, owner);
	}
	arena_free(a);
	return rc;
}
