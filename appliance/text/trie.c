/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/trie.h"

#include <stdlib.h>

#define BLOCK	256u
#define OPEN	16u		/* the last blocks that are searched for room */

size_t
trie_longest(const struct trie *t, const char *p, size_t n, unsigned most,
    uint32_t *value)
{
	uint32_t place = 0;
	size_t len = 0;

	if (t->n == 0)
		return 0;
	for (size_t i = 0; i < n && most > 0; i++) {
		if (!trie_step(t, &place, (unsigned char)p[i]))
			break;
		if (trie_value(t, place, value)) {
			len = i + 1;
			most--;
		}
	}
	return len;
}

/*
 * Making one.  A node's children stand at base ^ label, and bases are distinct:
 * a label alone then says whose child a unit is.  Nodes are placed in depth
 * first order.
 */
struct make {
	const struct view *key;
	const uint32_t *value;
	const uint32_t *order;
	uint32_t *unit;
	uint8_t *taken, *based;		/* a unit, a base is in use */
	uint32_t n;			/* units: a multiple of BLOCK */
	uint32_t free[OPEN];		/* free units in each open block */
};

static int
order_cmp(const void *va, const void *vb, void *arg)
{
	const struct view *key = arg;

	return view_cmp(key[*(const uint32_t *)va],
	    key[*(const uint32_t *)vb]);
}

/* make_block - one more block of free units */
static void
make_block(struct make *m)
{
	uint32_t n = m->n + BLOCK;

	m->unit = mem_grow(m->unit, n * sizeof(*m->unit));
	m->taken = mem_grow(m->taken, n);
	m->based = mem_grow(m->based, n);
	memset(m->unit + m->n, 0, BLOCK * sizeof(*m->unit));
	memset(m->taken + m->n, 0, BLOCK);
	memset(m->based + m->n, 0, BLOCK);
	m->free[m->n / BLOCK % OPEN] = BLOCK;
	m->n = n;
}

static void
make_take(struct make *m, uint32_t at)
{
	m->taken[at] = 1;
	m->free[at / BLOCK % OPEN]--;
}

/* base_fits - may a node at a place have this base for these labels */
static bool
base_fits(const struct make *m, uint32_t place, uint32_t base,
    const unsigned char *label, unsigned n)
{
	uint32_t off = place ^ base;

	if (m->based[base] || ((off & 0xff) != 0 && off >> 21 != 0))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (m->taken[base ^ label[i]])
			return false;
	return true;
}

/* base_find - a base in the open blocks or in a new one */
static uint32_t
base_find(struct make *m, uint32_t place, const unsigned char *label,
    unsigned n)
{
	uint32_t low = m->n > OPEN * BLOCK ? m->n - OPEN * BLOCK : 0;

	for (; low < m->n; low += BLOCK) {
		if (m->free[low / BLOCK % OPEN] < n)
			continue;
		for (uint32_t i = 0; i < BLOCK; i++)
			if (!m->taken[low + i] && base_fits(m, place,
			    (low + i) ^ label[0], label, n))
				return (low + i) ^ label[0];
	}
	make_block(m);
	/* far from its place only a base whose low bits are the place's can be
	 * written */
	return low | (place & 0xff);
}

/* make_children - of the node at a place: the keys low to high (sorted) agree
 * in their first `depth` bytes. Children's places go to `child` */
static unsigned
make_children(struct make *m, uint32_t place, uint32_t low, uint32_t high,
    size_t depth, uint32_t *from, uint32_t *child)
{
	unsigned char label[BLOCK];
	unsigned n = 0;
	uint32_t base, off;

	for (uint32_t i = low; i < high; i++) {
		const struct view *k = &m->key[m->order[i]];
		unsigned char c = depth < k->n ?
		    (unsigned char)k->p[depth] : 0;

		if (n == 0 || label[n - 1] != c) {
			from[n] = i;
			label[n++] = c;
		}
	}
	from[n] = high;
	base = base_find(m, place, label, n);
	off = place ^ base;
	m->based[base] = 1;
	m->unit[place] |= off < (uint32_t)1 << 21 ? off << 10 :
	    off << 2 | 0x200;
	for (unsigned i = 0; i < n; i++) {
		child[i] = base ^ label[i];
		make_take(m, child[i]);
		m->unit[child[i]] = label[i];
		if (label[i] == 0) {
			m->unit[child[i]] = 0x80000000 |
			    m->value[m->order[low]];
			m->unit[place] |= 0x100;
		}
	}
	return n;
}

/* a node that is to get its children */
struct todo {
	uint32_t place, low, high;
	size_t depth;
};

static void
make_all(struct make *m, uint32_t nkeys)
{
	uint32_t from[BLOCK + 1], child[BLOCK];
	struct todo *stack = mem_alloc(sizeof(*stack)), t;
	size_t n = 1, cap = 1;
	unsigned count;

	stack[0] = (struct todo){ 0, 0, nkeys, 0 };
	while (n > 0) {
		t = stack[--n];
		count = make_children(m, t.place, t.low, t.high, t.depth,
		    from, child);
		if (cap < n + count) {
			cap = 2 * (n + count);
			stack = mem_grow(stack, cap * sizeof(*stack));
		}
		for (unsigned i = count; i-- > 0;)
			if ((m->unit[child[i]] & 0x80000000) == 0)
				stack[n++] = (struct todo){ child[i], from[i],
				    from[i + 1], t.depth + 1 };
	}
	mem_free(stack);
}

/* make_rest - a unit without a node leads back to a base that no node has, so
 * that no byte finds it */
static void
make_rest(struct make *m)
{
	for (uint32_t low = 0; low < m->n; low += BLOCK) {
		uint32_t base = low;

		while (base < low + BLOCK && m->based[base])
			base++;
		for (uint32_t i = low; i < low + BLOCK; i++)
			if (!m->taken[i])
				m->unit[i] = base < low + BLOCK ?
				    (i ^ base) & 0xff : 0x80000000;
	}
}

int
trie_make(struct arena *a, const struct view *key, const uint32_t *value,
    size_t n, struct trie *t, struct err *e)
{
	struct make m = { .key = key, .value = value };
	uint32_t *order = arena_array(a, n + 1, sizeof(*order));
	int rc = 0;

	*t = (struct trie){ NULL, 0 };
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (key[i].n == 0 || memchr(key[i].p, '\0', key[i].n) != NULL)
			return err_set(e, FATE_REJECT, "a key is empty or "
			    "holds a NUL");
		order[i] = (uint32_t)i;
	}
	qsort_r(order, n, sizeof(*order), order_cmp, (void *)(uintptr_t)key);
	m.order = order;
	make_block(&m);
	make_take(&m, 0);
	m.based[0] = 1;
	make_all(&m, (uint32_t)n);
	make_rest(&m);
	if (m.n > (uint32_t)1 << 29)
		rc = err_set(e, FATE_REJECT, "too many keys for a trie");
	else
		*t = (struct trie){ arena_copy(a, m.unit,
		    m.n * sizeof(*m.unit)), m.n };
	mem_free(m.unit);
	mem_free(m.taken);
	mem_free(m.based);
	return rc;
}
