/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention over a cache of pages.  A page holds, head by head, its keys as
 * [D][KERNEL_PAGE], so that a vector meets one channel of all of them, and its
 * values as [KERNEL_PAGE][D].
 *
 * Rows that follow one another in a sequence, with the query heads that share
 * a key/value head, are an item: SPAN places at a time, TALL queries in
 * registers.  What a query gets from a span is computed from nothing and then
 * joined to what it has, span after span, the largest score so far being taken
 * out (Milakov and Gimelshein 2018).  So a row is the same beside whatever
 * others; and where there are fewer items than threads, a long past is shared
 * out by spans.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/kept.h"
#include "kernels/cpu/room.h"

#include <math.h>

#define SPAN	((size_t)256)
#define TALL	((size_t)4)
#define QUERIES	((size_t)32)		/* of an item, if its heads allow */
/* n is a constant: unrolled, what each has stays in registers; a sanitizer's
 * checks in every copy would be too much for clang */
#ifdef __SANITIZE_ADDRESS__
#define EACH(i, n)	for (size_t i = 0; i < n; i++)
#else
#define EACH(i, n)							\
	_Pragma("GCC unroll 4")						\
	for (size_t i = 0; i < n; i++)
#endif

/* a query's part: the largest score, the sum of e to the others less it, and
 * the values so weighed; a sum of 0: it saw nothing */
struct part {
	float max, sum, y[];
};

struct item {
	size_t r, n;			/* rows */
};

struct look_call {
	real *y;
	const real *q;
	const kept *cache;
	const struct kernel_places *at;
	const struct kernel_heads *s;
	struct item *item;
	size_t items, share, most, size;	/* most: queries of an item */
	size_t spans;			/* of an item, apart; 0: in a row */
	char *parts;			/* [items * G][spans][most] */
	float scale;
};

/* up to TALL queries, and the places of a span that each sees */
struct tile {
	const struct look_call *c;
	const int32_t *page;		/* the sequence's */
	size_t head;			/* where the head lies in a page */
	size_t n, span;			/* span: its first place */
	const real *q[TALL];
	size_t from[TALL], to[TALL];
	struct part *part[TALL];
	real *p;			/* [TALL][SPAN] */
};

static struct part *
part_at(const struct look_call *c, void *parts, size_t i)
{
	return (struct part *)(void *)((char *)parts + i * c->size);
}

static inline const kept *
page_of(const struct tile *t, size_t place)
{
	const struct kernel_heads *s = t->c->s;

	return t->c->cache + (size_t)t->page[place / PAGE] * PAGE * 2 * s->G *
	    s->D + t->head;
}

/* scores_some - some queries against some pages, from a place on.  Pages lie
 * anywhere: their values and the keys of the pages behind are sent for */
INLINE void
scores_some(const struct tile *t, size_t first, size_t place, size_t to,
    const size_t rows, const size_t pages)
{
	size_t D = t->c->s->D;
	vec a[TALL][TALL][2], k, l, x, scale = splat(t->c->scale);
	const kept *key[TALL], *next[TALL];
	const real *q[TALL];

	EACH(r, rows) {
		q[r] = t->q[first + r];
		EACH(i, pages)
			a[r][i][0] = a[r][i][1] = splat(0);
	}
	EACH(i, pages) {
		size_t j = place + (pages + i) * PAGE;

		key[i] = page_of(t, place + i * PAGE);
		next[i] = j < to ? page_of(t, j) : key[i];
	}
	for (size_t d = 0; d < D; d++)
		EACH(i, pages) {
			__builtin_prefetch(key[i] + (D + d) * PAGE, 0, 2);
			__builtin_prefetch(next[i] + d * PAGE, 0, 2);
			k = kept_load(key[i] + d * PAGE);
			l = kept_load(key[i] + d * PAGE + LANES);
			EACH(r, rows) {
				x = splat(q[r][d]);
				a[r][i][0] += x * k;
				a[r][i][1] += x * l;
			}
		}
	EACH(r, rows)
		EACH(i, pages) {
			real *p = t->p + (first + r) * SPAN + place - t->span +
			    i * PAGE;

			save(p, scale * a[r][i][0]);
			save(p + LANES, scale * a[r][i][1]);
		}
}

