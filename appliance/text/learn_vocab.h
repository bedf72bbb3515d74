/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_VOCAB_H
#define TEXT_LEARN_VOCAB_H

#include "appliance/base/buf.h"

/*
 * learn_vocab.h - tokens that are being learnt, numbered in the order in which
 * they come; the same bytes are the same token.
 */

#define LEARN_NONE	UINT32_MAX

struct learn_vocab {
	struct arena *arena;
	struct view *token;		/* by id */
	uint32_t n, cap;
	uint32_t *slot;			/* ids by bytes; LEARN_NONE is free */
	size_t mask;
};

/* learn_vocab_new - empty; it and its tokens live in the arena */
struct learn_vocab *learn_vocab_new(struct arena *);

/* learn_vocab_put - the id of a token, the next one if it is new */
uint32_t learn_vocab_put(struct learn_vocab *, struct view);

/* learn_vocab_find - LEARN_NONE if it is not there */
uint32_t learn_vocab_find(const struct learn_vocab *, struct view);

#endif
