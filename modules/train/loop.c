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
#define VALID		256		/* rows held back, of a look */
#define AHEAD		50		/* micro-batches worth a look */

/* what a step works on: the rows of all its micro-batches */
struct work {
	struct micro all;
	double *loss;			/* of each micro-batch */
	size_t counted;			/* tokens that are learnt, or groups */
};

/* group_get - the rows of a group, one behind another; what they count */
static size_t
group_get(const struct train *t, const struct rows *r, size_t group,
    const struct micro *m)
{
	size_t n = t->objective->group, tokens = 0;
	struct micro at;

	for (size_t i = 0; i < n; i++) {
		at = micro_at(m, i, r->T);
		tokens += rows_get(r, group * n + i, &at);
	}
	return n > 1 ? 1 : tokens;
}

/* work_get - a micro-batch's rows, at its place of the work */
static void
work_get(struct train *t, int64_t micro, struct micro m, struct work *w)
{
	size_t each = t->objective->group, B = t->decoder.B / each;
	uint64_t n = t->rows.n / each, g, group;

	for (size_t b = 0; b < B; b++) {
		g = (uint64_t)micro * B + b;
		group = random_place((uint64_t)t->conf->seed, 1 + g / n, n,
		    g % n);
		w->counted += group_get(t, &t->rows, group, &m);
		m = micro_at(&m, each, t->decoder.T);
	}
}

/* step_micro - one micro-batch: the sum of its losses.  What is dropped or
 * masked in it follows from the step and from the rows' numbers in it */
static double
step_micro(struct train *t, int64_t micro, const struct micro *m,
    size_t counted)
{
	/* beside weights, adapters and the order of rows */
	const uint64_t dropout_stream = (uint64_t)1 << 62;

	if (t->rows.first != NULL)
		decoder_texts(&t->decoder, m->from);
	t->decoder.work.key = random_key((uint64_t)t->conf->seed,
	    dropout_stream + (uint64_t)(micro / t->conf->accumulate));
	t->decoder.work.row = (size_t)(micro % t->conf->accumulate) *
	    t->decoder.R;
	return t->objective->run(t, m, scale_now(t) / (double)counted);
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
	double scale = scale_now(t);
	double norm = optimise_norm(&t->optimise) / scale;
	int rc = join_same(t, norm, e);

	if (rc == 0 && scale_step(t, loss, norm) == 1)
		rc = guard_step(t, loss, norm, e);
	if (rc == 1)
		optimise_step(&t->optimise, rate_at(t, t->at.step),
		    (c->clip > 0 && norm > c->clip ? c->clip / norm : 1) /
		    scale, t->at.step + 1);
	optimise_clear(&t->optimise);
	return rc == -1 ? -1 : 0;
}

/* numbers_mean - of an objective's own over all ranks, and none for the next */
static int
numbers_mean(struct train *t, size_t counted, double *mean, struct err *e)
{
	if (join_sums(t, t->number, NUMBERS, e) == -1)
		return -1;
	for (size_t i = 0; i < NUMBERS; i++) {
		mean[i] = counted == 0 ? 0 : t->number[i] / (double)counted;
		t->number[i] = 0;
	}
	return 0;
}

/* group_fill - a group that only fills the micro-batch */
static void
group_fill(const struct train *t, const struct micro *m)
{
	size_t n = t->objective->group, T = t->decoder.T;

	for (size_t i = 0; i < n; i++)
		m->row[i] = -1;
	for (size_t i = 0; i < n * T; i++)
		m->target[i] = -1;
}

/* valid_loss - the means over the texts that are held back; each rank computes
 * some of them */
static int
valid_loss(struct train *t, struct work *w, struct point *p, struct err *e)
{
	size_t each = t->objective->group, B = t->decoder.B / each;
	size_t n = t->held.n / each, some = n > VALID ? VALID : n;
	size_t counted = 0;
	struct micro m = w->all, at;
	double sum[VALID] = { 0 };

	m.x = &t->valid;
	m.held = true;
	/* fewer than can be told apart have no loss: they are left out */
	if (some % B < t->objective->least)
		some -= some % B;
	for (size_t i = 0; i < some; i += B) {
		for (size_t b = 0; b < B; b++) {
			/* spread over the text when it has more than enough */
			size_t group = (i + b) % some * n / some, k;

			at = micro_at(&m, b * each, t->decoder.T);
			k = group_get(t, &t->held, group, &at);
			if (i + b < some)
				counted += k;
			else
				group_fill(t, &at);
		}
		if (!join_mine(t, (int64_t)(i / B)))
			continue;
		if (t->held.first != NULL)
			decoder_texts(&t->decoder, m.from);
		t->decoder.work.row = i * each * t->decoder.T;
		sum[i / B] = t->objective->run(t, &m, 0);
	}
	if (join_sums(t, sum, VALID, e) == -1)
		return -1;
	for (size_t i = 0; i < VALID; i++)
		p->loss += sum[i];
	p->loss = counted == 0 ? 0 : p->loss / (double)counted;
	return numbers_mean(t, counted, p->number, e);
}

