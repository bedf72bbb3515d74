/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/near.h"
#include "appliance/text/words.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define BANDS		14
#define ROWS		8
#define SHINGLE		5		/* words */

struct near_head {
	uint32_t n, id, label, zero;
};

struct near_entry {
	uint64_t key;			/* band number and hash; 0 is free */
	int64_t place;
};

struct near {
	int fd;
	int64_t len;
	struct near_entry *table;
	size_t size, used;
};

/* near_close - the arena's closer */
static void
near_close(void *arg)
{
	struct near *x = arg;

	mem_free(x->table);
}

/* table_put - another text with this band key; several share a key */
static void
table_put(struct near_entry *t, size_t size, struct near_entry e)
{
	size_t i = e.key & (size - 1);

	while (t[i].key != 0)
		i = (i + 1) & (size - 1);
	t[i] = e;
}

/* near_grow - keep the table at most half full */
static void
near_grow(struct near *x)
{
	struct near_entry *old = x->table;
	size_t size = x->size;

	if (x->used + BANDS < size / 2)
		return;
	x->size = size == 0 ? 1024 : size * 2;
	x->table = mem_alloc(x->size * sizeof(*x->table));
	for (size_t i = 0; i < size; i++)
		if (old[i].key != 0)
			table_put(x->table, x->size, old[i]);
	mem_free(old);
}

/* near_index - all bands of a text at a place */
static void
near_index(struct near *x, const struct near_text *t, int64_t place)
{
	near_grow(x);
	for (int b = 0; b < BANDS; b++)
		table_put(x->table, x->size,
		    (struct near_entry){ t->band[b], place });
	x->used += BANDS;
}

/* near_bands - MinHash: for each of 112 hash functions the least value over all
 * shingles, eight of them to a band's key.  The functions are multiply-add on
 * 32 bits with constants drawn from a fixed seed. */
static void
near_bands(struct near_text *t)
{
	uint32_t least[BANDS * ROWS], seed = 1;

	for (int i = 0; i < BANDS * ROWS; i++) {
		uint32_t a = seed = seed * 1664525u + 1013904223u, b, m;

		b = seed = seed * 1664525u + 1013904223u;
		a |= 1;
		m = UINT32_MAX;
		for (uint32_t k = 0; k < t->n; k++) {
			uint32_t h = a * t->shingle[k] + b;

			h ^= h >> 15;
			h *= 0x2c1b3c6du;
			m = h < m ? h : m;
		}
		least[i] = m;
	}
	for (int b = 0; b < BANDS; b++)
		t->band[b] = XXH3_64bits_withSeed(least + b * ROWS,
		    ROWS * sizeof(*least), (uint64_t)b) | 1;
}

static int
u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
near_text(struct arena *a, struct view text, struct near_text *t)
{
	struct view v = text_shingle(a, text);
	struct spans w;
	uint32_t n = 0;
	size_t k;

	text_words(a, v, &w);
	t->shingle = arena_array(a, w.n + 1, sizeof(*t->shingle));
	t->n = 0;
	/* a text of fewer words is one shingle */
	for (size_t i = 0; i == 0 || i + SHINGLE <= w.n; i++) {
		const char *from = w.n == 0 ? v.p : w.v[i].p, *end = from;

		if (w.n > 0) {
			k = i + SHINGLE <= w.n ? i + SHINGLE - 1 : w.n - 1;
			end = w.v[k].p + w.v[k].n;
		}
		t->shingle[t->n++] = (uint32_t)XXH3_64bits(from,
		    (size_t)(end - from));
	}
	qsort(t->shingle, t->n, sizeof(*t->shingle), u32_cmp);
	for (uint32_t i = 0; i < t->n; i++)
		if (n == 0 || t->shingle[n - 1] != t->shingle[i])
			t->shingle[n++] = t->shingle[i];
	t->n = n;
	near_bands(t);
}

/* near_load - a text at a place: its head, id and shingles in the arena */
static int
near_load(const struct near *x, struct arena *a, int64_t place,
    struct near_head *h, struct view *id, uint32_t **shingle, struct err *e)
{
	size_t n;
	char *p;

