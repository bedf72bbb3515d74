/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All words lie in one row of nodes, each with the places of its neighbours, so
 * that a merge touches only where its pair stands.  What changes is noted as
 * events and then applied: the pairs' table is much larger than a cache, and
 * by then its lines are on their way.
 *
 * An entry of the heap is a pair with the places where it was made and its
 * count then.  Counts go down later: an old entry is put back with the count of
 * now.  A pair is made by one merge only and has one entry.  For say that two
 * merges gave the same token, split in two ways.  Where the second happens, the
 * token's ends were ends of symbols all the time, as they were where the first
 * happened; between them the same characters went the same way in both places,
 * so the first would have happened here too.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_merge.h"

#define NONE		UINT32_MAX
#define FREE		UINT64_MAX
#define NODES_MAX	((size_t)UINT32_MAX - 1)

struct node {
	uint32_t symbol;		/* NONE: merged into the one before */
	uint32_t prev, next;		/* NONE: none in this word */
	uint32_t word;
};

struct pair {
	uint64_t key;			/* left << 32 | right, or FREE */
	int64_t count;
	uint32_t fresh;			/* its number among the new, + 1 */
	uint32_t entry;
};

struct entry {
	uint32_t *place, n;		/* nodes, ascending in each word */
};

struct top {
	int64_t count;
	uint64_t key;
	uint32_t entry;
};

struct event {
	uint64_t key;
	int64_t count;			/* what is added */
	uint32_t place;			/* if more: where the pair is now */
	uint32_t fresh;
};

struct fresh {
	uint64_t key;
	uint32_t n, entry;		/* places; NONE: none is pushed */
};

struct merger {
	struct arena *arena;
	const struct learn_rules *rules;
	struct learn_vocab *vocab;
	struct node *node;
	const int64_t *count;		/* of words */
	struct pair *pair;
	size_t npairs, mask;
	struct entry *entry;
	size_t nentries, entry_cap;
	struct top *heap;
	size_t nheap, heap_cap;
	struct event *event;
	size_t nevents, event_cap;
	struct fresh *fresh;
	size_t nfresh, fresh_cap;
	uint32_t *length;		/* of tokens in first symbols, by id */
	size_t length_cap;
};

/* merger_close - the arena's closer */
static void
merger_close(void *arg)
{
	struct merger *m = arg;

	mem_free(m->node);
	mem_free(m->pair);
	mem_free(m->entry);
	mem_free(m->heap);
	mem_free(m->event);
	mem_free(m->fresh);
	mem_free(m->length);
}

static size_t
pair_hash(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return key ^ key >> 32;
}

/* pair_place - where a pair is or would be */
static struct pair *
pair_place(const struct merger *m, uint64_t key)
{
	size_t i = pair_hash(key) & m->mask;

	while (m->pair[i].key != key && m->pair[i].key != FREE)
		i = (i + 1) & m->mask;
	return &m->pair[i];
}

/* pair_room - for so many more pairs */
static void
pair_room(struct merger *m, size_t more)
{
	struct pair *old = m->pair;
	size_t size = old == NULL ? 0 : m->mask + 1, want = size;

	if (want == 0)
		want = 1 << 16;
	while ((m->npairs + more) * 2 > want)
		want *= 2;
	if (want == size)
		return;
	m->mask = want - 1;
	m->pair = mem_grow(NULL, want * sizeof(*m->pair));
	for (size_t i = 0; i < want; i++)
		m->pair[i] = (struct pair){ FREE, 0, 0, NONE };
	for (size_t i = 0; i < size; i++)
		if (old[i].key != FREE)
			*pair_place(m, old[i].key) = old[i];
	mem_free(old);
}

/* pair_get - a pair, which is now there; pair_room made room */
static struct pair *
pair_get(struct merger *m, uint64_t key)
{
	struct pair *p = pair_place(m, key);

	if (p->key == FREE) {
		p->key = key;
		m->npairs++;
	}
	return p;
}

/* top_less - does a come before b */
static bool
top_less(const struct top *a, const struct top *b)
{
	if (a->count != b->count)
		return a->count > b->count;
	return a->key != b->key ? a->key < b->key : a->entry < b->entry;
}

/* heap_up - an entry at i rises to its place */
static void
heap_up(struct merger *m, size_t i, struct top t)
{
	for (size_t up; i > 0; i = up) {
		up = (i - 1) / 4;
		if (!top_less(&t, &m->heap[up]))
			break;
		m->heap[i] = m->heap[up];
	}
	m->heap[i] = t;
}

static void
heap_push(struct merger *m, struct top t)
{
	if (m->nheap == m->heap_cap) {
		m->heap_cap = m->heap_cap == 0 ? 65536 : m->heap_cap * 2;
		m->heap = mem_grow(m->heap, m->heap_cap * sizeof(*m->heap));
	}
	heap_up(m, m->nheap++, t);
}