/* tile_scores - of whole pages in which any query sees a place */
static void
tile_scores(const struct tile *t)
{
	size_t j = SIZE_MAX, to = 0;

	for (size_t r = 0; r < t->n; r++) {
		j = t->from[r] < j ? t->from[r] : j;
		to = t->to[r] > to ? t->to[r] : to;
	}
	j = j / PAGE * PAGE;
	if (t->n == 1)
		for (; j + 3 * PAGE < to; j += 4 * PAGE)
			scores_some(t, 0, j, to, 1, 4);
	for (; t->n == 2 && j + PAGE < to; j += 2 * PAGE)
		scores_some(t, 0, j, to, 2, 2);
	for (; j < to; j += PAGE)
		switch (t->n) {
		case 1:
			scores_some(t, 0, j, to, 1, 1);
			break;
		case 2:
			scores_some(t, 0, j, to, 2, 1);
			break;
		case 3:
			scores_some(t, 0, j, to, 3, 1);
			break;
		default:
			scores_some(t, 0, j, to, 4, 1);
		}
}

INLINE vec
vmax(vec a, vec b)
{
	ivec more = a > b;

	return (vec)(((ivec)a & more) | ((ivec)b & ~more));
}

/* query_weigh - scores into e to the score less the largest; 0 where the query
 * does not look */
static void
query_weigh(const struct tile *t, size_t r)
{
	real *p = t->p + r * SPAN;
	size_t from = t->from[r] - t->span, to = t->to[r] - t->span;
	size_t j = from / PAGE * PAGE, end = (to + PAGE - 1) / PAGE * PAGE;
	float cap = (float)t->c->s->cap;
	vec most = splat(-HUGE_VALF), sum = splat(0), e;
	struct part *part = t->part[r];

	if (cap != 0)
		for (size_t i = j; i < end; i += LANES)
			save(p + i, splat(cap) * vtanh(load(p + i) /
			    splat(cap)));
	for (size_t i = j; i < from; i++)
		p[i] = -HUGE_VALF;
	for (size_t i = to; i < end; i++)
		p[i] = -HUGE_VALF;
	for (size_t i = j; i < end; i += LANES)
		most = vmax(load(p + i), most);
	part->max = most[0];
	for (size_t i = 1; i < LANES; i++)
		part->max = most[i] > part->max ? most[i] : part->max;
	for (size_t i = j; i < end; i += LANES) {
		e = vexp(load(p + i) - splat(part->max));
		save(p + i, e);
		sum += e;
	}
	part->sum = vsum(sum);
}

/* values_some - y += weights times values, of places from..to, of so many
 * pairs of vectors of channels from d on */
INLINE void
values_some(const struct tile *t, size_t first, size_t from, size_t to,
    size_t d, const size_t rows, const size_t pairs)
{
	size_t D = t->c->s->D;
	vec a[TALL][TALL][2], w, u, x;
	const kept *v = NULL;

	EACH(r, rows)
		EACH(i, pairs) {
			const real *y = t->part[first + r]->y + d;

			a[r][i][0] = load(y + i * 2 * LANES);
			a[r][i][1] = load(y + i * 2 * LANES + LANES);
		}
	for (size_t j = from; j < to; j++, v += D) {
		if (v == NULL || j % PAGE == 0)
			v = page_of(t, j) + PAGE * D + j % PAGE * D + d;
		EACH(i, pairs) {
			u = kept_load(v + i * 2 * LANES);
			w = kept_load(v + i * 2 * LANES + LANES);
			EACH(r, rows) {
				x = splat(t->p[(first + r) * SPAN + j -
				    t->span]);
				a[r][i][0] += x * u;
				a[r][i][1] += x * w;
			}
		}
	}
	EACH(r, rows)
		EACH(i, pairs) {
			real *y = t->part[first + r]->y + d;

			save(y + i * 2 * LANES, a[r][i][0]);
			save(y + i * 2 * LANES + LANES, a[r][i][1]);
		}
}

/* values_end - the channels that are no pair of vectors */
static void
values_end(const struct tile *t, size_t r, size_t from, size_t to, size_t d)
{
	size_t D = t->c->s->D;
	float *y = t->part[r]->y;

	for (size_t j = from; j < to; j++) {
		const kept *v = page_of(t, j) + PAGE * D + j % PAGE * D;

		for (size_t i = d; i < D; i++)
			y[i] += t->p[r * SPAN + j - t->span] *
			    kept_real(v[i]);
	}
}

