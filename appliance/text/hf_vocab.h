/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_VOCAB_H
#define TEXT_HF_VOCAB_H

#include "appliance/text/json.h"

/*
 * hf_vocab.h - tokens by their text and by their id.
 */

#define HF_TOKENS	((uint32_t)1 << 24)	/* ids are below it */
#define HF_NONE		UINT32_MAX

struct hf_vocab {
	struct view *token;		/* by id; p NULL: no such id */
	uint32_t end, room;		/* ids are below it */
	uint32_t count;			/* texts that have an id */
	uint32_t *place, *id;		/* hashed: entry + 1; its id */
	struct view *text;
	size_t mask, longest;		/* bytes of the longest text */
};

/* hf_vocab_new - room for n texts */
struct hf_vocab *hf_vocab_new(struct arena *, size_t n);

/* hf_vocab_put - a text that is there has the new id then; false: too large */
bool hf_vocab_put(struct hf_vocab *, struct arena *, struct view, int64_t id);

/* hf_vocab_open - the object text: id */
struct hf_vocab *hf_vocab_open(struct arena *, struct view json, struct err *);

uint32_t hf_vocab_find(const struct hf_vocab *, struct view);	/* HF_NONE */
bool hf_vocab_token(const struct hf_vocab *, uint32_t id, struct view *);

#endif
