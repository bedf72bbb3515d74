/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include "appliance/model/generate.h"
#include "appliance/module.h"
#include "appliance/text/calls.h"
#include "appliance/text/chat.h"
#include "modules/infer/format.h"

/*
 * infer.h - what infer's files share.  open.c opens the model, infer.c runs
 * batches, ask.c asks and answers a record, prompt.c makes a prompt of it,
 * talk.c of messages, line.c reads and writes OpenAI's batch lines, format.c
 * holds answers to a form, adapters.c has those that records choose, answers.c
 * keeps finished rows for a resume in the middle of a batch.
 */

struct infer_conf {
	const char *model, *adapter, *prompt, *template, *into, *gpus, *pair;
	const char *messages, *chat_template, *date;
	int64_t max_tokens, top_k, seed, slots, context, cache;
	double temperature, top_p;
	struct opt_list stop, adapters;
	const char *choose;
	bool share, find, large_pages;
	int begin, overlong, weights;	/* weights: enum packed_form */
};

extern const struct opt infer_opts[];

enum { BEGIN_AUTO, BEGIN_YES, BEGIN_NO };
enum { OVERLONG_FAIL, OVERLONG_CUT };

/* what is asked and answered for one record */
struct ask {
	struct rec *rec;
	bool line, chat;		/* an OpenAI line; its kind */
	struct view model;		/* a line's, as JSON; or p NULL */
	struct schema *schema;		/* of its form; or NULL */
	struct follow *follow;		/* while it is written */
	struct view format;		/* as it was asked for */
	struct view prompt;
	struct view messages, tools;	/* instead, JSON lists; or p NULL */
	const uint32_t *id;		/* the prompt's, if a template made */
	size_t nid;			/* it; or NULL */
	struct view *stop;
	size_t nstop, longest;		/* the longest's bytes */
	struct buf *text;		/* decoded so far */
	const char *error;		/* why there is no answer, or NULL */
	const char *finish;		/* "stop", "length" or "tool_calls" */
	struct calls calls;		/* of tools, n 0: none */
	uint64_t key[2];
	struct generate_row row;
};

/* prompt_of - the record's prompt or messages; NULL, or why there is none */
const char *prompt_of(const struct infer_conf *, struct arena *, struct ask *);

/* ask_stop - where the first stop begins in the answer's text from a place on;
 * its end if there is none */
size_t ask_stop(const struct ask *, size_t from);

/* talk_open - the template that is asked for, or the model's own; that there is
 * none is no error until it is asked for.  talk_ids - messages as the ids of a
 * prompt; NULL, or why there are none */
struct talk {
	struct chat *chat;		/* NULL: why there is none */
	const char *why;
};

int talk_open(struct stage *, const struct infer_conf *, const struct model *,
    struct talk *, struct err *);
const char *talk_ids(const struct talk *, struct arena *,
    struct view messages, struct ask *);

/* talk_content - a message's content: a text, or parts of which all are text */
bool talk_content(struct arena *, struct view raw, struct buf *);

/* line_is - is this record a line of OpenAI's batch files */
bool line_is(const struct rec *);

/* line_read - its prompt or messages and settings over those of the stage; or
 * ask->error.  line_plain - messages where there is no template: a role and its
 * words a line each */
void line_plain(struct arena *, struct ask *);
void line_read(struct arena *, struct ask *);

/* talk_calls - an answer's calls of tools as OpenAI lists them */
void talk_calls(const struct ask *, struct buf *);

/* line_write - the record becomes the line of the answer */
void line_write(struct arena *, struct ask *, const char *model,
    struct view text);

/*
 * answers.h: a file of finished rows, each with its checksum, appended as they
 * end; what a crash has cut is dropped.  fd -1: nothing is kept.
 */
struct answer {
	uint64_t key[2];
	uint32_t why, n;
	const int32_t *id;
};

struct answers {
	int fd;
	struct answer *v;
	size_t n;
};

int answers_open(struct answers *, struct arena *, int dir, struct err *);
const struct answer *answers_find(const struct answers *,
    const uint64_t key[2]);
int answers_add(struct answers *, const struct ask *, struct err *);

#endif
