/* SPDX-License-Identifier: Apache-2.0 */
/* What a training was: for result.json and for train.json in the model. */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <math.h>

#define LOSS	NUMBERS			/* which: the loss itself */

static void
curve_json(const struct point *p, size_t n, size_t which, struct buf *b)
{
	buf_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		double y = which == LOSS ? p[i].loss : p[i].number[which];

		buf_printf(b, isfinite(y) ? "%s[%lld,%.6g]" : "%s[%lld,null]",
		    i > 0 ? "," : "", (long long)p[i].step, y);
	}
	buf_char(b, ']');
}

void
train_tell(const struct train *t, struct buf *b)
{
	const struct progress *at = &t->at;
	const char *const *name = t->objective->number;

	buf_printf(b, "{\"objective\":\"%s\",\"parameters\":%zu,"
	    "\"trained\":%zu,\"tokens\":%zu,\"steps\":%lld,",
	    t->objective->name, t->model.w.all, t->optimise.all, t->train.n,
	    (long long)at->step);
	if (at->skipped > 0)
		buf_printf(b, "\"skipped\":%lld,", (long long)at->skipped);
	buf_str(b, "\"loss\":");
	buf_json_num(b, at->ncurve > 0 ? at->curve[at->ncurve - 1].loss : NAN);
	if (isfinite(at->best))
		buf_printf(b, ",\"best_valid_loss\":%.6g,\"best_step\":%lld",
		    at->best, (long long)at->best_step);
	buf_str(b, ",\"train_loss\":");
	curve_json(at->curve, at->ncurve, LOSS, b);
	buf_str(b, ",\"valid_loss\":");
	curve_json(at->valid, at->nvalid, LOSS, b);
	for (size_t i = 0; i < NUMBERS; i++) {
		if (name[i] == NULL)
			continue;
		buf_printf(b, ",\"train_%s\":", name[i]);
		curve_json(at->curve, at->ncurve, i, b);
		buf_printf(b, ",\"valid_%s\":", name[i]);
		curve_json(at->valid, at->nvalid, i, b);
	}
	buf_char(b, '}');
}
