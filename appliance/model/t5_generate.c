/* SPDX-License-Identifier: Apache-2.0 */
/* Many inputs are answered at once, each in a slot while it lasts */
#include "appliance/base/base.h"
#include "appliance/model/t5_predict.h"

struct run {
	struct t5_predict *x;
	const struct model *m;
	const struct generate_calls *calls;
	struct generate_row **seat;	/* of each slot; NULL: it is free */
	int32_t *id, *slot, *pos;
	real *logits;
	struct sample_word *words;
};

/* seats_fill - inputs are read into free slots */
static void
seats_fill(struct run *g, struct generate_row *const *row, size_t n,
    size_t *next)
{
	for (size_t i = 0; i < g->x->p.slots && *next < n; i++) {
		if (g->seat[i] != NULL)
			continue;
		g->seat[i] = row[(*next)++];
		t5_predict_read(g->x, i, g->seat[i]->prompt, g->seat[i]->n);
	}
}

/* step - one token of each slot; how many, or -1 */
static int
step(struct run *g, struct err *e)
{
	size_t V = g->m->w.shape.V, places = g->x->p.places, n = 0;

	for (size_t i = 0; i < g->x->p.slots; i++) {
		const struct generate_row *r = g->seat[i];

		if (r == NULL)
			continue;
		g->id[n] = r->nout == 0 ? g->m->w.shape.begin :
		    r->out[r->nout - 1];
		g->slot[n] = (int32_t)i;
		g->pos[n++] = (int32_t)r->nout;
	}
	if (n > 0)
		t5_predict_next(g->x, g->id, g->slot, g->pos, n, g->logits);
	for (size_t i = 0; i < n; i++) {
		struct generate_row *r = g->seat[g->slot[i]];

		if (!generate_take(r, g->m, g->calls, g->logits + i * V,
		    places, g->words))
			continue;
		g->seat[g->slot[i]] = NULL;
		if (g->calls->done(g->calls->arg, r, e) == -1)
			return -1;
	}
	return (int)n;
}

int
t5_generate_run(struct t5_predict *x, const struct model *m,
    struct generate_row *const *row, size_t n,
    const struct generate_calls *calls, struct err *e)
{
	struct arena *a = arena_new();
	struct run g = { .x = x, .m = m, .calls = calls };
	size_t slots = x->p.slots, next = 0;
	int rc;

	g.seat = arena_array(a, slots, sizeof(*g.seat));
	g.id = arena_array(a, slots, sizeof(*g.id));
	g.slot = arena_array(a, slots, sizeof(*g.slot));
	g.pos = arena_array(a, slots, sizeof(*g.pos));
	g.logits = arena_array(a, slots * m->w.shape.V, sizeof(*g.logits));
	g.words = arena_array(a, m->w.shape.V, sizeof(*g.words));
	do {
		if (calls->stopping(calls->arg)) {
			rc = err_set(e, FATE_STOP, "stopped");
			break;
		}
		seats_fill(&g, row, n, &next);
		rc = step(&g, e);
	} while (rc > 0);
	arena_free(a);
	return rc;
}
