/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/store/dataset.h"
#include "appliance/text/rec.h"
#include "appliance/verb/verb.h"

struct why {
	struct verb_call *c;
	struct view id;
	struct version *v;
	size_t n, found;
};

/* why_take - every dataset's version is looked through */
static int
why_take(void *arg, const struct version *v)
{
	struct why *w = arg;

	if (v->kind != STORE_DATASET)
		return 0;
	w->v = arena_grow(w->c->arena, w->v, w->n, w->n + 1, sizeof(*w->v));
	w->v[w->n++] = *v;
	return 0;
}

/* why_verdicts - what was decided against it on the way to a version */
static int
why_verdicts(struct why *w, const struct version *v, struct err *e)
{
	struct arena *a = arena_new();
	struct view line;
	struct pack *p;
	int rc = 0;

	for (size_t i = 0; i < v->nverdicts && rc != -1; i++) {
		p = pack_open(a, w->c->store->packs, v->verdict[i],
		    &w->c->store->seals, e);
		rc = p == NULL ? -1 : pack_find(p, a, w->id, &line, e);
		if (rc != 1)
			continue;
		w->found++;
		if (w->c->json)
			printf("{\"version\":\"%s@%u\",\"verdict\":%.*s}\n",
			    v->name, v->number, (int)line.n, line.p);
		else
			printf("%s@%u: dropped: %.*s\n", v->name, v->number,
			    (int)line.n, line.p);
	}
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* why_kept - is it in the version, and where does it come from */
static int
why_kept(struct why *w, const struct version *v, struct err *e)
{
	struct arena *a = arena_new();
	struct dataset *d = dataset_open(w->c->store, a, v, e);
	struct view line, source = { "?", 1 }, at = { "?", 1 };
	struct rec r;
	int rc = d == NULL ? -1 : dataset_find(d, a, w->id, &line, e);

	if (rc == 1 && rec_parse(a, line, &r, e) == 0) {
		w->found++;
		rec_str(a, &r, "source", &source);
		rec_raw(&r, "offset", &at);
		if (w->c->json)
			printf("{\"version\":\"%s@%u\",\"record\":%.*s}\n",
			    v->name, v->number, (int)line.n, line.p);
		else
			printf("%s@%u: kept, from %.*s at %.*s\n", v->name,
			    v->number, (int)source.n, source.p, (int)at.n,
			    at.p);
	}
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

int
why_main(struct verb_call *c, struct err *e)
{
	struct why w = { .c = c };

	if (c->argc != 1)
		return err_set(e, FATE_USAGE, "%s", "");
	w.id = view_of(c->argv[0]);
	if (store_each(c->store, c->arena, NULL, why_take, &w, e) == -1)
		return -1;
	for (size_t i = 0; i < w.n; i++) {
		if (why_kept(&w, &w.v[i], e) == -1 ||
		    why_verdicts(&w, &w.v[i], e) == -1)
			return -1;
		if (w.found > 0 && !c->json && w.v[i].ninputs > 0)
			for (size_t k = 0; k < w.v[i].ninputs; k++)
				printf("  %s@%u was made from %s\n",
				    w.v[i].name, w.v[i].number,
				    w.v[i].input[k]);
	}
	if (w.found == 0)
		return err_set(e, FATE_NOINPUT, "no version knows a record "
		    "'%s'", c->argv[0]);
	return 0;
}
