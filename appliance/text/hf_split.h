/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_SPLIT_H
#define TEXT_HF_SPLIT_H

#include "appliance/text/hf_parts.h"

/*
 * hf_split.h - pre-tokenizers, which cut a text to pieces; a piece has the id
 * of an added token, or -1.
 */

struct hf_piece {
	struct hf_text text;
	int64_t id;
};

struct hf_pieces {			/* a list; or put, that takes each */
	struct hf_piece *v;
	size_t n, cap;
	struct arena *arena;
	void (*put)(void *arg, struct hf_text *, int64_t id);
	void *arg;
};

void hf_pieces_put(struct hf_pieces *, struct hf_text, int64_t id);

struct hf_split *hf_split_open(struct hf_open *, struct view json,
    struct err *);
void hf_split_run(const struct hf_split *, struct hf_pieces *);

/* hf_split_step - what one of its steps makes of one piece */
size_t hf_split_steps(const struct hf_split *);
void hf_split_step(const struct hf_split *, size_t step, struct hf_text *,
    struct hf_pieces *out);

/* hf_split_each - the same of one text, each piece put as soon as it is known:
 * memory is that of one piece for each step */
void hf_split_each(const struct hf_split *, struct hf_text *,
    struct hf_pieces *out);

#endif
