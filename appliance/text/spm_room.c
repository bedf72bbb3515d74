/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#define KEEP_MAX	((size_t)16 << 20)	/* bytes, without the cache */
#define BITS_FIRST	8u	/* of sets */
#define BITS_MAX	15u	/* 4 MiB */

/* cache_new - an empty one, of 2^bits sets */
static void
cache_new(struct spm_room *r, unsigned bits)
{
	size_t size = sizeof(*r->cache) << (bits + 1);

	mem_free(r->cache);
	r->cache = mem_alloc(size);
	memset(r->cache, 0, size);
	r->shift = 64 - bits;
	r->made = 0;
}

void
spm_room_put(struct spm_room *r, struct spm_entry *set,
    const struct spm_entry *x)
{
	unsigned bits = 64 - r->shift;

	set[1] = set[0];
	set[0] = *x;
	/* short runs need not clear all of it, which long ones fill */
	if (++r->made >> bits > 0 && bits < BITS_MAX)
		cache_new(r, bits + 1);
}

struct spm_room *
spm_room_take(struct spm *s)
{
	struct spm_room *r;

	for (unsigned i = 0; i < SPM_ROOMS; i++) {
		r = atomic_exchange(&s->room[i], NULL);
		if (r != NULL)
			return r;
	}
	r = mem_alloc(sizeof(*r));
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, UINT32_MAX - 1);
	cache_new(r, BITS_FIRST);
	return r;
}

void
spm_room_free(struct spm_room *r)
{
	if (r == NULL)
		return;
	buf_free(&r->text);
	mem_free(r->id);
	mem_free(r->cache);
	mem_free(r->work);
	mem_free(r);
}

void
spm_room_give(struct spm *s, struct spm_room *r)
{
	struct spm_room *none;

	if (r->text.cap + r->work_size + r->cap * sizeof(*r->id) > KEEP_MAX) {
		buf_free(&r->text);
		mem_free(r->id);
		mem_free(r->work);
		buf_init(&r->text, UINT32_MAX - 1);
		r->id = NULL;
		r->work = NULL;
		r->cap = r->work_size = 0;
	}
	for (unsigned i = 0; i < SPM_ROOMS; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&s->room[i], &none, r))
			return;
	}
	spm_room_free(r);
}

void *
spm_room_work(struct spm_room *r, size_t size)
{
	if (size > r->work_size) {
		mem_free(r->work);
		r->work_size = size + size / 2;
		r->work = mem_alloc(r->work_size);
	}
	return r->work;
}
