/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss's scale in f16 (Micikevicius et al. 2018; the numbers are those of
 * PyTorch's GradScaler): small gradients would be 0 in 16 bits, so all are
 * computed from a loss that is many times as large.  Where that was too much
 * the step is left out and the scale halved; after many steps that went well
 * it is doubled.
 */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <math.h>

#define FIRST		65536
#define STEPS		2000		/* until it is doubled */

double
scale_now(const struct train *t)
{
	if (t->conf->precision != PRECISION_F16)
		return 1;
	return t->at.scale == 0 ? FIRST : t->at.scale;
}

int
scale_step(struct train *t, double loss, double norm)
{
	struct progress *at = &t->at;
	double scale = scale_now(t);

	if (t->conf->precision != PRECISION_F16)
		return 1;
	at->scale = scale;
	if (isfinite(norm)) {
		if (++at->unscaled == STEPS) {
			at->scale = scale * 2;
			at->unscaled = 0;
		}
		return 1;
	}
	/* no scale helps a loss that is no number, or one below 1 */
	if (!isfinite(loss) || scale <= 1)
		return 1;
	at->scale = scale / 2;
	at->unscaled = 0;
	at->skipped++;
	msg_info("step %lld is left out: its gradient is too large for 16 "
	    "bits; the loss is scaled by %g from now on", (long long)at->step +
	    1, at->scale);
	return 0;
}
