/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/learn_count_own.h"

#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define BLOCK		((size_t)1 << 14)
#define SLOTS		((size_t)1 << 10)

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

/* count_close - the arena's closer */
static void
count_close(void *arg)
{
	struct learn_count *c = arg;
	struct block *b;

	while ((b = c->block) != NULL) {
		c->block = b->next;
		mem_free(b);
	}
	mem_free(c->slot);
	mem_free(c->run);
	mem_free(c->sorted);
	c->slot = NULL;
	c->run = NULL;
	c->sorted = NULL;
}

void
learn_count_drop(struct learn_count *c)
{
	count_close(c);
	c->n = 0;
}

int
learn_count_file(const struct learn_count *c, int64_t *end)
{
	*end = c->end;
	return c->file;
}

struct learn_count *
learn_count_new(struct arena *a, size_t memory, int file)
{
	struct learn_count *c = arena_alloc(a, sizeof(*c));

	c->memory = memory;
	c->file = file;
	c->mask = SLOTS - 1;
	c->slot = mem_table(SLOTS * sizeof(*c->slot));
	arena_defer(a, count_close, c);
	return c;
}

size_t
learn_count_runs(const struct learn_count *c)
{
	return c->nruns;
}

/* count_keep - a word's bytes, for as long as the table has them */
static const char *
count_keep(struct learn_count *c, struct view v)
{
	struct block *b = c->block;
	size_t size;

	if (b == NULL || b->size - b->used < v.n) {
		size = v.n > BLOCK ? v.n : BLOCK;
		b = mem_alloc(sizeof(*b) + size);
		b->size = size;
		b->next = c->block;
		c->block = b;
		c->bytes += size;
	}
	memcpy(b->bytes + b->used, v.p, v.n);
	b->used += v.n;
	return b->bytes + b->used - v.n;
}

/* slot_hash - of a short word's key */
static uint64_t
slot_hash(const struct slot *s)
{
	uint64_t h = s->key[0] * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32 ^ s->key[1]) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

/* count_grow - twice as many slots */
static void
count_grow(struct learn_count *c)
{
	struct slot *old = c->slot;
	size_t size = c->mask + 1, i;
	struct view w;

	c->mask = size * 2 - 1;
	c->slot = mem_table(size * 2 * sizeof(*c->slot));
	for (size_t k = 0; k < size; k++) {
		if (old[k].count == 0)
			continue;
		w = slot_word(&old[k]);
		i = (w.n <= SHORT ? slot_hash(&old[k]) :
		    XXH3_64bits(w.p, w.n)) & c->mask;
		while (c->slot[i].count != 0)
			i = (i + 1) & c->mask;
		c->slot[i] = old[k];
	}
	mem_free(old);
}

/* sorted_cmp - by bytes; words of one table are never the same */
static int
sorted_cmp(const void *va, const void *vb)
{
	const struct sorted *a = va, *b = vb;

	if (a->front != b->front)
		return a->front < b->front ? -1 : 1;
	return view_cmp(slot_word(a->slot), slot_word(b->slot));
}

void
learn_count_sort(struct learn_count *c)
{
	size_t k = 0;

	mem_free(c->sorted);
	c->sorted = mem_alloc((c->n + 1) * sizeof(*c->sorted));
	for (size_t i = 0; i <= c->mask; i++) {
		unsigned char front[8] = { 0 };
		struct view w = slot_word(&c->slot[i]);
		uint64_t x = 0;

		if (c->slot[i].count == 0)
			continue;
		memcpy(front, w.p, w.n < 8 ? w.n : 8);
		for (int b = 0; b < 8; b++)
			x = x << 8 | front[b];
		c->sorted[k++] = (struct sorted){ x, &c->slot[i] };
	}
	qsort(c->sorted, c->n, sizeof(*c->sorted), sorted_cmp);
}

/* count_put - what is in the buffer to the end of the file */
static int
count_put(struct learn_count *c, struct buf *b, struct err *e)
{
	if (lseek(c->file, c->end, SEEK_SET) == -1 ||
	    file_put(c->file, b->p, b->n) == -1)
		return err_errno(e, "cannot write a run of words");
	c->end += (off_t)b->n;
	b->n = 0;
	return 0;
}

