/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JINJA_H
#define TEXT_JINJA_H

#include "appliance/text/json.h"

#include <time.h>

/*
 * jinja.h - the part of Jinja (3.1) that chat templates use, with the settings
 * of transformers: trim_blocks, lstrip_blocks, its tojson, raise_exception,
 * strftime_now, {% generation %}, break and continue, and what its immutable
 * sandbox forbids.
 *
 *   tags     if for set macro call filter with generation break continue raw
 *   refused  include import extends block trans do autoescape, recursive loops,
 *            *args, and filters, tests and methods not in the tables: by name
 *
 * A template does no input or output and always ends: steps, nesting and bytes
 * made are limited.  Errors say the template's line.
 *
 * Each byte of the output has a mark: did it come from a variable or is it the
 * template's own, and does it lie in a {% generation %} block.  Marks follow
 * text through all operations on strings.
 */

#define JINJA_VALUE		1u	/* from a variable */
#define JINJA_GENERATION	2u

#define JINJA_STEPS	20000000
#define JINJA_DEPTH	400		/* of nested nodes being evaluated */
#define JINJA_OUT	((size_t)64 << 20)	/* bytes of one string */
#define JINJA_MADE	((size_t)256 << 20)	/* bytes of all strings */
#define JINJA_MEMORY	((size_t)1 << 30)
#define JINJA_TEMPLATE	((size_t)1 << 20)	/* bytes of a template */

struct jinja;

/* jinja_open - read a template; it lives in the arena and never changes */
struct jinja *jinja_open(struct arena *, struct view text, struct err *);

/* jinja_generation - has it {% generation %} blocks */
bool jinja_generation(const struct jinja *);

struct jinja_var {
	const char *name;
	struct view json;
	bool own;		/* its bytes count as the template's own */
};

struct jinja_text {
	struct view text;
	const unsigned char *mark;	/* one for each byte */
};

/*
 * jinja_render - the text in the arena; any number of threads at once.  now is
 * what strftime_now shows, NULL: there is no such function.
 */
int jinja_render(const struct jinja *, struct arena *,
    const struct jinja_var *, size_t n, const struct tm *now,
    struct jinja_text *, struct err *);

#endif
