/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JSON_H
#define TEXT_JSON_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * json.h - JSON (RFC 8259) read in place: values are views of their raw bytes,
 * walked by need.  Strict: no comments, no trailing commas, no NaN, depth at
 * most JSON_DEPTH, strings without raw control characters.  UTF-8 is the
 * caller's to check once for the whole text (utf8_check).
 */

#define JSON_DEPTH	128

/* json_value - the one value in a text, blanks around it cut off */
int json_value(struct view text, struct view *value, struct err *);

/* json_skip - just after the value that begins at p; NULL and *why if bad */
const char *json_skip(const char *p, const char *end, const char **why);

struct json_iter {
	const char *p, *end;
	bool first, bad;
};

/*
 * json_open - walk an object '{' or array '[' that json_value has accepted;
 * false if the value is of another kind.  json_member and json_element are
 * false at the end.  Keys come as raw strings with their quotes.
 */
bool json_open(struct json_iter *, struct view value, char kind);
bool json_member(struct json_iter *, struct view *key, struct view *value);
bool json_element(struct json_iter *, struct view *value);

/* json_get - an object's member by name (as written, unescaped ASCII) */
bool json_get(struct view object, const char *name, struct view *value);

/*
 * json_string - the text of a raw string; a view into it if nothing is escaped,
 * else decoded to the arena.  False if it is no string or holds half a
 * surrogate pair.
 */
bool json_string(struct arena *, struct view raw, struct view *text);

bool json_number(struct view raw, double *);
bool json_integer(struct view raw, int64_t *);
bool json_bool(struct view raw, bool *);
bool json_is_null(struct view raw);

#endif
