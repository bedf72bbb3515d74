/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JINJA_OWN_H
#define TEXT_JINJA_OWN_H

#include "appliance/text/jinja.h"

/*
 * jinja_own.h - tokens and the tree of a template; for jinja's own files.
 */

enum token {
	T_END, T_DATA, T_PRINT, T_PRINT_END, T_TAG, T_TAG_END, T_NAME, T_STRING,
	T_INT, T_FLOAT, T_OP
};

struct jtoken {
	enum token kind;
	unsigned line;
	struct view s;		/* text; a string's is without escapes */
	int64_t i;
	double f;
};

/* jinja_lex - all tokens, T_END last; NULL and the error */
struct jtoken *jinja_lex(struct arena *, struct view, struct err *);

/* jinja_space - white space as Python's str has it, at valid UTF-8; bytes */
size_t jinja_space(const char *p, const char *end);

enum jnode_kind {
	N_STRING, N_INT, N_FLOAT, N_TRUE, N_FALSE, N_NONE,
	N_NAME,			/* s */
	N_LIST, N_TUPLE,	/* values */
	N_DICT,			/* key, value, key, value .. */
	N_ATTR,			/* s; of what */
	N_ITEM,			/* of what, which */
	N_SLICE,		/* from, to, step; each may be NULL */
	N_CALL,			/* what, arguments */
	N_FILTER, N_TEST,	/* s; of what (NULL: a block), arguments */
	N_KEYWORD,		/* s; an argument's value */
	N_NOT, N_NEG, N_POS,	/* of what */
	N_AND, N_OR,
	N_BINARY,		/* s: operator */
	N_CONCAT,
	N_COMPARE,		/* value, N_OPERAND .. */
	N_OPERAND,		/* s: operator; value */
	N_COND,			/* test, then, else or NULL */
	/* statements */
	N_BODY,
	N_DATA,			/* s */
	N_PRINT,
	N_IF,			/* test, body, test, body .. else's body */
	N_FOR,			/* target, of what, test, body, else's body */
	N_SET,			/* target, value */
	N_SETBLOCK,		/* target, filter or NULL, body */
	N_MACRO,		/* s; body, N_PARAM .. */
	N_PARAM,		/* s; default or NULL */
	N_CALLBLOCK,		/* call, macro */
	N_FILTERBLOCK,		/* filter, body */
	N_WITH,			/* target, value .. body */
	N_GENERATION, N_BREAK, N_CONTINUE
};

struct jnode {
	enum jnode_kind kind;
	unsigned line, n;
	struct view s;
	int64_t i;
	double f;
	struct jnode **kid;
};

struct jinja {
	struct jnode *body;
	bool generation;
};

struct jparse {
	struct arena *arena;
	struct jtoken *t;	/* the next */
	struct jinja *out;
	struct err *e;
	int depth, loops;
};

/* what jinja_parse and jinja_expr share; NULL and the error */
struct jnode *jinja_node(struct jparse *, enum jnode_kind);
void jinja_kid(struct jparse *, struct jnode *, struct jnode *);
bool jinja_is(const struct jparse *, enum token, const char *);
bool jinja_skip(struct jparse *, enum token, const char *);
struct jnode *jinja_fail(struct jparse *, const char *, ...)
    BASE_PRINTF(2, 3);
const char *jinja_shown(struct jparse *);

/* jinja_among - is a word one of "a|b|c" */
bool jinja_among(const char *words, struct view);

/* jinja_expr - an expression; JINJA_TUPLE: commas make a tuple; JINJA_BARE: no
 * `if` in it, as where an `if` may follow */
enum { JINJA_TUPLE = 1, JINJA_BARE = 2 };
struct jnode *jinja_expr(struct jparse *, unsigned how);

/* jinja_filters - a chain of filters on what (NULL: what a block makes) */
struct jnode *jinja_filters(struct jparse *, struct jnode *what, bool begun);

/* jinja_target - what can be assigned to: names, tuples, namespace.name */
struct jnode *jinja_target(struct jparse *, bool space);

#endif
