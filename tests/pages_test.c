/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages_test - sequences of few words come, grow and go at random; of every
 * page the test keeps what was written to it, and by whom.
 */
#include "appliance/base/base.h"
#include "appliance/model/pages.h"
#include "tests/random.h"
#include "tests/tap.h"

enum { PAGE = KERNEL_PAGE, MOST = 6, SLOTS = 5, LONG = MOST * PAGE };

struct text {
	bool in, apart;			/* apart: it shares nothing */
	uint32_t family;
	size_t prompt, most, at, shared;
	int32_t id[LONG];
};

/* what was written to a page last: the text up to its end */
struct written {
	uint32_t family;
	size_t n;
	int32_t id[LONG];
};

struct world {
	struct pages *pages;
	size_t n;
	const int32_t *table;
	struct text text[SLOTS];
	struct written *page;
	size_t entered, waited, shared;
	bool wrong, over;		/* another's words; over a page in use */
};

/* text_draw - pages of one word each, so that the same page follows others */
static void
text_draw(struct text *t)
{
	*t = (struct text){ .family = random_below(8) == 0,
	    .apart = random_below(8) == 0 };
	t->prompt = 1 + random_below(LONG - 1);
	t->most = t->prompt + 1 + random_below((uint32_t)(LONG - t->prompt));
	for (size_t i = 0; i < LONG; i++)
		t->id[i] = i % PAGE == 0 ? (int32_t)random_below(2) :
		    t->id[i - 1];
}

static int32_t
page_of(struct world *w, size_t slot, size_t at)
{
	const int32_t *now = pages_table(w->pages);

	w->table = now != NULL ? now : w->table;
	return w->table[slot * MOST + at / PAGE];
}

/* page_written - are a page's words those of this text up to its end */
static bool
page_written(const struct written *p, const struct text *t, size_t end)
{
	return p->n == end && p->family == t->family &&
	    memcmp(p->id, t->id, end * sizeof(*p->id)) == 0;
}

/* text_grow - one token, or a page that is known */
static void
text_grow(struct world *w, size_t slot)
{
	struct text *t = &w->text[slot];
	struct written *p;

	if (t->at % PAGE == 0) {
		if (!t->apart && t->at + PAGE < t->prompt &&
		    pages_share(w->pages, slot, t->at, t->id + t->at)) {
			t->at += PAGE;
			w->shared++;
			w->wrong |= !page_written(&w->page[page_of(w, slot,
			    t->at - PAGE)], t, t->at);
			return;
		}
		pages_grow(w->pages, slot, t->at);
		for (size_t i = 0; i < SLOTS; i++)
			for (size_t k = 0; i != slot && w->text[i].in &&
			    k < w->text[i].at; k += PAGE)
				w->over |= page_of(w, i, k) ==
				    page_of(w, slot, t->at);
	}
	p = &w->page[page_of(w, slot, t->at)];
	t->at++;
	p->family = t->family;
	p->n = t->at;
	memcpy(p->id, t->id, t->at * sizeof(*p->id));
	if (t->at % PAGE == 0 && t->at <= t->prompt)
		pages_know(w->pages, slot, t->at - PAGE, t->id + t->at - PAGE);
}

/* world_step - a seat that is free is offered to a text that waits; the others
 * grow, or end early */
static void
world_step(struct world *w, struct text *next, bool *waits)
{
	size_t slot = random_below(SLOTS);
	struct text *t = &w->text[slot];

	if (!t->in) {
		if (!*waits)
			text_draw(next);
		*waits = !pages_enter(w->pages, slot, next->most,
		    next->family);
		w->waited += *waits;
		if (*waits)
			return;
		*t = *next;
		t->in = true;
		w->entered++;
		return;
	}
	for (size_t n = random_below(2 * PAGE); t->at < t->most && n > 0; n--)
		text_grow(w, slot);
	if (t->at >= t->most || random_below(20) == 0) {
		pages_leave(w->pages, slot);
		t->in = false;
	}
}

/* test_random - n pages: with as many as one text can need, one at a time */
static void
test_random(size_t n)
{
	struct arena *a = arena_new();
	struct world *w = arena_alloc(a, sizeof(*w));
	struct text next;
	bool waits = false, first;

	w->n = n;
	w->pages = pages_new(a, n, SLOTS, MOST);
	w->page = arena_array(a, n, sizeof(*w->page));
	for (size_t i = 0; i < 20000; i++)
		world_step(w, &next, &waits);
	for (size_t i = 0; i < SLOTS; i++)
		if (w->text[i].in)
			pages_leave(w->pages, i);
	first = pages_enter(w->pages, 0, LONG, 0);
	pages_leave(w->pages, 0);
	tap(!w->wrong && w->shared > 100, "%zu pages: %zu shared, each with "
	    "the words of who has it", n, w->shared);
	tap(!w->over, "%zu pages: none is written that another has", n);
	tap(w->entered > 500 && (w->waited > 0) == (n < SLOTS * MOST),
	    "%zu pages: %zu texts came in, %zu times one had to wait", n,
	    w->entered, w->waited);
	tap(first && pages_unused(w->pages) == n, "%zu pages: all come back",
	    n);
	arena_free(a);
}

/* test_words - one after the other: what is read once, and by whom not */
static void
test_words(void)
{
	struct arena *a = arena_new();
	struct pages *p = pages_new(a, 3 * MOST, 2, MOST);
	int32_t id[2 * PAGE] = { 0 }, other[PAGE] = { 1 };
	bool twice, family, second;

	(void)pages_enter(p, 0, 2 * PAGE, 0);
	for (size_t at = 0; at < 2 * PAGE; at += PAGE) {
		pages_grow(p, 0, at);
		pages_know(p, 0, at, id + at);
	}
	(void)pages_enter(p, 1, 2 * PAGE, 0);
	twice = pages_share(p, 1, 0, id) && !pages_share(p, 1, PAGE, other) &&
	    pages_share(p, 1, PAGE, id + PAGE);
	pages_leave(p, 1);
	pages_leave(p, 0);
	(void)pages_enter(p, 0, PAGE, 1);
	family = !pages_share(p, 0, 0, id);
	pages_leave(p, 0);
	(void)pages_enter(p, 1, PAGE, 0);
	second = pages_share(p, 1, 0, id);
	pages_leave(p, 1);
	tap(twice, "the same words after the same words are shared");
	tap(family, "not with another family");
	tap(second, "and after their first reader has gone");
	arena_free(a);
}

int
main(void)
{
	test_words();
	test_random(MOST);
	test_random(2 * MOST + 1);
	test_random(SLOTS * MOST);
	return tap_done();
}
