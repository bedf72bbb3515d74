/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_MEASURE_H
#define MODEL_MEASURE_H

#include "appliance/model/model.h"

/*
 * measure.h - how likely a model holds the texts of a file of records to be:
 * what is lost by writing it in fewer bits or with fewer weights.  As evaluate
 * has it: a completion behind its prompt, else a text, in windows of the
 * model's context, 4096 at most.
 */

struct measure_text {
	struct view prompt, text;
};

struct measure_texts {
	struct measure_text *v;
	size_t n;
};

struct measure {
	size_t texts;
	double *nll, *tokens;		/* of each text: minus the sum of the
					 * log-probabilities; of so many */
	double all_nll, all_tokens;
};

/* measure_read - the records of a file of JSON Lines */
int measure_read(struct arena *, const char *path, struct measure_texts *,
    struct err *);

/* measure_model - at: a model's directory or file, as the device computes it */
int measure_model(struct arena *, struct device *, int at,
    const struct measure_texts *, struct measure *, struct err *);

/* measure_ids - all texts in a row, each behind the token that begins one */
void measure_ids(struct arena *, const struct model *,
    const struct measure_texts *, int32_t **id, size_t *n);

double measure_perplexity(const struct measure *);

/* measure_more - of nats a token, on the same texts by the same tokenizer: how
 * many more, and the ends of its 95 % interval over texts (the ratio's, by
 * linearisation) */
double measure_more(const struct measure *before, const struct measure *after,
    double *low, double *high);

#endif
