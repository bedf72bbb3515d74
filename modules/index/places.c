/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/index/places.h"

static const unsigned char none[16];

void
places_open(struct places *p, const struct hash_key *key)
{
	*p = (struct places){ .key = key };
}

void
places_close(void *arg)
{
	struct places *p = arg;

	mem_free(p->v);
	p->v = NULL;
}

/* slot_of - where a key is, or would be */
static struct place *
slot_of(struct places *p, const unsigned char id[16])
{
	uint64_t h;
	size_t i;

	memcpy(&h, id, sizeof(h));
	for (i = h & p->mask; memcmp(p->v[i].id, none, 16) != 0 &&
	    memcmp(p->v[i].id, id, 16) != 0; i = (i + 1) & p->mask)
		;
	return &p->v[i];
}

static void
places_grow(struct places *p)
{
	struct place *old = p->v;
	size_t was = old == NULL ? 0 : p->mask + 1;
	size_t size = was == 0 ? 1024 : was * 2;

	p->v = mem_alloc(size * sizeof(*p->v));
	memset(p->v, 0, size * sizeof(*p->v));
	p->mask = size - 1;
	for (size_t i = 0; i < size; i++)
		p->v[i].seg = UINT32_MAX;
	for (size_t i = 0; i < was; i++)
		if (memcmp(old[i].id, none, 16) != 0)
			*slot_of(p, old[i].id) = old[i];
	mem_free(old);
}

struct place *
places_get(struct places *p, struct view id)
{
	struct hash h = hash_of(p->key, id.p, id.n);
	struct place *one;

	if (p->v == NULL || p->n * 2 > p->mask)
		places_grow(p);
	one = slot_of(p, h.b);
	if (memcmp(one->id, none, 16) == 0) {
		memcpy(one->id, h.b, 16);
		one->seg = UINT32_MAX;
		p->n++;
	}
	return one;
}
