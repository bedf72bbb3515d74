/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A known page is found by the page before it and its own tokens, compared in
 * full.  The page before is known as well, and is so for as long: whoever has a
 * page has all before it, and a sequence that ends gives its pages back last
 * first, so that of those that nobody has the later one is forgotten earlier.
 *
 * Preempting a sequence and computing it anew would let more of them in where
 * answers stay shorter than they may be.  Promising pages costs nothing twice,
 * and needs no proof that it ends.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/pages.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAGE	((size_t)KERNEL_PAGE)
#define NONE	(-1)

struct page {
	uint32_t users, family;
	bool known;
	int32_t before;			/* page, or NONE */
	int32_t id[KERNEL_PAGE];
	int32_t chain;			/* of its hash, or of free ones */
	int32_t older, newer;		/* known ones that nobody has */
};

struct seat {
	size_t need, has;		/* pages */
	uint32_t family;
};

struct pages {
	size_t n, slots, per, mask;
	size_t free, kept;		/* kept: known, and nobody's */
	size_t promised;		/* to all seats, not yet taken */
	struct page *page;
	struct seat *seat;
	int32_t *table, *bucket, first, oldest, newest;
	bool changed;
};

struct pages *
pages_new(struct arena *a, size_t n, size_t slots, size_t per)
{
	struct pages *p = arena_alloc(a, sizeof(*p));

	*p = (struct pages){ .n = n, .slots = slots, .per = per, .free = n,
	    .mask = 1, .oldest = NONE, .newest = NONE, .changed = true };
	while (p->mask < n)
		p->mask *= 2;
	p->page = arena_array(a, n, sizeof(*p->page));
	p->seat = arena_array(a, slots, sizeof(*p->seat));
	p->table = arena_array(a, slots * per, sizeof(*p->table));
	p->bucket = arena_array(a, p->mask, sizeof(*p->bucket));
	for (size_t i = 0; i < p->mask; i++)
		p->bucket[i] = NONE;
	p->mask--;
	/* the first ones first, so that memory is touched as it is needed */
	for (size_t i = 0; i < n; i++)
		p->page[i].chain = i + 1 < n ? (int32_t)i + 1 : NONE;
	return p;
}

static int32_t *
bucket_of(struct pages *p, uint32_t family, int32_t before, const int32_t *id)
{
	uint64_t seed = (uint64_t)family << 32 | (uint32_t)before;

	return &p->bucket[XXH3_64bits_withSeed(id, PAGE * sizeof(*id), seed) &
	    p->mask];
}

static int32_t
page_find(struct pages *p, uint32_t family, int32_t before, const int32_t *id)
{
	int32_t i = *bucket_of(p, family, before, id);

	while (i != NONE && (p->page[i].before != before ||
	    p->page[i].family != family || memcmp(p->page[i].id, id, PAGE *
	    sizeof(*id)) != 0))
		i = p->page[i].chain;
	return i;
}

/* kept_drop - somebody has it again, or it is forgotten */
static void
kept_drop(struct pages *p, int32_t i)
{
	struct page *g = &p->page[i];

	*(g->older == NONE ? &p->oldest : &p->page[g->older].newer) = g->newer;
	*(g->newer == NONE ? &p->newest : &p->page[g->newer].older) = g->older;
	p->kept--;
}

static void
kept_add(struct pages *p, int32_t i)
{
	p->page[i].older = p->newest;
	p->page[i].newer = NONE;
	*(p->newest == NONE ? &p->oldest : &p->page[p->newest].newer) = i;
	p->newest = i;
	p->kept++;
}

static void
page_free(struct pages *p, int32_t i)
{
	p->page[i].known = false;
	p->page[i].chain = p->first;
	p->first = i;
	p->free++;
}

/* page_forget - the oldest that nobody has */
static void
page_forget(struct pages *p)
{
	int32_t i = p->oldest, *at;
	struct page *g = &p->page[i];

	kept_drop(p, i);
	at = bucket_of(p, g->family, g->before, g->id);
	while (*at != i)
		at = &p->page[*at].chain;
	*at = g->chain;
	page_free(p, i);
}

bool
pages_enter(struct pages *p, size_t slot, size_t tokens, uint32_t family)
{
	size_t need = (tokens + PAGE - 1) / PAGE;

	if (need + p->promised > p->free + p->kept)
		return false;
	p->seat[slot] = (struct seat){ .need = need, .family = family };
	p->promised += need;
	return true;
}

/* seat_before - the page before a place, or NONE */
static int32_t
seat_before(const struct pages *p, size_t slot, size_t at)
{
	return at == 0 ? NONE : p->table[slot * p->per + at / PAGE - 1];
}

static void
seat_put(struct pages *p, size_t slot, size_t at, int32_t i)
{
	struct seat *s = &p->seat[slot];

	if (at / PAGE != s->has || s->has == s->need)
		panic("slot %zu grows to place %zu with %zu pages of %zu",
		    slot, at, s->has, s->need);
	p->table[slot * p->per + s->has++] = i;
	p->page[i].users++;
	p->promised--;
	p->changed = true;
}

bool
pages_share(struct pages *p, size_t slot, size_t at, const int32_t *id)
{
	int32_t i = page_find(p, p->seat[slot].family,
	    seat_before(p, slot, at), id);

	if (i == NONE)
		return false;
	if (p->page[i].users == 0)
		kept_drop(p, i);
	seat_put(p, slot, at, i);
	return true;
}

void
pages_grow(struct pages *p, size_t slot, size_t at)
{
	int32_t i;

	if (p->free == 0)
		page_forget(p);
	i = p->first;
	p->first = p->page[i].chain;
	p->free--;
	p->page[i].users = 0;
	seat_put(p, slot, at, i);
}

void
pages_know(struct pages *p, size_t slot, size_t at, const int32_t *id)
{
	int32_t i = p->table[slot * p->per + at / PAGE], *bucket;
	int32_t before = seat_before(p, slot, at);
	struct page *g = &p->page[i];

	/* another may have computed the same meanwhile; what follows ours is
	 * then ours alone */
	if (g->known || (before != NONE && !p->page[before].known) ||
	    page_find(p, p->seat[slot].family, before, id) != NONE)
		return;
	g->known = true;
	g->family = p->seat[slot].family;
	g->before = before;
	memcpy(g->id, id, sizeof(g->id));
	bucket = bucket_of(p, g->family, before, id);
	g->chain = *bucket;
	*bucket = i;
}

void
pages_leave(struct pages *p, size_t slot)
{
	struct seat *s = &p->seat[slot];

	p->promised -= s->need - s->has;
	while (s->has > 0) {
		int32_t i = p->table[slot * p->per + --s->has];

		if (--p->page[i].users > 0)
			continue;
		if (p->page[i].known)
			kept_add(p, i);
		else
			page_free(p, i);
	}
	/* one text's worth, so that memory does not fill with old prompts */
	while (p->kept > p->per)
		page_forget(p);
	*s = (struct seat){ 0 };
}

const int32_t *
pages_table(struct pages *p)
{
	bool changed = p->changed;

	p->changed = false;
	return changed ? p->table : NULL;
}

size_t
pages_unused(const struct pages *p)
{
	return p->free + p->kept;
}
