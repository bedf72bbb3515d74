/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pass over the tape does many merges: all from the first of the ranking on
 * as long as no pair begins with what another one ends with.  Such pairs do not
 * take symbols from each other, so that their counts stay.  And what they make
 * ranks below them: a new pair is at most as frequent as the one that was at
 * its place, which stood below the last of the pass, for else it would be among
 * them and end with what another begins with; of equals the new one is the
 * later, as its ids are higher.
 *
 * Pairs that do not fit are left out from the last of the ranking on; the floor
 * is the last one that is known.  When what is known is used up all pairs are
 * counted anew, in as many parts as they need, by hash.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_pairs.h"
#include "appliance/text/learn_passes.h"

#include <stdlib.h>

#define SLOTS_MIN	((size_t)1 << 5)

/* bytes in memory: for a symbol, a word, a pair that may be merged, any pair */
#define NEED_SYMBOL	24
#define NEED_WORD	20
#define NEED_PAIR	200
#define NEED_KEY	64

/* what the merges of a pass say of a symbol */
#define IS_LEFT		1
#define IS_RIGHT	2
#define IS_NEW		4

struct passes {
	struct arena *arena;
	struct tape *tape;
	const struct learn_rules *rules;
	const struct pass_limits *limits;
	struct learn_vocab *vocab;
	struct learn_merges *merges;
	struct learn_pairs pairs;	/* that are known, and their ranking */
	size_t most;			/* pairs in memory */
	struct learn_top floor;
	uint64_t *made;			/* pairs of this pass */
	size_t nmade;
	bool lost;			/* more pairs than fit */
	struct learn_pairs now;		/* this pass's: ids as counts */
	uint64_t *merged;
	size_t nmerged, merged_cap;
	uint8_t *is;			/* by symbol */
	uint32_t *chars;		/* by symbol */
	double weight;			/* of the words: pairs at most */
};

/* passes_close - the arena's closer */
static void
passes_close(void *arg)
{
	struct passes *p = arg;

	pairs_free(&p->pairs);
	pairs_free(&p->now);
	mem_free(p->made);
	mem_free(p->merged);
	mem_free(p->is);
}

