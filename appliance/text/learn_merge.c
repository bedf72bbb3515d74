/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a merge takes from pairs and adds to others is summed by neighbour
 * (learn_hand.h) and then applied once to the pairs' table, which no cache
 * holds.
 *
 * An entry of the heap is a pair with the places where it was made and its
 * count then.  Counts go down later: an old entry is put back with the count of
 * now.  They never go up, as a pair is made by one merge only.  For say that
 * two merges gave the same token, split in two ways.  Where the second happens,
 * the token's ends were ends of symbols all the time, as they were where the
 * first happened; between them the same characters went the same way in both
 * places, so the first would have happened here too.  Hence a pair that is too
 * rare when it is made will never be merged, and is forgotten.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_hand.h"
#include "appliance/text/learn_least.h"
#include "appliance/text/learn_merge.h"
#include "appliance/text/learn_pairs.h"
#include "appliance/text/learn_share.h"

#define NONE		UINT32_MAX
#define NODES_MAX	((size_t)UINT32_MAX - 1)
#define AHEAD		16		/* pairs that are fetched */

struct entry {
	uint32_t *place, n;		/* nodes, ascending */
};

/* a pair that this merge makes */
struct fresh {
	uint64_t key;
	int64_t count;
	uint32_t n, entry;		/* places; NONE: too rare */
};

struct merger {
	struct arena *arena;
	const struct learn_rules *rules;
	struct learn_vocab *vocab;
	int64_t least;			/* count of a pair that is kept */
	uint32_t *chars;		/* of tokens */
	struct hands hands;
	struct learn_pairs pairs;
	struct entry *entry;
	size_t nentries, entry_cap;
	struct fresh *fresh;
	size_t nfresh, fresh_cap;
};

/* merger_close - the arena's closer */
static void
merger_close(void *arg)
{
	struct merger *m = arg;

	pairs_free(&m->pairs);
	hands_free(&m->hands);
	mem_free(m->entry);
	mem_free(m->fresh);
}

/* merge_short - may these two become one later */
static bool
merge_short(const struct merger *m, uint32_t left, uint32_t right)
{
	return learn_merge_may(m->rules, m->chars[left], m->chars[right]);
}

/* text_least - no pair that is there less often will be merged */
static int64_t
text_least(const struct learn_text *t, const struct learn_rules *rules)
{
	struct least l;

	least_init(&l);
	for (size_t w = 0; t->distinct && w < t->words; w++)
		least_word(&l, rules, t->length[w], t->count[w]);
	return least_end(&l, rules);
}

/* fresh_new - one more pair that is made */
static uint32_t
fresh_new(struct merger *m, uint64_t key)
{
	if (m->nfresh == m->fresh_cap) {
		m->fresh_cap *= 2;
		m->fresh = mem_grow(m->fresh, m->fresh_cap *
		    sizeof(*m->fresh));
	}
	m->fresh[m->nfresh] = (struct fresh){ key, 0, 0, NONE };
	return (uint32_t)m->nfresh++;
}

/* fresh_push - a pair that was made becomes an entry with room for places */
static void
fresh_push(struct merger *m, struct fresh *f)
{
	int64_t count = pairs_place(&m->pairs, f->key)->count;

	if (count < m->least)
		return;
	if (m->nentries == m->entry_cap) {
		m->entry_cap = m->entry_cap == 0 ? 65536 : m->entry_cap * 2;
		m->entry = mem_grow(m->entry, m->entry_cap *
		    sizeof(*m->entry));
	}
	m->entry[m->nentries] = (struct entry){ arena_array(m->arena, f->n,
	    sizeof(uint32_t)), f->n };
	f->entry = (uint32_t)m->nentries++;
	pairs_push(&m->pairs, (struct learn_top){ count, f->key, f->entry });
}

/* pair_was, pair_will - the pair beside a neighbour, before and after */
static uint64_t
pair_was(const struct merger *m, int side, uint32_t symbol)
{
	return side == LEFT ? pairs_key(symbol, m->hands.left) :
	    pairs_key(m->hands.right, symbol);
}

static uint64_t
pair_will(const struct merger *m, int side, uint32_t symbol)
{
	return side == LEFT ? pairs_key(symbol, m->hands.id) :
	    pairs_key(m->hands.id, symbol);
}