static void
tile_values(const struct tile *t, size_t first, size_t n, size_t from,
    size_t to)
{
	size_t D = t->c->s->D, two = 2 * LANES, d = 0;

	if (from >= to)
		return;
	if (n == 1)
		for (; d + 4 * two <= D; d += 4 * two)
			values_some(t, first, from, to, d, 1, 4);
	for (; n == 2 && d + 2 * two <= D; d += 2 * two)
		values_some(t, first, from, to, d, 2, 2);
	for (; d + two <= D; d += two)
		switch (n) {
		case 1:
			values_some(t, first, from, to, d, 1, 1);
			break;
		case 2:
			values_some(t, first, from, to, d, 2, 1);
			break;
		case 3:
			values_some(t, first, from, to, d, 3, 1);
			break;
		default:
			values_some(t, first, from, to, d, 4, 1);
		}
	for (size_t r = first; d < D && r < first + n; r++)
		values_end(t, r, from, to, d);
}

/* tile_run - each query's part of the span; what only some of them see, one
 * by one, so that nobody's sum has another's places in it */
static void
tile_run(const struct tile *t)
{
	size_t from = 0, to = SIZE_MAX;

	tile_scores(t);
	for (size_t r = 0; r < t->n; r++) {
		query_weigh(t, r);
		memset(t->part[r]->y, 0, t->c->s->D * sizeof(float));
		from = t->from[r] > from ? t->from[r] : from;
		to = t->to[r] < to ? t->to[r] : to;
	}
	if (from >= to)
		from = to = SIZE_MAX;
	for (size_t r = 0; r < t->n; r++)
		tile_values(t, r, 1, t->from[r], from < t->to[r] ? from :
		    t->to[r]);
	if (from == SIZE_MAX)
		return;
	tile_values(t, 0, t->n, from, to);
	for (size_t r = 0; r < t->n; r++)
		tile_values(t, r, 1, to, t->to[r]);
}

/* part_join - what a span gave to what the spans before it did */
static void
part_join(struct part *to, const struct part *part, size_t D)
{
	float max = part->max > to->max ? part->max : to->max, f, g;

	if (part->sum == 0)
		return;
	if (to->sum == 0) {
		memcpy(to, part, sizeof(*to) + D * sizeof(float));
		return;
	}
	f = expf(to->max - max);
	g = expf(part->max - max);
	to->max = max;
	to->sum = to->sum * f + part->sum * g;
	for (size_t d = 0; d < D; d++)
		to->y[d] = to->y[d] * f + part->y[d] * g;
}

/* query_row - query i of an item: its row and head */
static size_t
query_row(const struct look_call *c, const struct item *m, size_t g, size_t i,
    size_t *h)
{
	*h = g * c->share + i % c->share;
	return m->r + i / c->share;
}

/* item_span - the queries' parts of one span */
static void
item_span(const struct look_call *c, size_t task, size_t span, void *parts,
    real *p)
{
	const struct kernel_heads *s = c->s;
	const struct item *m = &c->item[task / s->G];
	size_t g = task % s->G, h, r, n, from;
	struct tile t = { .c = c, .head = g * PAGE * 2 * s->D, .span = span,
	    .page = c->at->table + (size_t)c->at->slot[m->r] * c->at->per,
	    .p = p };

	for (size_t i = 0; i < m->n * c->share; i++) {
		struct part *part = part_at(c, parts, i);

		r = query_row(c, m, g, i, &h);
		n = (size_t)c->at->pos[r] + 1;
		from = s->window != 0 && n > s->window ? n - s->window : 0;
		from = from > span ? from : span;
		n = n < span + SPAN ? n : span + SPAN;
		part->sum = 0;
		if (from < n) {
			t.q[t.n] = c->q + r * s->q + h * s->D;
			t.from[t.n] = from;
			t.to[t.n] = n;
			t.part[t.n++] = part;
		}
		if (t.n == TALL || (t.n > 0 && i + 1 == m->n * c->share)) {
			tile_run(&t);
			t.n = 0;
		}
	}
}

/* query_out - its result */
static void
query_out(const struct look_call *c, size_t task, size_t i,
    const struct part *part)
{
	const struct kernel_heads *s = c->s;
	size_t h, r = query_row(c, &c->item[task / s->G], task % s->G, i, &h);
	real *y = c->y + (r * s->H + h) * s->D;

	for (size_t d = 0; d < s->D; d++)
		y[d] = part->y[d] / part->sum;
}

