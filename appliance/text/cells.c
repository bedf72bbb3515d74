/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/cells_take.h"

#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LINES	((size_t)1 << 16)	/* of two cells, at most */
#define LEAST	((size_t)64)
#define HUGE	((size_t)2 << 20)	/* bytes of a large page */

#define POOL_LINE	16u		/* words of the pool for a line */
#define TAKEN		0x1000u		/* ids in the pool, fewer than these */

const uint64_t cell_mask[CELL_SHORT + 1][2] = {
#define LOW(n)	{ ((uint64_t)1 << (n) * 8) - 1, 0 }
#define HIGH(n)	{ ~(uint64_t)0, ((uint64_t)1 << (n) * 8) - 1 }
	LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7),
	HIGH(0), HIGH(1), HIGH(2), HIGH(3), HIGH(4), HIGH(5), HIGH(6), HIGH(7)
};

/* cells_init - lines that are lines of the cache too, in large pages where they
 * fill one; the pool lies behind them */
void
cells_init(struct cells *s, size_t pieces)
{
	size_t lines = LEAST, n, align;

	while (lines < LINES && lines < pieces)
		lines *= 2;
	s->size = POOL_LINE * (uint32_t)lines;
	n = lines * (2 * sizeof(*s->cell) + POOL_LINE * sizeof(*s->pool) +
	    sizeof(*s->place));
	align = n < HUGE ? 64 : HUGE;
	s->room = mem_alloc(n + align);
	s->cell = (void *)(((uintptr_t)s->room + align - 1) &
	    ~(uintptr_t)(align - 1));
	s->shift = (unsigned)__builtin_clzll(lines) + 1;
	s->place = (uint64_t *)(s->cell + 2 * lines);
	s->pool = (uint32_t *)(s->place + lines);
	s->place_mask = lines - CELL_WAYS;
	s->head = s->size + 1;
	if (align == HUGE)
		(void)madvise(s->cell, n, MADV_HUGEPAGE);
}

void
cells_free(struct cells *s)
{
	mem_free(s->room);
}

struct cell_key
cell_key_near(const char *p, size_t n, const char *end)
{
	struct cell_key k = { { 0, 0 } };

	if (end - p >= (ptrdiff_t)sizeof(k))
		return cell_key(p, n);
	memcpy(&k, p, n);
	k.k[1] |= (uint64_t)n << 56;
	return k;
}

/* line_beside - the other one of two that lie together */
static struct cell *
line_beside(const struct cells *s, const struct cell *line)
{
	return s->cell + ((size_t)(line - s->cell) ^ 2);
}

size_t
cell_beside(const struct cells *s, const struct cell *line, struct cell_key k,
    uint32_t *out)
{
	return cell_take(line_beside(s, line), k, out);
}

void
cell_keep(struct cells *s, struct cell *line, struct cell_key k,
    const uint32_t *id, size_t ids)
{
	struct cell *c = line, *beside = line_beside(s, line);

	if (c->key[1] != 0)
		c = line + 1;
	if (c->key[1] != 0)
		c = beside + 1;
	if (c->key[1] != 0)
		c = beside;
	if (c->key[1] != 0) {
		line[1] = line[0];
		c = line;
	}
	c->id[0] = 0;
	memcpy(c->key, &k, sizeof(c->key));
	memcpy(c->id, id, ids * sizeof(*c->id));
	c->id[0] |= (uint32_t)(ids + 1) << 24;
}

uint64_t
cells_hash(const char *p, size_t n)
{
	return XXH3_64bits(p, n) | (uint64_t)1 << 32;
}

/*
 * In the pool a piece is a word with its mark, bytes and ids, then its bytes,
 * filled up to a whole word, then its ids.  Places are counted on when the pool
 * begins anew: what is further back than its size has been written over.
 */

/* pool_head - that word */
static inline uint32_t
pool_head(size_t n, bool mark, size_t ids)
{
	return (uint32_t)(mark ? 1u << 31 : 0) | (uint32_t)n << 12 |
	    (uint32_t)ids;
}

const uint32_t *
cells_find(const struct cells *s, uint64_t hash, const char *p, size_t n,
    bool mark, size_t *ids)
{
	const uint64_t *set = cells_set(s, hash);
	const uint32_t *w;

	for (unsigned i = 0; i < CELL_WAYS; i++) {
		if ((set[i] ^ hash) >> 32 != 0 ||
		    s->head - (uint32_t)set[i] > s->size)
			continue;
		w = &s->pool[(uint32_t)set[i] & (s->size - 1)];
		*ids = w[0] & (TAKEN - 1);
		if (w[0] == pool_head(n, mark, *ids) &&
		    memcmp(w + 1, p, n) == 0)
			return w + 1 + (n + 3) / 4;
	}
	return NULL;
}

void
cells_put(struct cells *s, uint64_t hash, const char *p, size_t n, bool mark,
    const uint32_t *id, size_t ids)
{
	uint32_t bytes = (uint32_t)(n + 3) / 4, at;
	uint32_t all = 1 + bytes + (uint32_t)ids;
	uint64_t *set = cells_set(s, hash);

	if (ids >= TAKEN || all > s->size / 4)
		return;
	at = s->head & (s->size - 1);
	if (at + all > s->size)
		s->head += s->size - at;
	if (s->head > UINT32_MAX - s->size) {
		memset(s->place, 0, (s->place_mask + CELL_WAYS) *
		    sizeof(*s->place));
		s->head = 2 * s->size;
	}
	at = s->head & (s->size - 1);
	s->pool[at] = pool_head(n, mark, ids);
	memcpy(s->pool + at + 1, p, n);
	memcpy(s->pool + at + 1 + bytes, id, ids * sizeof(*id));
	memmove(set + 1, set, (CELL_WAYS - 1) * sizeof(*set));
	set[0] = (hash >> 32 << 32) | s->head;
	s->head += all;
}
