/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns_test - texts of all lengths go on side by side: an answer that has begun
 * gets a token in every step, however long the prompts are that are read beside
 * it; every step is full while there is something to read; and nobody's answer
 * depends on any of it
 */
#include "tests/tap.h"

#include "appliance/model/generate.h"
#include "tests/random.h"

enum { TEXTS = 40, SLOTS = 5, ROWS = 24, PLACES = 192, LONG = 150, MOST = 30 };

struct text {
	int32_t prompt[LONG], out[MOST];
	size_t first, last, gaps;	/* steps of its tokens */
};

struct world {
	struct text text[TEXTS];
	struct generate_row row[TEXTS];
	size_t steps, tokens;
};

/* turns_stopping - is asked once before each step */
static bool
turns_stopping(void *arg)
{
	((struct world *)arg)->steps++;
	return false;
}

static bool
turns_ends(void *arg, struct generate_row *r)
{
	struct world *w = arg;
	struct text *t = r->arg;

	w->tokens++;
	if (t->last == 0)
		t->first = w->steps;
	else if (w->steps != t->last + 1)
		t->gaps++;
	t->last = w->steps;
	return false;
}

static int
turns_done(void *arg, struct generate_row *r, struct err *e)
{
	(void)arg;
	(void)r;
	(void)e;
	return 0;
}

/* world_draw - short and long prompts, short and long answers; some begin
 * alike */
static void
world_draw(struct world *w)
{
	for (size_t i = 0; i < TEXTS; i++) {
		struct text *t = &w->text[i];
		size_t n = random_below(3) == 0 ? LONG - random_below(20) :
		    1 + random_below(12);

		for (size_t k = 0; k < n; k++)
			t->prompt[k] = (int32_t)(i % 4 == 0 ? k % 7 :
			    random_below(11));
		w->row[i] = (struct generate_row){ .prompt = t->prompt,
		    .n = n, .max = 1 + random_below(MOST), .out = t->out,
		    .arg = t };
	}
}

static void
test_turns(struct predict *p, const struct model *m, struct arena *a,
    bool apart)
{
	struct world *w = arena_alloc(a, sizeof(*w)), *one;
	struct generate_row *row[TEXTS];
	struct generate_calls calls = { .ends = turns_ends,
	    .done = turns_done, .stopping = turns_stopping, .arg = w,
	    .apart = apart };
	size_t gaps = 0, other = 0, read = 0, most = 0;
	struct err e;

	world_draw(w);
	one = arena_copy(a, w, sizeof(*w));
	for (size_t i = 0; i < TEXTS; i++)
		row[i] = &w->row[i];
	tap(generate_run(p, m, row, TEXTS, &calls, &e) == 0, "texts go on");
	for (size_t i = 0; i < TEXTS; i++) {
		gaps += w->text[i].gaps;
		read += w->row[i].n - w->row[i].shared + w->row[i].nout;
		most += w->row[i].nout;
	}
	tap(most > TEXTS && gaps == 0, "%zu tokens in %zu steps: no answer "
	    "waits for a prompt", w->tokens, w->steps);
	/* what the steps must at least be, twice: seats are empty at the end */
	tap(w->steps < 2 * (read / ROWS + most / SLOTS), "and few steps are "
	    "not full: %zu rows", read);
	calls.arg = one;
	for (size_t i = 0; i < TEXTS; i++) {
		one->row[i].out = one->text[i].out;
		one->row[i].prompt = one->text[i].prompt;
		one->row[i].arg = &one->text[i];
		row[0] = &one->row[i];
		other += generate_run(p, m, row, 1, &calls, &e) == -1 ||
		    one->row[i].nout != w->row[i].nout ||
		    memcmp(one->row[i].out, w->row[i].out, w->row[i].nout *
		    sizeof(int32_t)) != 0;
	}
	tap(other == 0, "each alone has the same answer");
}

int
main(void)
{
	struct arena *a = arena_new();
	struct tokenizer words = { .end = -1, .bos = -1 };
	struct model m = { .tokenizer = &words };
	struct shape s = { .V = 11, .T = PLACES, .C = 8, .L = 2, .H = 4,
	    .D = 2, .G = 2, .F = 10, .eps = 1e-5, .tied = true, .bos = -1 };
	struct device *d;
	struct predict *p;
	struct err e;

	shape_family(&s, FAMILY_LLAMA);
	weights_layout(a, &s, &m.w);
	m.run = arena_array(a, m.w.all, sizeof(*m.run));
	weights_init(&m.w, 1, m.run);
	d = device_open(a, "cpu", 2, &e);
	p = d == NULL ? NULL : predict_open(a, d, &m.w, m.run, SLOTS, PLACES,
	    ROWS, SLOTS, &e);
	tap(p != NULL, "a small model is there");
	if (p != NULL) {
		test_turns(p, &m, a, true);
		test_turns(p, &m, a, false);
	}
	arena_free(a);
	return tap_done();
}
