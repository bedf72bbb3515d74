/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_POST_H
#define TEXT_HF_POST_H

#include "appliance/text/hf_parts.h"

/*
 * hf_post.h - what happens to tokens after the model: truncation, special
 * tokens around, padding.
 */

struct hf_post;

struct hf_post *hf_post_open(struct hf_open *, struct view json, struct err *);

/* hf_post_added - how many special tokens it puts around */
size_t hf_post_added(const struct hf_post *, bool pair);

/* hf_post_run - one or two encodings to one */
int hf_post_run(const struct hf_post *, struct arena *,
    struct hf_encoding *in, size_t n, bool special, struct hf_encoding *,
    struct err *);

enum hf_side { HF_RIGHT, HF_LEFT };
enum hf_strategy { HF_LONGEST_FIRST, HF_ONLY_FIRST, HF_ONLY_SECOND };

struct hf_limits {
	bool cut;			/* truncation */
	uint64_t max, stride;
	enum hf_side side;
	enum hf_strategy strategy;
	bool pad;			/* padding */
	enum hf_side pad_side;
	uint64_t fixed;			/* UINT64_MAX: as long as it is */
	uint64_t multiple;		/* 0: of none */
	uint32_t pad_id, pad_type;
	struct view pad_text;
};

int hf_limits_open(struct hf_open *, struct view cut, struct view pad,
    struct hf_limits *, struct err *);

/* hf_limits_cut - max: less the special tokens; b NULL: no pair */
int hf_limits_cut(const struct hf_limits *, struct arena *, uint64_t max,
    struct hf_encoding *a, struct hf_encoding *b, bool keep, struct err *);

void hf_limits_pad(const struct hf_limits *, struct arena *,
    struct hf_encoding *);

#endif