/* heap_down - the first entry becomes t and sinks to its place */
static void
heap_down(struct merger *m, struct top t)
{
	size_t i = 0, best, k;

	while ((k = 4 * i + 1) < m->nheap) {
		best = k;
		for (size_t c = k + 1; c < k + 4 && c < m->nheap; c++)
			if (top_less(&m->heap[c], &m->heap[best]))
				best = c;
		if (!top_less(&m->heap[best], &t))
			break;
		m->heap[i] = m->heap[best];
		i = best;
	}
	m->heap[i] = t;
}

/* fresh_note - one more place of a pair that this merge has made */
static uint32_t
fresh_note(struct merger *m, struct pair *p)
{
	if (p->fresh == 0) {
		if (m->nfresh == m->fresh_cap) {
			m->fresh_cap = m->fresh_cap == 0 ? 4096 :
			    m->fresh_cap * 2;
			m->fresh = mem_grow(m->fresh, m->fresh_cap *
			    sizeof(*m->fresh));
		}
		m->fresh[m->nfresh++] = (struct fresh){ p->key, 0, NONE };
		p->fresh = (uint32_t)m->nfresh;
	}
	m->fresh[p->fresh - 1].n++;
	return p->fresh;
}

/* entry_push - a pair that was made becomes an entry with all its places */
static void
entry_push(struct merger *m, struct fresh *f)
{
	struct pair *p = pair_place(m, f->key);

	p->fresh = 0;
	if (p->count <= 0)
		return;
	if (m->nentries == m->entry_cap) {
		m->entry_cap = m->entry_cap == 0 ? 65536 : m->entry_cap * 2;
		m->entry = mem_grow(m->entry, m->entry_cap *
		    sizeof(*m->entry));
	}
	m->entry[m->nentries] = (struct entry){ arena_array(m->arena, f->n,
	    sizeof(uint32_t)), 0 };
	p->entry = f->entry = (uint32_t)m->nentries++;
	heap_push(m, (struct top){ p->count, f->key, p->entry });
}

/* entry_note - a place of a pair that has an entry */
static void
entry_note(struct merger *m, uint32_t entry, uint32_t place)
{
	struct entry *t = &m->entry[entry];

	t->place[t->n++] = place;
}

/* events_apply - counts, then an entry for each pair that was made */
static void
events_apply(struct merger *m)
{
	const struct event *v;
	struct pair *p;

	pair_room(m, m->nevents);
	for (size_t i = 0; i < m->nevents; i++) {
		if (i + 8 < m->nevents)
			__builtin_prefetch(&m->pair[pair_hash(
			    m->event[i + 8].key) & m->mask], 1);
		p = pair_get(m, m->event[i].key);
		p->count += m->event[i].count;
		if (m->event[i].count > 0)
			m->event[i].fresh = fresh_note(m, p);
	}
	for (size_t i = 0; i < m->nfresh; i++)
		entry_push(m, &m->fresh[i]);
	for (size_t i = 0; i < m->nevents; i++) {
		v = &m->event[i];
		if (v->count > 0 && m->fresh[v->fresh - 1].entry != NONE)
			entry_note(m, m->fresh[v->fresh - 1].entry, v->place);
	}
	m->nevents = m->nfresh = 0;
}

static void
event_note(struct merger *m, uint32_t left, uint32_t right, int64_t count,
    uint32_t place)
{
	if (m->nevents == m->event_cap) {
		m->event_cap = m->event_cap == 0 ? 65536 : m->event_cap * 2;
		m->event = mem_grow(m->event, m->event_cap *
		    sizeof(*m->event));
	}
	m->event[m->nevents++] = (struct event){
	    (uint64_t)left << 32 | right, count, place, 0 };
}

/* merge_short - may these two become one later */
static bool
merge_short(const struct merger *m, uint32_t left, uint32_t right)
{
	return m->rules->max_length == 0 || m->length[left] +
	    m->length[right] < m->rules->max_length;
}

/* merge_at - the pair at a place, if it still stands there, becomes id */
static void
merge_at(struct merger *m, uint32_t place, uint64_t key, uint32_t id)
{
	uint32_t left = (uint32_t)(key >> 32), right = (uint32_t)key, side;
	struct node *a = &m->node[place], *b;
	int64_t count;

	if (a->symbol != left || a->next == NONE)
		return;
	b = &m->node[a->next];
	if (b->symbol != right)
		return;
	count = m->count[a->word];
	if (a->prev != NONE) {
		side = m->node[a->prev].symbol;
		event_note(m, side, left, -count, 0);
		if (merge_short(m, side, id))
			event_note(m, side, id, count, a->prev);
	}
	a->symbol = id;
	a->next = b->next;
	b->symbol = NONE;
	if (a->next == NONE)
		return;
	m->node[a->next].prev = place;
	side = m->node[a->next].symbol;
	event_note(m, right, side, -count, 0);
	if (merge_short(m, id, side))
		event_note(m, id, side, count, place);
}

