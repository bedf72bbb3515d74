/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include "appliance/model/generate.h"
#include "appliance/module.h"

/*
 * infer.h - what infer's files share.  infer.c runs batches, prompt.c makes a
 * prompt of a record, line.c reads and writes OpenAI's batch lines, answers.c
 * keeps finished rows for a resume in the middle of a batch.
 */

struct infer_conf {
	const char *model, *adapter, *prompt, *template, *into, *gpus, *pair;
	int64_t max_tokens, top_k, seed, slots, context;
	double temperature, top_p;
	struct opt_list stop;
	int begin, overlong, weights;	/* weights: enum packed_form */
};

extern const struct opt infer_opts[];

enum { BEGIN_AUTO, BEGIN_YES, BEGIN_NO };
enum { OVERLONG_FAIL, OVERLONG_CUT };

/* what is asked and answered for one record */
struct ask {
	struct rec *rec;
	bool line, chat;		/* an OpenAI line; its kind */
	struct view prompt;
	struct view *stop;
	size_t nstop, longest;		/* the longest's bytes */
	struct buf *text;		/* decoded so far */
	const char *error;		/* why there is no answer, or NULL */
	const char *finish;		/* "stop" or "length" */
	uint64_t key[2];
	struct generate_row row;
};

/* prompt_of - the record's prompt; NULL, or why there is none */
const char *prompt_of(const struct infer_conf *, struct arena *,
    const struct rec *, struct view *);

/* line_is - is this record a line of OpenAI's batch files */
bool line_is(const struct rec *);

/* line_read - its prompt and settings over those of the stage; or ask->error */
void line_read(struct arena *, struct ask *);

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
