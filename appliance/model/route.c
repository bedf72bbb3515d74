/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/route.h"

#include <math.h>

void
route_new(struct arena *a, struct route *t, size_t R, size_t E, size_t K,
    bool norm)
{
	*t = (struct route){ .E = E, .K = K, .norm = norm };
	t->chance = arena_array(a, R * E, sizeof(*t->chance));
	t->first = arena_array(a, E + 1, sizeof(*t->first));
	t->next = arena_array(a, E, sizeof(*t->next));
	t->taken = arena_array(a, E, sizeof(*t->taken));
	t->sum = arena_array(a, R, sizeof(*t->sum));
	t->choice = arena_array(a, R * K, sizeof(*t->choice));
	t->row = arena_array(a, R * K, sizeof(*t->row));
	t->expert = arena_array(a, R * K, sizeof(*t->expert));
	t->weight = arena_array(a, R * K, sizeof(*t->weight));
}

static void
softmax(double *p, const real *x, size_t n)
{
	double max = (double)x[0], sum = 0;

	for (size_t i = 1; i < n; i++)
		max = (double)x[i] > max ? (double)x[i] : max;
	for (size_t i = 0; i < n; i++)
		sum += p[i] = exp((double)x[i] - max);
	for (size_t i = 0; i < n; i++)
		p[i] /= sum;
}

/* choose - the K likeliest of one row, of equals the first; the sum of their
 * chances, or 1 if they are not divided by it */
static double
choose(const struct route *t, const double *p, int32_t *choice)
{
	double sum = 0;

	memset(t->taken, 0, t->E * sizeof(*t->taken));
	for (size_t k = 0; k < t->K; k++) {
		size_t best = t->E;

		for (size_t e = 0; e < t->E; e++)
			if (!t->taken[e] && (best == t->E || p[e] > p[best]))
				best = e;
		t->taken[best] = true;
		choice[k] = (int32_t)best;
		sum += p[best];
	}
	return t->norm ? sum : 1;
}

void
route_make(struct route *t, const real *logits, size_t R)
{
	size_t E = t->E, K = t->K, e, at;

	t->n = R * K;
	memset(t->first, 0, (E + 1) * sizeof(*t->first));
	for (size_t r = 0; r < R; r++) {
		softmax(t->chance + r * E, logits + r * E, E);
		t->sum[r] = choose(t, t->chance + r * E, t->choice + r * K);
		for (size_t k = 0; k < K; k++)
			t->first[t->choice[r * K + k] + 1]++;
	}
	for (e = 0; e < E; e++)
		t->first[e + 1] += t->first[e];
	memcpy(t->next, t->first, E * sizeof(*t->next));
	for (size_t i = 0; i < t->n; i++) {
		e = (size_t)t->choice[i];
		at = t->next[e]++;
		t->row[at] = (int32_t)(i / K);
		t->expert[at] = (int32_t)e;
		t->weight[at] = (real)(t->chance[i / K * E + e] /
		    t->sum[i / K]);
	}
}

void
route_grad(const struct route *t, const real *dweight, real *dlogits,
    size_t R)
{
	double *mean = mem_alloc(R * sizeof(*mean));
	size_t E = t->E;

	/* of a softmax's weights: each gradient less their mean by weight;
	 * over the chosen only where these add up to one */
	memset(dlogits, 0, R * E * sizeof(*dlogits));
	for (size_t i = 0; i < t->n; i++)
		mean[t->row[i]] += (double)t->weight[i] * (double)dweight[i];
	for (size_t r = 0; !t->norm && r < R; r++)
		for (size_t e = 0; e < E; e++)
			dlogits[r * E + e] = (real)(-mean[r] *
			    t->chance[r * E + e]);
	for (size_t i = 0; i < t->n; i++) {
		size_t r = (size_t)t->row[i];

		dlogits[r * E + (size_t)t->expert[i]] +=
		    (real)((double)t->weight[i] * ((double)dweight[i] -
		    (t->norm ? mean[r] : 0)));
	}
	mem_free(mean);
}
