/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_ADDED_H
#define TEXT_BPE_ADDED_H

#include "appliance/text/bpe.h"

/*
 * bpe_added.h - added tokens sought in text: at the leftmost place where one
 * begins, the longest.  Some are sought in the text as it is, then the others
 * in what is left between them after it was normalized.  A special token that
 * is found stays text, as with the library's encode_special_tokens.
 */

struct bpe_added;

struct bpe_token {
	struct view content;		/* normalized if that is sought */
	uint32_t id;
	bool normalized, special;
	bool lstrip, rstrip;		/* takes the white space beside it */
};

/* bpe_added_new - room for tokens of so many bytes in all */
struct bpe_added *bpe_added_new(struct arena *, size_t tokens, size_t bytes);

/* bpe_added_put - one more, instead of one of the same content and id; false if
 * that content has another id */
bool bpe_added_put(struct bpe_added *, const struct bpe_token *);

/* bpe_added_ready - when all are put, before any is sought */
void bpe_added_ready(struct bpe_added *);

/* bpe_added_special - is the token of this id special; BPE_NONE: is any */
bool bpe_added_special(const struct bpe_added *, uint32_t id);

/* bpe_added_any - is there anything to seek */
bool bpe_added_any(const struct bpe_added *, bool normalized);

struct bpe_split {
	const struct bpe_added *added;
	struct view text;
	bool normalized;
	size_t at, sought;		/* both begin as 0 */
};

/*
 * bpe_split_next - text up to the next token (it may be empty) and the token's
 * id; -1 with the rest of the text; false after that
 */
bool bpe_split_next(struct bpe_split *, struct view *text, int64_t *id);

#endif
