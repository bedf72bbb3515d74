/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKENIZE_TALK_H
#define TOKENIZE_TALK_H

#include "appliance/module.h"
#include "appliance/text/chat.h"

/*
 * talk.h - where a vocabulary is, with the chat template beside it, and
 * records whose field is a list of messages.
 */

struct talk_conf {			/* options of the module */
	const char *template, *date;
	struct opt_list turn;		/* two markers */
	bool mask, prompt;
};

struct known {
	struct view file;
	struct hash hash;		/* of the file */
	const char *name;		/* of the file */
	struct tokenizer *tokenizer;
	struct chat_from from;		/* what lies beside it */
};

/* known_open - a name in the store, a file, or a directory that has one;
 * template: the value of template=, or NULL */
int known_open(struct stage *, const char *with, const char *template,
    struct known *, struct err *);

struct talk;

/* talk_open - without template= and without one beside the vocabulary, a record
 * with messages fails with that reason */
struct talk *talk_open(struct stage *, const struct talk_conf *,
    struct known *, struct err *);

/* talk_is - is the field a list of messages */
bool talk_is(const struct rec *, const char *field, struct view *messages);

/* talk_ids - its ids (and a field `mask`); false: the record has failed */
bool talk_ids(const struct talk *, struct arena *, struct rec *,
    struct view messages, struct chat_ids *);

#endif
