/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/admit.h"
#include "spool/child.h"
#include "spool/sched.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define CRASHES_MAX	3

/* sched_place - where an id stands or would stand in the table */
static size_t
sched_place(const struct sched *s, const char *id)
{
	size_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (strcmp(s->job[mid]->id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct job *
sched_find(const struct sched *s, const char *id)
{
	size_t i = sched_place(s, id);

	return i < s->n && strcmp(s->job[i]->id, id) == 0 ? s->job[i] : NULL;
}

void
sched_add(struct sched *s, struct job *j)
{
	size_t i = sched_place(s, j->id);

	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->job = mem_grow(s->job, s->cap * sizeof(*s->job));
	}
	memmove(s->job + i + 1, s->job + i, (s->n - i) * sizeof(*s->job));
	s->job[i] = j;
	s->n++;
}

/* sched_remove - out of the table, and its memory back */
static void
sched_remove(struct sched *s, struct job *j)
{
	size_t i = sched_place(s, j->id);

	memmove(s->job + i, s->job + i + 1,
	    (s->n - i - 1) * sizeof(*s->job));
	s->n--;
	ticket_free(j);
}

/* sched_save - write the state file; what cannot be written is said */
static void
sched_save(struct sched *s, const struct job *j)
{
	struct err e;
	int dir = spool_job(&s->spool, j->place, j->id, &e);

	if (dir == -1 || ticket_save(j, dir, &e) == -1)
		msg_warn("%s: cannot save its state: %s", j->id, e.text);
	if (dir != -1)
		close(dir);
}

/* sched_move - save, rename, and see to it that the loop flushes */
static int
sched_move(struct sched *s, struct job *j, enum place to)
{
	struct err e;

	sched_save(s, j);
	j->again = 0;
	if (spool_move(&s->spool, j, to, &e) == -1) {
		msg_error("%s: %s; trying again", j->id, e.text);
		j->again = time(NULL) + 1;
		return -1;
	}
	s->dirty = true;
	return 0;
}

/* job_running - has it a worker */
static bool
job_running(const struct sched *s, const struct job *j)
{
	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (c->job == j)
			return true;
	return false;
}

/* job_outlook - done or failed if its end is certain, else run */
static enum place
job_outlook(const struct job *j)
{
	size_t done = 0;

	if (j->cancelled)
		return PLACE_FAILED;
	for (size_t i = 0; i < j->npipes; i++) {
		if (j->pipe[i].state == PIPE_FAILED)
			return PLACE_FAILED;
		done += j->pipe[i].state == PIPE_DONE;
	}
	return done == j->npipes && done > 0 ? PLACE_DONE : PLACE_RUN;
}

void
sched_step(struct sched *s, struct job *j)
{
	enum place outlook = job_outlook(j);
	struct err e;

	if (j->cancelled)
		child_stop(s, j);
	if (job_running(s, j) || s->stopping || s->loading)
		return;
	if (outlook != PLACE_RUN) {
		if (j->ended == 0) {
			j->ended = time(NULL);
			j->fate = outlook == PLACE_DONE ? 0 : 65;
			if (j->cancelled && j->why == NULL)
				j->why = "cancelled";
			sched_save(s, j);
		}
		if (child_finish(s, j, &e) == -1) {
			msg_warn("%s: %s", j->id, e.text);
			sched_finished(s, j);
		}
	} else if (j->hold_wanted) {
		j->hold_wanted = false;
		j->held = HELD_USER;
		sched_move(s, j, PLACE_HOLD);
		msg_info("%s: held", j->id);
	} else if (j->held == HELD_SPACE && j->place == PLACE_RUN) {
		sched_move(s, j, PLACE_HOLD);
		msg_info("%s: held until there is space", j->id);
	} else if (j->held == HELD_USER && j->place <= PLACE_RUN)
		sched_move(s, j, PLACE_HOLD);
}

void
sched_finished(struct sched *s, struct job *j)
{
	enum place to = job_outlook(j);

	if (to == PLACE_RUN || sched_move(s, j, to) == -1)
		return;
	msg_info("%s: %s%s%s", j->id, place_names[to],
	    j->why == NULL ? "" : ": ", j->why == NULL ? "" : j->why);
	child_hook(s, to == PLACE_DONE ? s->conf.on_done : s->conf.on_fail, j);
	sched_remove(s, j);
}

/* pipe_later - try again after a back-off that doubles up to an hour */
static void
pipe_later(struct sched *s, struct pipe *p, int times)
{
	int64_t wait = s->conf.backoff;

	while (--times > 0 && wait < 3600)
		wait *= 2;
	p->state = PIPE_WAIT;
	p->not_before = time(NULL) + (wait > 3600 ? 3600 : wait);
}

/* pipe_failed - the end of a pipeline and so of its job */
static void
pipe_failed(struct job *j, struct pipe *p, int status, const char *why)
{
	p->state = PIPE_FAILED;
	j->fate = status;
	j->ended = time(NULL);
	j->why = arena_printf(j->arena, "%s: %s", p->name, why);
}

/* ended_signal - a crash counts only if the worker did it to itself */
static void
ended_signal(struct sched *s, struct job *j, struct pipe *p, int sig)
{
	char why[80];

	if (sig == SIGKILL) {
		pipe_later(s, p, 1);
		p->why = "killed from outside; not counted";
		return;
	}
	snprintf(why, sizeof(why), "crashed (%s), %d of %d",
	    strsignal(sig), ++p->crashes, CRASHES_MAX);
	p->why = arena_str(j->arena, why);
	if (p->crashes >= CRASHES_MAX)
		pipe_failed(j, p, 70, why);
	else
		pipe_later(s, p, p->crashes);
}

/* ended_status - an exit status becomes a place */
static void
ended_status(struct sched *s, struct job *j, struct pipe *p, int status)
{
	switch (fate_of_exit(status)) {
	case FATE_DONE:
		p->state = PIPE_DONE;
		break;
	case FATE_STOP:
		p->state = PIPE_WAIT;
		break;
	case FATE_SPACE:
		p->state = PIPE_WAIT;
		j->held = HELD_SPACE;
		break;
	case FATE_RETRY:
		if (++p->tries < j->attempts) {
			pipe_later(s, p, p->tries);
			break;
		}
		/* FALLTHROUGH */
	default:
		pipe_failed(j, p, status, p->why != NULL ? p->why :
		    fate_name(fate_of_exit(status)));
	}
}

void
sched_ended(struct sched *s, struct job *j, struct pipe *p, int status,
    int sig, const char *why)
{
	p->why = why == NULL ? NULL : arena_str(j->arena, why);
	if (sig != 0)
		ended_signal(s, j, p, sig);
	else
		ended_status(s, j, p, status);
	if (p->state != PIPE_DONE)
		msg_info("%s: %s: %s", j->id, p->name, p->why != NULL ?
		    p->why : fate_name(fate_of_exit(status)));
	sched_save(s, j);
	sched_step(s, j);
}

/* sched_take - a job of queue, run or hold into the table */
static int
sched_take(struct sched *s, enum place place, const char *id)
{
	struct err e;
	struct job *j = spool_load(&s->spool, place, id, &e);

	if (j == NULL) {
		msg_warn("%s/%s is passed over: %s", place_names[place], id,
		    e.text);
		return -1;
	}
	sched_add(s, j);
	return 0;
}

/* sched_revive - a job found in run/: its workers live, have ended, or died */
static void
sched_revive(struct sched *s, struct job *j)
{
	for (size_t i = 0; i < j->npipes; i++)
		if (j->pipe[i].state == PIPE_WAIT)
			child_adopt(s, j, &j->pipe[i]);
}

int
sched_load(struct sched *s, struct err *e)
{
	struct arena *a = arena_new();
	char **ids;
	size_t n;
	struct job *j;

	s->loading = true;
	for (enum place p = PLACE_QUEUE; p <= PLACE_HOLD; p++) {
		if (spool_ids(&s->spool, a, p, &ids, &n, e) == -1) {
			arena_free(a);
			return -1;
		}
		for (size_t i = 0; i < n; i++)
			if (sched_take(s, p, ids[i]) == 0 && p == PLACE_RUN)
				sched_revive(s, sched_find(s, ids[i]));
	}
	arena_free(a);
	s->loading = false;
	/* jobs whose last worker had ended but which had not been moved */
	for (size_t i = s->n; i-- > 0; )
		if (i < s->n && (j = s->job[i])->place != PLACE_HOLD)
			sched_step(s, j);
	return 0;
}

/* after_done - 1 all jobs that it waits for are done, 0 not yet, -1 never */
static int
after_done(const struct sched *s, const struct job *j)
{
	for (size_t i = 0; i < j->nafter; i++) {
		if (file_exists(s->spool.dir[PLACE_DONE], j->after[i]))
			continue;
		if (sched_find(s, j->after[i]) != NULL)
			return 0;
		return -1;
	}
	return 1;
}

/* pipe_ready - may this pipeline start now, as far as its job is concerned */
static bool
pipe_ready(const struct job *j, const struct pipe *p, time_t now)
{
	if (p->state != PIPE_WAIT || p->not_before > now)
		return false;
	for (size_t i = 0; i < j->npipes; i++)
		if ((p->after & (uint64_t)1 << i) &&
		    j->pipe[i].state != PIPE_DONE)
			return false;
	return true;
}

/* job_ready - may any of its pipelines start */
static bool
job_ready(struct sched *s, struct job *j, time_t now)
{
	if (j->place > PLACE_RUN || j->cancelled || j->hold_wanted ||
	    j->held != HELD_NOT || j->not_before > now || j->ended != 0)
		return false;
	switch (after_done(s, j)) {
	case 1:
		return true;
	case -1:
		j->why = "a job that it waits for has failed or is gone";
		j->cancelled = true;
		sched_step(s, j);
		/* FALLTHROUGH */
	default:
		return false;
	}
}

/* lease_gpus - the lowest free devices; false if there are too few */
static bool
lease_gpus(const struct sched *s, const struct pipe *p, uint64_t *set)
{
	int want = p->gpus == GPUS_AUTO ? 1 : p->gpus;

	*set = 0;
	for (int i = 0; i < 64 && want > 0; i++)
		if (s->gpus_free & (uint64_t)1 << i) {
			*set |= (uint64_t)1 << i;
			want--;
		}
	if (want > 0 && p->gpus == GPUS_AUTO)
		*set = 0;
	return want == 0 || p->gpus == GPUS_AUTO;
}

/* lease_cores - a fair share, at least one; 0: wait */
static int
lease_cores(const struct sched *s, const struct pipe *p, int ready)
{
	int slots = (int)s->conf.jobs - s->running;
	int want = p->cores > s->cores ? s->cores : (int)p->cores;

	if (want > 0)
		return s->cores_free >= want || s->running == 0 ? want : 0;
	if (ready > slots)
		ready = slots;
	want = s->cores_free / (ready < 1 ? 1 : ready);
	return want < 1 ? 1 : want;
}

/* sched_pipe - start one pipeline; false if it has to wait for a device */
static bool
sched_pipe(struct sched *s, struct job *j, struct pipe *p, int ready)
{
	uint64_t gpus;
	struct err e;
	int cores;

	if (!lease_gpus(s, p, &gpus) ||
	    (cores = lease_cores(s, p, ready)) == 0)
		return false;
	if (spool_move(&s->spool, j, PLACE_RUN, &e) == -1 ||
	    child_pipe(s, j, p, cores, gpus, &e) == -1) {
		msg_error("%s: %s: %s", j->id, p->name, e.text);
		pipe_later(s, p, 1);
	}
	return true;
}

/* sched_space - is there enough room to start anything; asked once a second */
static bool
sched_space(struct sched *s)
{
	double now = when_mono();
	int64_t spool, store;

	if (now - s->space_checked < 1)
		return !s->space_low;
	s->space_checked = now;
	spool = spool_free(s->conf.spool);
	store = spool_free(s->conf.store);
	s->space_low = (spool >= 0 && spool < s->conf.min_free) ||
	    (store >= 0 && store < s->conf.min_free);
	return !s->space_low;
}

/* sched_best - the ready pipeline that comes first, and how many are ready */
static struct job *
sched_best(struct sched *s, time_t now, const struct pipe *not,
    struct pipe **best, int *ready)
{
	struct job *j, *first = NULL;

	*ready = 0;
	for (size_t i = 0; i < s->n; i++) {
		j = s->job[i];
		if (first != NULL && *ready >= s->conf.jobs &&
		    j->priority <= first->priority)
			continue;
		if (!job_ready(s, j, now))
			continue;
		for (size_t k = 0; k < j->npipes; k++) {
			if (&j->pipe[k] == not ||
			    !pipe_ready(j, &j->pipe[k], now))
				continue;
			++*ready;
			if (first == NULL || j->priority > first->priority) {
				first = j;
				*best = &j->pipe[k];
			}
		}
	}
	return first;
}

/*
 * sched_start - one whose device is busy lets the next by, but only that one is
 * passed over: it is looked at first again when something ends
 */
void
sched_start(struct sched *s)
{
	struct pipe *p = NULL, *waits = NULL;
	struct job *j;
	int ready;

	if (s->draining || s->stopping || s->running >= s->conf.jobs)
		return;
	if (!sched_space(s))
		return;
	while (s->running < s->conf.jobs) {
		j = sched_best(s, time(NULL), waits, &p, &ready);
		if (j == NULL)
			return;
		if (!sched_pipe(s, j, p, ready)) {
			if (waits != NULL)
				return;
			waits = p;
		}
	}
}
