/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/scored.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>

#define NONE	UINT32_MAX

struct scored_token {
	struct view text;
	float score;
};

struct scored {
	struct scored_token *v;
	uint32_t n;
	uint32_t *order;		/* ids by their bytes */
};

/* order_cmp - for qsort_r: ids by bytes, then by id */
static int
order_cmp(const void *va, const void *vb, void *arg)
{
	const struct scored *s = arg;
	uint32_t a = *(const uint32_t *)va, b = *(const uint32_t *)vb;
	int c = view_cmp(s->v[a].text, s->v[b].text);

	return c != 0 ? c : a < b ? -1 : a > b;
}

/* scored_find - the lowest id of some bytes, NONE */
static uint32_t
scored_find(const struct scored *s, struct view text)
{
	uint32_t low = 0, high = s->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (view_cmp(s->v[s->order[mid]].text, text) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n && view_eq(s->v[s->order[low]].text, text) ?
	    s->order[low] : NONE;
}

struct scored *
scored_open(struct arena *a, struct view file, struct err *e)
{
	struct scored *s = arena_alloc(a, sizeof(*s));
	size_t at = 4, cap = 0;
	uint32_t len;

	while (at < file.n) {
		if (file.n - at < 8)
			break;
		memcpy(&len, file.p + at + 4, 4);
		if (len > file.n - at - 8)
			break;
		if (s->n == cap) {
			cap = cap == 0 ? 1024 : cap * 2;
			s->v = arena_grow(a, s->v, s->n, cap, sizeof(*s->v));
		}
		memcpy(&s->v[s->n].score, file.p + at, 4);
		s->v[s->n++].text = (struct view){ file.p + at + 8, len };
		at += 8 + len;
	}
	if (at != file.n || s->n < SCORED_BYTES + 256) {
		err_set(e, FATE_REJECT, "neither a tokenizer.json nor a "
		    "tokenizer.bin: token %u at byte %zu of %zu does not fit",
		    s->n, at, file.n);
		return NULL;
	}
	s->order = arena_array(a, s->n, sizeof(*s->order));
	for (uint32_t i = 0; i < s->n; i++)
		s->order[i] = i;
	qsort_r(s->order, s->n, sizeof(*s->order), order_cmp, s);
	return s;
}

uint32_t
scored_size(const struct scored *s)
{
	return s->n;
}

/* the text as a list of symbols, and pairs that could be joined in a heap */
struct symbol {
	uint32_t id, before, next;
	uint32_t at, len;
};

struct pair {
	float score;
	uint32_t left, id, len;		/* len: of both, to know old pairs */
};

struct merge {
	const struct scored *s;
	struct view text;
	struct symbol *v;
	struct pair *heap;
	size_t n;
};

/* before_of - does pair a come before pair b */
static bool
before_of(const struct pair *a, const struct pair *b)
{
	return a->score != b->score ? a->score > b->score : a->left < b->left;
}

static void
heap_put(struct merge *m, struct pair p)
{
	size_t i = m->n++, up;

	for (; i > 0 && before_of(&p, &m->heap[up = (i - 1) / 2]); i = up)
		m->heap[i] = m->heap[up];
	m->heap[i] = p;
}

static struct pair
heap_take(struct merge *m)
{
	struct pair top = m->heap[0], last = m->heap[--m->n];
	size_t i = 0, down;

	while ((down = 2 * i + 1) < m->n) {
		if (down + 1 < m->n && before_of(&m->heap[down + 1],
		    &m->heap[down]))
			down++;
		if (!before_of(&m->heap[down], &last))
			break;
		m->heap[i] = m->heap[down];
		i = down;
	}
	m->heap[i] = last;
	return top;
}

/* merge_try - if a symbol and the next are a token together, a candidate */
static void
merge_try(struct merge *m, uint32_t left)
{
	uint32_t right = left == NONE ? NONE : m->v[left].next, len, id;

	if (right == NONE)
		return;
	len = m->v[left].len + m->v[right].len;
	id = scored_find(m->s, (struct view){ m->text.p + m->v[left].at,
	    len });
	if (id != NONE)
		heap_put(m, (struct pair){ m->s->v[id].score, left, id, len });
}

/* merge_all - join until nothing can be joined */
static void
merge_all(struct merge *m)
{
	while (m->n > 0) {
		struct pair p = heap_take(m);
		struct symbol *l = &m->v[p.left], *r;

		/* one of the two has been joined otherwise since */
		if (l->len == 0 || l->next == NONE)
			continue;
		r = &m->v[l->next];
		if (l->len + r->len != p.len)
			continue;
		l->id = p.id;
		l->len = p.len;
		l->next = r->next;
		r->len = 0;
		if (l->next != NONE)
			m->v[l->next].before = p.left;
		merge_try(m, l->before);
		merge_try(m, p.left);
	}
}

size_t
scored_encode(const struct scored *s, struct arena *a, struct view text,
    uint32_t **ids)
{
	char *spaced = arena_alloc(a, text.n + 2);
	struct merge m = { .s = s, .text = { spaced, text.n + 1 } };
	size_t n = 0, len, out = 0;

	*ids = arena_array(a, text.n + 2, sizeof(**ids));
	if (text.n == 0)
		return 0;
	spaced[0] = ' ';
	memcpy(spaced + 1, text.p, text.n);
	m.v = arena_array(a, text.n + 1, sizeof(*m.v));
	m.heap = arena_array(a, 3 * (text.n + 1), sizeof(*m.heap));
	for (size_t i = 0; i <= text.n; i += len, n++) {
		utf8_get(spaced + i, &len);
		m.v[n] = (struct symbol){ scored_find(s, (struct view){
		    spaced + i, len }), n == 0 ? NONE : (uint32_t)n - 1,
		    (uint32_t)n + 1, (uint32_t)i, (uint32_t)len };
	}
	m.v[n - 1].next = NONE;
	for (uint32_t i = 0; i + 1 < n; i++)
		merge_try(&m, i);
	merge_all(&m);
	for (uint32_t i = 0; i != NONE; i = m.v[i].next) {
		if (m.v[i].id != NONE)
			(*ids)[out++] = m.v[i].id;
		else
			for (uint32_t k = 0; k < m.v[i].len; k++)
				(*ids)[out++] = SCORED_BYTES + (unsigned char)
				    spaced[m.v[i].at + k];
	}
	return out;
}

int
scored_decode(const struct scored *s, const uint32_t *ids, size_t n,
    struct buf *b)
{
	for (size_t i = 0; i < n; i++) {
		struct view t;

		if (ids[i] >= s->n)
			return -1;
		t = s->v[ids[i]].text;
		if (ids[i] >= SCORED_BYTES && ids[i] < SCORED_BYTES + 256)
			buf_char(b, (char)(ids[i] - SCORED_BYTES));
		else if (ids[i] >= SCORED_BYTES) {
			bool put = i > 0 && ids[i - 1] == SCORED_BOS &&
			    t.n > 0 && t.p[0] == ' ';

			buf_add(b, t.p + put, t.n - put);
		}
	}
	return 0;
}
