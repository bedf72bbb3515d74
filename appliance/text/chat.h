/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CHAT_H
#define TEXT_CHAT_H

#include "appliance/text/jinja.h"
#include "appliance/text/tokenizer.h"

/*
 * chat.h - messages (a JSON list of {"role":..,"content":..}) to text and ids
 * by a chat template.
 *
 * A special token is made only where the template wrote it: what stands in a
 * message stays text even if it is spelt like one.  But for that, ids are those
 * of the whole text with special tokens found in it.  Added tokens that are not
 * special (<think> in some vocabularies) are found in messages too, so that an
 * answer can have them.
 *
 * The mask says which tokens are the assistant's to write: what lies in
 * {% generation %}; if the template has none, what an answer adds to the text
 * of the messages before it; or what stands between two markers.  The special
 * token that ends a turn belongs to it; without one there is an error.
 */

#define CHAT_FILE	((size_t)16 << 20)	/* bytes of a configuration */

struct chat_from {
	const char *name;	/* of the template: of CHAT_NAMES, or of
				 * the configuration; NULL: its default */
	struct view template;	/* Jinja; p NULL: from name or configuration */
	struct view config;	/* tokenizer_config.json; p NULL: none */
	const char *date;	/* YYYY-MM-DD for strftime_now; NULL: none */
	const char *begin, *end;	/* markers of an answer, or NULL */
};

/*
 * chat_find - what a directory has: chat_template.jinja and
 * tokenizer_config.json; want: the value of an option `template=`, which is a
 * name or a path with a slash, or NULL.  dir may be -1.
 */
int chat_find(struct arena *, int dir, const char *want, struct chat_from *,
    struct err *);

struct chat;

/* chat_open - all must outlive it; file: the tokenizer's bytes; any number of
 * threads may use it */
struct chat *chat_open(struct arena *, const struct chat_from *,
    const struct tokenizer *, struct view file, struct err *);

struct chat_special {
	struct view text;	/* its spelling */
	uint32_t id;
	bool lstrip, rstrip;	/* takes the white space beside it */
};

/* chat_specials - a vocabulary's special tokens: how many */
size_t chat_specials(const struct tokenizer *, struct view file,
    struct arena *, struct chat_special **);

struct chat_ask {
	struct view messages, tools, documents;	/* JSON; p NULL: none */
	bool prompt;		/* add what begins an answer */
	size_t given;		/* turns of the assistant, the first ones, that
				 * the mask leaves out */
};

/* chat_render - the text, with the marks of jinja.h */
int chat_render(const struct chat *, struct arena *, const struct chat_ask *,
    struct jinja_text *, struct err *);

struct chat_ids {
	uint32_t *id;
	unsigned char *mask;	/* 1: the assistant's; NULL if not asked for */
	size_t n;
};

/* chat_encode - the ids in the arena */
int chat_encode(const struct chat *, struct arena *, const struct chat_ask *,
    bool mask, struct chat_ids *, struct err *);

/* CHAT_NAMES - the names of the templates that are built in, with bars
 * between; chat_named - its Jinja, or NULL */
#define CHAT_NAMES	"chatml|llama3|mistral|gemma|phi|zephyr|alpaca"
const char *chat_named(const char *name);

#endif
