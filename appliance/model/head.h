/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_HEAD_H
#define MODEL_HEAD_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * head.h - what is made of an encoder's last rows, as Hugging Face's classes
 * have it: ...ForMaskedLM, ...Model, ...ForSequenceClassification,
 * ...ForTokenClassification.  Decoders have HEAD_NEXT.
 */

enum head_kind { HEAD_NEXT, HEAD_MASKED, HEAD_EMBED, HEAD_CLASSES, HEAD_TAGS };

/* of classes: one of them, any number of them, or numbers as they are */
enum problem { PROBLEM_ONE, PROBLEM_MANY, PROBLEM_NUMBERS };

enum pool { POOL_MEAN, POOL_CLS };

struct shape_head {
	enum head_kind kind;
	size_t labels;			/* of classes and tags */
	enum problem problem;
	struct view names;		/* 'id2label', {"0":"NEG",...}, or
					 * empty: LABEL_0 and so on */
	enum pool pool;			/* of embeddings */
	bool normalize;			/* they have length 1 */
};

/* head_class - the end of the class's name: "ForMaskedLM", "Model" */
const char *head_class(enum head_kind);

/* head_parse - of an encoder's config.json; prefix: of its classes' names */
int head_parse(struct view root, const char *prefix, struct shape_head *,
    struct err *);

/* head_print - members of a config.json that is being written */
void head_print(const struct shape_head *, struct buf *);

/* what labels are called */
struct label_names {
	size_t n;
	struct view *json;		/* as the file has it */
	struct view *text;		/* of a string; else p is NULL */
};

/* head_names - of all labels, read once; head_find - a label's number, or -1 */
void head_names(const struct shape_head *, struct arena *,
    struct label_names *);
int64_t head_find(const struct label_names *, struct view name);

/* head_named - names for labels, in their order */
void head_named(struct shape_head *, struct arena *, const char *const *name,
    size_t n);

#endif
