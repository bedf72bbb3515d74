/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_SOURCE_H
#define TEXT_BPE_SOURCE_H

#include "appliance/text/bpe.h"
#include "appliance/text/bpe_added.h"

/*
 * bpe_source.h - a vocabulary as its file has it: bpe_open and bpe_rank fill
 * it, bpe_compile makes the tables that are used (bpe_table.h).
 */

#define BPE_TOKENS	(((uint32_t)1 << 20) - 1)	/* ids are below it */
#define BPE_RANKS	((uint32_t)1 << 24)	/* and ranks below that */
#define BPE_RANKED	((size_t)1024)	/* longest token of a rank file */

struct bpe_names {			/* ids by bytes */
	uint32_t *id;			/* BPE_NONE is free */
	size_t mask;
};

struct bpe_rule {			/* its place in the list is its rank */
	uint32_t left, right, id;	/* id BPE_NONE: no text has these */
};

struct bpe_source {
	struct view *token;		/* bytes by id; p NULL: no such id */
	uint32_t size, room;		/* ids, and how many fit */
	uint32_t byte[256];		/* id of each byte, or BPE_NONE */
	struct bpe_names names;		/* of what text is made into */
	size_t longest;			/* bytes of the longest name */
	struct bpe_rule *rule;		/* NULL: ids are the ranks */
	uint32_t nrules;
	const struct bpe_pattern *pattern;
	struct view own_text;		/* an expression that cuts, not the
					 * pattern; n 0: there is none */
	struct bpe_token *added;
	size_t nadded;
	bool nfc, blank;		/* normalized; a blank in front */
	bool whole;			/* a piece that is a token is that */
};

/* bpe_source_put - a token's bytes; false if the id is too large or taken */
bool bpe_source_put(struct bpe_source *, struct arena *, int64_t id,
    struct view);

/* bpe_names_new - an empty table for n names */
struct bpe_names bpe_names_new(struct arena *, size_t n);

/* bpe_names_place - where a name is or would be; token: bytes by id */
size_t bpe_names_place(const struct bpe_names *, const struct view *token,
    struct view);

/*
 * bpe_source_name - what text can be made into: the ids that are named, all of
 * them if that is NULL, and then two of the same bytes are refused; else the
 * larger id counts.  A byte that UTF-8 needs and no token is is refused.
 */
int bpe_source_name(struct bpe_source *, struct arena *, const bool *named,
    struct err *);

/* bpe_source_pattern - what cuts: a name of bpe.h, or an expression */
int bpe_source_pattern(struct bpe_source *, struct arena *, struct view,
    struct err *);

/* bpe_source_find - the id of these bytes, BPE_NONE */
uint32_t bpe_source_find(const struct bpe_source *, struct view);

/*
 * bpe_merge_sides - a rule of tokenizer.json, "a b" or ["a","b"]; false if it
 * is neither
 */
bool bpe_merge_sides(struct arena *, struct view json, struct view *left,
    struct view *right);

/* bpe_compile - the image of a source (compiled.h) */
struct view bpe_compile(struct arena *, const struct bpe_source *);

#endif
