/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of a run, and the key of its result: what it reads, the options
 * that change output, each stage's revision and the rooms'.  A result whose key
 * is known is not made again.
 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/run.h"
#include "appliance/store/store.h"

/* pipe_store - does any stage speak with the store */
static bool
pipe_store(const struct plan_pipe *p)
{
	for (size_t i = 0; i < p->nstages; i++)
		if (p->stage[i].needs.store)
			return true;
	return false;
}

int
run_store(struct run *r, struct arena *a, const struct conf *c,
    const struct plan_pipe *p, struct err *e)
{
	struct conf own;

	if (!pipe_store(p))
		return c == NULL ? 0 :
		    store_key_only(a, c->store, &r->key, e);
	if (c == NULL) {
		if (conf_load(&own, a, NULL, e) == -1)
			return -1;
		c = &own;
	}
	r->store = store_open(a, c->store, true, e);
	if (r->store == NULL || store_seals(r->store, &c->seal, e) == -1)
		return -1;
	r->key = r->store->key;
	return 0;
}

/* same_ref - a store reference as the version that it means now */
static int
same_ref(struct run *r, const struct opt *o, const char *text,
    struct hash_state *h, struct err *e)
{
	struct version v;
	struct ref ref;
	char number[16];
	int rc;

	if (o->type < OPT_DATASET || o->type > OPT_INDEX ||
	    strchr(text, '/') != NULL)
		return 0;
	if (ref_parse(r->arena, text, &ref, e) == -1)
		return -1;
	rc = store_resolve(r->store, r->arena, ref.name, ref.at, r->job, &v,
	    e);
	if (rc != 1)
		return rc;
	snprintf(number, sizeof(number), "@%u", v.number);
	hash_word(h, ref.name);
	hash_word(h, number);
	return 0;
}

/* same_stage - a stage's part of the key; 1 if it has none */
static int
same_stage(struct run *r, const struct plan_stage *s, struct hash_state *h,
    struct err *e)
{
	char revision[16];
	struct buf *b = buf_new(r->arena, WORDS_MAX);
	const char *text;

	if (s->needs.appends || (s->needs.source && s->module->key == NULL &&
	    !s->needs.store) || (s->needs.sink && s->needs.saves == NULL))
		return 1;
	if (s->module->key != NULL && s->module->key(s->conf, h, e) == -1)
		return -1;
	snprintf(revision, sizeof(revision), "%u", s->module->revision);
	hash_word(h, s->module->name);
	hash_word(h, revision);
	for (const struct opt *o = s->module->options; o->name != NULL; o++) {
		b->n = 0;
		opt_value(o, s->conf, b);
		if (o->flags & OPT_NOKEY)
			continue;
		hash_word(h, o->name);
		hash_word(h, buf_cstr(b));
		for (size_t i = 0; (text = opt_path(o, s->conf, i, NULL)) !=
		    NULL; i++)
			if (same_ref(r, o, text, h, e) == -1)
				return -1;
	}
	return 0;
}

/* same_again - `quern rerun --from` wants it made anew */
static bool
same_again(const struct run *r, const struct plan_pipe *p)
{
	char name[80];

	snprintf(name, sizeof(name), "again.%s", p->name);
	return file_exists(r->dir, name);
}

int
run_same(struct run *r, const struct plan_pipe *p, struct err *e)
{
	const struct plan_stage *last = &p->stage[p->nstages - 1];
	char hex[HASH_HEX + 1];
	struct hash_state h;
	struct version v;
	int rc;

	if (r->store == NULL || last->needs.saves == NULL)
		return 0;
	hash_begin(&h, &r->key);
	hash_word(&h, ROOM_REVISIONS);
	for (size_t i = 0; i < p->nstages; i++) {
		rc = same_stage(r, &p->stage[i], &h, e);
		if (rc != 0)
			return rc == 1 ? 0 : -1;
	}
	hash_hex(hash_end(&h), hex);
	r->result_key = arena_str(r->arena, hex);
	if (same_again(r, p))
		return 0;
	rc = store_same(r->store, r->arena, hex, last->needs.saves, r->job,
	    last->needs.gated == 0, &v, e);
	if (rc == 1)
		msg_info("unchanged: '%s@%u' was made from the same input",
		    v.name, v.number);
	return rc;
}

int
run_note(struct run *r, const struct plan_pipe *p, const struct err *failure,
    struct err *e)
{
	struct buf *b = buf_new(r->arena, WORDS_MAX);

	if (r->store == NULL)
		return 0;
	buf_printf(b, "ended=%lld fate=%s records=%lld rejected=%lld "
	    "seconds=%lld", (long long)time(NULL), fate_name(failure == NULL ?
	    FATE_DONE : failure->fate), (long long)r->records,
	    (long long)r->rejected, (long long)r->seconds_before +
	    (long long)(r->began > 0 ? when_mono() - r->began : 0));
	buf_str(b, " stages=");
	for (size_t i = 0; i < p->nstages; i++)
		buf_printf(b, "%s%s", i > 0 ? "," : "",
		    p->stage[i].module->name);
	for (size_t i = 0; i < r->ninputs; i++)
		buf_printf(b, " input=%s", r->input[i]);
	if (p->stage[p->nstages - 1].needs.saves != NULL)
		buf_printf(b, " saved=%s",
		    p->stage[p->nstages - 1].needs.saves);
	return store_run(r->store, r->job, p->name, buf_get(b), e);
}
