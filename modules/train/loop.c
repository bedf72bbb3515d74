/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps.  Everything a step does follows from its number, the seed and the
 * state before it, so a run that was stopped goes on to the same bytes: rows
 * are drawn by a shuffle that is a function of epoch and index.
 * The loss of a step is the sum over all its tokens divided by their number,
 * whatever the split into micro-batches.
 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/model/random.h"
#include "modules/train/train.h"

#include <math.h>

#define MEASURED	5		/* the step whose time is told */
#define AHEAD		50		/* micro-batches worth a look */

/* what a step works on: the rows of all its micro-batches */
struct work {
	int32_t *id, *target, *from;
	size_t counted;			/* tokens that are learnt */
};

/* work_get - a micro-batch's rows at a place of the work */
static void
work_get(struct train *t, int64_t micro, size_t at, struct work *w)
{
	size_t T = t->decoder.T, B = t->decoder.B;
	uint64_t n = t->rows.n, g, row;

	for (size_t b = 0; b < B; b++, at += T) {
		g = (uint64_t)micro * B + b;
		row = random_place((uint64_t)t->conf->seed, 1 + g / n, n,
		    g % n);
		w->counted += rows_get(&t->rows, row, w->id + at, w->target +
		    at, w->from + at);
	}
}

/* step_micro - one micro-batch: the sum of its losses */
static double
step_micro(struct train *t, int64_t micro, size_t at, const struct work *w)
{
	/* beside weights, adapters and the order of rows */
	const uint64_t dropout_stream = (uint64_t)1 << 62;

	if (t->rows.first != NULL)
		decoder_texts(&t->decoder, w->from + at);
	t->decoder.work.key = random_key((uint64_t)t->conf->seed,
	    dropout_stream + (uint64_t)micro);
	return decoder_run(&t->decoder, w->id + at, w->target + at, 1 /
	    (double)w->counted);
}

/* rate_at - the learning rate of a step, counted from 0 */
static double
rate_at(const struct train *t, int64_t step)
{
	const struct train_conf *c = t->conf;
	double low = c->lr * c->min_lr, part, all = (double)t->steps;
	double from = (double)c->warmup;

	if (step < c->warmup)
		return c->lr * (double)(step + !c->warmup_zero) /
		    (double)c->warmup;
	if (c->schedule == SCHEDULE_WSD)
		from = fmax(from, all - ceil(all * c->cooldown));
	part = ((double)step - from) / (all - from);
	if (c->schedule == SCHEDULE_CONSTANT || from >= all || part < 0)
		return c->lr;
	if (c->schedule == SCHEDULE_WSD)
		return low + (c->lr - low) * (1 - sqrt(part));
	if (c->schedule == SCHEDULE_LINEAR)
		return low + (c->lr - low) * (1 - part);
	return low + (c->lr - low) * 0.5 * (1 + cos(M_PI * part));
}

/* step_update - guard, clip, move what is trained, gradients to 0 */
static int
step_update(struct train *t, double loss, struct err *e)
{
	const struct train_conf *c = t->conf;
	double norm = optimise_norm(&t->optimise);
	int rc = guard_step(t, loss, norm, e);

	if (rc == 1)
		optimise_step(&t->optimise, rate_at(t, t->at.step),
		    c->clip > 0 && norm > c->clip ? c->clip / norm : 1,
		    t->at.step + 1);
	optimise_clear(&t->optimise);
	return rc == -1 ? -1 : 0;
}

/* valid_loss - the mean over the text that is held back */
static double
valid_loss(struct train *t, struct work *w)
{
	size_t T = t->decoder.T, B = t->decoder.B, n = t->held.n;
	size_t rows = n > 256 ? 256 : n, counted = 0;
	double sum = 0;

	for (size_t i = 0; i < rows; i += B) {
		for (size_t b = 0; b < B; b++) {
			/* spread over the text when it has more than enough */
			size_t row = (i + b) % rows * n / rows, k;

			k = rows_get(&t->held, row, w->id + b * T, w->target +
			    b * T, w->from + b * T);
			counted += i + b < rows ? k : 0;
			for (k = 0; i + b >= rows && k < T; k++)
				w->target[b * T + k] = -1;
		}
		if (t->held.first != NULL)
			decoder_texts(&t->decoder, w->from);
		sum += decoder_run(&t->decoder, w->id, w->target, 0);
	}
	return counted == 0 ? 0 : sum / (double)counted;
}

/* point_add - a full curve keeps every second point */
static void
point_add(struct point *p, size_t *n, int64_t step, double loss)
{
	if (*n == POINTS)
		for (*n = 0; *n < POINTS / 2; ++*n)
			p[*n] = p[*n * 2 + 1];
	p[(*n)++] = (struct point){ step, loss };
}

/* loop_eval - after a step: 1 if it is time to stop early */
static int
loop_eval(struct train *t, struct work *w, struct err *e)
{
	const struct train_conf *c = t->conf;
	struct progress *at = &t->at;
	double loss;

	loss = valid_loss(t, w);
	point_add(at->valid, &at->nvalid, at->step, loss);
	msg_info("step %lld: validation loss %.4f", (long long)at->step, loss);
	if (at->best != 0 && loss >= at->best) {
		at->stale++;
		return c->patience > 0 && at->stale >= c->patience;
	}
	at->best = loss;
	at->best_step = at->step;
	at->stale = 0;
	return best_write(t, e);
}

