/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unigram: of all ways to cut, the one whose pieces' weights have the largest
 * sum; of equals the one found first. An unknown character weighs ten less than
 * the least piece. The library adds up in floats from the beginning of the
 * text, or from where the sum has last come to 100,000, so that near ties
 * depend on how large the sum before them is.
 *
 * spm_unigram repeats that to the bit.  spm_unigram_free asks when it does not
 * matter.  It works in doubles from zero and notes on the best path the least
 * distance g from a best to a second best way to a place.  A sum in floats is
 * wrong by at most half a unit in its last place for each piece, k pieces at
 * most: no choice on the path changes as long as two such errors are less than
 * g.  With |sum| + k * heaviest as the largest number that occurs, a unit being
 * 2^-23 of it, and twice that for safety, the sum before may be up to
 *
 *	limit = min(g * 2^22 / (k + 1), 100000) - k * heaviest
 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#include <float.h>
#include <math.h>

#define UNSET	UINT32_MAX
#define RESET	100000.0f

struct node {				/* a place in the text */
	float sum;			/* of the best way to it */
	uint32_t from, id;		/* its last piece */
};

/* path_put - the pieces of the best way to the end, from the first */
static void
path_put(const struct spm *s, struct spm_room *r, struct view v,
    struct node *node)
{
	uint32_t at = (uint32_t)v.n, from, next = UNSET;

	/* turn the links around */
	for (; at > 0; at = from) {
		from = node[at].from;
		node[at].from = next;
		next = at;
	}
	for (from = 0, at = next; at != UNSET; from = at, at = next) {
		next = node[at].from;
		spm_put(s, r, node[at].id, (struct view){ v.p + from,
		    at - from });
	}
}

/* sums_reset - sums that have become large are counted from this place on */
static void
sums_reset(struct node *node, size_t at, size_t far)
{
	float less = node[at].sum;

	for (size_t i = at; i <= far; i++)
		if (i == at || node[i].from != UNSET)
			node[i].sum -= less;
	node[at].sum = 0;
}

void
spm_unigram(const struct spm *s, struct spm_room *r, struct view v)
{
	struct node *node = spm_room_work(r, (v.n + 1) * sizeof(*node)), *t;
	float unknown = s->weight[s->unk];
	size_t len, far = 0;

	for (size_t i = 0; i <= v.n; i++)
		node[i].from = UNSET;
	node[0].sum = r->sum;
	for (size_t at = 0; at < v.n; at += len) {
		uint32_t place = 0, id;
		bool single = false;
		float sum;

		if (fabsf(node[at].sum) > RESET)
			sums_reset(node, at, far);
		sum = node[at].sum;
		len = links_bytes(v.p + at, v.n - at);
		for (size_t i = at; i < v.n && trie_step(&s->pieces, &place,
		    (unsigned char)v.p[i]); i++) {
			float by;

			if (!trie_value(&s->pieces, place, &id))
				continue;
			t = &node[i + 1];
			by = s->weight[id] + sum;
			if (t->from == UNSET || by > t->sum)
				*t = (struct node){ by, (uint32_t)at,
				    id };
			far = i + 1 > far ? i + 1 : far;
			single |= i + 1 - at == len;
		}
		t = &node[at + len];
		if (!single && (t->from == UNSET || unknown + sum > t->sum))
			*t = (struct node){ unknown + sum, (uint32_t)at,
			    s->unk };
	}
	r->sum = node[v.n].sum;
	path_put(s, r, v, node);
}

struct place {
	double best, second;
	uint32_t from, id;
};

static void
place_try(struct place *p, double sum, uint32_t from, uint32_t id)
{
	if (p->from == UNSET || sum > p->best) {
		p->second = p->from == UNSET ? -DBL_MAX : p->best;
		*p = (struct place){ sum, p->second, from, id };
	} else if (sum > p->second)
		p->second = sum;
}

size_t
spm_unigram_free(const struct spm *s, struct spm_room *r, struct view v,
    uint32_t *ids, size_t most, float *limit)
{
	struct place *p = spm_room_work(r, (v.n + 1) * sizeof(*p));
	double least = DBL_MAX, gap, k = 0;
	size_t len, n = 0;

	for (size_t i = 0; i <= v.n; i++)
		p[i].from = UNSET;
	p[0].best = 0;
	for (size_t at = 0; at < v.n; at += len, k++) {
		uint32_t place = 0, id;
		bool single = false;

		len = links_bytes(v.p + at, v.n - at);
		for (size_t i = at; i < v.n && trie_step(&s->pieces, &place,
		    (unsigned char)v.p[i]); i++) {
			if (!trie_value(&s->pieces, place, &id))
				continue;
			place_try(&p[i + 1], p[at].best + (double)
			    s->weight[id], (uint32_t)at, id);
			single |= i + 1 - at == len;
		}
		if (!single)
			place_try(&p[at + len], p[at].best + (double)
			    s->weight[s->unk], (uint32_t)at, s->unk);
	}
	for (size_t at = v.n; at > 0; at = p[at].from) {
		gap = p[at].best - p[at].second;
		least = gap < least ? gap : least;
		if (n == most)
			return 0;
		ids[n++] = p[at].id;
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t id = ids[i];

		ids[i] = ids[n - 1 - i];
		ids[n - 1 - i] = id;
	}
	*limit = (float)(fmin(RESET, least * 0x1p22 / (k + 1)) -
	    k * (double)s->heaviest);
	return n;
}
