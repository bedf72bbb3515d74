/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#define KEEP_MAX	((size_t)16 << 20)	/* bytes, without the cache */
#define PIECE_BYTES	16u	/* of a text for each new piece in it */
#define PIECES_MAX	((size_t)1 << 16)

/* cells_grow - cells for what has been seen; they begin empty */
static void
cells_grow(struct spm_room *r, size_t n)
{
	r->seen += n;
	if (r->pieces > 0 && (r->pieces >= PIECES_MAX ||
	    r->seen / PIECE_BYTES <= r->pieces))
		return;
	if (r->pieces > 0)
		cells_free(&r->cells);
	r->pieces = 1 + r->seen / (PIECE_BYTES / 4);
	cells_init(&r->cells, r->pieces);
}

/* room_new - from those that lie ready, or a new one */
static struct spm_room *
room_new(struct spm *s)
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
	return r;
}

struct spm_room *
spm_room_take(struct spm *s, size_t n)
{
	struct spm_room *r = room_new(s);

	cells_grow(r, n);
	return r;
}

static void
room_free(struct spm_room *r)
{
	if (r == NULL)
		return;
	buf_free(&r->text);
	mem_free(r->id);
	cells_free(&r->cells);
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
	room_free(r);
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

void
spm_rooms_free(void *arg)
{
	struct spm *s = arg;

	for (unsigned i = 0; i < SPM_ROOMS; i++)
		room_free(atomic_exchange(&s->room[i], NULL));
}
