/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preferences: records with a chosen and a rejected answer.  The reference is
 * the model as it begins; what it thinks of every answer is computed once,
 * before the first step: no second model is needed beside the one that learns.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/prefer.h"
#include "modules/train/tokens.h"

#define REFERENCE	"reference"	/* in the stage's directory */

struct dpo {
	struct prefer prefer;
	double *reference[2];		/* of each row: of train, of valid */
};

static int
dpo_plan(const struct train_conf *c, struct err *e)
{
	return c->base != NULL ? 0 : err_set(e, FATE_REJECT, "objective=dpo "
	    "needs a base: preferences are relative to what it says");
}

static int
dpo_open(struct train *t, struct err *e)
{
	struct dpo *o = arena_alloc(t->stage->arena, sizeof(*o));

	(void)e;
	o->prefer.beta = t->conf->beta;
	o->prefer.smoothing = t->conf->label_smoothing;
	t->goal = o;
	return 0;
}

static void
dpo_want(struct train *t, struct slab *s, size_t R)
{
	struct dpo *o = t->goal;

	prefer_want(&o->prefer, s, R);
}

/* given - the assistant's turns among the messages that both lists begin with:
 * the prompt, where it has no field of its own */
static size_t
given(struct arena *a, struct view x, struct view y)
{
	struct json_iter i, j;
	struct view one, two;
	size_t n = 0;

	if (!json_open(&i, x, '[') || !json_open(&j, y, '['))
		return 0;
	while (json_element(&i, &one) && json_element(&j, &two) &&
	    view_eq(one, two))
		n++;
	return lesson_turns(a, x, n);
}

/* answer - one of the two, which must fit a sequence and have something that is
 * learnt */
static const char *
answer(struct train *t, struct arena *a, struct rec *r, const char *field,
    size_t turns, struct lesson *l)
{
	const char *why = lesson_answer(&t->lesson, a, r, field, turns, l);
	size_t T = train_context(t), learnt = 0;

	if (why != NULL)
		return why;
	if (l->n > T + 1)
		return arena_printf(a, "'%s' has %zu tokens with its prompt, a "
		    "sequence %zu", field, l->n, T + 1);
	for (size_t i = 1; i < l->n; i++)
		learnt += l->mine[i];
	return learnt > 0 ? NULL : arena_printf(a, "no token of '%s' is "
	    "learnt", field);
}

static const char *
dpo_add(struct train *t, struct arena *a, struct rec *r, struct texts *out)
{
	const char *field[2] = { t->conf->chosen, t->conf->rejected }, *why;
	struct view raw[2] = { { 0 } };
	struct lesson l[2];
	size_t turns;

	for (int i = 0; i < 2; i++)
		if (!rec_raw(r, field[i], &raw[i]))
			return arena_printf(a, "there is no '%s'", field[i]);
	turns = given(a, raw[0], raw[1]);
	for (int i = 0; i < 2; i++) {
		why = answer(t, a, r, field[i], turns, &l[i]);
		if (why != NULL)
			return why;
	}
	for (int i = 0; i < 2; i++)
		tokens_put(&l[i], out->ids);
	return NULL;
}

/* reference_rows - log p of every row, a micro-batch at a time */
static int
reference_rows(struct train *t, const struct rows *r, double *logp,
    struct err *e)
{
	size_t B = t->decoder.B, T = t->decoder.T;
	double *some = arena_array(t->stage->arena, B, sizeof(*some));
	struct micro m = micro_new(t->stage->arena, B, T), at;

	for (size_t i = 0; i < r->n; i += B) {
		if (stage_stopping(t->stage))
			return stage_stop(e);
		for (size_t b = 0; b < B; b++) {
			at = micro_at(&m, b, T);
			rows_get(r, (i + b) % r->n, &at);
		}
		decoder_texts(&t->decoder, m.from);
		prefer_logp(&t->decoder, m.id, m.target, some);
		for (size_t b = 0; b < B && i + b < r->n; b++)
			logp[i + b] = some[b];
		stage_note(t->stage, "reference: %zu of %zu", i + B < r->n ?
		    i + B : r->n, r->n);
	}
	return 0;
}

/* reference_keep - for a run that is resumed, which then has other weights:
 * what the run follows from, then the numbers */
static int
reference_keep(struct train *t, const double *all, size_t n, struct err *e)
{
	struct buf *b;

	if (t->dir == -1)
		return 0;
	b = buf_new(t->stage->arena, HASH_LEN + n * sizeof(*all));
	buf_add(b, t->origin.run.b, HASH_LEN);
	buf_add(b, all, n * sizeof(*all));
	return file_replace(t->dir, REFERENCE, buf_get(b), 0640, true, e);
}

/* reference_read - 1 read, 0 there is none, -1 it is another run's */
static int
reference_read(struct train *t, double *all, size_t n, struct err *e)
{
	size_t size = HASH_LEN + n * sizeof(*all);
	struct view v;

	if (t->dir == -1 || !file_exists(t->dir, REFERENCE))
		return 0;
	if (file_read(t->stage->arena, t->dir, REFERENCE, size, &v, e) == -1)
		return -1;
	if (v.n != size || memcmp(v.p, t->origin.run.b, HASH_LEN) != 0)
		return err_set(e, FATE_REJECT, "what the reference said is "
		    "kept of another base, other pairs or other options than "
		    "these; rerun the job");
	memcpy(all, v.p + HASH_LEN, n * sizeof(*all));
	return 1;
}

static int
dpo_ready(struct train *t, struct err *e)
{
	struct dpo *o = t->goal;
	size_t n = t->rows.n + t->held.n;
	double *all = arena_array(t->stage->arena, n + 1, sizeof(*all));
	int rc = reference_read(t, all, n, e);

	o->reference[0] = all;
	o->reference[1] = all + t->rows.n;
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (reference_rows(t, &t->rows, o->reference[0], e) == -1 ||
	    reference_rows(t, &t->held, o->reference[1], e) == -1)
		return -1;
	return reference_keep(t, all, n, e);
}

static double
dpo_run(struct train *t, const struct micro *m, double scale)
{
	struct dpo *o = t->goal;
	const double *all = o->reference[m->held];
	double *reference = mem_alloc(t->decoder.B * sizeof(*reference)), sum;
	struct prefer_sums s = { 0 };

	for (size_t b = 0; b < t->decoder.B; b++)
		reference[b] = m->row[b] < 0 ? 0 : all[m->row[b]];
	sum = prefer_run(&o->prefer, &t->decoder, m->id, m->target, reference,
	    scale, &s);
	mem_free(reference);
	t->number[0] += s.margin;
	t->number[1] += s.right;
	t->number[2] += s.reward[0];
	t->number[3] += s.reward[1];
	return sum;
}

const struct objective objective_dpo = {
	.name = "dpo", .group = 2, .apart = true,
	.number = { "margin", "accuracy", "reward_chosen", "reward_rejected" },
	.plan = dpo_plan, .open = dpo_open, .want = dpo_want, .add = dpo_add,
	.ready = dpo_ready, .run = dpo_run,
};
