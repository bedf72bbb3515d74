/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_GENERATE_H
#define MODEL_GENERATE_H

#include "appliance/model/model.h"
#include "appliance/model/pages.h"
#include "appliance/model/predict.h"
#include "appliance/model/sample.h"

/*
 * generate.h - many texts go on at once: a row takes a slot of the cache when
 * one is free and there are pages for it (pages.h), its prompt is read in
 * pieces beside the others' next tokens, of which each step has one for every
 * answer that has begun, and slot and pages are free again when it ends.
 * Where prompts begin alike, one row reads whole pages for all.  What a row
 * becomes does not depend on the others (predict.h).
 */

/* STUCK: no token may come next, by `mask` */
enum generate_end { GENERATE_STOP, GENERATE_LENGTH, GENERATE_STUCK };

struct generate_row {
	const int32_t *prompt;		/* at least one token */
	size_t n, max;			/* most new tokens */
	struct sample how;
	uint64_t seed, stream;		/* of its own random numbers */
	uint32_t adapter;		/* predict_lora.h; 0: none.  Keys and
					 * values are an adapter's own: rows of
					 * two must not share a cache */
	/* out, of max places, and how many; a token that ends is not in it */
	int32_t *out;
	size_t nout, shared;		/* shared: places of the prompt that
					 * another row had read */
	enum generate_end why;
	void *arg;			/* the caller's */
};

struct generate_calls {
	/* ends - after each token: is the row complete */
	bool (*ends)(void *, struct generate_row *);
	/* done - a row has ended; -1 ends everything */
	int (*done)(void *, struct generate_row *, struct err *);
	bool (*stopping)(void *);
	void *arg;
	bool apart;			/* each row reads all of its prompt */
	/* mask - before each token, or NULL: logits of those that may not come
	 * are made -INFINITY; false: none may */
	bool (*mask)(void *, struct generate_row *, real *logits);
};

/* generate_take - a row's next token, of its logits: has the row ended; room:
 * most that it can have; words: V places */
bool generate_take(struct generate_row *, const struct model *,
    const struct generate_calls *, real *logits, size_t room,
    struct sample_word *words);

/* generate_run - all rows; FATE_STOP if it was asked to stop between steps */
int generate_run(struct predict *, const struct model *,
    struct generate_row *const *, size_t n, const struct generate_calls *,
    struct err *);

#endif
