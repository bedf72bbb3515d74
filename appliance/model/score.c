/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/score.h"

struct scorer {
	struct predict *p;
	struct arena *arena;
	int32_t *id, *slot, *pos, *want, *target;
	struct score **owner;		/* of each wanted row */
	size_t *token;			/* its place there */
	real *loss;
	score_word *fn;			/* NULL: losses are wanted */
	void *arg;
	size_t n, nwant;
	size_t slot_now;		/* the slot of the window under way */
};

/* scorer_flush - compute what has been collected */
static void
scorer_flush(struct scorer *s)
{
	struct predict_rows rows = { .n = s->n, .id = s->id, .slot = s->slot,
	    .pos = s->pos, .want = s->want, .nwant = s->nwant };

	if (s->n == 0)
		return;
	if (s->fn != NULL)
		predict_logits(s->p, &rows, s->loss);
	else
		predict_loss(s->p, &rows, s->target, s->loss);
	for (size_t i = 0; i < s->nwant; i++) {
		if (s->fn != NULL)
			s->fn(s->arg, s->owner[i], s->token[i], s->loss + i *
			    s->p->w->shape.V);
		else
			s->owner[i]->nll += (double)s->loss[i];
		s->owner[i]->counted++;
	}
	s->n = s->nwant = 0;
}

/* scorer_window - n tokens from `begin` on; those from `from` on count */
static void
scorer_window(struct scorer *s, struct score *x, size_t begin, size_t n,
    size_t from)
{
	/* a slot may be used again only in a later call */
	if (++s->slot_now == s->p->slots) {
		scorer_flush(s);
		s->slot_now = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (s->n == s->p->rows || s->nwant == s->p->wanted)
			scorer_flush(s);
		s->id[s->n] = x->id[begin + i];
		s->slot[s->n] = (int32_t)s->slot_now;
		s->pos[s->n] = (int32_t)i;
		if (begin + i + 1 >= from) {
			s->owner[s->nwant] = x;
			s->token[s->nwant] = begin + i + 1;
			s->target[s->nwant] = x->id[begin + i + 1];
			s->want[s->nwant++] = (int32_t)s->n;
		}
		s->n++;
	}
}

/* scorer_text - one text's windows */
static void
scorer_text(struct scorer *s, struct score *x)
{
	size_t T = s->p->places, next = 1, end, begin;

	while (next < x->n) {
		end = next == 1 ? T + 1 : next + T;
		end = end < x->n ? end : x->n;
		begin = end - 1 > T ? end - 1 - T : 0;
		if (end < x->n && next > 1)
			begin = next - 1;
		scorer_window(s, x, begin, end - 1 - begin,
		    next > x->from ? next : x->from);
		next = end;
	}
}

void
score_words(struct predict *p, struct score *x, size_t n, score_word *fn,
    void *arg)
{
	struct arena *a = arena_new();
	struct scorer s = { .p = p, .arena = a, .slot_now = p->slots - 1,
	    .fn = fn, .arg = arg };

	s.id = arena_array(a, p->rows, sizeof(*s.id));
	s.slot = arena_array(a, p->rows, sizeof(*s.slot));
	s.pos = arena_array(a, p->rows, sizeof(*s.pos));
	s.want = arena_array(a, p->wanted, sizeof(*s.want));
	s.target = arena_array(a, p->wanted, sizeof(*s.target));
	s.owner = arena_array(a, p->wanted, sizeof(*s.owner));
	s.token = arena_array(a, p->wanted, sizeof(*s.token));
	s.loss = arena_array(a, p->wanted * (fn == NULL ? 1 :
	    p->w->shape.V), sizeof(*s.loss));
	for (size_t i = 0; i < n; i++) {
		x[i].nll = 0;
		x[i].counted = 0;
		scorer_text(&s, &x[i]);
	}
	scorer_flush(&s);
	arena_free(a);
}

void
score_run(struct predict *p, struct score *x, size_t n)
{
	score_words(p, x, n, NULL, NULL);
}
