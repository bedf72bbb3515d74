/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "appliance/model/weights.h"
#include "appliance/text/tokenizer.h"

/*
 * model.h - a model as it arrives (source.h: a directory, a GGUF file) and as
 * it leaves: config.json, model.safetensors, the tokenizer's file
 * (tokenizer.h), tokenizer_config.json and chat_template.jinja.  Read to the
 * host's memory as one run.
 */

struct model {
	struct weights w;
	struct tensors tensors;		/* of the file that it came in */
	struct view config;		/* its config.json */
	real *run;			/* goes with the arena, or model_drop */
	struct tokenizer *tokenizer;
	const char *tokenizer_name;	/* of its file */
	struct view tokenizer_file;
	struct view tokenizer_config;	/* or empty */
	size_t most;			/* ids of a text to be embedded, as
					 * pooling.h has it; 0: any */
	struct view chat_template;	/* the .jinja, or empty */
};

/* model_open - at: a directory or a file; every damaged, missing or unknown
 * thing is told by name */
int model_open(struct arena *, int at, struct model *, struct err *);

/* model_look - all but the run, whose tensors stay open; an encoder is refused,
 * as is an encoder-decoder.
 * model_room - a run of nothing yet; model_read - the run */
int model_look(struct arena *, int at, struct model *, struct err *);
/* model_look_kept - the same, its tokenizer by way of a directory of compiled
 * ones (tokenizer.h); images -1: there is none */
int model_look_kept(struct arena *, int at, int images, struct model *,
    struct err *);
/* model_look_encoder - the same of an encoder; want: the head that it shall
 * have, or NULL for the one it comes with.  A head that the file has not, or of
 * other labels, begins anew; one without labels is the file's own */
int model_look_encoder(struct arena *, int at, const struct shape_head *want,
    struct model *, struct err *);
/* model_is_encoder, model_is_seq2seq - does a directory's config.json say so,
 * or of an encoder a GGUF file */
bool model_is_encoder(int dir);
bool model_is_seq2seq(int dir);
/* model_look_seq2seq - model_look_kept of an encoder-decoder (t5.h) */
int model_look_seq2seq(struct arena *, int at, int images, struct model *,
    struct err *);
void model_room(struct arena *, struct model *);
int model_read(struct arena *, struct model *, struct err *);

/* model_adapt - merge the adapter of a PEFT directory into the run; what it
 * says that is not known is added to `told`, a line each */
int model_adapt(struct arena *, int dir, struct model *, struct buf *told,
    struct err *);

/* model_drop - the parameters are elsewhere now */
void model_drop(void *model);

/* model_write - the files, flushed */
int model_write(struct arena *, const struct model *, int dir, struct err *);

/* model_stops - does this token end a text */
bool model_stops(const struct model *, int32_t id);

/* model_begin - the token that a text begins with; -1 if there is none */
int32_t model_begin(const struct model *);

#endif
