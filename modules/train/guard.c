/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that must not be taken: those whose loss or gradient is no number, and
 * outliers, whose loss or gradient lies too many deviations above the steps
 * before them.  The gradients are thrown away, the weights stay as they are.
 */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <math.h>

#define IN_A_ROW	20		/* left out; then it is no accident */

/* deviations - how far above its last values, in their deviation */
static double
deviations(const struct progress *at, int which, double x)
{
	double sum = 0, squares = 0, mean, spread;

	if (at->nrecent < RECENT)
		return 0;
	for (int i = 0; i < RECENT; i++) {
		sum += at->recent[i][which];
		squares += at->recent[i][which] * at->recent[i][which];
	}
	mean = sum / RECENT;
	spread = sqrt(fmax(squares / RECENT - mean * mean, 0));
	return spread > 0 ? (x - mean) / spread : 0;
}

/* left_out - count it; -1 if that has become the rule */
static int
left_out(struct train *t, const char *why, struct err *e)
{
	struct progress *at = &t->at;

	at->skipped++;
	if (++at->in_a_row <= 3)
		stage_warn(t->stage, "step %lld is left out: %s",
		    (long long)at->step + 1, why);
	if (at->in_a_row < IN_A_ROW)
		return 0;
	t->part.diverged = true;
	return err_set(e, FATE_REJECT, "%d steps in a row were left out, the "
	    "last, %lld: %s; the last checkpoint is of step %lld", IN_A_ROW,
	    (long long)at->step + 1, why, (long long)t->kept);
}

int
guard_step(struct train *t, double loss, double norm, struct err *e)
{
	struct progress *at = &t->at;
	const char *what = isfinite(loss) ? "gradient" : "loss";
	double far, z = t->conf->outlier;

	if (!isfinite(loss) || !isfinite(norm)) {
		if (t->conf->guard == GUARD_SKIP)
			return left_out(t, arena_printf(t->stage->arena,
			    "its %s is no number", what), e);
		t->part.diverged = true;
		return err_set(e, FATE_REJECT, "the %s is no number at step "
		    "%lld: take a lower lr or a longer warmup, or guard=skip; "
		    "the last checkpoint is of step %lld", what,
		    (long long)at->step + 1, (long long)t->kept);
	}
	far = fmax(deviations(at, 0, loss), deviations(at, 1, norm));
	if (z > 0 && far > z)
		return left_out(t, arena_printf(t->stage->arena,
		    "loss %.4g and gradient %.4g lie %.1f deviations above "
		    "the %d steps before", loss, norm, far, RECENT), e);
	at->in_a_row = 0;
	at->recent[at->nrecent % RECENT][0] = loss;
	at->recent[at->nrecent++ % RECENT][1] = norm;
	return 1;
}

int
guard_valid(struct train *t, struct err *e)
{
	if (t->conf->guard == GUARD_SKIP)
		return 0;
	t->part.diverged = true;
	return err_set(e, FATE_REJECT, "the validation loss is no number at "
	    "step %lld: take a lower lr or a longer warmup, or guard=skip; the "
	    "last checkpoint is of step %lld", (long long)t->at.step,
	    (long long)t->kept);
}
