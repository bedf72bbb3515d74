/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_hand.h"
#include "appliance/text/learn_share.h"

#define MANY		4096		/* places that are worth threads */
#define AHEAD		16		/* places that are fetched */

void
hands_init(struct hands *t, const struct learn_text *text, uint32_t first,
    uint32_t ids, int threads)
{
	const struct node gap = { HAND_GAP, HAND_GAP };
	size_t at = 0;

	*t = (struct hands){ .count = text->count, .n = threads < 1 ? 1 :
	    threads > HAND_MAX ? HAND_MAX : (size_t)threads };
	t->node = mem_table((text->n + text->words + 1) *
	    sizeof(*t->node));
	t->node[at++] = gap;
	for (size_t w = 0, k = 0; w < text->words; w++) {
		for (uint32_t i = 0; i < text->length[w]; i++)
			t->node[at++] = (struct node){ text->symbol[k++],
			    (uint32_t)w };
		t->node[at++] = gap;
	}
	t->nodes = at;
	t->length = mem_alloc(ids * sizeof(*t->length));
	for (uint32_t i = 0; i < first; i++)
		t->length[i] = 1;
	for (size_t h = 0; h < t->n; h++)
		for (int k = LEFT; k <= RIGHT; k++)
			t->hand[h].side[k] = mem_alloc(ids *
			    sizeof(struct side));
}

void
hands_free(struct hands *t)
{
	mem_free(t->node);
	mem_free(t->length);
	for (size_t h = 0; h < t->n; h++) {
		for (int k = LEFT; k <= RIGHT; k++) {
			mem_free(t->hand[h].side[k]);
			mem_free(t->hand[h].met[k]);
		}
		mem_free(t->hand[h].note);
	}
}

/* hand_meet - a merge beside a neighbour */
static void
hand_meet(struct hand *h, int side, uint32_t symbol, int64_t count,
    uint32_t place)
{
	struct side *s = &h->side[side][symbol];

	if (s->n++ == 0) {
		if (h->nmet[side] == h->met_cap[side]) {
			h->met_cap[side] = h->met_cap[side] * 2 + 1024;
			h->met[side] = mem_grow(h->met[side],
			    h->met_cap[side] * sizeof(uint32_t));
		}
		h->met[side][h->nmet[side]++] = symbol;
	}
	s->count += count;
	h->note[h->nnotes++] = (struct note){ symbol, place,
	    (uint32_t)side };
}

/* hand_work - the pair of now in a hand's places.  A node where a token began
 * once and was joined to the one before is a gap, or the last node of a longer
 * token: it has no id of its own length. */
static void
hand_work(const struct hands *t, struct hand *h)
{
	uint32_t left = t->left, right = t->right, id = t->id, at, side;
	uint32_t nleft = t->length[left], nright = t->length[right];
	struct node *a, *b;

	if (h->note_cap < (h->to - h->from) * 2) {
		h->note_cap = (h->to - h->from) * 2;
		mem_free(h->note);
		h->note = mem_grow(NULL, h->note_cap * sizeof(*h->note));
	}
	for (size_t i = h->from; i < h->to; i++) {
		if (i + AHEAD < h->to)
			__builtin_prefetch(&t->node[t->place[i + AHEAD]], 1);
		at = t->place[i];
		a = &t->node[at];
		b = a + nleft;
		if (a->symbol != left || b->symbol != right)
			continue;
		side = a[-1].symbol;
		if (side != HAND_GAP)
			hand_meet(h, LEFT, side, t->count[a->word],
			    at - t->length[side]);
		b->symbol = HAND_GAP;
		b += nright;
		a->symbol = b[-1].symbol = id;
		if (b->symbol != HAND_GAP)
			hand_meet(h, RIGHT, b->symbol, t->count[a->word], at);
	}
}

/* work_share - learn_share's: the parts of some hands */
static void
work_share(void *arg, int thread, size_t from, size_t to)
{
	struct hands *t = arg;

	(void)thread;
	for (; from < to; from++)
		hand_work(t, &t->hand[from]);
}

void
hands_merge(struct hands *t, const uint32_t *place, size_t n, uint32_t left,
    uint32_t right, uint32_t id)
{
	size_t at = 0, end;

	t->place = place;
	t->left = left;
	t->right = right;
	t->id = id;
	t->used = n < MANY ? 1 : t->n;
	for (size_t h = 0; h < t->used; h++) {
		end = n * (h + 1) / t->used;
		if (end < at)
			end = at;
		/* a word is one hand's */
		while (end > at && end < n && t->node[place[end]].word ==
		    t->node[place[end - 1]].word)
			end++;
		t->hand[h].from = at;
		t->hand[h].to = at = end;
	}
	learn_share((int)t->used, t->used, 1, work_share, t);
}

void
hands_clear(struct hands *t)
{
	struct hand *h;

	for (size_t i = 0; i < t->used * 2; i++) {
		int k = i & 1 ? RIGHT : LEFT;

		h = &t->hand[i / 2];
		while (h->nmet[k] > 0) {
			uint32_t symbol = h->met[k][--h->nmet[k]];

			/* the first has what its owner notes for all */
			h->side[k][symbol] = t->hand[0].side[k][symbol] =
			    (struct side){ 0 };
		}
		h->nnotes = 0;
	}
}