/* point_add - a full curve keeps every second point */
static void
point_add(struct point *p, size_t *n, const struct point *one)
{
	if (*n == POINTS)
		for (*n = 0; *n < POINTS / 2; ++*n)
			p[*n] = p[*n * 2 + 1];
	p[(*n)++] = *one;
}

/* numbers_text - an objective's own, for people */
static const char *
numbers_text(const struct train *t, const struct point *p)
{
	struct buf *b = buf_new(t->stage->arena, 1024);

	for (size_t i = 0; i < NUMBERS; i++)
		if (t->objective->number[i] != NULL)
			buf_printf(b, ", %s %.4g", t->objective->number[i],
			    p->number[i]);
	return buf_cstr(b);
}

/* part_name - before a message: of which trial it is */
static const char *
part_name(const struct train *t)
{
	return t->part.name == NULL ? "" : t->part.name;
}

/* stale - has it been long without a better loss */
static bool
stale(const struct train *t)
{
	return t->conf->patience > 0 && t->at.stale >= t->conf->patience;
}

/* loop_eval - after a step: is it the best so far */
static int
loop_eval(struct train *t, struct work *w, struct err *e)
{
	struct progress *at = &t->at;
	struct point p = { .step = at->step };
	double loss;

	if (valid_loss(t, w, &p, e) == -1)
		return -1;
	loss = p.loss;
	point_add(at->valid, &at->nvalid, &p);
	msg_info("%sstep %lld: validation loss %.4f%s", part_name(t),
	    (long long)at->step, loss, numbers_text(t, &p));
	if (!isfinite(loss) || loss >= at->best) {
		at->stale++;
		return isfinite(loss) ? 0 : guard_valid(t, e);
	}
	at->best = loss;
	at->best_step = at->step;
	at->stale = 0;
	return best_write(t, e);
}