/* merge_name - the token that a pair makes */
static uint32_t
merge_name(struct merger *m, uint64_t key)
{
	uint32_t left = (uint32_t)(key >> 32), right = (uint32_t)key, id;
	struct view l = m->vocab->token[left], r = m->vocab->token[right];
	struct view prefix = m->rules->prefix;
	struct buf b;

	if (prefix.n > 0 && r.n >= prefix.n &&
	    memcmp(r.p, prefix.p, prefix.n) == 0)
		r = (struct view){ r.p + prefix.n, r.n - prefix.n };
	buf_init(&b, l.n + r.n + 1);
	buf_view(&b, l);
	buf_view(&b, r);
	id = learn_vocab_put(m->vocab, buf_get(&b));
	buf_free(&b);
	if (id >= m->length_cap) {
		m->length_cap = (size_t)id * 2 + 1;
		m->length = mem_grow(m->length, m->length_cap *
		    sizeof(*m->length));
	}
	m->length[id] = m->length[left] + m->length[right];
	return id;
}

/* merge_one - the pair of the heap's top */
static void
merge_one(struct merger *m, struct top top, struct learn_merges *out)
{
	struct entry t = m->entry[top.entry];
	uint32_t id = merge_name(m, top.key);

	if ((out->n & (out->n + 1)) == 0)
		out->v = arena_grow(m->arena, out->v, out->n, out->n * 2 + 1,
		    sizeof(*out->v));
	out->v[out->n++] = (struct learn_pair){ (uint32_t)(top.key >> 32),
	    (uint32_t)top.key };
	for (uint32_t i = 0; i < t.n; i++) {
		if (i + 8 < t.n)
			__builtin_prefetch(&m->node[t.place[i + 8]], 1);
		merge_at(m, t.place[i], top.key, id);
	}
	events_apply(m);
}

/* merger_text - nodes of all words, and their pairs as the first entries */
static void
merger_text(struct merger *m, const struct learn_text *t)
{
	size_t at = 0;
	uint64_t key;
	struct pair *p;

	m->node = mem_grow(NULL, (t->n + 1) * sizeof(*m->node));
	for (size_t w = 0; w < t->words; w++)
		for (uint32_t i = 0; i < t->length[w]; i++, at++) {
			m->node[at] = (struct node){ t->symbol[at],
			    i == 0 ? NONE : (uint32_t)at - 1,
			    i + 1 == t->length[w] ? NONE : (uint32_t)at + 1,
			    (uint32_t)w };
			if (i == 0)
				continue;
			key = (uint64_t)t->symbol[at - 1] << 32 |
			    t->symbol[at];
			pair_room(m, 1);
			p = pair_get(m, key);
			p->count += t->count[w];
			(void)fresh_note(m, p);
		}
	for (size_t i = 0; i < m->nfresh; i++)
		entry_push(m, &m->fresh[i]);
	m->nfresh = 0;
	for (uint32_t i = 1; i < t->n; i++)
		if (m->node[i].prev != NONE)
			entry_note(m, pair_place(m, (uint64_t)
			    t->symbol[i - 1] << 32 | t->symbol[i])->entry,
			    i - 1);
}

int
learn_merge(struct arena *a, const struct learn_text *t,
    const struct learn_rules *rules, struct learn_vocab *vocab,
    struct learn_merges *out, struct err *e)
{
	struct merger *m = arena_alloc(a, sizeof(*m));
	struct top top;
	int64_t now;

	*out = (struct learn_merges){ 0 };
	if (t->n > NODES_MAX)
		return err_set(e, FATE_REJECT, "words of %zu characters in "
		    "all: at most %zu can be learnt from", t->n, NODES_MAX);
	*m = (struct merger){ .arena = a, .rules = rules, .vocab = vocab,
	    .count = t->count };
	arena_defer(a, merger_close, m);
	m->length_cap = vocab->n + 1;
	m->length = mem_alloc(m->length_cap * sizeof(*m->length));
	for (uint32_t i = 0; i < vocab->n; i++)
		m->length[i] = 1;
	merger_text(m, t);
	while (vocab->n < rules->size && m->nheap > 0) {
		top = m->heap[0];
		now = pair_place(m, top.key)->count;
		if (now != top.count) {
			top.count = now;
			heap_down(m, top);
			continue;
		}
		if (now < 1 || now < rules->min_count)
			break;
		if (rules->stop != NULL && out->n % 256 == 0 &&
		    rules->stop(rules->arg))
			return err_set(e, FATE_STOP, "stopped");
		heap_down(m, m->heap[--m->nheap]);
		merge_one(m, top, out);
	}
	return 0;
}
