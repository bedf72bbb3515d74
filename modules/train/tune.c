/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trial after trial.  Which place is tried next, and who goes on to the next
 * rung, follows from the seed and from what is known of the trials before, so
 * nothing but that need be kept.  Unless the space has seed, batch or
 * accumulate, every trial learns the same rows in the same order: they differ
 * by their options alone.
 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "modules/train/train.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
dir_name(const struct tune *u, const struct trial *r)
{
	return arena_printf(u->t->stage->arena, "trial.%zu",
	    (size_t)(r - u->v) + 1);
}

/* trial_dir - where its checkpoints are */
static int
trial_dir(const struct tune *u, const struct trial *r, struct err *e)
{
	const char *name = dir_name(u, r);

	if (mkdirat(u->t->dir, name, 0750) == -1 &&
	    !file_exists(u->t->dir, name))
		return err_errno(e, "cannot make '%s'", name);
	return file_dir(u->t->dir, name, e);
}

const struct trial *
tune_best(const struct tune *u)
{
	const struct trial *r, *best = NULL;

	for (r = u->v; r < u->v + u->n; r++)
		if ((r->end == TRIAL_DONE || r->end == TRIAL_EARLY ||
		    r->end == TRIAL_HALTED) && r->loss < (best == NULL ?
		    HUGE_VAL : best->loss))
			best = r;
	return best;
}

/* tune_keep - what is known, then only the directories still of use */
static int
tune_keep(const struct tune *u, struct err *e)
{
	const struct trial *best = tune_best(u);

	if (trials_write(u, e) == -1)
		return -1;
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].end != TRIAL_OPEN && &u->v[i] != best &&
		    file_remove(u->t->dir, dir_name(u, &u->v[i]), e) == -1)
			return -1;
	return 0;
}

static int
tune_open(struct tune *u, struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	struct arena *a = t->stage->arena;

	*u = (struct tune){ .t = t, .nrungs = 1, .n = 27 };
	if (space_read(a, train_opts, &c->space, &u->space, e) == -1)
		return -1;
	if (c->search == SEARCH_GRID)
		u->n = space_cells(&u->space);
	else if (c->trials > 0)
		u->n = (size_t)c->trials;
	u->rung[0] = (struct rung){ (int64_t)u->n, 1 };
	if (c->search == SEARCH_HALVING)
		u->nrungs = rungs_plan((int64_t)u->n, c->eta, u->rung);
	u->v = arena_array(a, u->n, sizeof(*u->v));
	for (size_t i = 0; i < u->n; i++)
		u->v[i].loss = HUGE_VAL;
	return trials_read(u, e);
}

/* tried_before - what the trials before it have come to */
static size_t
tried_before(const struct tune *u, size_t n, struct tried *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct tried){ u->v[i].x, u->v[i].loss };
	return n;
}

/* trial_place - where it tries; the same place again is not tried again */
static void
trial_place(struct tune *u, size_t i)
{
	const struct train_conf *c = u->t->conf;
	struct trial *r = &u->v[i];
	uint64_t seed = (uint64_t)c->seed;
	struct arena *own = arena_new();
	struct tried *v = arena_array(own, i + 1, sizeof(*v));
	size_t bytes = u->space.n * sizeof(*r->x);

	r->x = arena_alloc(u->t->stage->arena, bytes);
	if (c->search == SEARCH_GRID)
		space_cell(&u->space, i, r->x);
	else if (c->search == SEARCH_TPE)
		place_tpe(own, &u->space, v, tried_before(u, i, v), seed, i,
		    r->x);
	else
		place_even(&u->space, seed, i, r->x);
	arena_free(own);
	for (size_t k = 0; k < i; k++) {
		if (memcmp(u->v[k].x, r->x, bytes) != 0)
			continue;
		r->end = TRIAL_SAME;
		r->loss = u->v[k].loss;
		r->why = arena_printf(u->t->stage->arena, "as trial %zu",
		    k + 1);
		return;
	}
}

/* trial_conf - the options of a trial; -1 if they do not go together */
static int
trial_conf(const struct tune *u, const struct trial *r, struct arena *a,
    struct train_conf *c, struct err *e)
{
	struct needs needs = { .gpus = 0 };

	*c = *u->t->conf;
	c->search = SEARCH_NONE;
	c->space.n = 0;
	c->trials = 0;
	for (size_t i = 0; i < u->space.n; i++)
		if (opt_set(train_opts, c, a, u->space.v[i].opt->name,
		    axis_text(a, &u->space.v[i], r->x[i]), e) == -1)
			return -1;
	return module.plan(c, &needs, e);
}

/* trial_ready - up to its first step: 1, 0 it is refused, -1 */
static int
trial_ready(const struct tune *u, struct trial *r, struct train *x,
    struct stage *s, struct train_conf *c, struct err *e)
{
	int rc;

	*x = *u->t;
	x->part.name = arena_printf(s->arena, "trial %zu of %zu, ",
	    (size_t)(r - u->v) + 1, u->n);
	x->part.quiet = r > u->v;
	rc = trial_conf(u, r, s->arena, c, e);
	if (rc == 0)
		rc = train_again(x, x, s, c, e);
	if (rc == 0 && x->held.n == 0)
		rc = err_set(e, FATE_REJECT, "'%s' has fewer tokens than one "
		    "sequence: nothing to compare trials by", c->valid);
	if (rc == 0)
		return 1;
	if (e->fate != FATE_REJECT)
		return -1;
	r->end = TRIAL_REFUSED;
	r->why = arena_str(u->t->stage->arena, e->text);
	return 0;
}

