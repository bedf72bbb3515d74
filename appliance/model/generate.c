/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/generate.h"
#include "appliance/model/random.h"

#define PAGE	((size_t)KERNEL_PAGE)

struct seat {				/* a slot of the cache */
	struct generate_row *row;	/* NULL: free */
	size_t fed;			/* tokens that are in the cache */
	size_t asked;			/* 0, or of the logits of this step the
					 * how many-th are its own */
};

struct generate {
	struct predict *p;
	const struct model *m;
	const struct generate_calls *calls;
	struct pages *pages;
	struct seat *seat;
	int32_t *id, *slot, *pos, *want;
	uint32_t *adapter;
	size_t n, nwant;		/* rows of this step */
	real *logits;
	struct sample_word *words;
};

/* token_at - the i-th token of a row: of its prompt, then its own */
static int32_t
token_at(const struct generate_row *r, size_t i)
{
	return i < r->n ? r->prompt[i] : r->out[i - r->n];
}

/* seat_page - the page that a seat is about to fill; true: another has.  The
 * last token of a prompt is always fed, for its logits */
static bool
seat_page(struct generate *g, size_t i)
{
	struct seat *s = &g->seat[i];
	struct generate_row *r = s->row;

	if (!g->calls->apart && s->fed + PAGE < r->n &&
	    pages_share(g->pages, i, s->fed, r->prompt + s->fed)) {
		s->fed += PAGE;
		r->shared += PAGE;
		return true;
	}
	pages_grow(g->pages, i, s->fed);
	return false;
}

/* seat_fed - one token more.  What it says of a full page holds from this step
 * on, for the seats behind it too: a layer's keys and values are all stored
 * before any are looked at */
static void
seat_fed(struct generate *g, size_t i)
{
	struct seat *s = &g->seat[i];

	if (++s->fed % PAGE == 0 && s->fed <= s->row->n)
		pages_know(g->pages, i, s->fed - PAGE, s->row->prompt +
		    s->fed - PAGE);
}

/* seat_rows - as many of a seat's tokens as this step has room for */
static void
seat_rows(struct generate *g, size_t i)
{
	struct seat *s = &g->seat[i];
	size_t end = s->row->n + s->row->nout;

	while (s->fed < end && g->n < g->p->rows) {
		if (s->fed % PAGE == 0 && seat_page(g, i))
			continue;
		g->id[g->n] = token_at(s->row, s->fed);
		g->slot[g->n] = (int32_t)i;
		g->adapter[g->n] = s->row->adapter;
		g->pos[g->n++] = (int32_t)s->fed;
		seat_fed(g, i);
	}
	if (s->fed == end && g->n > 0 && g->slot[g->n - 1] == (int32_t)i &&
	    g->nwant < g->p->wanted) {
		g->want[g->nwant++] = (int32_t)g->n - 1;
		s->asked = g->nwant;
	}
}

/* step_rows - what each seat feeds: its next token, and then, of what room is
 * left, a piece of its prompt.  So a long prompt keeps no answer waiting */
static void
step_rows(struct generate *g)
{
	g->n = g->nwant = 0;
	for (size_t i = 0; i < g->p->slots; i++) {
		g->seat[i].asked = 0;
		if (g->seat[i].row != NULL && g->seat[i].row->nout > 0)
			seat_rows(g, i);
	}
	for (size_t i = 0; i < g->p->slots; i++)
		if (g->seat[i].row != NULL && g->seat[i].row->nout == 0)
			seat_rows(g, i);
}

bool
generate_take(struct generate_row *r, const struct model *m,
    const struct generate_calls *calls, real *logits, size_t room,
    struct sample_word *words)
{
	double unit = random_unit(r->seed, r->stream, r->nout);
	int32_t id;

	r->why = GENERATE_STUCK;
	if (calls->mask != NULL && !calls->mask(calls->arg, r, logits))
		return true;
	id = sample_pick(&r->how, logits, m->w.shape.V, unit, words);
	if (model_stops(m, id)) {
		r->why = GENERATE_STOP;
		return true;
	}
	r->out[r->nout++] = id;
	if (calls->ends(calls->arg, r)) {
		r->why = GENERATE_STOP;
		return true;
	}
	r->why = GENERATE_LENGTH;
	return r->nout >= r->max || r->nout >= room;
}

/* step_take - what the logits mean for the seats that asked */
static int
step_take(struct generate *g, struct err *e)
{
	for (size_t i = 0; i < g->p->slots; i++) {
		struct seat *s = &g->seat[i];
		struct generate_row *r = s->row;

		if (s->asked == 0)
			continue;
		if (generate_take(r, g->m, g->calls, g->logits + (s->asked -
		    1) * g->m->w.shape.V, g->p->places - r->n, g->words)) {
			s->row = NULL;
			pages_leave(g->pages, i);
			if (g->calls->done(g->calls->arg, r, e) == -1)
				return -1;
		}
	}
	return 0;
}

/* step_enter - rows take free seats, in their order */
static void
step_enter(struct generate *g, struct generate_row *const *row, size_t n,
    size_t *next)
{
	size_t most = g->p->places;

	for (size_t i = 0; i < g->p->slots && *next < n; i++) {
		struct generate_row *r = row[*next];

		if (g->seat[i].row != NULL)
			continue;
		if (!pages_enter(g->pages, i, r->n + r->max < most ? r->n +
		    r->max : most, r->adapter))
			return;
		r->shared = 0;
		g->seat[i] = (struct seat){ .row = r };
		(*next)++;
	}
}

/* generate_steps - until no row is left */
static int
generate_steps(struct generate *g, struct generate_row *const *row, size_t n,
    struct err *e)
{
	struct predict_rows rows = { .id = g->id, .slot = g->slot,
	    .pos = g->pos, .adapter = g->adapter, .want = g->want };
	const int32_t *table;
	size_t next = 0;

	for (;;) {
		if (g->calls->stopping(g->calls->arg))
			return err_set(e, FATE_STOP, "stopped");
		step_enter(g, row, n, &next);
		step_rows(g);
		if (g->n == 0)
			return 0;
		table = pages_table(g->pages);
		if (table != NULL)
			predict_table(g->p, table);
		rows.n = g->n;
		rows.nwant = g->nwant;
		predict_logits(g->p, &rows, g->logits);
		if (step_take(g, e) == -1)
			return -1;
	}
}

int
generate_run(struct predict *p, const struct model *m,
    struct generate_row *const *row, size_t n,
    const struct generate_calls *calls,
    struct err *e)
{
	struct arena *a = arena_new();
	struct generate g = { .p = p, .m = m, .calls = calls };
	int rc;

	g.pages = pages_new(a, p->pages, p->slots, p->per);
	g.seat = arena_array(a, p->slots, sizeof(*g.seat));
	g.id = arena_array(a, p->rows, sizeof(*g.id));
	g.slot = arena_array(a, p->rows, sizeof(*g.slot));
	g.pos = arena_array(a, p->rows, sizeof(*g.pos));
	g.adapter = arena_array(a, p->rows, sizeof(*g.adapter));
	g.want = arena_array(a, p->wanted, sizeof(*g.want));
	g.logits = arena_array(a, p->wanted * m->w.shape.V,
	    sizeof(*g.logits));
	g.words = arena_array(a, m->w.shape.V, sizeof(*g.words));
	rc = generate_steps(&g, row, n, e);
	arena_free(a);
	return rc;
}
