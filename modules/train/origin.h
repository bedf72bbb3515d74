/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ORIGIN_H
#define TRAIN_ORIGIN_H

#include "appliance/base/err.h"
#include "appliance/base/hash.h"

/*
 * origin.h - what a run follows from: a hash of the options that count, the
 * tokens of train and of valid, and the bytes of the base's tensors.  What is
 * kept for a later start of the same run is kept with it.
 */

struct train;
struct origin {
	bool read;			/* the base has been */
	struct hash base;
	struct hash run;
};

/* origin_of - to t->origin.run; after the tokens are there.  The base is read
 * once, for trials too */
int origin_of(struct train *, struct err *);

#endif
