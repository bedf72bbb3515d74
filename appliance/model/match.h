/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_MATCH_H
#define MODEL_MATCH_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * match.h - which modules of a model an adapter is for, as PEFT 0.20 decides.
 *
 * A list has names or their ends ("q_proj" is model.layers.0.self_attn.q_proj);
 * a text is a regular expression that must match the whole name, or
 * "all-linear".  Expressions are those that Python's re and POSIX's extended
 * ones have in common, and \d \w \s and (?:...); look-around, back references
 * and counted repetitions are refused by name.
 */

struct match {
	const char *expression;		/* or NULL: the list */
	const char **v;
	size_t n;
};

struct match_pattern {			/* of rank_pattern, alpha_pattern */
	const char *key;
	double value;
};

/* match_check - can the expression be used */
int match_check(const char *expression, struct err *);

/* match_whole - does the expression match all of the name */
bool match_whole(const char *expression, const char *name);

bool match_name(const struct match *, const char *name);

/* match_layer - the number behind the layers' name ("layers" or "h" or what
 * `pattern` names), or -1 */
int64_t match_layer(const char *name, const struct match *pattern);

/* match_value - of the first pattern whose key matches the end of the name */
double match_value(const struct match_pattern *, size_t n, const char *name,
    double otherwise);

#endif
