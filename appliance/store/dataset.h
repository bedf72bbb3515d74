/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_DATASET_H
#define STORE_DATASET_H

#include "appliance/store/store.h"

/*
 * dataset.h - the records of a version, in the order of its packs.  A record
 * whose id stands in a later pack has been replaced there and is passed over.
 */

struct dataset {
	struct pack **pack;
	size_t npacks, at;		/* at: the pack being read */
	struct pack_reader reader;
	bool reading;
};

struct dataset *dataset_open(struct store *, struct arena *,
    const struct version *, struct err *);

/* dataset_seek - to a place that dataset_place told */
void dataset_seek(struct dataset *, uint64_t pack, int64_t offset);
void dataset_place(const struct dataset *, uint64_t *pack, int64_t *offset);

/* dataset_next - 1 a record's JSON (good until the next call), 0 end, -1 */
int dataset_next(struct dataset *, struct view *, struct err *);

/* dataset_find - a record by its id: 1, 0, -1 */
int dataset_find(struct dataset *, struct arena *, struct view id,
    struct view *, struct err *);

#endif