/* sum_made - what the hands have made, by pair */
static void
sum_made(struct merger *m, struct hand *h, int side)
{
	uint32_t symbol;
	struct side *s, *first;
	struct fresh *f;

	for (size_t i = 0; i < h->nmet[side]; i++) {
		symbol = h->met[side][i];
		s = &h->side[side][symbol];
		first = &m->hands.hand[0].side[side][symbol];
		if (side == LEFT ? !merge_short(m, symbol, m->hands.id) :
		    !merge_short(m, m->hands.id, symbol))
			continue;
		if (first->fresh == 0)
			first->fresh = fresh_new(m, pair_will(m, side,
			    symbol)) + 1;
		s->fresh = first->fresh;
		f = &m->fresh[s->fresh - 1];
		s->at = f->n;
		f->n += s->n;
		f->count += s->count;
	}
}

/* sum_lost - what the hands have taken, from pairs that are kept */
static void
sum_lost(struct merger *m, const struct hand *h, int side)
{
	const uint32_t *met = h->met[side];
	struct learn_count_of *p;

	for (size_t i = 0; i < h->nmet[side]; i++) {
		if (i + AHEAD < h->nmet[side])
			__builtin_prefetch(&m->pairs.slot[m->pairs.mask &
			    pairs_hash(pair_was(m, side, met[i + AHEAD]))], 1);
		p = pairs_place(&m->pairs, pair_was(m, side, met[i]));
		if (p->key != PAIRS_FREE)
			p->count -= h->side[side][met[i]].count;
	}
}

/* fill_share - learn_share's: the places of pairs that became entries */
static void
fill_share(void *arg, int thread, size_t from, size_t to)
{
	struct merger *m = arg;
	const struct note *o;
	uint32_t entry;
	struct hand *h;
	struct side *s;

	(void)thread;
	for (; from < to; from++) {
		h = &m->hands.hand[from];
		for (size_t i = 0; i < h->nnotes; i++) {
			o = &h->note[i];
			s = &h->side[o->side][o->symbol];
			if (s->fresh == 0)
				continue;
			entry = m->fresh[s->fresh - 1].entry;
			if (entry != NONE)
				m->entry[entry].place[s->at++] = o->place;
		}
	}
}

/* merge_apply - what the hands did, to pairs, heap and entries */
static void
merge_apply(struct merger *m)
{
	struct hand *hand = m->hands.hand;
	size_t used = m->hands.used;
	struct fresh *f;

	for (size_t i = 0; i < used * 2; i++)
		sum_made(m, &hand[i / 2], i & 1 ? RIGHT : LEFT);
	pairs_room(&m->pairs, m->nfresh);
	for (f = m->fresh; f < m->fresh + m->nfresh; f++)
		if (f->count >= m->least)
			pairs_get(&m->pairs, f->key)->count += f->count;
	for (size_t i = 0; i < used * 2; i++)
		sum_lost(m, &hand[i / 2], i & 1 ? RIGHT : LEFT);
	for (f = m->fresh; f < m->fresh + m->nfresh; f++)
		if (f->count >= m->least)
			fresh_push(m, f);
	learn_share((int)used, used, 1, fill_share, m);
	m->nfresh = 0;
	hands_clear(&m->hands);
}

/* merge_name - the token that a pair makes */
static uint32_t
merge_name(struct learn_vocab *v, const struct learn_rules *rules,
    uint32_t left, uint32_t right)
{
	struct view l = v->token[left], r = v->token[right];
	struct view prefix = rules->prefix;
	struct buf b;
	uint32_t id;

	if (prefix.n > 0 && r.n >= prefix.n &&
	    memcmp(r.p, prefix.p, prefix.n) == 0)
		r = (struct view){ r.p + prefix.n, r.n - prefix.n };
	buf_init(&b, l.n + r.n + 1);
	buf_view(&b, l);
	buf_view(&b, r);
	id = learn_vocab_put(v, buf_get(&b));
	buf_free(&b);
	return id;
}

uint32_t
learn_merge_put(struct arena *a, struct learn_merges *out,
    struct learn_vocab *v, const struct learn_rules *rules, uint32_t left,
    uint32_t right)
{
	if ((out->n & (out->n + 1)) == 0)
		out->v = arena_grow(a, out->v, out->n, out->n * 2 + 1,
		    sizeof(*out->v));
	out->v[out->n++] = (struct learn_pair){ left, right };
	return merge_name(v, rules, left, right);
}

