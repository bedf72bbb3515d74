/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_REF_H
#define STORE_REF_H

#include "appliance/base/arena.h"
#include "appliance/base/err.h"

/* A reference NAME[@VERSION|@TAG][:SPLIT] */
struct ref {
	const char *name, *at, *split;	/* at, split: NULL if not given */
};

int ref_parse(struct arena *, const char *, struct ref *, struct err *);

#endif
