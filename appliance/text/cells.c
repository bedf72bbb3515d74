/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/cells_take.h"

#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LINES	((size_t)1 << 16)	/* of two cells, at most */
#define LEAST	((size_t)64)
#define HUGE	((size_t)2 << 20)	/* bytes of a large page */

const uint64_t cell_mask[CELL_SHORT + 1][2] = {
#define LOW(n)	{ ((uint64_t)1 << (n) * 8) - 1, 0 }
#define HIGH(n)	{ ~(uint64_t)0, ((uint64_t)1 << (n) * 8) - 1 }
	LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7),
	HIGH(0), HIGH(1), HIGH(2), HIGH(3), HIGH(4), HIGH(5), HIGH(6), HIGH(7)
};

/* cells_init - lines that are lines of the cache too, in large pages where they
 * fill one */
void
cells_init(struct cells *s, size_t pieces)
{
	size_t lines = LEAST, n, align;

	while (lines < LINES && lines < pieces)
		lines *= 2;
	n = lines * 2 * sizeof(*s->cell);
	align = n < HUGE ? 64 : HUGE;
	s->room = mem_alloc(n + align);
	s->cell = (void *)(((uintptr_t)s->room + align - 1) &
	    ~(uintptr_t)(align - 1));
	s->shift = (unsigned)__builtin_clzll(lines) + 1;
	if (align == HUGE)
		(void)madvise(s->cell, n, MADV_HUGEPAGE);
	s->wide_mask = lines / 4 - 2;
	s->wide = mem_alloc(lines / 4 * sizeof(*s->wide));
}

void
cells_free(struct cells *s)
{
	mem_free(s->room);
	mem_free(s->wide);
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

void
cell_keep(struct cell *c, struct cell_key k, const uint32_t *id, size_t ids)
{
	c[1] = c[0];
	c->id[0] = 0;
	memcpy(c->key, &k, sizeof(c->key));
	memcpy(c->id, id, ids * sizeof(*c->id));
	c->id[0] |= (uint32_t)(ids + 1) << 24;
}

struct cell_long *
cells_long(const struct cells *s, const char *p, size_t n, bool mark,
    bool *known)
{
	uint64_t hash = XXH3_64bits(p, n);
	struct cell_long *set = &s->wide[hash & s->wide_mask], *c;

	c = set + (set->hash != hash);
	*known = c->used && c->hash == hash && c->n == n && c->mark == mark &&
	    memcmp(c->text, p, n) == 0;
	return *known ? c : set;
}

bool
cells_long_keep(struct cell_long *c, const char *p, size_t n, bool mark,
    const uint32_t *id, size_t ids)
{
	if (ids > CELL_LONG_IDS)
		return false;
	c[1] = c[0];
	c->hash = XXH3_64bits(p, n);
	c->n = (uint8_t)n;
	c->ids = (uint8_t)ids;
	c->mark = mark;
	c->used = true;
	memcpy(c->text, p, n);
	memcpy(c->id, id, ids * sizeof(*id));
	return true;
}