/* trial_loop - to the end of a rung */
static int
trial_loop(const struct tune *u, struct trial *r, struct train *x,
    const struct rung *rung, struct err *e)
{
	int rc;

	x->part.until = x->steps / rung->part > 0 ? x->steps / rung->part : 1;
	x->dir = trial_dir(u, r, e);
	if (x->dir == -1)
		return -1;
	rc = loop_run(x, e);
	close(x->dir);
	r->steps = x->at.step;
	if (rc == -1 && !x->part.diverged)
		return -1;
	if (rc == -1) {
		r->end = TRIAL_DIVERGED;
		r->why = arena_str(u->t->stage->arena, e->text);
		r->loss = HUGE_VAL;
		return 0;
	}
	r->rungs++;
	r->best_step = x->at.best_step;
	r->loss = x->at.best;
	if (x->part.early)
		r->end = TRIAL_EARLY;
	else if (x->at.step == x->steps)
		r->end = TRIAL_DONE;
	return 0;
}

/* trial_run - a trial in memory of its own, to the end of a rung */
static int
trial_run(struct tune *u, struct trial *r, const struct rung *rung,
    int64_t begun, struct err *e)
{
	struct arena *a = arena_new();
	struct stage own = *u->t->stage;
	struct train_conf c;
	struct train x;
	double began = when_mono();
	int rc;

	own.arena = a;
	rc = trial_ready(u, r, &x, &own, &c, e);
	x.part.begun = begun * 1000;
	if (rc == 1)
		rc = trial_loop(u, r, &x, rung, e);
	arena_free(a);
	r->seconds += when_mono() - began;
	/* stopped: the time until now is not forgotten */
	if (rc == -1 && e->fate == FATE_STOP && trials_write(u, e) == 0)
		return stage_stop(e);
	return rc;
}

static int
by_loss(const void *v, const void *w)
{
	const struct trial *const *a = v, *const *b = w;

	if ((*a)->loss != (*b)->loss)
		return (*a)->loss < (*b)->loss ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

/* rung_cut - of those that could go on, the best do */
static void
rung_cut(struct tune *u, const struct rung *next)
{
	struct arena *a = arena_new();
	struct trial **open = arena_array(a, u->n, sizeof(*open));
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].end == TRIAL_OPEN)
			open[n++] = &u->v[i];
	qsort(open, n, sizeof(*open), by_loss);
	for (size_t i = (size_t)next->trials; i < n; i++)
		open[i]->end = TRIAL_HALTED;
	arena_free(a);
}

static int
rung_run(struct tune *u, size_t rung, int64_t *begun, struct err *e)
{
	for (size_t i = 0; i < u->n; i++) {
		struct trial *r = &u->v[i];

		if (r->end != TRIAL_OPEN || r->rungs > (int64_t)rung) {
			*begun += r->rungs > (int64_t)rung;
			continue;
		}
		if (r->x == NULL)
			trial_place(u, i);
		if (r->end == TRIAL_OPEN && trial_run(u, r, &u->rung[rung],
		    (*begun)++, e) == -1)
			return -1;
		if (tune_keep(u, e) == -1)
			return -1;
		trial_tell(u, r);
	}
	if (rung + 1 == u->nrungs)
		return 0;
	rung_cut(u, &u->rung[rung + 1]);
	return tune_keep(u, e);
}

/* tune_end - the best trial again, up to where its checkpoint and its best
 * parameters are */
static int
tune_end(struct tune *u, struct err *e)
{
	struct train *t = u->t, of;
	const struct trial *best = tune_best(u);
	struct train_conf *c = arena_alloc(t->stage->arena, sizeof(*c));
	int rc;

	tune_tell(u);
	if (best == NULL)
		return err_set(e, FATE_REJECT, "no trial came to a result; the "
		    "first: %s", u->v[0].why == NULL ? "no loss" :
		    u->v[0].why);
	t->part.quiet = true;
	of = *t;
	if (trial_conf(u, best, t->stage->arena, c, e) == -1 ||
	    train_again(t, &of, t->stage, c, e) == -1)
		return -1;
	t->dir = trial_dir(u, best, e);
	if (t->dir == -1)
		return -1;
	rc = checkpoint_read(t, e);
	if (rc == 1)
		rc = best_read(t, e);
	if (rc == 0)
		rc = err_set(e, FATE_REJECT, "its checkpoint is gone; rerun "
		    "the job");
	close(t->dir);
	t->dir = of.dir;
	return rc == -1 ? err_prefix(e, "trial %zu: ", (size_t)(best - u->v) +
	    1) : 0;
}

int
tune_run(struct train *t, struct err *e)
{
	struct tune u;
	int64_t all = 0, begun = 0;

	if (tune_open(&u, t, e) == -1)
		return -1;
	for (size_t i = 0; i < u.nrungs; i++)
		all += u.rung[i].trials;
	stage_total(t->stage, all * 1000);
	for (size_t i = 0; i < u.nrungs; i++)
		if (rung_run(&u, i, &begun, e) == -1)
			return -1;
	return tune_end(&u, e);
}
