/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/known.h"
#include "appliance/store/store.h"

struct known {
	const struct plan *plan;
	struct arena *arena;
	struct store *store;
	struct faults *faults;
};

/* known_ref - made by this job, or in the store and of the right kind */
static void
known_ref(struct known *k, const struct plan_stage *s, const struct opt *o,
    const char *text)
{
	enum store_kind want = (enum store_kind)(o->type == OPT_DATASET ?
	    STORE_DATASET : o->type == OPT_TOKENIZER ? STORE_TOKENIZER :
	    o->type == OPT_MODEL ? STORE_MODEL : STORE_INDEX);
	struct version v;
	struct ref ref;
	struct err e;
	int rc;

	if (strchr(text, '/') != NULL ||
	    ref_parse(k->arena, text, &ref, &e) == -1)
		return;
	if (ref.at == NULL && (plan_saver(k->plan, ref.name) != -1))
		return;
	if (strcmp(o->name, "against") == 0 && ref.at != NULL)
		return;
	rc = k->store == NULL ? 0 : store_resolve(k->store, k->arena,
	    ref.name, ref.at, NULL, &v, &e);
	if (rc == -1)
		fault(k->faults, &s->word, "%s=: %s", o->name, e.text);
	else if (rc == 0)
		fault(k->faults, &s->word, "%s=: there is no %s '%s' in the "
		    "store, and no pipeline of this job saves it", o->name,
		    store_kinds[want], text);
	else if (v.kind != want)
		fault(k->faults, &s->word, "%s=: '%s' is a %s, not a %s",
		    o->name, text, store_kinds[v.kind], store_kinds[want]);
}

/* known_stage - all references of a stage's options */
static void
known_stage(struct known *k, const struct plan_stage *s)
{
	const char *text;

	if (s->needs.saves != NULL)
		return;
	for (const struct opt *o = s->module->options; o->name != NULL; o++)
		for (size_t i = 0; o->type >= OPT_DATASET && o->type <=
		    OPT_INDEX && (text = opt_path(o, s->conf, i, NULL)) !=
		    NULL; i++)
			known_ref(k, s, o, text);
}

void
known_all(const struct plan *p, struct arena *a, const struct conf *c,
    struct faults *f)
{
	struct known k = { p, a, NULL, f };
	struct err e;
	bool any = false;

	for (size_t i = 0; i < p->npipes; i++)
		for (size_t n = 0; n < p->pipe[i].nstages; n++)
			any |= p->pipe[i].stage[n].needs.store;
	if (!any)
		return;
	/* no store yet: nothing is known, and the run will make it */
	k.store = store_open(a, c->store, false, &e);
	if (k.store == NULL && e.fate != FATE_NOINPUT) {
		fault(f, NULL, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < p->npipes; i++)
		for (size_t n = 0; n < p->pipe[i].nstages; n++)
			known_stage(&k, &p->pipe[i].stage[n]);
}
