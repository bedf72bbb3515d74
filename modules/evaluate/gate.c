/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>

int
gate_parse(struct arena *a, const char *text, struct gate *g, struct err *e)
{
	const char *first = strchr(text, ':');
	const char *second = first == NULL ? NULL : strchr(first + 1, ':');
	char *end;

	if (second == NULL)
		return err_set(e, FATE_REJECT, "gate '%s' is not "
		    "METRIC:min|max:VALUE|baseline", text);
	g->metric = arena_strn(a, text, (size_t)(first - text));
	g->least = strncmp(first + 1, "min:", 4) == 0;
	if (!g->least && strncmp(first + 1, "max:", 4) != 0)
		return err_set(e, FATE_REJECT, "gate '%s': 'min' or 'max' "
		    "stands in the middle", text);
	g->baseline = strcmp(second + 1, "baseline") == 0;
	if (g->baseline)
		return 0;
	g->bound = strtod(second + 1, &end);
	if (end == second + 1 || *end != '\0' || !isfinite(g->bound))
		return err_set(e, FATE_REJECT, "gate '%s': '%s' is neither a "
		    "number nor 'baseline'", text, second + 1);
	return 0;
}

bool
gate_passes(struct arena *a, const struct gate *g, const struct metrics *m,
    const char **why)
{
	const struct metric *one = metric_find(m, g->metric);
	double bound;

	*why = NULL;
	if (one == NULL || isnan(one->value)) {
		*why = arena_printf(a, "there is no %s to compare", g->metric);
		return false;
	}
	if (g->baseline && isnan(one->base))
		return true;		/* said once by evaluate */
	bound = g->baseline ? one->base : g->bound;
	if (g->least ? one->value >= bound : one->value <= bound)
		return true;
	*why = arena_printf(a, "%s is %.6g, %s %s%.6g is asked", g->metric,
	    one->value, g->least ? "at least" : "at most",
	    g->baseline ? "the baseline's " : "", bound);
	return false;
}
