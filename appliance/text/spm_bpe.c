/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPE by scores. Two neighbours may be joined if their bytes together are a
 * piece; the one with the highest score is, the leftmost of equals. A few
 * symbols are searched from end to end each time; many stand in a heap, in
 * which a pair stays when one of its symbols has been joined otherwise, and is
 * known then by its length.
 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#define FEW		48u
#define OWN_KEYS	64u	/* as many of its keys the library looks at */
#define DEPTH_MAX	100u

struct symbol {
	uint32_t before, next, at, len;	/* len 0: it was joined */
	uint32_t first, last;		/* its characters at both ends */
	bool frozen;			/* user-defined: never joined */
};

struct pair {
	float score;
	uint32_t left, len;		/* len: of both */
};

struct merge {
	const struct spm *s;
	struct view text;
	struct symbol *v;
	struct pair *heap;
	size_t n;			/* pairs */
	uint32_t *cut;			/* where a piece of type UNUSED was last
					 * joined, by id; NULL: there is none */
};

/* merge_id - the piece that a symbol and the next are together, SPM_NONE */
static uint32_t
merge_id(const struct merge *m, const struct symbol *l, const struct symbol *r)
{
	if (l->frozen || r->frozen || l->len + r->len > m->s->longest ||
	    !links_pair(m->s->links, l->last, r->first))
		return SPM_NONE;
	return spm_find(m->s, &m->s->names, (struct view){
	    m->text.p + l->at, l->len + r->len });
}

/* merge_join - the next symbol becomes part of this one */
static void
merge_join(struct merge *m, uint32_t left)
{
	struct symbol *l = &m->v[left], *r = &m->v[l->next];

	l->len += r->len;
	l->last = r->last;
	r->len = 0;
	l->next = r->next;
	if (l->next != SPM_NONE)
		m->v[l->next].before = left;
}

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

/* merge_try - a candidate, if a symbol and the next can be joined */
static void
merge_try(struct merge *m, uint32_t left)
{
	struct symbol *l = &m->v[left], *r;
	uint32_t id;

	if (left == SPM_NONE || l->next == SPM_NONE)
		return;
	r = &m->v[l->next];
	id = merge_id(m, l, r);
	if (id == SPM_NONE)
		return;
	heap_put(m, (struct pair){ m->s->score[id], left, l->len + r->len });
	if (m->cut != NULL && m->s->type[id] == SPM_UNUSED)
		m->cut[id] = l->len;
}

static void
merge_many(struct merge *m, uint32_t n)
{
	for (uint32_t i = 0; i + 1 < n; i++)
		merge_try(m, i);
	while (m->n > 0) {
		struct pair p = heap_take(m);
		struct symbol *l = &m->v[p.left];

		if (l->len == 0 || l->next == SPM_NONE ||
		    l->len + m->v[l->next].len != p.len)
			continue;
		merge_join(m, p.left);
		merge_try(m, l->before);
		merge_try(m, p.left);
	}
}

/* few_id - of a symbol and the next, with the score */
static uint32_t
few_id(const struct merge *m, uint32_t left, float *score)
{
	uint32_t id = SPM_NONE;

	if (m->v[left].next != SPM_NONE)
		id = merge_id(m, &m->v[left], &m->v[m->v[left].next]);
	*score = id == SPM_NONE ? 0 : m->s->score[id];
	return id;
}

static void
merge_few(struct merge *m, uint32_t n)
{
	uint32_t id[FEW], best;
	float score[FEW];

	for (uint32_t i = 0; i < n; i++)
		id[i] = few_id(m, i, &score[i]);
	for (;;) {
		best = SPM_NONE;
		for (uint32_t i = 0; i != SPM_NONE; i = m->v[i].next)
			if (id[i] != SPM_NONE && (best == SPM_NONE ||
			    score[i] > score[best]))
				best = i;
		if (best == SPM_NONE)
			return;
		merge_join(m, best);
		id[best] = few_id(m, best, &score[best]);
		if (m->v[best].before != SPM_NONE)
			id[m->v[best].before] = few_id(m, m->v[best].before,
			    &score[m->v[best].before]);
	}
}

/* symbols_of - user-defined pieces, and characters between them */
static uint32_t
symbols_of(struct merge *m)
{
	uint32_t n = 0, value;
	size_t len;

	for (size_t at = 0; at < m->text.n; at += len, n++) {
		const char *p = m->text.p + at;
		size_t left = m->text.n - at, first = links_bytes(p, left);
		struct symbol *x = &m->v[n];

		len = trie_longest(&m->s->own, p, left, OWN_KEYS, &value);
		*x = (struct symbol){ .before = n - 1, .next = n + 1,
		    .at = (uint32_t)at, .frozen = len > 0 };
		if (len == 0)
			len = first;
		x->len = (uint32_t)len;
		x->first = x->last = links_char(p, first);
	}
	m->v[0].before = SPM_NONE;
	m->v[n - 1].next = SPM_NONE;
	return n;
}

/* put_symbol - one symbol; what is UNUSED is taken apart again, though not for
 * ever: deeper than the library goes it stays as it is */
static void
put_symbol(const struct merge *m, struct spm_room *r, struct view v,
    unsigned depth)
{
	uint32_t id = spm_find(m->s, &m->s->names, v), cut;

	if (id != SPM_NONE && m->s->type[id] == SPM_UNUSED &&
	    depth <= DEPTH_MAX) {
		cut = m->cut[id];
		if (cut > 0) {
			put_symbol(m, r, (struct view){ v.p, cut }, depth + 1);
			put_symbol(m, r, (struct view){ v.p + cut, v.n - cut },
			    depth + 1);
			return;
		}
		id = SPM_NONE;
	}
	spm_put(m->s, r, id == SPM_NONE ? m->s->unk : id, v);
}

void
spm_bpe(const struct spm *s, struct spm_room *r, struct view text)
{
	struct merge m = { .s = s, .text = text };
	size_t cut = s->unused ? s->n * sizeof(*m.cut) : 0;
	uint32_t n;

	m.v = spm_room_work(r, text.n * (sizeof(*m.v) + 3 * sizeof(*m.heap)) +
	    cut);
	m.heap = (struct pair *)(m.v + text.n);
	if (s->unused) {
		m.cut = (uint32_t *)(m.heap + 3 * text.n);
		memset(m.cut, 0, cut);
	}
	n = symbols_of(&m);
	if (n <= FEW && !s->unused)
		merge_few(&m, n);
	else
		merge_many(&m, n);
	for (uint32_t i = 0; i != SPM_NONE; i = m.v[i].next)
		put_symbol(&m, r, (struct view){ text.p + m.v[i].at,
		    m.v[i].len }, 0);
}