/* count_spill - the table becomes a run in the file */
static int
count_spill(struct learn_count *c, struct err *e)
{
	struct buf b;
	off_t from = c->end;
	int rc = 0;

	learn_count_sort(c);
	buf_init(&b, (size_t)UINT32_MAX);
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		const struct slot *s = c->sorted[i].slot;
		struct view w = slot_word(s);
		uint32_t len = (uint32_t)w.n;

		buf_add(&b, &len, sizeof(len));
		buf_add(&b, &s->count, sizeof(s->count));
		buf_view(&b, w);
		if (b.n >= RUN_OUT)
			rc = count_put(c, &b, e);
	}
	if (rc == 0)
		rc = count_put(c, &b, e);
	buf_free(&b);
	if (rc == -1)
		return -1;
	if ((c->nruns & (c->nruns + 1)) == 0)
		c->run = mem_grow(c->run, (c->nruns * 2 + 1) *
		    sizeof(*c->run));
	c->run[c->nruns++] = (struct run){ from, c->end };
	for (struct block *k; (k = c->block) != NULL; ) {
		c->block = k->next;
		mem_free(k);
	}
	mem_free(c->slot);
	c->bytes = c->n = 0;
	c->mask = SLOTS - 1;
	c->slot = mem_table(SLOTS * sizeof(*c->slot));
	return 0;
}

/* count_new - a word that is not there yet, in a free slot */
static int
count_new(struct learn_count *c, struct slot *s, const struct wait *w,
    struct err *e)
{
	*s = w->word;
	if (s->out.mark == LONG)
		s->out.p = count_keep(c, (struct view){ w->p, s->out.n });
	s->count = 1;
	c->n++;
	if (c->n * 2 <= c->mask)
		return c->bytes + (c->mask + 1) * sizeof(*s) + c->n *
		    sizeof(*c->sorted) <= c->memory ? 0 : count_spill(c, e);
	/* the old slots are there until the new ones are filled */
	if (c->bytes + (c->mask + 1) * 3 * sizeof(*s) > c->memory)
		return count_spill(c, e);
	count_grow(c);
	return 0;
}

/* slot_is - is this word the slot's */
static inline bool
slot_is(const struct slot *s, const struct wait *w)
{
	if (s->key[1] != w->word.key[1])
		return false;
	if (s->out.mark != LONG)
		return s->key[0] == w->word.key[0];
	return memcmp(s->out.p, w->p, s->out.n) == 0;
}

int
learn_count_flush(struct learn_count *c, struct err *e)
{
	size_t n = c->nwait;

	c->nwait = 0;
	for (const struct wait *w = c->wait; w < c->wait + n; w++) {
		size_t i = w->hash & c->mask;

		while (c->slot[i].count != 0 && !slot_is(&c->slot[i], w))
			i = (i + 1) & c->mask;
		if (c->slot[i].count != 0)
			c->slot[i].count++;
		else if (count_new(c, &c->slot[i], w, e) == -1)
			return -1;
	}
	return 0;
}

/* wait_short - the key of a short word, whose bytes end before `end` */
static void
wait_short(struct wait *w, struct view v, const char *end)
{
	static const unsigned char keep[2 * SHORT + 1] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint64_t mask[2];

	w->word = (struct slot){ .in = { 0 } };
	if (end - v.p > SHORT) {	/* all at once, then the excess goes */
		memcpy(mask, keep + SHORT - v.n, SHORT + 1);
		memcpy(w->word.in, v.p, SHORT + 1);
		w->word.key[0] &= mask[0];
		w->word.key[1] &= mask[1];
	} else
		memcpy(w->word.in, v.p, v.n);
	w->word.in[SHORT] = (char)v.n;
	w->hash = slot_hash(&w->word);
}

int
learn_count_add(struct learn_count *c, struct view v, const char *end,
    struct err *e)
{
	struct wait *w = &c->wait[c->nwait++];

	if (v.n <= SHORT)
		wait_short(w, v, end);
	else {
		w->hash = XXH3_64bits(v.p, v.n);
		w->word = (struct slot){ .out = { NULL, (uint32_t)v.n,
		    (uint16_t)(w->hash >> 48), 0, LONG } };
		w->p = v.p;
	}
	__builtin_prefetch(&c->slot[w->hash & c->mask], 1);
	return c->nwait < WAIT ? 0 : learn_count_flush(c, e);
}
