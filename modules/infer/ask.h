/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_ASK_H
#define INFER_ASK_H

#include "appliance/model/t5_predict.h"
#include "modules/infer/infer.h"
#include "modules/infer/read.h"

/*
 * ask.h - the stage at work, for infer.c, open.c, ask.c and adapters.c: a
 * record is opened as a question, answered by generate.h, and closed.
 */

/* what result.json tells; kept in the journal after each batch */
struct told {
	int64_t rows, refused, prompt, completion;
	int64_t calls, uncalled;	/* of tools; answers that began one and
					 * stayed text */
	struct reads_told read;
};

struct adapter_known {			/* one of adapters= */
	const char *name;		/* that records give */
	const char *base;		/* what it calls its base, or NULL */
	uint64_t check;			/* of its numbers */
};

struct infer {
	struct stage *stage;
	const struct infer_conf *conf;
	struct model model;
	struct predict *predict;
	struct t5_predict *seq2seq;	/* an encoder-decoder, instead */
	struct reads *reads;		/* an encoder, instead of all this */
	struct adapter_known *adapter;
	size_t nadapters;
	struct answers answers;
	uint64_t base;			/* hash of model and settings */
	bool begin;
	const struct tokenizer *find;	/* of prompts, with find=; or NULL */
	struct talk talk;
	struct format *format;		/* once a form is asked for */
	struct told told;
	struct buf *pair;
	int64_t shared;			/* tokens that were not read again */
	double began;
};

/* infer_model - the model that is asked for, on its device */
int infer_model(struct infer *, struct err *);

/* adapters_open - those of adapters=, beside the weights; before the model's
 * run goes.  adapters_of - the one that a record asks for; NULL, or why there
 * is none.  adapters_name - as an answer calls it, or the model */
int adapters_open(struct infer *, struct err *);
const char *adapters_of(const struct infer *, struct arena *, struct ask *);
const char *adapters_name(const struct infer *, const struct ask *);

/* ask_open - a record's question and how it wants to be answered, or
 * ask->error.  ask_again - an answer that an earlier attempt has kept */
void ask_open(struct infer *, struct arena *, struct rec *, struct ask *);
bool ask_again(struct infer *, struct ask *);

/* ask_text - the i-th token's bytes */
void ask_text(struct infer *, struct ask *, size_t i);

/* ask_follow - the text from a place on is held against the form; is it to end
 * there.  ask_ended - nothing more will be written */
bool ask_follow(struct infer *, struct ask *, size_t from);
void ask_ended(struct infer *, struct ask *);

/* ask_close - the answer into the record, or the reason why there is none */
void ask_close(struct infer *, struct arena *, struct ask *);

#endif
