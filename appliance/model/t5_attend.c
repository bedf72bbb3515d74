/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention with a bias of relative positions: the scores of one sequence at a
 * time are there as a whole, and on the way back they are made anew.
 */
#include "appliance/base/base.h"
#include "appliance/model/dropout.h"
#include "appliance/model/t5.h"

#include <math.h>

int32_t
t5_bucket(int64_t distance, bool both, size_t buckets, size_t far)
{
	size_t n = both ? buckets / 2 : buckets, exact = n / 2, at, from = 0;
	int64_t off = distance < 0 ? -distance : both ? distance : 0;
	float x;

	if (both && distance > 0)
		from = n;
	if ((size_t)off < exact)
		return (int32_t)(from + (size_t)off);
	x = logf((float)off / (float)exact) / (float)log((double)far /
	    (double)exact) * (float)(n - exact);
	at = exact + (size_t)x;
	return (int32_t)(from + (at < n ? at : n - 1));
}

/* relative_of - of sequence b */
static struct kernel_relative
relative_of(const struct decoder *d, const struct t5_heads *h, size_t b)
{
	const struct shape *m = &d->w->shape;

	return (struct kernel_relative){ .H = m->H, .T = h->T, .K = h->K,
	    .N = m->buckets, .from = h->from + b * h->T, .to = h->to +
	    b * h->T, .bucket = h->bucket, .bias = h->bucket == NULL ? NULL :
	    decoder_param(d, h->near) };
}

/* scores - p[H,T,K] of sequence b become probabilities */
static void
scores(const struct decoder *d, const struct t5_heads *h, size_t b)
{
	const struct kernels *k = d->device->k;
	size_t D = d->w->shape.D, H = d->w->shape.H;
	struct kernel_relative s = relative_of(d, h, b);

	for (size_t i = 0; i < H; i++)
		k->gemm_part(d->device->dev, 0, 1, h->T, h->K, D, h->scale,
		    h->q + b * h->T * h->qs + i * D, h->qs, h->k + b * h->K *
		    h->ks + i * D, h->ks, 0, h->p + i * h->T * h->K, h->K);
	k->softmax(d->device->dev, h->p, &s);
}

/* drop - of all probabilities of sequence b; is there any */
static bool
drop(const struct decoder *d, const struct t5_heads *h, size_t b, real *y,
    const real *x)
{
	size_t n = d->w->shape.H * h->T * h->K;

	if (d->drop.scores == 0)
		return false;
	dropout_scores(d, h->bucket == NULL ? DROPOUT_CROSS_SCORES :
	    DROPOUT_SCORES, h->layer, h->first + b * n, y, x, n);
	return true;
}

void
t5_attend(const struct decoder *d, const struct t5_heads *h, real *y)
{
	const struct kernels *k = d->device->k;
	size_t D = d->w->shape.D, H = d->w->shape.H;

	for (size_t b = 0; b < h->B; b++) {
		scores(d, h, b);
		drop(d, h, b, h->p, h->p);
		for (size_t i = 0; i < H; i++)
			k->gemm_part(d->device->dev, 0, 0, h->T, D, h->K, 1,
			    h->p + i * h->T * h->K, h->K, h->v + b * h->K *
			    h->ks + i * D, h->ks, 0, y + b * h->T * H * D +
			    i * D, H * D);
	}
}

void
t5_attend_grad(const struct decoder *d, const struct t5_heads *h, real *dq,
    real *dk, real *dv, const real *dy)
{
	const struct kernels *k = d->device->k;
	void *dev = d->device->dev;
	size_t D = d->w->shape.D, H = d->w->shape.H, T = h->T, K = h->K;
	size_t q, kv, head;
	const real *read;		/* the probabilities that values met */

	for (size_t b = 0; b < h->B; b++, dy += T * H * D) {
		struct kernel_relative s = relative_of(d, h, b);

		scores(d, h, b);
		read = drop(d, h, b, h->dp, h->p) ? h->dp : h->p;
		for (size_t i = 0; i < H; i++) {
			kv = b * K * h->ks + i * D;
			head = i * T * K;
			k->gemm_part(dev, 1, 0, K, D, T, 1, read + head, K,
			    dy + i * D, H * D, 0, dv + kv, h->ks);
			k->gemm_part(dev, 0, 1, T, K, D, 1, dy + i * D, H * D,
			    h->v + kv, h->ks, 0, h->dp + head, K);
		}
		drop(d, h, b, h->dp, h->dp);
		k->softmax_grad(dev, h->dp, h->bucket == NULL ? NULL :
		    decoder_grad(d, h->near), h->p, &s);
		for (size_t i = 0; i < H; i++) {
			q = b * T * h->qs + i * D;
			kv = b * K * h->ks + i * D;
			head = i * T * K;
			k->gemm_part(dev, 0, 0, T, D, K, h->scale, h->dp +
			    head, K, h->k + kv, h->ks, 0, dq + q, h->qs);
			k->gemm_part(dev, 1, 0, K, D, T, h->scale, h->dp +
			    head, K, h->q + q, h->qs, 0, dk + kv, h->ks);
		}
	}
}
