/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LESSON_H
#define TEXT_LESSON_H

#include "appliance/text/chat.h"
#include "appliance/text/rec.h"

/*
 * lesson.h - a record as the ids that a model reads, and which of them it is
 * to learn to write.
 *
 *   messages       a chat by the model's own template: the assistant's turns
 *                  are learnt, each with the special token that ends it
 *   a completion   it and the end of the text; not the prompt before it.  Both
 *                  are encoded as one, since tokens may reach across.  A list
 *                  of messages in either is a chat
 *   a text         all of it and its end
 *
 * Texts begin with the token that the vocabulary has for that, if it is not
 * the one that ends them.
 */

struct lesson_conf {
	const struct tokenizer *tokenizer;
	const struct chat *chat;	/* NULL: why there is none */
	const char *why;
	const char *text, *prompt, *completion, *messages;	/* fields */
	bool asked;			/* the prompt is learnt, too */
	bool others;			/* so are the turns of others */
};

struct lesson {
	uint32_t *id;
	unsigned char *mine;		/* 1: learnt */
	size_t n;
};

/* lesson_of - NULL, or why the record has none */
const char *lesson_of(const struct lesson_conf *, struct arena *,
    const struct rec *, struct lesson *);

/* lesson_ids - a text whose ids are there: with what begins and ends it; the
 * first `quiet` are not learnt, nor is then what begins it */
void lesson_ids(const struct lesson_conf *, struct arena *,
    const uint32_t *id, size_t n, size_t quiet, struct lesson *);

/* lesson_answer - the field `answer` after the prompt, as completions are; the
 * first `given` turns of the assistant beside those of a prompt are not learnt
 */
const char *lesson_answer(const struct lesson_conf *, struct arena *,
    const struct rec *, const char *answer, size_t given, struct lesson *);

/* lesson_turns - how many of the first n messages (a JSON list) are the
 * assistant's */
size_t lesson_turns(struct arena *, struct view messages, size_t n);

#endif