/* loop_note - the curve and the progress line */
static void
loop_note(struct train *t, double loss, double seconds)
{
	struct progress *at = &t->at;
	int64_t every = t->steps / 200 + 1;
	double tokens = (double)(t->decoder.R * (size_t)t->conf->accumulate);

	if (isfinite(loss)) {
		at->sum += loss;
		at->since++;
	}
	if (at->since >= every || (at->step == t->steps && at->since > 0)) {
		point_add(at->curve, &at->ncurve, at->step, at->sum /
		    (double)at->since);
		at->sum = 0;
		at->since = 0;
	}
	stage_done(t->stage, at->step);
	stage_note(t->stage, "step %lld of %lld, loss %.3f, %.0f tokens/s",
	    (long long)at->step, (long long)t->steps, loss,
	    tokens / seconds);
}

/* loop_time - hours, or seconds where they are few */
static const char *
loop_time(const struct train *t, double seconds)
{
	return seconds < 600 ? arena_printf(t->stage->arena, "%.0f s",
	    seconds) : arena_printf(t->stage->arena, "%.1f hours", seconds /
	    3600);
}

/* loop_hours - how long it will take, by a step that has been measured */
static void
loop_hours(const struct train *t, double seconds)
{
	double left = (double)(t->steps - t->at.step) * seconds / 3600;

	if (left > 0.02)
		msg_info("%.1f s a step: about %.1f hours for the %lld steps "
		    "that are left", seconds, left,
		    (long long)(t->steps - t->at.step));
}

/*
 * loop_ahead - before the first step: how long it will take, by a micro-batch
 * that is computed to be measured and changes nothing.  The second one counts:
 * the first meets memory that nobody has touched.
 */
static void
loop_ahead(struct train *t, struct work *w)
{
	double began, seconds = 0;
	int64_t left = (t->steps - t->at.step) * t->conf->accumulate;

	if (left < AHEAD)
		return;
	w->counted = 0;
	work_get(t, t->at.step * t->conf->accumulate, 0, w);
	for (int i = 0; w->counted > 0 && i < 2 && seconds < 1; i++) {
		began = when_mono();
		step_micro(t, 0, 0, w);
		optimise_clear(&t->optimise);
		seconds = when_mono() - began;
	}
	if (w->counted == 0)
		return;
	msg_info("%.2g s a micro-batch, measured: about %s for %lld steps",
	    seconds, loop_time(t, (double)left * seconds),
	    (long long)(t->steps - t->at.step));
}

/* loop_step - one step; its loss.  Its tokens are counted first: the mean is
 * over all of them, whatever the split into micro-batches */
static int
loop_step(struct train *t, struct work *w, double *loss, struct err *e)
{
	int64_t n = t->conf->accumulate, first = t->at.step * n;
	size_t R = t->decoder.R;
	double sum = 0;

	w->counted = 0;
	for (int64_t i = 0; i < n; i++)
		work_get(t, first + i, (size_t)i * R, w);
	for (int64_t i = 0; w->counted > 0 && i < n; i++)
		sum += step_micro(t, first + i, (size_t)i * R, w);
	*loss = w->counted == 0 ? 0 : sum / (double)w->counted;
	if (w->counted > 0 && step_update(t, *loss, e) == -1)
		return -1;
	t->at.step++;
	return 0;
}

/* loop_steps - until the end, an early stop, or TERM */
static int
loop_steps(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	size_t all = t->decoder.R * (size_t)c->accumulate;
	struct work w;
	int64_t every = c->eval_every > 0 ? c->eval_every : t->steps / 10 + 1;
	double began, kept = when_mono(), loss;
	int64_t first = t->at.step;
	int rc;

	w.id = arena_array(t->stage->arena, all, sizeof(*w.id));
	w.target = arena_array(t->stage->arena, all, sizeof(*w.target));
	w.from = arena_array(t->stage->arena, all, sizeof(*w.from));
	loop_ahead(t, &w);
	while (t->at.step < t->steps) {
		if (stage_stopping(t->stage))
			return checkpoint_write(t, e) == -1 ? -1 :
			    stage_stop(e);
		began = when_mono();
		if (loop_step(t, &w, &loss, e) == -1)
			return -1;
		loop_note(t, loss, when_mono() - began);
		if (t->at.step == first + MEASURED)
			loop_hours(t, when_mono() - began);
		rc = 0;
		if (t->held.n > 0 && (t->at.step % every == 0 ||
		    t->at.step == t->steps))
			rc = loop_eval(t, &w, e);
		if (rc == -1)
			return -1;
		if (rc == 1) {
			stage_warn(t->stage, "stopped early at step %lld: no "
			    "better validation loss since step %lld",
			    (long long)t->at.step,
			    (long long)t->at.best_step);
			return 0;
		}
		if (when_mono() - kept >= (double)c->checkpoint) {
			if (checkpoint_write(t, e) == -1)
				return -1;
			kept = when_mono();
		}
	}
	return 0;
}

int
loop_run(struct train *t, struct err *e)
{
	if (checkpoint_read(t, e) == -1)
		return -1;
	t->kept = t->at.step;
	if (t->at.step > 0)
		msg_info("resumed at step %lld", (long long)t->at.step);
	stage_total(t->stage, t->steps);
	if (loop_steps(t, e) == -1)
		return -1;
	/* the last parameters are the best unless an earlier step's were; a
	 * shell keeps no files and gives the last */
	if (t->at.best != 0 && t->at.best_step != t->at.step &&
	    best_read(t, e) == -1)
		return -1;
	return 0;
}
