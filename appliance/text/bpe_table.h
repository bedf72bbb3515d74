/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_TABLE_H
#define TEXT_BPE_TABLE_H

#include "appliance/text/bpe.h"
#include "appliance/text/bpe_added.h"

/*
 * bpe_table.h - the tables of a vocabulary, which bpe_open and bpe_rank fill
 * and bpe reads.
 */

#define BPE_TOKENS	((uint32_t)1 << 24)	/* ids are below it */
#define BPE_NONE	UINT32_MAX

struct bpe_merge {
	uint64_t pair;			/* left << 32 | right; ~0 is free */
	uint32_t rank, id;
};

struct bpe_names {			/* ids by bytes */
	uint32_t *id;			/* BPE_NONE is free */
	size_t mask;
};

struct bpe {
	struct view *token;		/* bytes by id; p NULL: no such id */
	uint32_t size, room;		/* ids, and how many fit */
	uint32_t byte[256];		/* id of each byte, or BPE_NONE */
	struct bpe_names names;		/* of what text is made into */
	size_t longest;			/* bytes of the longest name */
	struct bpe_merge *merge;	/* NULL: ids are the ranks */
	size_t mask;
	const struct bpe_pattern *pattern;
	struct bpe_added *added;	/* NULL: none */
	bool nfc, blank;		/* normalized; a blank in front */
	bool whole;			/* a piece that is a token is that */
};

/* bpe_table_put - a token's bytes; false if the id is too large or taken */
bool bpe_table_put(struct bpe *, struct arena *, int64_t id, struct view);

/* bpe_names_new - an empty table for n names */
struct bpe_names bpe_names_new(struct arena *, size_t n);

/* bpe_names_place - where a name is or would be; token: bytes by id */
size_t bpe_names_place(const struct bpe_names *, const struct view *token,
    struct view);

/*
 * bpe_table_name - what text can be made into: the ids that are named, all of
 * them if that is NULL, and then two of the same bytes are refused; else the
 * larger id counts.  A byte that UTF-8 needs and no token is is refused.
 */
int bpe_table_name(struct bpe *, struct arena *, const bool *named,
    struct err *);

/* bpe_table_find - the id of these bytes, BPE_NONE */
uint32_t bpe_table_find(const struct bpe *, struct view);

/* bpe_merge_place - where a pair is or would be */
size_t bpe_merge_place(const struct bpe *, uint64_t pair);

#endif
