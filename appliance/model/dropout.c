/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/dropout.h"
#include "appliance/model/random.h"
#include "appliance/model/t5.h"

#define PLACES	((uint64_t)8)		/* more than a layer has */

/* beside the places of weights, which adapters' dropout is told apart by */
#define STREAM	((uint64_t)1 << 63)

void
dropout_set(struct decoder *d, bool learns)
{
	d->drop.rows = learns ? d->drop.rows_p : 0;
	d->drop.scores = learns ? d->drop.scores_p : 0;
	d->work.dropout = !learns || d->adapter == NULL ? 0 :
	    d->adapter->conf.dropout;
}

/* place_key - of a place of the program, in this step */
static uint64_t
place_key(const struct decoder *d, enum dropout_place place, size_t layer)
{
	return random_key(d->work.key, STREAM + layer * PLACES + place);
}

/* places - of a sequence, where the layer is */
static size_t
places(const struct decoder *d, size_t layer)
{
	return d->w->shape.seq2seq && layer >= d->w->shape.LE ? d->t5->T :
	    d->T;
}

size_t
dropout_row(const struct decoder *d, size_t layer)
{
	return d->work.row / d->T * places(d, layer);
}

static void
drop(const struct decoder *d, enum dropout_place place, size_t layer, real *y,
    const real *x, size_t width)
{
	size_t n = d->B * places(d, layer) * width;

	d->device->k->dropout(d->device->dev, y, x, n, d->drop.rows,
	    device_draws(place_key(d, place, layer), dropout_row(d, layer) *
	    width), 0);
}

void
dropout_rows(const struct decoder *d, enum dropout_place place, size_t layer,
    real *x)
{
	if (d->drop.rows > 0)
		drop(d, place, layer, x, x, d->w->shape.C);
}

const real *
dropout_back(const struct decoder *d, enum dropout_place place, size_t layer,
    const real *dx)
{
	if (d->drop.rows == 0)
		return dx;
	drop(d, place, layer, d->drop.back, dx, d->w->shape.C);
	return d->drop.back;
}

void
dropout_act(const struct decoder *d, size_t layer, real *x)
{
	if (d->drop.rows > 0)
		drop(d, DROPOUT_ACT, layer, x, x, d->w->shape.F);
}

void
dropout_scores(const struct decoder *d, enum dropout_place place,
    size_t layer, size_t first, real *y, const real *x, size_t n)
{
	d->device->k->dropout(d->device->dev, y, x, n, d->drop.scores,
	    device_draws(place_key(d, place, layer), first), 0);
}

void
dropout_heads(const struct decoder *d, size_t layer, struct kernel_heads *h)
{
	h->drop = d->drop.scores;
	if (h->drop > 0)
		h->key = device_draws(place_key(d, DROPOUT_SCORES, layer),
		    d->work.row * h->H * h->T);
}