	if (place + (int64_t)sizeof(*h) > x->len ||
	    pread(x->fd, h, sizeof(*h), place) != (ssize_t)sizeof(*h))
		return err_set(e, FATE_RETRY, "cannot read the shingles");
	n = (size_t)h->id + (size_t)h->n * sizeof(**shingle);
	if (place + (int64_t)(sizeof(*h) + n) > x->len)
		return err_set(e, FATE_REJECT, "the file of shingles is "
		    "damaged");
	p = arena_alloc(a, n + 4);
	if (pread(x->fd, p, n, place + (int64_t)sizeof(*h)) != (ssize_t)n)
		return err_set(e, FATE_RETRY, "cannot read the shingles");
	*id = (struct view){ p, h->id };
	*shingle = arena_copy(a, p + h->id, (size_t)h->n * sizeof(**shingle));
	return 0;
}

struct near *
near_open(struct arena *a, int fd, struct err *e)
{
	struct near *x = arena_alloc(a, sizeof(*x));
	struct arena *scratch = arena_new();
	struct near_text t;
	struct near_head h;
	struct view id;
	struct stat st;
	int rc = 0;

	x->fd = fd;
	arena_defer(a, near_close, x);
	if (fstat(fd, &st) == -1)
		rc = err_errno(e, "cannot read the shingles");
	else
		x->len = st.st_size;
	for (int64_t at = 0; rc == 0 && at < x->len; ) {
		arena_reset(scratch);
		rc = near_load(x, scratch, at, &h, &id, &t.shingle, e);
		if (rc == -1)
			break;
		t.n = h.n;
		near_bands(&t);
		near_index(x, &t, at);
		at += (int64_t)(sizeof(h) + h.id +
		    (size_t)h.n * sizeof(*t.shingle));
	}
	arena_free(scratch);
	return rc == -1 ? NULL : x;
}

/* jaccard - of two sorted sets */
static double
jaccard(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
	size_t i = 0, k = 0, both = 0;

	while (i < n && k < m) {
		if (a[i] == b[k]) {
			both++;
			i++;
			k++;
		} else if (a[i] < b[k])
			i++;
		else
			k++;
	}
	return n + m == 0 ? 1 : (double)both / (double)(n + m - both);
}

int
near_find(struct near *x, struct arena *a, const struct near_text *t,
    double threshold, uint32_t label_not, struct view *id, double *similarity,
    struct err *e)
{
	int64_t best = -1, tried = -1;
	struct near_head h;
	struct view name;
	uint32_t *shingle;
	double j;

	for (int b = 0; b < BANDS && x->size > 0; b++) {
		size_t i = t->band[b] & (x->size - 1);

		for (; x->table[i].key != 0; i = (i + 1) & (x->size - 1)) {
			int64_t place = x->table[i].place;

			if (x->table[i].key != t->band[b] || place == tried ||
			    (best != -1 && place >= best))
				continue;
			tried = place;
			if (near_load(x, a, place, &h, &name, &shingle,
			    e) == -1)
				return -1;
			if (h.label == label_not)
				continue;
			j = jaccard(t->shingle, t->n, shingle, h.n);
			if (j < threshold)
				continue;
			best = place;
			*id = name;
			*similarity = j;
		}
	}
	return best != -1;
}

int
near_add(struct near *x, const struct near_text *t, struct view id,
    uint32_t label, struct err *e)
{
	struct near_head h = { t->n, (uint32_t)id.n, label, 0 };
	size_t n = sizeof(h) + id.n + t->n * sizeof(*t->shingle);
	char *p = mem_alloc(n);
	int rc = 0;

	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), id.p, id.n);
	memcpy(p + sizeof(h) + id.n, t->shingle, t->n * sizeof(*t->shingle));
	if (pwrite(x->fd, p, n, x->len) != (ssize_t)n)
		rc = err_errno(e, "cannot write the shingles");
	else {
		near_index(x, t, x->len);
		x->len += (int64_t)n;
	}
	mem_free(p);
	return rc;
}

int64_t
near_length(const struct near *x)
{
	return x->len;
}