/* merge_one - the pair of the heap's top */
static void
merge_one(struct merger *m, struct learn_top top, struct learn_merges *out)
{
	uint32_t left = (uint32_t)(top.key >> 32), right = (uint32_t)top.key;
	const struct entry *t = &m->entry[top.entry];
	uint32_t id = learn_merge_put(m->arena, out, m->vocab, m->rules, left,
	    right);

	m->hands.length[id] = m->hands.length[left] + m->hands.length[right];
	m->chars[id] = m->chars[left] + m->chars[right];
	hands_merge(&m->hands, t->place, t->n, left, right, id);
	merge_apply(m);
}

/* text_pair - the pair at a place, if there is one */
static bool
text_pair(const struct merger *m, size_t at, uint64_t *key)
{
	const struct node *a = &m->hands.node[at];

	if (a->symbol == HAND_GAP || a[1].symbol == HAND_GAP ||
	    !merge_short(m, a->symbol, a[1].symbol))
		return false;
	*key = pairs_key(a->symbol, a[1].symbol);
	return true;
}

/* text_pairs - the first pairs with all their places */
static void
text_pairs(struct merger *m)
{
	const struct hands *t = &m->hands;
	uint32_t *number;		/* by slot: among the new, + 1 */
	struct fresh *f;
	uint64_t key;
	size_t slot;

	pairs_room(&m->pairs, 0);
	for (size_t i = 0; i < t->nodes; i++)
		if (text_pair(m, i, &key)) {
			pairs_room(&m->pairs, 1);
			pairs_get(&m->pairs, key)->count +=
			    t->count[t->node[i].word];
		}
	number = mem_alloc((m->pairs.mask + 1) * sizeof(*number));
	for (size_t i = 0; i < t->nodes; i++)
		if (text_pair(m, i, &key)) {
			slot = (size_t)(pairs_place(&m->pairs, key) -
			    m->pairs.slot);
			if (number[slot] == 0)
				number[slot] = fresh_new(m, key) + 1;
			m->fresh[number[slot] - 1].n++;
		}
	for (f = m->fresh; f < m->fresh + m->nfresh; f++) {
		fresh_push(m, f);
		f->n = 0;
	}
	for (size_t i = 0; i < t->nodes; i++)
		if (text_pair(m, i, &key)) {
			slot = (size_t)(pairs_place(&m->pairs, key) -
			    m->pairs.slot);
			f = &m->fresh[number[slot] - 1];
			if (f->entry != NONE)
				m->entry[f->entry].place[f->n++] =
				    (uint32_t)i;
		}
	mem_free(number);
	m->nfresh = 0;
}

int
learn_merge(struct arena *a, const struct learn_text *t,
    const struct learn_rules *rules, struct learn_vocab *vocab,
    struct learn_merges *out, struct err *e)
{
	struct merger *m = arena_alloc(a, sizeof(*m));
	struct learn_top top;
	uint32_t ids;
	int64_t now;

	if (t->n + t->words > NODES_MAX)
		return err_set(e, FATE_REJECT, "words of %zu characters in "
		    "all: at most %zu can be learnt from", t->n, NODES_MAX);
	*m = (struct merger){ .arena = a, .rules = rules, .vocab = vocab,
	    .least = text_least(t, rules) };
	ids = (vocab->n > rules->size ? vocab->n : rules->size) + 1;
	hands_init(&m->hands, t, vocab->n, ids, rules->threads);
	m->chars = arena_array(a, ids, sizeof(*m->chars));
	for (uint32_t i = 0; i < vocab->n; i++)
		m->chars[i] = t->chars == NULL ? 1 : t->chars[i];
	m->fresh_cap = 4096;
	m->fresh = mem_grow(NULL, m->fresh_cap * sizeof(*m->fresh));
	arena_defer(a, merger_close, m);
	text_pairs(m);
	while (vocab->n < rules->size && m->pairs.nheap > 0) {
		top = m->pairs.heap[0];
		now = pairs_place(&m->pairs, top.key)->count;
		if (now != top.count) {
			top.count = now;
			pairs_sink(&m->pairs, top);
			continue;
		}
		if (now < m->least)
			break;
		if (rules->stop != NULL && out->n % 256 == 0 &&
		    rules->stop(rules->arg))
			return err_set(e, FATE_STOP, "stopped");
		pairs_pop(&m->pairs);
		merge_one(m, top, out);
	}
	return 0;
}
