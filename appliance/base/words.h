/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "appliance/base/arena.h"
#include "appliance/base/err.h"

/*
 * words.h - text to lines of words, the one syntax of job files, tickets,
 * states and quern.conf (quern-job.5).
 *
 * Words are separated by blanks; # at the start of a word begins a comment;
 * "..." quotes, with \" \\ \n \t inside; a backslash at the end of a line
 * continues it.  Nothing is expanded.  Input is UTF-8 without NUL, LF or CRLF,
 * at most WORDS_MAX bytes.
 */

#define WORDS_MAX	((size_t)1 << 20)

struct word {
	const char *s;		/* unquoted, NUL-terminated */
	unsigned line, col;	/* from 1; col counts bytes */
	bool quoted;		/* began with a quote: never name=value */
};

struct line {
	struct word *word;
	size_t n;		/* 0 at the end of the text */
	bool indented;		/* did not begin at column one */
};

struct words {
	struct arena *arena;
	const char *p, *end, *bol;
	unsigned line;
};

/* words_open - read text[n]; words are copied to the arena */
int words_open(struct words *, struct arena *, const char *text, size_t n,
    struct err *);

/* words_next - the next line that has words; -1 "line:col: what" */
int words_next(struct words *, struct line *, struct err *);

/* line_num - the whole number behind name= among a line's words; 0 */
int64_t line_num(const struct line *, const char *name);

/* utf8_check - offset of the first byte that is not UTF-8, n if none */
size_t utf8_check(const char *, size_t n);

#endif