/* item_spans - how many places the last row sees, in spans */
static size_t
item_spans(const struct look_call *c, const struct item *m)
{
	return (size_t)c->at->pos[m->r + m->n - 1] / SPAN + 1;
}

/* item_task - an item's spans in a row */
static void
item_task(void *arg, size_t task, void *scratch)
{
	const struct look_call *c = arg;
	const struct item *m = &c->item[task / c->s->G];
	char *sum = scratch, *part = sum + c->most * c->size;
	size_t n = m->n * c->share, spans = item_spans(c, m);

	for (size_t i = 0; i < n; i++)
		part_at(c, sum, i)->sum = 0;
	for (size_t k = 0; k < spans; k++) {
		item_span(c, task, k * SPAN, part, (real *)(void *)(part +
		    c->most * c->size));
		for (size_t i = 0; i < n; i++)
			part_join(part_at(c, sum, i), part_at(c, part, i),
			    c->s->D);
	}
	for (size_t i = 0; i < n; i++)
		query_out(c, task, i, part_at(c, sum, i));
}

/* span_task, join_task - the same, spans apart */
static void
span_task(void *arg, size_t task, void *scratch)
{
	const struct look_call *c = arg;
	size_t item = task / c->spans, span = task % c->spans;

	if (span < item_spans(c, &c->item[item / c->s->G]))
		item_span(c, item, span * SPAN, c->parts + task * c->most *
		    c->size, scratch);
}

static void
join_task(void *arg, size_t task, void *scratch)
{
	const struct look_call *c = arg;
	const struct item *m = &c->item[task / c->s->G];
	char *parts = c->parts + task * c->spans * c->most * c->size;
	size_t spans = item_spans(c, m);

	(void)scratch;
	for (size_t i = 0; i < m->n * c->share; i++) {
		for (size_t k = 1; k < spans; k++)
			part_join(part_at(c, parts, i), part_at(c, parts, k *
			    c->most + i), c->s->D);
		query_out(c, task, i, part_at(c, parts, i));
	}
}

/* look_items - rows that follow one another in a sequence, some at a time */
static void
look_items(struct look_call *c, size_t R)
{
	const struct kernel_places *at = c->at;
	size_t rows = c->share < QUERIES ? QUERIES / c->share : 1;
	struct item *m = NULL;

	c->most = rows * c->share;
	for (size_t r = 0; r < R; r++) {
		if (m == NULL || m->n == rows ||
		    at->slot[r] != at->slot[r - 1] ||
		    at->pos[r] != at->pos[r - 1] + 1) {
			m = &c->item[c->items++];
			*m = (struct item){ r, 0 };
		}
		m->n++;
	}
}

void
KEPT(look)(void *dev, real *y, const real *q, const kept *cache,
    const struct kernel_places *at, size_t R, const struct kernel_heads *s)
{
	struct look_call c = { .y = y, .q = q, .cache = cache, .at = at,
	    .s = s, .share = s->H / s->G, .scale = s->scale != 0 ?
	    (float)s->scale : 1 / sqrtf((float)s->D) };
	struct pool *pool = ((struct cpu *)dev)->pool;
	size_t most = 0, n, list = R * sizeof(*c.item), apart;

	if (R == 0)
		return;
	c.size = (sizeof(struct part) + s->D * sizeof(float) + 15) / 16 * 16;
	c.item = cpu_room(dev, list);
	look_items(&c, R);
	n = c.items * s->G;
	for (size_t i = 0; i < c.items; i++)
		most = item_spans(&c, &c.item[i]) > most ?
		    item_spans(&c, &c.item[i]) : most;
	if (most == 1 || n >= 2 * (size_t)pool_threads(pool)) {
		pool_run(pool, item_task, &c, n, 2 * c.most * c.size + TALL *
		    SPAN * sizeof(real));
		return;
	}
	c.spans = most;
	apart = n * most * c.most * c.size;
	c.item = cpu_room(dev, (list + 63) / 64 * 64 + apart);
	c.parts = (char *)c.item + (list + 63) / 64 * 64;
	c.items = 0;
	look_items(&c, R);
	pool_run(pool, span_task, &c, n * most, TALL * SPAN * sizeof(real));
	pool_run(pool, join_task, &c, n, 0);
}
