/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/admit.h"
#include "spool/child.h"
#include "spool/sched.h"

#include <unistd.h>

/* template_due - when a template fires next; 0 if its calendar is unreadable */
static time_t
template_due(const struct job *j)
{
	struct calendar c;
	struct err e;

	if (j->every == NULL || when_calendar(j->every, &c, &e) == -1)
		return 0;
	return when_next(&c, j->fired > j->submitted ? j->fired : j->submitted);
}

/* template_busy - is a child of it still in the table */
static bool
template_busy(const struct sched *s, const struct job *t)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->job[i]->template != NULL &&
		    strcmp(s->job[i]->template, t->id) == 0)
			return true;
	return false;
}

/* template_fire - clone a child, unless the last one still runs */
static void
template_fire(struct sched *s, struct job *t, time_t now, time_t due)
{
	struct err e;
	int dir;

	t->fired = now;
	if (!t->catch_up && now - due > 60)
		msg_info("%s: a firing was missed and is not caught up", t->id);
	else if (template_busy(s, t))
		msg_info("%s: not fired, its last job still runs", t->id);
	else if (admit_clone(s, t, &e) == -1)
		msg_error("%s: cannot fire: %s", t->id, e.text);
	dir = spool_job(&s->spool, t->place, t->id, &e);
	if (dir == -1 || ticket_save(t, dir, &e) == -1)
		msg_warn("%s: %s", t->id, e.text);
	if (dir != -1)
		close(dir);
}

/* space_again - is there clearly room: twice what stops us from starting */
static bool
space_again(const struct sched *s)
{
	int64_t spool = spool_free(s->conf.spool);
	int64_t store = spool_free(s->conf.store);

	return (spool == -1 || spool >= 2 * s->conf.min_free) &&
	    (store == -1 || store >= 2 * s->conf.min_free);
}

void
sched_clock(struct sched *s)
{
	time_t now = time(NULL), due;
	struct err e;
	struct job *j;

	for (size_t i = 0; i < s->n; i++) {
		j = s->job[i];
		if (j->again != 0 && j->again <= now) {
			j->again = now + 1;
			sched_step(s, j);
			continue;
		}
		if (j->place != PLACE_HOLD)
			continue;
		if (j->held == HELD_TEMPLATE) {
			due = template_due(j);
			if (due != 0 && due <= now && !s->stopping)
				template_fire(s, j, now, due);
		} else if (j->held == HELD_SPACE && space_again(s)) {
			j->held = HELD_NOT;
			for (size_t k = 0; k < j->npipes; k++)
				j->pipe[k].not_before = now + 1;
			if (spool_move(&s->spool, j, PLACE_QUEUE, &e) == -1)
				msg_error("%s: %s", j->id, e.text);
			else
				msg_info("%s: there is space again", j->id);
		}
	}
}

/* wake_at - the earlier of two times; 0 is none */
static time_t
wake_at(time_t a, time_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* wake_job - when the clock next changes something for a job; 0 never */
static time_t
wake_job(const struct job *j, time_t now)
{
	time_t at = 0;

	if (j->again != 0)
		return j->again;
	if (j->held == HELD_TEMPLATE)
		return template_due(j);
	if (j->held == HELD_SPACE)
		return now + 5;
	if (j->place > PLACE_RUN)
		return 0;
	if (j->not_before > now)
		return j->not_before;
	for (size_t i = 0; i < j->npipes; i++)
		if (j->pipe[i].state == PIPE_WAIT &&
		    j->pipe[i].not_before > now)
			at = wake_at(at, j->pipe[i].not_before);
	return at;
}

double
sched_wake(const struct sched *s)
{
	time_t now = time(NULL), at = now + 3600;

	for (size_t i = 0; i < s->n; i++)
		at = wake_at(at, wake_job(s->job[i], now));
	if (s->space_low)
		at = wake_at(at, now + 2);
	if (s->children != NULL)
		at = wake_at(at, now + 1);
	return at <= now ? 0.05 : (double)(at - now);
}

/* idle_job - could it move without the calendar or a person */
static bool
idle_job(const struct sched *s, const struct job *j, time_t now)
{
	if (j->place == PLACE_HOLD || j->not_before > now)
		return true;
	for (size_t i = 0; i < j->nafter; i++) {
		const struct job *other = sched_find(s, j->after[i]);

		if (other != NULL && idle_job(s, other, now))
			return true;
	}
	return false;
}

bool
sched_idle(const struct sched *s)
{
	time_t now = time(NULL);

	if (s->children != NULL)
		return false;
	for (size_t i = 0; i < s->n && !s->draining; i++)
		if (!idle_job(s, s->job[i], now))
			return false;
	return true;
}

/* prune_place - the ended jobs of one place */
static void
prune_place(struct sched *s, enum place place, int64_t keep)
{
	struct arena *a = arena_new();
	struct job *j;
	struct err e;
	char **ids;
	size_t n = 0;

	if (keep == 0 || spool_ids(&s->spool, a, place, &ids, &n, &e) == -1)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		j = spool_load(&s->spool, place, ids[i], &e);
		if (j == NULL)
			continue;
		if (time(NULL) - (j->ended != 0 ? j->ended : j->submitted) >
		    keep) {
			if (spool_rm(&s->spool, place, ids[i], &e) == -1)
				msg_warn("%s: %s", ids[i], e.text);
			else
				msg_info("%s: pruned", ids[i]);
		}
		ticket_free(j);
	}
	arena_free(a);
}

void
sched_prune(struct sched *s)
{
	prune_place(s, PLACE_DONE, s->conf.keep_done);
	prune_place(s, PLACE_FAILED, s->conf.keep_failed);
}
