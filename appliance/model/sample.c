/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/sample.h"

#include <math.h>
#include <stdlib.h>

#define LEAST	20.0

static int
word_cmp(const void *va, const void *vb)
{
	const struct sample_word *a = va, *b = vb;

	if (a->logit != b->logit)
		return a->logit > b->logit ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* sample_top - the largest, lowest id first */
static int32_t
sample_top(const real *logits, size_t V)
{
	size_t best = 0;

	for (size_t i = 1; i < V; i++)
		if (logits[i] > logits[best])
			best = i;
	return (int32_t)best;
}

int32_t
sample_pick(const struct sample *s, const real *logits, size_t V, double unit,
    struct sample_word *word)
{
	int32_t top = sample_top(logits, V);
	double max = (double)logits[top], sum = 0, kept = 0;
	size_t n = 0, keep;

	if (s->temperature <= 0)
		return top;
	for (size_t i = 0; i < V; i++)
		if ((double)logits[i] > max - LEAST * s->temperature)
			word[n++] = (struct sample_word){ logits[i],
			    (int32_t)i };
	if (n > 1)
		qsort(word, n, sizeof(*word), word_cmp);
	if (s->top_k > 0 && (size_t)s->top_k < n)
		n = (size_t)s->top_k;
	for (size_t i = 0; i < n; i++)
		sum += exp(((double)word[i].logit - max) / s->temperature);
	for (keep = 0; keep < n && (keep == 0 || kept < s->top_p * sum);
	    keep++)
		kept += exp(((double)word[keep].logit - max) /
		    s->temperature);
	unit *= kept;
	for (size_t i = 0; i + 1 < keep; i++) {
		unit -= exp(((double)word[i].logit - max) / s->temperature);
		if (unit < 0)
			return word[i].id;
	}
	return keep == 0 ? top : word[keep - 1].id;
}
