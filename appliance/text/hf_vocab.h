/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_VOCAB_H
#define TEXT_HF_VOCAB_H

#include "appliance/text/json.h"

/*
 * hf_vocab.h - tokens by their text and by their id.
 */

#define HF_TOKENS	((uint32_t)1 << 24)	/* ids are below it */
#define HF_NONE		UINT32_MAX

struct hf_ref {				/* bytes of the pool; n HF_NONE: none */
	uint32_t at, n;
};

struct hf_vocab {
	char *pool;			/* all texts */
	struct hf_ref *token;		/* by id */
	struct hf_ref *text;		/* in the order of the file */
	uint32_t *id;			/* of these */
	uint32_t *place;		/* these by their hash, and one; 0 */
	size_t used, mask, longest;	/* bytes of the pool, of a text */
	uint32_t end, count;		/* ids are below it; texts */
	size_t cap;			/* of the pool; of tokens */
	uint32_t room;
};

/* hf_vocab_new - room for n texts */
struct hf_vocab *hf_vocab_new(struct arena *, size_t n);

/* hf_vocab_put - a text that is there has the new id then; false: too large */
bool hf_vocab_put(struct hf_vocab *, struct arena *, struct view, int64_t id);

/* hf_vocab_open - the object text: id */
struct hf_vocab *hf_vocab_open(struct arena *, struct view json, struct err *);

uint32_t hf_vocab_find(const struct hf_vocab *, struct view);	/* HF_NONE */
bool hf_vocab_token(const struct hf_vocab *, uint32_t id, struct view *);

static inline struct view
hf_vocab_view(const struct hf_vocab *v, struct hf_ref r)
{
	return (struct view){ v->pool + r.at, r.n };
}

#endif
