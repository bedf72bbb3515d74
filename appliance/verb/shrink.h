/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERB_SHRINK_H
#define VERB_SHRINK_H

#include "appliance/model/convert.h"
#include "appliance/model/measure.h"
#include "appliance/verb/verb.h"

/*
 * shrink.h - what becomes of a model when it is written smaller: weights that
 * go, and the likelihood of texts before and after.
 */

struct shrink_conf {
	const char *prune, *wanda, *on;	/* or NULL */
	int64_t threads;		/* 0: all that there are */
	bool each;			/* every matrix alone, too */
};

/* one matrix alone */
struct shrink_matrix {
	const char *name;
	double lost;			/* rms of errors, of the rms of it */
	double more, low, high;		/* nats a token */
};

struct shrink {
	const struct shrink_conf *conf;
	struct prune prune;
	struct device *device;		/* NULL: nothing is computed */
	struct measure_texts texts;
	struct measure before, after;
	struct shrink_matrix *each;
	size_t neach;
};

/* shrink_open - a model's directory or file: what will go, and how it is before
 * that; rounds: it is asked for in another form, too */
int shrink_open(struct verb_call *, const struct shrink_conf *, int at,
    const struct source *, const char *to, bool rounds, struct shrink *,
    struct err *);

/* shrink_measure - what has been written, by its path */
int shrink_measure(struct verb_call *, struct shrink *, const char *path,
    struct err *);

/* shrink_each - what a matrix costs that is written alone, at a path */
int shrink_each(struct verb_call *, struct shrink *, const struct convert *,
    const char *path, struct err *);

/* shrink_told - lines for people, or members of an object */
void shrink_told(const struct shrink *, const char *to, bool json,
    struct buf *);

#endif
