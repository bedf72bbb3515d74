/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters that records choose.  The name of one is what the option gives it,
 * else the last part of its path or its name in the store.  The base goes by
 * such a name as well, and by that which an adapter calls it.
 */
#include "appliance/base/base.h"
#include "appliance/model/peft.h"
#include "appliance/model/predict_lora.h"
#include "modules/infer/ask.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <unistd.h>

/* short_name - a path's last part, a reference without what follows its name */
static struct view
short_name(const char *ref)
{
	const char *slash;
	size_t n = strlen(ref);

	if (stage_named(ref))
		return (struct view){ ref, strcspn(ref, "@:") };
	while (n > 1 && ref[n - 1] == '/')
		n--;
	slash = memrchr(ref, '/', n - 1);
	return slash == NULL ? (struct view){ ref, n } :
	    (struct view){ slash + 1, n - (size_t)(slash + 1 - ref) };
}

/* numbers_of - what tells one adapter from another */
static uint64_t
numbers_of(const struct adapter *d)
{
	XXH3_state_t s;

	XXH3_64bits_reset(&s);
	for (size_t i = 0; i < d->n; i++) {
		XXH3_64bits_update(&s, &d->v[i].at, sizeof(d->v[i].at));
		XXH3_64bits_update(&s, &d->v[i].r, sizeof(d->v[i].r));
		XXH3_64bits_update(&s, &d->v[i].scale, sizeof(double));
	}
	XXH3_64bits_update(&s, &d->conf.dora, sizeof(d->conf.dora));
	XXH3_64bits_update(&s, d->run, d->all * sizeof(*d->run));
	return XXH3_64bits_digest(&s);
}

/* read_one - an adapter's numbers, laid on the base */
static int
read_one(struct infer *t, struct arena *a, const char *ref,
    struct adapter_known *known, struct adapter *d, struct err *e)
{
	struct arena *keep = t->stage->arena;
	int dir = stage_files(t->stage, ref, KIND_MODEL, e), rc;
	struct peft p;

	if (dir == -1)
		return -1;
	rc = peft_open(a, dir, &p, e) == -1 ? -1 :
	    peft_fit(a, &p, &t->model.w, d, e);
	close(dir);
	if (rc == -1)
		return -1;
	for (size_t i = 0; i < p.nwarnings; i++)
		stage_warn(t->stage, "'%s': %s", ref, p.warning[i]);
	known->base = p.conf.base == NULL ? NULL : arena_str(keep,
	    p.conf.base);
	known->check = numbers_of(d);
	return 0;
}

/* open_all - names, then numbers; in an arena of their own, as the device has
 * them afterwards */
static int
open_all(struct infer *t, struct arena *a, struct err *e)
{
	const struct infer_conf *c = t->conf;
	const struct opt *o = opt_find(infer_opts, "adapters");
	struct adapter *v = arena_array(a, c->adapters.n, sizeof(*v));
	struct arena *keep = t->stage->arena;
	size_t n;

	t->adapter = arena_array(keep, c->adapters.n, sizeof(*t->adapter));
	for (size_t i = 0; i < c->adapters.n; i++) {
		const char *ref = opt_path(o, c, i, &n);
		struct view name = n > 0 ? (struct view){ c->adapters.v[i],
		    n } : short_name(ref);

		t->adapter[i].name = arena_strn(keep, name.p, name.n);
		for (size_t k = 0; k < i; k++)
			if (strcmp(t->adapter[k].name,
			    t->adapter[i].name) == 0)
				return err_set(e, FATE_REJECT, "two adapters "
				    "are called '%s': NAME=%s gives one "
				    "another name", t->adapter[i].name, ref);
		if (read_one(t, a, ref, &t->adapter[i], &v[i], e) == -1)
			return err_prefix(e, "adapter '%s': ", ref);
		if (predict_adapters_check(t->predict, &v[i], e) == -1)
			return err_prefix(e, "adapter '%s': ", ref);
	}
	t->nadapters = c->adapters.n;
	return predict_adapters(t->predict, keep, v, t->nadapters,
	    t->model.run, e);
}

int
adapters_open(struct infer *t, struct err *e)
{
	struct arena *a;
	int rc;

	if (t->conf->adapters.n == 0)
		return 0;
	a = arena_new();
	rc = open_all(t, a, e);
	arena_free(a);
	return rc;
}

/* names_base - is this the model without any adapter */
static bool
names_base(const struct infer *t, struct view name)
{
	const char *model = t->conf->model;

	if (view_is(name, model) || view_eq(name, short_name(model)))
		return true;
	for (size_t i = 0; i < t->nadapters; i++)
		if (t->adapter[i].base != NULL && view_is(name,
		    t->adapter[i].base))
			return true;
	return false;
}

const char *
adapters_of(const struct infer *t, struct arena *a, struct ask *q)
{
	struct view raw = q->model, name;
	struct buf *b;

	if (t->nadapters == 0)
		return NULL;
	if (!q->line && !rec_raw(q->rec, t->conf->choose, &raw))
		return NULL;
	if (raw.p == NULL || json_is_null(raw))
		return NULL;
	if (!json_string(a, raw, &name))
		return arena_printf(a, "'%s' must be an adapter's name",
		    q->line ? "model" : t->conf->choose);
	for (size_t i = 0; i < t->nadapters; i++)
		if (view_is(name, t->adapter[i].name)) {
			q->row.adapter = (uint32_t)i + 1;
			return NULL;
		}
	if (names_base(t, name))
		return NULL;
	b = buf_new(a, 4096);
	for (size_t i = 0; i < t->nadapters; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", t->adapter[i].name);
	return arena_printf(a, "there is no adapter '%.*s': only %s, and the "
	    "base '%s'", (int)(name.n < 200 ? name.n : 200), name.p,
	    buf_cstr(b), t->conf->model);
}

const char *
adapters_name(const struct infer *t, const struct ask *q)
{
	return q->row.adapter == 0 ? t->conf->model :
	    t->adapter[q->row.adapter - 1].name;
}
