/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_EVALUATE_H
#define EVALUATE_EVALUATE_H

#include "appliance/model/score.h"
#include "appliance/model/t5_predict.h"
#include "appliance/module.h"
#include "modules/evaluate/interval.h"

/*
 * evaluate.h - what evaluate's files share.  Each record leaves an item in the
 * journal; metrics are functions of all items (likely.c of likelihoods, match.c
 * of predictions beside labels, figures.c of numbers and tags) and each has a
 * 95 % confidence interval (interval.h); gate.c compares them with gates.
 */

struct evaluate_conf {
	const char *model, *adapter, *against, *text, *prompt, *label;
	const char *prediction, *rival, *gpus;
	struct opt_list gate;
	int64_t context, resamples, seed;
	int weights;			/* enum packed_form */
	int kind;			/* of predictions */
};

enum { KIND_TEXTS, KIND_NUMBERS, KIND_TAGS };

/* one record's likelihood under a model, and under the other one */
struct likely {
	double nll, other;
	uint32_t tokens, other_tokens, bytes, words;
};

/* one record's prediction: class is a hash of the text */
struct match {
	uint64_t label, got, rival;
	float f1, rival_f1;
	uint8_t right, exact, rival_right, rival_exact;
	uint8_t many, pad[3];		/* many: several labels */
};

/* Is this the name of a metric that a model (or predictions) can have */
bool likely_metric(const char *name);
bool match_metric(const char *name);

/* likely.c */
struct scorer {
	struct model model;
	struct predict *predict;
	struct t5_predict *seq2seq;	/* instead, of an encoder-decoder */
};

/* scorer_open - adapter: merged into the model, or NULL */
int scorer_open(struct scorer *, struct stage *, const char *ref,
    const char *adapter, int64_t context, enum packed_form, struct err *);

/* scorer_texts - nll and tokens of texts, each after its prompt */
int scorer_texts(struct scorer *, struct stage *, struct arena *,
    const struct view *prompt, const struct view *text, size_t n,
    struct score *, struct err *);
void likely_metrics(struct arena *, const struct likely *, size_t n,
    bool other, struct metrics *);

/* match.c: answers as SQuAD compares them */
bool match_record(struct arena *, struct rec *, const struct evaluate_conf *,
    struct match *);
void match_metrics(struct arena *, const struct evaluate_conf *,
    const struct match *, size_t n, struct metrics *);

/* figures.c: numbers and tags; a record's item is added to out */
bool figure_metric(int kind, const char *name);
bool figure_record(struct arena *, struct rec *, const struct evaluate_conf *,
    struct buf *out);
size_t figure_size(int kind);
void figure_metrics(struct arena *, const struct evaluate_conf *,
    struct view items, struct metrics *);

/* gate.c: METRIC:min|max:VALUE|baseline */
struct gate {
	const char *metric;
	bool least;
	bool baseline;
	double bound;
};

int gate_parse(struct arena *, const char *text, struct gate *, struct err *);

/* gate_passes - false with the reason */
bool gate_passes(struct arena *, const struct gate *, const struct metrics *,
    const char **why);

#endif
