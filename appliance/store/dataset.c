/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/store/dataset.h"

/* dataset_end - the arena's closer */
static void
dataset_end(void *arg)
{
	struct dataset *d = arg;

	if (d->reading)
		pack_read_end(&d->reader);
}

struct dataset *
dataset_open(struct store *s, struct arena *a, const struct version *v,
    struct err *e)
{
	struct dataset *d = arena_alloc(a, sizeof(*d));

	d->pack = arena_array(a, v->npacks, sizeof(*d->pack));
	d->npacks = v->npacks;
	for (size_t i = 0; i < v->npacks; i++) {
		d->pack[i] = pack_open(a, s->packs, v->pack[i], &s->seals, e);
		if (d->pack[i] == NULL)
			return NULL;
	}
	arena_defer(a, dataset_end, d);
	return d;
}

void
dataset_seek(struct dataset *d, uint64_t pack, int64_t offset)
{
	dataset_end(d);
	d->reading = false;
	d->at = (size_t)pack;
	if (d->at < d->npacks) {
		pack_read(&d->reader, d->pack[d->at], offset);
		d->reading = true;
	}
}

void
dataset_place(const struct dataset *d, uint64_t *pack, int64_t *offset)
{
	*pack = d->at;
	*offset = d->reading ? d->reader.offset : 0;
}

/* dataset_replaced - does the id stand in a later pack */
static bool
dataset_replaced(const struct dataset *d, struct view id)
{
	for (size_t i = d->at + 1; i < d->npacks; i++)
		if (pack_has(d->pack[i], id))
			return true;
	return false;
}

int
dataset_next(struct dataset *d, struct view *v, struct err *e)
{
	int rc;

	while (d->at < d->npacks) {
		if (!d->reading) {
			pack_read(&d->reader, d->pack[d->at], 0);
			d->reading = true;
		}
		rc = pack_next(&d->reader, v, e);
		if (rc == -1)
			return -1;
		if (rc == 1) {
			if (dataset_replaced(d, d->reader.id))
				continue;
			return 1;
		}
		pack_read_end(&d->reader);
		d->reading = false;
		d->at++;
	}
	return 0;
}

int
dataset_find(struct dataset *d, struct arena *a, struct view id,
    struct view *v, struct err *e)
{
	int rc = 0;

	for (size_t i = d->npacks; i > 0 && rc == 0; i--)
		rc = pack_find(d->pack[i - 1], a, id, v, e);
	return rc;
}
