/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread remembers of pieces: what is found is what was kept, whatever
 * went in between, and what has not been crowded out is found */
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/text/cells_take.h"

#define PIECES	3000u
#define BYTES	300u

struct piece {
	char text[BYTES + 16];
	size_t n, ids;
	bool mark;
	uint32_t id[BYTES];
};

/* piece_make - number i; with every other one the bytes but not the mark of the
 * one before */
static void
piece_make(struct piece *x, unsigned i, const struct piece *before, bool few)
{
	*x = (struct piece){ .mark = i % 2 != 0 };
	if (i % 2 != 0) {
		x->n = before->n;
		memcpy(x->text, before->text, x->n);
	} else {
		x->n = (few ? 4 : 5) + random_below(few ? CELL_SHORT - 3 :
		    BYTES - 4);
		memcpy(x->text, &i, sizeof(i));
		for (size_t k = 4; k < x->n; k++)
			x->text[k] = (char)('a' + random_below(26));
	}
	x->ids = few ? random_below(CELL_IDS + 1) : random_below(
	    (uint32_t)x->n);
	for (size_t k = 0; k < x->ids; k++)
		x->id[k] = random_below(1u << 24);
}

/* short_get - how many ids a piece has in cells, -1; -2 if they are wrong */
static int
short_get(const struct cells *s, const struct piece *x, struct cell_key k)
{
	uint32_t out[CELL_IDS];
	size_t n = cell_take(cell_line(s, k), k, out);

	if (n == 0)
		n = cell_beside(s, cell_line(s, k), k, out);
	return n == 0 ? -1 : n - 1 == x->ids && memcmp(out, x->id,
	    x->ids * sizeof(*out)) == 0 ? (int)x->ids : -2;
}

static struct cell_key
short_key(const struct piece *x)
{
	struct cell_key k = cell_key(x->text, x->n);

	k.k[1] |= (uint64_t)(x->mark ? CELL_MARK : 0) << 56;
	return k;
}

/* short_test - lines for so many pieces; all of those that fit stay */
static void
short_test(struct piece *x, size_t lines, size_t want)
{
	size_t wrong = 0, lost = 0, found = 0;
	struct cells s;

	cells_init(&s, lines);
	for (unsigned i = 0; i < PIECES; i++) {
		struct cell_key k;

		piece_make(&x[i], i, &x[i - 1], true);
		k = short_key(&x[i]);
		wrong += short_get(&s, &x[i], k) != -1;
		cell_keep(&s, cell_line(&s, k), k, x[i].id, x[i].ids);
		lost += short_get(&s, &x[i], k) != (int)x[i].ids;
	}
	for (unsigned i = 0; i < PIECES; i++) {
		int r = short_get(&s, &x[i], short_key(&x[i]));

		wrong += r == -2;
		found += r >= 0;
	}
	tap(wrong == 0 && lost == 0, "short pieces in %zu lines are found as "
	    "they were kept", lines);
	tap(found >= want, "%zu of them in the end", found);
	cells_free(&s);
}

/* long_get - as short_get */
static int
long_get(const struct cells *s, const struct piece *x)
{
	size_t n;
	const uint32_t *id = cells_find(s, cells_hash(x->text, x->n), x->text,
	    x->n, x->mark, &n);

	return id == NULL ? -1 : n == x->ids && memcmp(id, x->id,
	    n * sizeof(*id)) == 0 ? (int)n : -2;
}

/* long_test - the pool is gone round many times; head: where it begins */
static void
long_test(struct piece *x, size_t lines, uint32_t head)
{
	size_t wrong = 0, lost = 0, found = 0, words = 0, last = PIECES;
	struct cells s;

	cells_init(&s, lines);
	s.head = head == 0 ? s.head : head;
	for (unsigned i = 0; i < PIECES; i++) {
		piece_make(&x[i], i, &x[i - 1], false);
		wrong += long_get(&s, &x[i]) != -1;
		cells_put(&s, cells_hash(x[i].text, x[i].n), x[i].text, x[i].n,
		    x[i].mark, x[i].id, x[i].ids);
		lost += long_get(&s, &x[i]) != (int)x[i].ids && 1 + x[i].n / 4 +
		    x[i].ids < s.size / 4;
	}
	/* the last ones, as far as half of the pool holds */
	while (last > 0 && words < s.size / 2) {
		last--;
		words += 2 + x[last].n / 4 + x[last].ids;
	}
	for (unsigned i = 0; i < PIECES; i++) {
		int r = long_get(&s, &x[i]);

		wrong += r == -2;
		found += i >= last && r >= 0;
	}
	tap(wrong == 0 && lost == 0, "longer pieces in %u words from %u on are "
	    "found as they were kept", s.size, head);
	tap(found * 10 >= (PIECES - last) * 9, "%zu of the last %zu in the end",
	    found, PIECES - last);
	cells_free(&s);
}

int
main(void)
{
	struct arena *a = arena_new();
	struct piece *x = arena_alloc(a, (PIECES + 1) * sizeof(*x));

	short_test(x + 1, PIECES * 4, PIECES);
	short_test(x + 1, PIECES / 2, PIECES * 9 / 10);
	short_test(x + 1, 64, 128);
	long_test(x + 1, 1024, 0);
	long_test(x + 1, 1024, UINT32_MAX - 200000);
	long_test(x + 1, SIZE_MAX, 0);
	arena_free(a);
	return tap_done();
}
