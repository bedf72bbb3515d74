/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/match.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>

#define EXPRESSION_MAX	1024

/* posix_class - what a letter behind a backslash stands for; within brackets
 * without brackets of its own */
static const char *
posix_class(char c, bool within)
{
	switch (c) {
	case 'd':
		return within ? "0-9" : "[0-9]";
	case 'w':
		return within ? "A-Za-z0-9_" : "[A-Za-z0-9_]";
	case 's':
		return within ? " \t" : "[ \t]";
	default:
		return NULL;
	}
}

/* posix_escape - a backslash and what follows it; how many bytes were read */
static size_t
posix_escape(struct buf *b, const char *p, bool within, struct err *e)
{
	const char *class = posix_class(p[1], within);

	if (class != NULL) {
		buf_str(b, class);
		return 2;
	}
	if (p[1] == '\0' || isalnum((unsigned char)p[1])) {
		err_set(e, FATE_REJECT, "'\\%c' in an expression is not "
		    "understood", p[1]);
		return 0;
	}
	if (!within)
		buf_char(b, '\\');
	buf_char(b, p[1]);
	return 2;
}

/* posix_special - what may stand in Python's re but not here; NULL: nothing */
static const char *
posix_special(const char *p)
{
	if (p[0] == '(' && p[1] == '?' && p[2] != ':')
		return "look-around and flags";
	if (p[0] == '{')
		return "a counted repetition";
	return NULL;
}

/*
 * posix_of - the expression in POSIX's extended syntax, held at both ends.
 * Which repetition is greedy does not matter to what matches as a whole, so
 * the question mark behind a quantifier goes.
 */
static int
posix_of(const char *p, struct buf *b, struct err *e)
{
	bool within = false;
	const char *what;
	size_t n;

	if (strlen(p) > EXPRESSION_MAX)
		return err_set(e, FATE_REJECT, "an expression has more than "
		    "%d bytes", EXPRESSION_MAX);
	buf_str(b, "^(");
	for (; *p != '\0'; p += n) {
		n = 1;
		what = within ? NULL : posix_special(p);
		if (what != NULL)
			return err_set(e, FATE_REJECT, "%s in an expression "
			    "is not understood", what);
		if (*p == '\\') {
			n = posix_escape(b, p, within, e);
			if (n == 0)
				return -1;
			continue;
		}
		if (!within && strncmp(p, "(?:", 3) == 0)
			n = 3;
		else if (!within && strchr("*+?", *p) != NULL && p[1] == '?')
			n = 2;
		within = within ? *p != ']' : *p == '[';
		buf_char(b, *p);
	}
	buf_str(b, ")$");
	return 0;
}

/* compile - for one use; a name is short, and so is the list of modules */
static int
compile(const char *expression, regex_t *re, struct err *e)
{
	char why[128];
	struct buf b;
	int rc;

	buf_init(&b, 4 * EXPRESSION_MAX + 16);
	rc = posix_of(expression, &b, e);
	if (rc == 0) {
		rc = regcomp(re, buf_cstr(&b), REG_EXTENDED | REG_NOSUB);
		if (rc != 0) {
			regerror(rc, re, why, sizeof(why));
			rc = err_set(e, FATE_REJECT, "%s", why);
		}
	}
	buf_free(&b);
	return rc == -1 ? err_prefix(e, "'%.200s': ", expression) : 0;
}

int
match_check(const char *expression, struct err *e)
{
	regex_t re;

	if (compile(expression, &re, e) == -1)
		return -1;
	regfree(&re);
	return 0;
}

bool
match_whole(const char *expression, const char *name)
{
	struct err e;
	regex_t re;
	bool found;

	if (compile(expression, &re, &e) == -1)
		return false;
	found = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

/* name_ends - is it the name, or its end behind a dot */
static bool
name_ends(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n >= k && strcmp(name + n - k, end) == 0 &&
	    (n == k || name[n - k - 1] == '.');
}

bool
match_name(const struct match *m, const char *name)
{
	if (m->expression != NULL)
		return match_whole(m->expression, name);
	for (size_t i = 0; i < m->n; i++)
		if (name_ends(name, m->v[i]))
			return true;
	return false;
}

int64_t
match_layer(const char *name, const struct match *pattern)
{
	const char *dot = strchr(name, '.'), *word = name;

	/* without a pattern it stands behind the second word or later */
	for (bool first = true; dot != NULL; first = false) {
		size_t n = (size_t)(dot - word);
		char *end;
		long k = strtol(dot + 1, &end, 10);
		bool named = pattern->n == 0 && !first;

		for (size_t i = 0; i < pattern->n; i++)
			named |= strlen(pattern->v[i]) == n &&
			    memcmp(pattern->v[i], word, n) == 0;
		if (named && isdigit((unsigned char)dot[1]) && *end == '.')
			return k;
		word = dot + 1;
		dot = strchr(word, '.');
	}
	return -1;
}

double
match_value(const struct match_pattern *p, size_t n, const char *name,
    double otherwise)
{
	char key[EXPRESSION_MAX];

	for (size_t i = 0; i < n; i++) {
		if (name_ends(name, p[i].key))
			return p[i].value;
		if (snprintf(key, sizeof(key), "(.*\\.)?(%s)", p[i].key) <
		    (int)sizeof(key) && match_whole(key, name))
			return p[i].value;
	}
	return otherwise;
}
