/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, batches and order.  Every thread does the same: it takes its turn at
 * the source, gets the next batch with its number, and carries it through all
 * stages.  A stateless stage runs at once; at any other the thread waits until
 * that stage's turn is its batch's number.  So each stateful stage sees batches
 * one by one and in order, whatever the number of threads; memory is bounded by
 * one batch a thread.  A mark is taken by the thread at the source, after the
 * batches on their way have arrived: then nothing moves.
 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/run.h"

#include <errno.h>
#include <unistd.h>

#define MARK_SECONDS	1.0
#define OUT_MAX		((size_t)1 << 30)
#define FAULTS_SAID	20

struct pipeline {
	struct run *run;
	pthread_mutex_t source, lock;
	pthread_cond_t moved;
	int64_t *turn;			/* per stage, and one for the end */
	int64_t next;			/* the next batch's number */
	int flying;
	bool ended, failed;
	struct err err;			/* the first error */
};

struct worker {
	struct pipeline *p;
	pthread_t thread;
	void **scratch;			/* per stage */
	struct batch batch;
	struct buf out, rejects, verdicts;
};

/* pipeline_fail - the first error stays; everybody is woken to see it */
static void
pipeline_fail(struct pipeline *p, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	if (!p->failed)
		p->err = *e;
	p->failed = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

/* turn_wait - until it is this batch's turn; false after a failure */
static bool
turn_wait(struct pipeline *p, size_t i, int64_t number)
{
	bool ok;

	pthread_mutex_lock(&p->lock);
	while (!p->failed && p->turn[i] != number)
		pthread_cond_wait(&p->moved, &p->lock);
	ok = !p->failed;
	pthread_mutex_unlock(&p->lock);
	return ok;
}

/* turn_done - the next batch may come */
static void
turn_done(struct pipeline *p, size_t i)
{
	pthread_mutex_lock(&p->lock);
	p->turn[i]++;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

/* put_log - append to rejects or verdicts */
static int
put_log(int fd, struct buf *b, int64_t *len, struct err *e)
{
	if (b->n == 0 || fd == -1)
		return 0;
	if (file_put(fd, b->p, b->n) == -1)
		return err_errno(e, "cannot write verdicts");
	*len += (int64_t)b->n;
	return 0;
}

/* batch_say - a shell's faults, the first of them */
static void
batch_say(struct run *r, const struct buf *b)
{
	struct view v = buf_get(b);
	const char *p = v.p, *end = v.p + v.n, *nl;

	for (; p < end && r->said <= FAULTS_SAID; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (r->said++ < FAULTS_SAID)
			msg_warn("%.*s", (int)(nl - p), p);
		else
			msg_warn("more faults are not shown; a job keeps them "
			    "all in rejects.jsonl");
	}
}

/* batch_end - in order, after all stages: output, rejects, verdicts */
static int
batch_end(struct worker *w, struct err *e)
{
	struct run *r = w->p->run;

	if (r->shell)
		batch_say(r, &w->rejects);
	if (r->out != -1 && w->out.n > 0 &&
	    file_put(r->out, w->out.p, w->out.n) == -1) {
		if (errno == EPIPE)
			return err_set(e, FATE_STOP, "%s", "");
		return err_errno(e, "cannot write");
	}
	if (put_log(r->rejects, &w->rejects, &r->rejects_len, e) == -1 ||
	    put_log(r->verdicts, &w->verdicts, &r->verdicts_len, e) == -1)
		return -1;
	if (r->max_rejects >= 0 && r->rejected > r->max_rejects)
		return err_set(e, FATE_REJECT, "%lld records failed, %lld are "
		    "allowed (limit rejects=)", (long long)r->rejected,
		    (long long)r->max_rejects);
	return 0;
}

/* batch_print - what leaves through stdout, made before its turn comes */
static int
batch_print(struct worker *w, struct err *e)
{
	w->out.n = 0;
	if (w->p->run->out == -1)
		return 0;
	for (size_t i = 0; i < w->batch.n; i++) {
		rec_print(&w->out, &w->batch.rec[i]);
		buf_char(&w->out, '\n');
	}
	if (w->out.full)
		return err_set(e, FATE_REJECT, "a batch of more than 1 GiB");
	return 0;
}

/* batch_stage - one stage of a batch, in its turn if it has a state */
static int
batch_stage(struct worker *w, size_t i, int64_t number, struct err *e)
{
	struct pipeline *p = w->p;
	struct stage *s = &p->run->stage[i];
	bool ordered = !p->run->pipe->stage[i].needs.stateless;
	int rc = 0;

	if (ordered && !turn_wait(p, i, number)) {
		*e = p->err;
		return -1;
	}
	atomic_fetch_add(&s->own->counts.in, (int64_t)w->batch.n);
	if (s->module->batch != NULL && w->batch.n > 0)
		rc = s->module->batch(s, w->scratch[i], &w->batch, e);
	if (rc == -1) {
		err_prefix(e, "%s: ", s->module->name);
		return -1;
	}
	run_settle(p->run, s, &w->batch, &w->rejects, &w->verdicts);
	if (ordered)
		turn_done(p, i);
	return 0;
}

/* batch_carry - a batch through the stages from `first` on, to the end */
static int
batch_carry(struct worker *w, size_t first, int64_t number, struct err *e)
{
	struct pipeline *p = w->p;
	size_t end = p->run->nstages;

	for (size_t i = first; i < end; i++)
		if (batch_stage(w, i, number, e) == -1)
			return -1;
	if (batch_print(w, e) == -1)
		return -1;
	if (!turn_wait(p, end, number)) {
		*e = p->err;
		return -1;
	}
	if (batch_end(w, e) == -1)
		return -1;
	turn_done(p, end);
	return 0;
}

/* source_mark - at the source: once a second, and when asked to stop, let the
 * rest arrive, then mark */
static int
source_mark(struct pipeline *p, bool stop, struct err *e)
{
	struct run *r = p->run;

	run_progress(r, false);
	if (r->shell || (!stop && when_mono() - r->marked < MARK_SECONDS))
		return 0;
	pthread_mutex_lock(&p->lock);
	while (p->flying > 0 && !p->failed)
		pthread_cond_wait(&p->moved, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (p->failed) {
		*e = p->err;
		return -1;
	}
	return run_mark(r, e);
}

/* source_take - the next batch; 1 at the end, -1 failed */
static int
source_take(struct worker *w, int64_t *number, struct err *e)
{
	struct pipeline *p = w->p;
	struct stage *s = &p->run->stage[0];
	bool stop;
	int rc;

	if (p->ended || p->failed)
		return 1;
	stop = run_signal != 0;
	if (source_mark(p, stop, e) == -1)
		return -1;
	if (stop)
		return err_set(e, FATE_STOP, "stopped");
	rc = s->module->batch(s, w->scratch[0], &w->batch, e);
	if (rc == -1) {
		err_prefix(e, "%s: ", s->module->name);
		return -1;
	}
	p->ended = rc == 1;
	if (p->ended && w->batch.n == 0)
		return 1;
	*number = p->next++;
	p->run->batches++;
	atomic_fetch_add(&s->own->counts.in, (int64_t)w->batch.n);
	run_settle(p->run, s, &w->batch, &w->rejects, &w->verdicts);
	atomic_fetch_add(&p->run->records, (int64_t)w->batch.n);
	pthread_mutex_lock(&p->lock);
	p->flying++;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* batch_clear - before each use */
static void
batch_clear(struct worker *w)
{
	struct arena *a = w->batch.arena;

	arena_reset(a);
	w->batch = (struct batch){ .arena = a };
	w->rejects.n = w->verdicts.n = 0;
}

/* worker_loop - batches until there are no more */
static void *
worker_loop(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->p;
	struct err e;
	int64_t number = 0;
	int rc;

	for (;;) {
		batch_clear(w);
		pthread_mutex_lock(&p->source);
		rc = source_take(w, &number, &e);
		pthread_mutex_unlock(&p->source);
		if (rc == 0)
			rc = batch_carry(w, 1, number, &e);
		if (rc == -1)
			pipeline_fail(p, &e);
		if (rc != 0)
			return NULL;
		pthread_mutex_lock(&p->lock);
		p->flying--;
		pthread_cond_broadcast(&p->moved);
		pthread_mutex_unlock(&p->lock);
	}
}

/* worker_open - scratch for every stateless stage */
static int
worker_open(struct worker *w, struct pipeline *p, struct err *e)
{
	struct run *r = p->run;
	const struct module *m;

	w->p = p;
	w->batch.arena = arena_new();
	arena_defer(r->arena, (void (*)(void *))arena_free, w->batch.arena);
	buf_init(&w->out, OUT_MAX);
	buf_init(&w->rejects, OUT_MAX);
	buf_init(&w->verdicts, OUT_MAX);
	arena_defer(r->arena, buf_free, &w->out);
	arena_defer(r->arena, buf_free, &w->rejects);
	arena_defer(r->arena, buf_free, &w->verdicts);
	w->scratch = arena_array(r->arena, r->nstages, sizeof(*w->scratch));
	for (size_t i = 0; i < r->nstages; i++) {
		m = r->stage[i].module;
		if (m->thread != NULL && m->thread(&r->stage[i],
		    &w->scratch[i], e) == -1)
			return err_prefix(e, "%s: ", m->name);
	}
	return 0;
}

/* pipeline_finish - each stage's end in turn; what it emits goes on down */
static int
pipeline_finish(struct worker *w, struct err *e)
{
	struct pipeline *p = w->p;
	struct run *r = p->run;
	struct stage *s;
	int rc;

	for (size_t i = 0; i < r->nstages; i++) {
		s = &r->stage[i];
		for (rc = s->module->finish == NULL; rc == 0; ) {
			if (run_signal != 0)
				return err_set(e, FATE_STOP, "stopped");
			batch_clear(w);
			rc = s->module->finish(s, &w->batch, e);
			if (rc == -1)
				return err_prefix(e, "%s: ", s->module->name);
			if (w->batch.n == 0)
				continue;
			run_settle(r, s, &w->batch, &w->rejects, &w->verdicts);
			for (size_t k = 0; k <= r->nstages; k++)
				p->turn[k] = p->next;
			if (batch_carry(w, i + 1, p->next, e) == -1)
				return -1;
			p->next++;
			run_progress(r, false);
		}
	}
	return 0;
}

/* pipeline_threads - start the others, work, wait for them */
static int
pipeline_threads(struct pipeline *p, struct worker *w, int n, struct err *e)
{
	int started = 1;

	for (; started < n; started++)
		if (pthread_create(&w[started].thread, NULL, worker_loop,
		    &w[started]) != 0)
			break;
	worker_loop(&w[0]);
	for (int i = 1; i < started; i++)
		pthread_join(w[i].thread, NULL);
	if (p->failed) {
		*e = p->err;
		return -1;
	}
	return 0;
}

int
pipeline_run(struct run *r, struct err *e)
{
	struct pipeline p = { .run = r, .next = r->batches };
	int n = r->threads < 1 ? 1 : r->threads, rc;
	struct worker *w = arena_array(r->arena, (size_t)n, sizeof(*w));

	pthread_mutex_init(&p.source, NULL);
	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.moved, NULL);
	p.turn = arena_array(r->arena, r->nstages + 1, sizeof(*p.turn));
	for (size_t i = 0; i <= r->nstages; i++)
		p.turn[i] = p.next;
	rc = 0;
	for (int i = 0; i < n && rc == 0; i++)
		rc = worker_open(&w[i], &p, e);
	if (rc == 0)
		rc = pipeline_threads(&p, w, n, e);
	/* all batches are behind us: a long finish that dies starts here */
	if (rc == 0)
		rc = run_mark(r, e);
	if (rc == 0)
		rc = pipeline_finish(&w[0], e);
	run_progress(r, true);
	pthread_cond_destroy(&p.moved);
	pthread_mutex_destroy(&p.lock);
	pthread_mutex_destroy(&p.source);
	return rc;
}
