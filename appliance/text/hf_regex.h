/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_REGEX_H
#define TEXT_HF_REGEX_H

#include "appliance/base/err.h"
#include "appliance/text/hf_char.h"

/*
 * hf_regex.h - regular expressions of tokenizer.json, which are Oniguruma's
 * with Ruby's syntax and Unicode 16.0.  Read are characters and their escapes,
 * classes with ranges, \p, POSIX names, && and nesting, alternatives, groups,
 * (?imx), quantifiers, greedy, lazy or possessive, atomic groups, lookahead,
 * lookbehind of fixed-length alternatives, ^ $ \A \z \Z \b \B.  Refused by
 * name are back-references, conditions, absence, \G, \K, \X, loops whose body
 * may be empty (but not (x*)*), a lookahead of varying length before a loop of
 * dots where a match begins, and case-insensitive letters that fold to several
 * characters, as sharp s does, or are such together, as ss are.
 *
 * What a pattern matches does not depend on how it came to a place, so what has
 * failed once is not tried again: time is linear in the text and in the pattern
 * with counted loops written out.  Exceptions are alternatives and loops over
 * groups within an atomic group, which also is what a possessive loop over a
 * group makes: they are walked again from each place where the group is tried.
 * Memory is a few bytes a frame, and on a text that proves to be hard a quarter
 * of a byte for each split and each byte of the text, 100 at most.
 */

#define HF_REGEX_CODE	20000		/* instructions */
#define HF_REGEX_SPLITS	400		/* alternatives and loops over groups */
#define HF_REGEX_SETS	128		/* classes */

struct hf_regex;

struct hf_regex *hf_regex_open(struct arena *, const struct hf_chars *,
    struct view pattern, struct err *);

/*
 * hf_regex_open_rust - the same as Rust's fancy-regex has it, which tiktoken
 * uses: {n,m}+ is possessive, ^ and $ are the ends of the text, (?s) is what is
 * (?m) in Ruby, \w has Rust's characters; (?m), POSIX names and the operations
 * -- and ~~ of classes are refused
 */
struct hf_regex *hf_regex_open_rust(struct arena *, const struct hf_chars *,
    struct view pattern, struct err *);

struct hf_search;

/* hf_search_new - matches in a text, from its start on; free it after use */
struct hf_search *hf_search_new(const struct hf_regex *, struct view);

/* hf_search_next - the next match, which may be empty */
bool hf_search_next(struct hf_search *, size_t *from, size_t *to);

void hf_search_free(struct hf_search *);

/* hf_search_steps - instructions run and characters walked so far */
uint64_t hf_search_steps(const struct hf_search *);

/* the program, which hf_regex writes and hf_search runs */
enum hf_op { OP_CHAR, OP_RUN, OP_SPLIT, OP_JUMP, OP_LOOK, OP_ATOM, OP_END,
	OP_ASSERT };
enum hf_mode { HF_GREEDY, HF_LAZY, HF_ALL };	/* HF_ALL gives nothing back */
enum hf_look { HF_AHEAD, HF_NOT_AHEAD, HF_BEHIND, HF_NOT_BEHIND };

struct hf_inst {
	enum hf_op op;
	uint32_t x, y;			/* where to go on; CHAR: which one */
	const uint32_t *set;		/* RUN: a bit a character */
	uint32_t min, max;		/* RUN; LOOK behind: characters */
	int kind;			/* mode, look, or the assertion */
	uint32_t slot;			/* of RUN, and of SPLIT, from 0 */
};

struct hf_regex {
	struct hf_inst *code;
	size_t n, runs, splits;
	bool empty;			/* it may match nothing */
	const uint32_t *word;		/* for \b */
};

#endif
