/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "appliance/store/store.h"

/* manifest.h - a version's manifest as lines of words, there and back */

void manifest_print(const struct version *, struct buf *);

/* manifest_parse - key is name@NUMBER */
int manifest_parse(struct arena *, const char *key, struct view,
    struct version *, struct err *);

/* store_read - one version by its number: 1, 0, -1 */
int store_read(struct db_txn *, struct arena *, const char *name,
    uint32_t number, struct version *, struct err *);

/* manifest_same - do two versions name the same packs */
bool manifest_same(const struct version *, const struct version *);

#endif
