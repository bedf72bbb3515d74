/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEX_PLACES_H
#define INDEX_PLACES_H

#include "appliance/base/hash.h"

/*
 * places.h - where the document of an id stands: in which segment, as which of
 * its documents.  Ids are known by a keyed hash, which nobody can make collide
 * without the key.
 */

struct place {
	unsigned char id[16];
	uint32_t seg, doc;
	bool seen;			/* in this run's input */
};

struct places {
	struct place *v;		/* places_close frees it */
	size_t n, mask;
	const struct hash_key *key;
};

void places_open(struct places *, const struct hash_key *);
void places_close(void *);

/* places_get - the id's place, made with seg UINT32_MAX if it is new; good
 * until the next call */
struct place *places_get(struct places *, struct view id);

#endif
