/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chances of long words are smaller than a double can be, so each sum carries a
 * power of 2^256 beside it.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_lattice.h"

#include <math.h>

#define STEP	256			/* bits of one power */

struct number {
	double x;
	int power;			/* x * 2^(STEP * power) */
};

struct edge {
	uint32_t from, to, piece;
};

struct lattice_scratch {
	struct edge *edge;
	size_t n, cap;
	struct number front[LATTICE_MAX + 1], back[LATTICE_MAX + 1];
	double best[LATTICE_MAX + 1];
	size_t came[LATTICE_MAX + 1];	/* the edge of the best way there */
};

static void
lattice_close(void *arg)
{
	struct lattice_scratch *s = arg;

	mem_free(s->edge);
}

struct lattice_scratch *
lattice_new(struct arena *a)
{
	struct lattice_scratch *s = arena_alloc(a, sizeof(*s));

	arena_defer(a, lattice_close, s);
	return s;
}

/* number_scale - x at another power, 0 if it is far below */
static double
number_scale(double x, int powers)
{
	return powers == 0 ? x : powers < -2 ? 0 : ldexp(x, STEP * powers);
}

/* number_add - sum += x * share */
static void
number_add(struct number *sum, const struct number *x, double share)
{
	if (x->x == 0)
		return;
	if (sum->x == 0)
		*sum = (struct number){ x->x * share, x->power };
	else if (x->power <= sum->power)
		sum->x += number_scale(x->x * share, x->power - sum->power);
	else
		*sum = (struct number){ x->x * share + number_scale(sum->x,
		    sum->power - x->power), x->power };
}

/* number_fit - back to where there is room below */
static void
number_fit(struct number *sum)
{
	if (sum->x != 0 && sum->x < 0x1p-256) {
		sum->x *= 0x1p256;
		sum->power--;
	}
}

/* lattice_edges - the pieces of a word, by where they begin, then by length */
static void
lattice_edges(const struct lattice_model *m, struct lattice_scratch *s,
    const uint32_t *symbol, uint32_t n)
{
	uint32_t node, piece;

	if (s->cap < (size_t)n * m->longest) {
		s->cap = (size_t)n * m->longest;
		s->edge = mem_grow(s->edge, s->cap * sizeof(*s->edge));
	}
	s->n = 0;
	for (uint32_t from = 0; from < n; from++) {
		node = 0;
		for (uint32_t to = from; to < n && to - from < m->longest; ) {
			node = learn_trie_next(&m->trie, node, symbol[to++]);
			if (node == TRIE_NONE)
				break;
			piece = m->trie.piece[node];
			if (piece != TRIE_NONE && m->share[piece] > 0)
				s->edge[s->n++] = (struct edge){ from, to,
				    piece };
		}
	}
}

void
lattice_expect(const struct lattice_model *m, struct lattice_scratch *s,
    const uint32_t *symbol, uint32_t n, int64_t times, int64_t *expected)
{
	const struct edge *e;
	struct number all, one;
	uint32_t at;

	lattice_edges(m, s, symbol, n);
	memset(s->front, 0, (n + 1) * sizeof(*s->front));
	memset(s->back, 0, (n + 1) * sizeof(*s->back));
	s->front[0].x = s->back[n].x = 1;
	at = 0;
	for (size_t i = 0; i < s->n; i++) {
		e = &s->edge[i];
		if (e->from != at)
			number_fit(&s->front[at = e->from]);
		number_add(&s->front[e->to], &s->front[e->from],
		    m->share[e->piece]);
	}
	at = n;
	for (size_t i = s->n; i-- > 0; ) {
		e = &s->edge[i];
		if (e->from != at) {
			number_fit(&s->back[at]);
			at = e->from;
		}
		number_add(&s->back[e->from], &s->back[e->to],
		    m->share[e->piece]);
	}
	number_fit(&s->front[n]);
	all = s->front[n];
	if (all.x == 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		e = &s->edge[i];
		one = s->front[e->from];
		one.power += s->back[e->to].power - all.power;
		one.x *= m->share[e->piece] * s->back[e->to].x / all.x;
		expected[e->piece] += llrint(number_scale(one.x, one.power) *
		    (double)times * LATTICE_ONE);
	}
}

uint32_t
lattice_best(const struct lattice_model *m, struct lattice_scratch *s,
    const uint32_t *symbol, uint32_t n, uint32_t but, uint32_t *piece,
    double *score)
{
	const struct edge *e;
	uint32_t k = 0;
	double x;

	lattice_edges(m, s, symbol, n);
	for (uint32_t i = 0; i <= n; i++)
		s->best[i] = -INFINITY;
	s->best[0] = 0;
	for (size_t i = 0; i < s->n; i++) {
		e = &s->edge[i];
		x = s->best[e->from] + m->score[e->piece];
		if (e->piece == but || x <= s->best[e->to])
			continue;
		s->best[e->to] = x;
		s->came[e->to] = i;
	}
	*score = s->best[n];
	if (s->best[n] == -INFINITY)
		return 0;
	for (uint32_t at = n; at > 0; at = s->edge[s->came[at]].from)
		piece[k++] = s->edge[s->came[at]].piece;
	return k;
}
