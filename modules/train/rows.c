/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sequence of a step consists of.  Wrapped, it is the next tokens of one
 * long row of all texts.  Otherwise it is whole texts side by side that do not
 * see one another: best-fit decreasing, the longest first, each to the sequence
 * with the least room that still holds it.  A text that is longer than a
 * sequence is split (bfd_split) or loses its end (bfd).
 */
#include "appliance/base/base.h"
#include "modules/train/rows.h"

#include <stdlib.h>

/* pieces_of - texts, or parts of them, of at most T predictions */
static size_t
pieces_of(const struct tokens *x, size_t T, bool split, struct span *out)
{
	size_t n = 0, end, m;

	for (size_t at = 0; at < x->n; at = end) {
		for (end = at + 1; end < x->n && !(x->v[end] & TOKEN_FIRST);
		    end++)
			continue;
		/* the last token predicts nothing */
		for (size_t i = at; i + 1 < end; i += m) {
			m = end - 1 - i < T ? end - 1 - i : T;
			if (out != NULL)
				out[n] = (struct span){ i, m };
			n++;
			if (!split)
				break;
		}
	}
	return n;
}

static int
by_length(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* bins under way: for each room that is left a chain of rows, and a bit for
 * each room that has one */
struct bins {
	size_t *head, *next, *room;
	uint64_t *some;
	size_t words;
};

static void
bin_put(struct bins *b, size_t row, size_t room)
{
	b->room[row] = room;
	b->next[row] = b->head[room];
	b->head[room] = row;
	b->some[room / 64] |= (uint64_t)1 << room % 64;
}

/* bin_take - a row with the least room that holds n; SIZE_MAX: none */
static size_t
bin_take(struct bins *b, size_t n)
{
	uint64_t mask = ~(uint64_t)0 << n % 64, bits;
	size_t room, row;

	for (size_t i = n / 64; i < b->words; i++, mask = ~(uint64_t)0) {
		bits = b->some[i] & mask;
		if (bits == 0)
			continue;
		room = i * 64 + (size_t)__builtin_ctzll(bits);
		row = b->head[room];
		b->head[room] = b->next[row];
		if (b->head[room] == SIZE_MAX)
			b->some[i] &= ~((uint64_t)1 << room % 64);
		return row;
	}
	return SIZE_MAX;
}

/* rows_fill - where[i] is the row of piece i; how many rows */
static size_t
rows_fill(struct arena *a, const struct span *v, size_t n, size_t T,
    bool alone, size_t *where)
{
	struct bins b = { .words = T / 64 + 1 };
	size_t rows = 0, row;

	b.head = arena_array(a, T + 1, sizeof(*b.head));
	b.next = arena_array(a, n + 1, sizeof(*b.next));
	b.room = arena_array(a, n + 1, sizeof(*b.room));
	b.some = arena_array(a, b.words, sizeof(*b.some));
	for (size_t i = 0; i <= T; i++)
		b.head[i] = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		row = alone ? SIZE_MAX : bin_take(&b, v[i].n);
		if (row == SIZE_MAX) {
			row = rows++;
			b.room[row] = T;
		}
		where[i] = row;
		bin_put(&b, row, b.room[row] - v[i].n);
	}
	return rows;
}

/* rows_sort - the pieces of each row side by side */
static void
rows_sort(struct arena *a, struct rows *r, const struct span *v, size_t n,
    const size_t *where)
{
	size_t *at;

	r->first = arena_array(a, r->n + 1, sizeof(*r->first));
	r->v = arena_array(a, n + 1, sizeof(*r->v));
	for (size_t i = 0; i < n; i++)
		r->first[where[i] + 1]++;
	for (size_t i = 0; i < r->n; i++)
		r->first[i + 1] += r->first[i];
	at = arena_array(a, r->n + 1, sizeof(*at));
	memcpy(at, r->first, r->n * sizeof(*at));
	for (size_t i = 0; i < n; i++)
		r->v[at[where[i]]++] = v[i];
}

void
rows_make(struct arena *a, const struct tokens *x, size_t T, int packing,
    struct rows *r)
{
	bool split = packing != PACKING_BFD;
	struct arena *own;
	struct span *v;
	size_t n, *where;

	*r = (struct rows){ .T = T, .x = x };
	if (packing == PACKING_WRAPPED) {
		r->n = x->n > T ? (x->n - 1) / T : 0;
		return;
	}
	own = arena_new();
	n = pieces_of(x, T, split, NULL);
	v = arena_array(own, n + 1, sizeof(*v));
	where = arena_array(own, n + 1, sizeof(*where));
	pieces_of(x, T, split, v);
	if (packing != PACKING_NONE)
		qsort(v, n, sizeof(*v), by_length);
	r->n = rows_fill(own, v, n, T, packing == PACKING_NONE, where);
	rows_sort(a, r, v, n, where);
	arena_free(own);
}

/* span_copy - a piece's inputs and targets at a place of the row */
static size_t
span_copy(const struct rows *r, struct span s, size_t at,
    const struct micro *m)
{
	size_t counted = 0;
	uint32_t next;

	for (size_t i = 0; i < s.n; i++) {
		next = r->x->v[s.at + i + 1];
		m->id[at + i] = (int32_t)(r->x->v[s.at + i] & TOKEN_ID);
		m->target[at + i] = next & TOKEN_QUIET ? -1 :
		    (int32_t)(next & TOKEN_ID);
		m->token[at + i] = next & TOKEN_QUIET ? -1 :
		    (int64_t)(s.at + i + 1);
		m->from[at + i] = r->first == NULL ? 0 : (int32_t)at;
		counted += m->target[at + i] >= 0;
	}
	return counted;
}

struct micro
micro_new(struct arena *a, size_t rows, size_t T)
{
	struct micro m = { .held = false };

	m.id = arena_array(a, rows * T, sizeof(*m.id));
	m.target = arena_array(a, rows * T, sizeof(*m.target));
	m.from = arena_array(a, rows * T, sizeof(*m.from));
	m.token = arena_array(a, rows * T, sizeof(*m.token));
	m.row = arena_array(a, rows, sizeof(*m.row));
	return m;
}

struct micro
micro_at(const struct micro *m, size_t rows, size_t T)
{
	struct micro at = *m;

	at.id += rows * T;
	at.target += rows * T;
	at.from += rows * T;
	at.token += rows * T;
	at.row += rows;
	return at;
}

size_t
rows_get(const struct rows *r, size_t row, const struct micro *m)
{
	size_t at = 0, counted = 0;

	m->row[0] = (int64_t)row;
	if (r->first == NULL)
		return span_copy(r, (struct span){ row * r->T, r->T }, 0, m);
	for (size_t i = r->first[row]; i < r->first[row + 1]; i++) {
		counted += span_copy(r, r->v[i], at, m);
		at += r->v[i].n;
	}
	for (; at < r->T; at++) {
		m->id[at] = 0;
		m->target[at] = -1;
		m->token[at] = -1;
		m->from[at] = (int32_t)at;
	}
	return counted;
}