/* loop_note - the curve and the progress line */
static void
loop_note(struct train *t, const struct point *p, double seconds)
{
	struct progress *at = &t->at;
	struct point *sum = &at->sum;
	int64_t every = t->steps / 200 + 1;
	double tokens = (double)(t->decoder.R * (size_t)t->conf->accumulate);

	if (isfinite(p->loss)) {
		sum->loss += p->loss;
		for (size_t i = 0; i < NUMBERS; i++)
			sum->number[i] += p->number[i];
		at->since++;
	}
	if (at->since >= every || (at->step == t->steps && at->since > 0)) {
		sum->step = at->step;
		sum->loss /= (double)at->since;
		for (size_t i = 0; i < NUMBERS; i++)
			sum->number[i] /= (double)at->since;
		point_add(at->curve, &at->ncurve, sum);
		*sum = (struct point){ 0 };
		at->since = 0;
	}
	stage_done(t->stage, t->part.name == NULL ? at->step : t->part.begun +
	    1000 * at->step / t->part.until);
	stage_note(t->stage, "%sstep %lld of %lld, loss %.3f, %.0f tokens/s",
	    part_name(t), (long long)at->step, (long long)t->steps, p->loss,
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

	if (left < AHEAD || t->part.name != NULL)
		return;
	w->counted = 0;
	work_get(t, t->at.step * t->conf->accumulate, w->all, w);
	for (int i = 0; w->counted > 0 && i < 2 && seconds < 1; i++) {
		began = when_mono();
		step_micro(t, 0, &w->all, w->counted);
		optimise_clear(&t->optimise);
		memset(t->number, 0, sizeof(t->number));
		seconds = when_mono() - began;
	}
	if (w->counted == 0)
		return;
	msg_info("%.2g s a micro-batch, measured: about %s for %lld steps",
	    seconds, loop_time(t, (double)left * seconds),
	    (long long)(t->steps - t->at.step));
}

/* loop_step - one step; its loss and numbers.  What it learns is counted first:
 * the mean is over all of that, whatever the split into micro-batches */
static int
loop_step(struct train *t, struct work *w, struct point *p, struct err *e)
{
	int64_t n = t->conf->accumulate, first = t->at.step * n;
	size_t B = t->decoder.B, T = t->decoder.T;
	struct micro m;
	double sum = 0;

	w->counted = 0;
	for (int64_t i = 0; i < n; i++)
		work_get(t, first + i, micro_at(&w->all, (size_t)i * B, T), w);
	memset(w->loss, 0, (size_t)n * sizeof(*w->loss));
	for (int64_t i = 0; w->counted > 0 && i < n; i++) {
		m = micro_at(&w->all, (size_t)i * B, T);
		if (join_mine(t, i))
			w->loss[i] = step_micro(t, first + i, &m, w->counted);
		if (join_micro(t, i, e) == -1)
			return -1;
	}
	if (w->counted > 0 && join_step(t, w->loss, (size_t)n, e) == -1)
		return -1;
	for (int64_t i = 0; i < n; i++)
		sum += w->loss[i];
	p->loss = w->counted == 0 ? 0 : sum / (double)w->counted;
	if (numbers_mean(t, w->counted, p->number, e) == -1)
		return -1;
	if (w->counted > 0 && step_update(t, p->loss, e) == -1)
		return -1;
	t->at.step++;
	return 0;
}

/* loop_steps - until the end, an early stop, or TERM */
static int
loop_steps(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	struct point p;
	struct work w;
	int64_t every = c->eval_every > 0 ? c->eval_every : t->steps / 10 + 1;
	double began, kept = when_mono();
	int64_t first = t->at.step;
	int stop;

	w.all = micro_new(t->stage->arena, t->decoder.B *
	    (size_t)c->accumulate, t->decoder.T);
	w.all.x = &t->train;
	w.loss = arena_array(t->stage->arena, (size_t)c->accumulate,
	    sizeof(*w.loss));
	loop_ahead(t, &w);
	t->part.early = stale(t);
	while (t->at.step < t->part.until && !t->part.early) {
		stop = join_stop(t, stage_stopping(t->stage), e);
		if (stop != 0)
			return stop == -1 || checkpoint_write(t, e) == -1 ?
			    -1 : stage_stop(e);
		began = when_mono();
		if (loop_step(t, &w, &p, e) == -1)
			return -1;
		loop_note(t, &p, when_mono() - began);
		if (t->at.step == first + MEASURED)
			loop_hours(t, when_mono() - began);
		if (t->held.n > 0 && (t->at.step % every == 0 ||
		    t->at.step == t->part.until) && loop_eval(t, &w, e) == -1)
			return -1;
		t->part.early = stale(t);
		if (when_mono() - kept >= (double)c->checkpoint) {
			if (checkpoint_write(t, e) == -1)
				return -1;
			kept = when_mono();
		}
	}
	return 0;
}

/* loop_lost - what a device says when it dies */
static const char *
loop_lost(void *arg)
{
	const struct train *t = arg;

	return t->kept == 0 ? "there is no checkpoint yet: the job, tried "
	    "again, begins anew" : arena_printf(t->stage->arena, "the job, "
	    "tried again, goes on from the checkpoint of step %lld; steps "
	    "after it were %lld", (long long)t->kept, (long long)(t->at.step -
	    t->kept));
}

int
loop_run(struct train *t, struct err *e)
{
	if (t->device->k->on_loss != NULL)
		t->device->k->on_loss(t->device->dev, loop_lost, t);
	if (checkpoint_read(t, e) == -1)
		return -1;
	t->kept = t->at.step;
	if (t->at.step > 0)
		msg_info("%sresumed at step %lld", part_name(t),
		    (long long)t->at.step);
	if (t->part.name == NULL)
		stage_total(t->stage, t->steps);
	if (loop_steps(t, e) == -1)
		return -1;
	if (t->part.name != NULL)
		return checkpoint_write(t, e);
	if (t->at.step < t->steps)
		stage_warn(t->stage, "stopped early at step %lld: no better "
		    "validation loss since step %lld", (long long)t->at.step,
		    (long long)t->at.best_step);
	/* the last parameters are the best unless an earlier step's were */
	if (isfinite(t->at.best) && t->at.best_step != t->at.step &&
	    best_read(t, e) == -1)
		return -1;
	return 0;
}
