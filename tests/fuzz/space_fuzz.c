/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/tpe.h"

#include <math.h>
#include <stdlib.h>

#define TRIES	12

/* Spaces of a search: whatever is taken has places on its axes, each the same
 * when it is read back as text */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct some {
	double x;
	int64_t n, m;
	bool b;
	int w;
};

static const struct opt opts[] = {
	OPT_FLOAT(struct some, x, "1", -1e6, 1e6, 0, ""),
	OPT_INT(struct some, n, "1", 1, 1e12, 0, ""),
	OPT_INT(struct some, m, "1", -1000, 1000, 0, ""),
	OPT_BOOL(struct some, b, "yes", 0, ""),
	OPT_ENUM(struct some, w, "a", "a|b", 0, ""),
	OPT_DONE
};

/* check - every number of a place is one that its option takes */
static void
check(struct arena *a, const struct space *s, const double *x)
{
	struct some conf;
	struct err e;

	for (size_t i = 0; i < s->n; i++) {
		const char *text = axis_text(a, &s->v[i], x[i]);

		if (opt_set(opts, &conf, a, s->v[i].opt->name, text,
		    &e) == -1 || axis_snap(&s->v[i], x[i]) != x[i])
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct opt_list l = { NULL, 0, true };
	struct tried v[TRIES];
	struct space s;
	struct err e;
	char *text = arena_strn(a, (const char *)p, n);
	uint64_t cells;

	l.v = arena_array(a, n + 1, sizeof(*l.v));
	for (char *at = text; at != NULL && *at != '\0';) {
		l.v[l.n++] = at;
		at = strchr(at, ',');
		if (at != NULL)
			*at++ = '\0';
	}
	if (space_read(a, opts, &l, &s, &e) == 0 && s.n > 0) {
		cells = space_cells(&s);
		for (size_t i = 0; i < TRIES; i++) {
			double *x = arena_array(a, s.n, sizeof(*x));

			if (i < cells) {
				space_cell(&s, i, x);
				check(a, &s, x);
			}
			place_tpe(a, &s, v, i, 1, i, x);
			check(a, &s, x);
			v[i] = (struct tried){ x, i % 3 == 0 ? HUGE_VAL :
			    (double)i };
		}
	}
	arena_free(a);
	return 0;
}
