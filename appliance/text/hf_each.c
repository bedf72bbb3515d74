/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text piece by piece.  A list of all pieces after each step would take some
 * hundred bytes for each byte of a text that is cut into characters.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_split.h"

struct level {				/* a step, and where its pieces go */
	const struct hf_split *split;
	size_t step, steps;
	struct arena **arena;		/* of each step */
	struct hf_pieces *out;
};

/* level_put - a piece through the next step; each has an arena for what it
 * makes of one, which is done with when this returns */
static void
level_put(void *arg, struct hf_text *x, int64_t id)
{
	struct level *l = arg, next = *l;
	struct hf_pieces out = { .put = level_put, .arg = &next };

	if (l->step == l->steps) {
		hf_pieces_put(l->out, *x, id);
		return;
	}
	next.step++;
	x->arena = l->arena[l->step];
	hf_split_step(l->split, l->step, x, &out);
	arena_reset(l->arena[l->step]);
}

void
hf_split_each(const struct hf_split *p, struct hf_text *x,
    struct hf_pieces *out)
{
	struct arena *own = arena_new();
	struct level l = { .split = p, .steps = hf_split_steps(p),
	    .out = out };

	l.arena = arena_array(own, l.steps + 1, sizeof(struct arena *));
	for (size_t i = 0; i < l.steps; i++)
		l.arena[i] = arena_new();
	level_put(&l, x, -1);
	for (size_t i = 0; i < l.steps; i++)
		arena_free(l.arena[i]);
	arena_free(own);
}