/* top_cmp - qsort's: the ranking */
static int
top_cmp(const void *va, const void *vb)
{
	const struct learn_top *a = va, *b = vb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

/* pass_may - may two symbols become one */
static bool
pass_may(const struct passes *p, uint32_t left, uint32_t right)
{
	return learn_merge_may(p->rules, p->chars[left], p->chars[right]);
}

/* pairs_empty - none is known */
static void
pairs_empty(struct learn_pairs *t)
{
	for (size_t i = 0; t->slot != NULL && i <= t->mask; i++)
		t->slot[i] = (struct learn_count_of){ PAIRS_FREE, 0 };
	t->n = t->nheap = 0;
}

/* passes_cut - the known pairs in their ranking, no more than half of what
 * fits; the rest is forgotten and the floor rises to the last */
static void
passes_cut(struct passes *p)
{
	struct learn_pairs *t = &p->pairs;
	size_t n = 0, keep = p->most / 2;
	struct learn_top *top;

	mem_free(t->heap);
	top = mem_grow(NULL, (t->n + 1) * sizeof(*top));
	for (size_t i = 0; i <= t->mask; i++) {
		struct learn_top one = { t->slot[i].count, t->slot[i].key, 0 };

		if (one.key != PAIRS_FREE && one.count >= p->limits->least &&
		    top_cmp(&one, &p->floor) <= 0)
			top[n++] = one;
	}
	qsort(top, n, sizeof(*top), top_cmp);
	if (n > keep) {
		n = keep;
		p->floor = top[n - 1];
	}
	pairs_empty(t);
	t->heap = top;			/* what is sorted is a heap */
	t->nheap = t->heap_cap = n;
	for (size_t i = 0; i < n; i++)
		pairs_get(t, top[i].key)->count = top[i].count;
}

/* passes_part - all pairs of one part are counted; 1: more than fit */
static int
passes_part(struct passes *p, size_t part, size_t parts, struct err *e)
{
	struct tape_word w;
	uint64_t key;
	int rc;

	while ((rc = tape_next(p->tape, &w, e)) == 1)
		for (uint32_t i = 0; i + 1 < w.n; i++) {
			key = pairs_key(w.symbol[i], w.symbol[i + 1]);
			if ((pairs_hash(key) >> 40) % parts != part ||
			    !pass_may(p, w.symbol[i], w.symbol[i + 1]))
				continue;
			if (p->pairs.n == p->most) {
				tape_back(p->tape);
				return 1;
			}
			pairs_get(&p->pairs, key)->count += w.count;
		}
	tape_back(p->tape);
	return rc;
}

/* passes_count - the ranking of all pairs, as far down as it fits */
static int
passes_count(struct passes *p, struct err *e)
{
	size_t parts = 1, part;
	int rc;

	do {
		p->floor = (struct learn_top){ 0, UINT64_MAX, 0 };
		pairs_empty(&p->pairs);
		for (part = rc = 0; part < parts && rc == 0; part++) {
			rc = passes_part(p, part, parts, e);
			if (rc == 0)
				passes_cut(p);
		}
		parts *= 2;
	} while (rc == 1);
	p->lost = false;
	return rc;
}

/* passes_choose - the merges of the next pass */
static void
passes_choose(struct passes *p)
{
	struct learn_pairs *t = &p->pairs;
	uint32_t left, right, id, known;
	struct learn_top top;

	pairs_empty(&p->now);
	p->nmerged = 0;
	while (t->nheap > 0 && p->vocab->n < p->rules->size) {
		top = t->heap[0];
		if (pairs_place(t, top.key)->count != top.count) {
			top.count = pairs_place(t, top.key)->count;
			pairs_sink(t, top);
			continue;
		}
		left = (uint32_t)(top.key >> 32);
		right = (uint32_t)top.key;
		if (top.count < p->limits->least ||
		    top_cmp(&top, &p->floor) > 0) {
			t->nheap = 0;
			break;
		}
		if ((p->is[left] & IS_RIGHT) != 0 ||
		    (p->is[right] & IS_LEFT) != 0)
			break;
		pairs_pop(t);
		known = p->vocab->n;
		id = learn_merge_put(p->arena, p->merges, p->vocab, p->rules,
		    left, right);
		p->chars[id] = p->chars[left] + p->chars[right];
		p->is[left] |= IS_LEFT;
		p->is[right] |= IS_RIGHT;
		p->is[id] |= IS_NEW;
		pairs_room(&p->now, 1);
		pairs_get(&p->now, top.key)->count = id;
		if (p->nmerged == p->merged_cap) {
			p->merged_cap = p->merged_cap * 2 + 256;
			p->merged = mem_grow(p->merged, p->merged_cap *
			    sizeof(*p->merged));
		}
		p->merged[p->nmerged++] = top.key;
		/* a token's id is not the highest, or two of it stand where
		 * the pair itself was */
		if (id < known || left == right)
			break;
	}
}

/* pass_add - a pair is there more often, or less */
static void
pass_add(struct passes *p, uint32_t left, uint32_t right, int64_t count)
{
	uint64_t key = pairs_key(left, right);
	struct learn_count_of *c = pairs_place(&p->pairs, key);

	if (c->key != PAIRS_FREE)
		c->count += count;
	else if (((p->is[left] | p->is[right]) & IS_NEW) != 0 && count > 0 &&
	    pass_may(p, left, right)) {
		if (p->pairs.n == p->most) {
			p->lost = true;
			return;
		}
		p->made[p->nmade++] = key;
		pairs_get(&p->pairs, key)->count = count;
	}
}

/* pass_word - the merges in one word */
static void
pass_word(struct passes *p, struct tape_word *w)
{
	const struct learn_count_of *c;
	uint32_t *s = w->symbol, n = 0, first = 0;

	/* most words have none of the pairs */
	for (; first + 1 < w->n; first++)
		if ((p->is[s[first]] & IS_LEFT) != 0 &&
		    (p->is[s[first + 1]] & IS_RIGHT) != 0 &&
		    pairs_place(&p->now, pairs_key(s[first], s[first + 1]))->key
		    != PAIRS_FREE)
			break;
	if (first + 1 >= w->n)
		return;
	for (uint32_t i = 0; i + 1 < w->n; i++)
		pass_add(p, s[i], s[i + 1], -w->count);
	for (uint32_t i = 0; i < w->n; i++) {
		s[n] = s[i];
		if (i + 1 < w->n && (p->is[s[i]] & IS_LEFT) != 0) {
			c = pairs_place(&p->now, pairs_key(s[i], s[i + 1]));
			if (c->key != PAIRS_FREE) {
				s[n] = (uint32_t)c->count;
				i++;
			}
		}
		n++;
	}
	w->n = n;
	for (uint32_t i = 0; i + 1 < n; i++)
		pass_add(p, s[i], s[i + 1], w->count);
}

/* passes_pass - the merges in all words; words of one symbol go */
static int
passes_pass(struct passes *p, struct err *e)
{
	double least = (double)p->limits->least, count;
	struct tape_word w;
	int rc;

	p->weight = 0;
	p->nmade = 0;
	while ((rc = tape_next(p->tape, &w, e)) == 1) {
		pass_word(p, &w);
		if (w.n < 2)
			continue;
		count = (double)w.count;
		p->weight += (w.n - 1) * (count < least ? count / least : 1);
		if (tape_put(p->tape, &w, e) == -1)
			return -1;
	}
	if (rc == -1 || tape_turn(p->tape, e) == -1)
		return -1;
	for (size_t i = 0; i < p->nmade && !p->lost; i++)
		pairs_push(&p->pairs, (struct learn_top){ pairs_place(&p->pairs,
		    p->made[i])->count, p->made[i], 0 });
	for (size_t i = 0; i < p->nmerged; i++) {
		uint32_t left = (uint32_t)(p->merged[i] >> 32);
		uint32_t right = (uint32_t)p->merged[i];

		p->is[left] = p->is[right] = 0;
		p->is[pairs_get(&p->now, p->merged[i])->count] = 0;
	}
	if (p->pairs.n > p->most / 4 * 3 && !p->lost)
		passes_cut(p);
	return 0;
}

/* passes_fit - do the words fit into memory now */
static bool
passes_fit(const struct passes *p)
{
	double n = (double)p->tape->symbols, ids = p->vocab->n, all;

	all = ids * ids < n ? ids * ids : n;
	return n * NEED_SYMBOL + (double)p->tape->words * NEED_WORD +
	    p->weight * NEED_PAIR + all * NEED_KEY <
	    (double)p->limits->memory;
}

/* passes_rest - the rest is learnt in memory */
static int
passes_rest(struct passes *p, struct err *e)
{
	struct learn_text t = { .chars = p->chars };
	struct learn_rules rules = *p->rules;
	struct tape_word w;
	int rc;

	pairs_free(&p->pairs);
	p->pairs = (struct learn_pairs){ 0 };
	mem_free(p->made);
	p->made = NULL;
	rules.min_count = p->limits->least;
	t.symbol = mem_grow(NULL, p->tape->symbols * sizeof(*t.symbol));
	t.length = mem_grow(NULL, p->tape->words * sizeof(*t.length));
	t.count = mem_grow(NULL, p->tape->words * sizeof(*t.count));
	while ((rc = tape_next(p->tape, &w, e)) == 1) {
		memcpy(t.symbol + t.n, w.symbol, w.n * sizeof(*w.symbol));
		t.n += w.n;
		t.length[t.words] = w.n;
		t.count[t.words++] = w.count;
	}
	if (rc == 0)
		rc = learn_merge(p->arena, &t, &rules, p->vocab, p->merges, e);
	mem_free(t.symbol);
	mem_free(t.length);
	mem_free(t.count);
	return rc;
}

/* passes_loop - until the vocabulary is full, no pair is left, or all fits */
static int
passes_loop(struct passes *p, struct err *e)
{
	bool fresh = false;		/* has all been counted just now */

	p->lost = true;
	while (p->vocab->n < p->rules->size) {
		if (p->rules->stop != NULL && p->rules->stop(p->rules->arg))
			return err_set(e, FATE_STOP, "stopped");
		if (passes_fit(p))
			return passes_rest(p, e);
		if (p->lost) {
			if (passes_count(p, e) == -1)
				return -1;
			fresh = true;
		}
		passes_choose(p);
		if (p->nmerged == 0 && fresh)
			return 0;
		fresh = false;
		if (p->nmerged == 0)
			p->lost = true;
		else if (passes_pass(p, e) == -1)
			return -1;
	}
	return 0;
}

int
learn_passes(struct arena *a, struct tape *tape,
    const struct learn_rules *rules, const struct pass_limits *limits,
    struct learn_vocab *v, struct learn_merges *out, struct err *e)
{
	struct passes *p = arena_alloc(a, sizeof(*p));
	size_t ids = (v->n > rules->size ? v->n : rules->size) + 1;
	size_t slots = SLOTS_MIN;

	/* half of the memory for the table, the rest for the ranking */
	while (slots * 2 * 2 * sizeof(struct learn_count_of) <=
	    limits->memory)
		slots *= 2;
	*p = (struct passes){ .arena = a, .tape = tape, .rules = rules,
	    .limits = limits, .vocab = v, .merges = out, .most = slots / 2,
	    .weight = (double)tape->symbols };
	p->is = mem_alloc(ids);
	p->chars = arena_array(a, ids, sizeof(*p->chars));
	for (uint32_t i = 0; i < v->n; i++)
		p->chars[i] = 1;
	p->made = mem_grow(NULL, p->most * sizeof(*p->made));
	pairs_room(&p->pairs, p->most);
	pairs_room(&p->now, 1);
	arena_defer(a, passes_close, p);
	return passes_loop(p, e);
}
