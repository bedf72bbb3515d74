/* SPDX-License-Identifier: Apache-2.0 */
/* How likely an encoder-decoder holds texts to be, each after its input */
#include "appliance/base/base.h"
#include "appliance/model/t5_predict.h"

#include <math.h>

/* nll - minus the log of the probability that logits give a word */
static double
nll(const real *logits, size_t V, int32_t word)
{
	double max = -HUGE_VAL, sum = 0;

	for (size_t i = 0; i < V; i++)
		max = (double)logits[i] > max ? (double)logits[i] : max;
	for (size_t i = 0; i < V; i++)
		sum += exp((double)logits[i] - max);
	return max + log(sum) - (double)logits[word];
}

/* score_some - of at most as many texts as there are slots */
static void
score_some(struct t5_predict *x, struct t5_text *v, size_t n, int32_t *rows,
    real *logits)
{
	const struct shape *m = &x->p.w->shape;
	size_t slots = x->p.slots, places = x->p.places, k = 1;
	int32_t *id = rows, *slot = rows + slots, *pos = slot + slots;

	for (size_t t = 0; t < n; t++) {
		v[t].nll = 0;
		t5_predict_read(x, t, v[t].in, v[t].nin < places ? v[t].nin :
		    places);
	}
	for (size_t i = 0; k > 0; i++) {
		k = 0;
		for (size_t t = 0; t < n; t++) {
			if (i >= v[t].n)
				continue;
			id[k] = i % places == 0 ? m->begin : v[t].id[i - 1];
			pos[k] = (int32_t)(i % places);
			slot[k++] = (int32_t)t;
		}
		if (k > 0)
			t5_predict_next(x, id, slot, pos, k, logits);
		for (size_t r = 0; r < k; r++)
			v[slot[r]].nll += nll(logits + r * m->V, m->V,
			    v[slot[r]].id[i]);
	}
}

void
t5_score(struct t5_predict *x, struct t5_text *v, size_t n)
{
	size_t slots = x->p.slots, k;
	int32_t *rows = mem_alloc(3 * slots * sizeof(*rows));
	real *logits = mem_alloc(slots * x->p.w->shape.V * sizeof(*logits));

	for (size_t i = 0; i < n; i += k) {
		k = n - i < slots ? n - i : slots;
		score_some(x, v + i, k, rows, logits);
	}
	mem_free(rows);
	mem_free(logits);
}
