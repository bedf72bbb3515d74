/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/quant.h"
#include "appliance/model/packed.h"

#include <math.h>

#define BLOCK	((size_t)32)
#define SOME	((size_t)256)		/* rows encoded at once */
#define MOST	65504			/* of a half */

const char *const packed_names[] = { "f32", "q8", "q4" };

static enum kernel_quant
kernel_form(enum packed_form form)
{
	return form == PACKED_Q8 ? KERNEL_Q8 : KERNEL_Q4;
}

int
packed_check(const struct device *d, enum packed_form form, struct err *e)
{
	if (form == PACKED_F32 || d->k->quant_product != NULL)
		return 0;
	return err_set(e, FATE_REJECT, "device '%s' has no products with "
	    "weights=%s yet: ask for no GPU, or for weights=f32", d->k->name,
	    packed_names[form]);
}

size_t
packed_size(const struct device *d, enum packed_form form, size_t rows,
    size_t cols)
{
	return form == PACKED_F32 ? d->k->packed_size(d->dev, rows, cols) :
	    d->k->quant_size(d->dev, kernel_form(form), rows, cols);
}

/* put_floats - pack reads the device's memory: the matrix goes there first */
static int
put_floats(const struct device *d, void *to, const real *from, size_t rows,
    size_t cols, struct err *e)
{
	size_t bytes = rows * cols * sizeof(*from);
	void *flat = d->k->alloc(d->dev, bytes);

	if (flat == NULL)
		return err_set(e, FATE_RETRY, "the device has no %zu MiB to "
		    "pack weights in", bytes >> 20);
	d->k->put(d->dev, flat, from, bytes);
	d->k->pack(d->dev, to, flat, rows, cols);
	d->k->release(d->dev, flat);
	return 0;
}

/* encode_rows - blocks of some rows, whose ends are filled up with zeros */
static int
encode_rows(const struct quant *q, unsigned char *raw, const real *from,
    size_t rows, size_t cols, struct err *e)
{
	size_t whole = cols / BLOCK, left = cols % BLOCK;
	float end[BLOCK] = { 0 };

	for (size_t i = 0; i < rows * cols; i++)
		if (!(fabsf((float)from[i]) <= MOST))
			return err_set(e, FATE_REJECT, "a weight is %g, which "
			    "%s cannot hold: weights=f32 can",
			    (double)from[i], q->name);
	for (size_t r = 0; r < rows; r++, from += cols) {
		q->encode((const float *)from, raw, whole);
		raw += whole * q->bytes;
		if (left == 0)
			continue;
		memcpy(end, from + whole * BLOCK, left * sizeof(*end));
		q->encode(end, raw, 1);
		raw += q->bytes;
	}
	return 0;
}

int
packed_put(const struct device *d, enum packed_form form, void *to,
    const real *from, size_t rows, size_t cols, struct err *e)
{
	const struct quant *q = quant_form(form == PACKED_Q8 ?
	    GGUF_FORM_Q8_0 : GGUF_FORM_Q4_0);
	size_t row = (cols + BLOCK - 1) / BLOCK * q->bytes, n;
	unsigned char *raw;
	int rc = 0;

	if (form == PACKED_F32)
		return put_floats(d, to, from, rows, cols, e);
	raw = mem_alloc(SOME * row);
	for (size_t r = 0; rc == 0 && r < rows; r += n) {
		n = rows - r < SOME ? rows - r : SOME;
		rc = encode_rows(q, raw, from + r * cols, n, cols, e);
		if (rc == 0)
			d->k->quant_pack(d->dev, kernel_form(form), (char *)to +
			    packed_size(d, form, r, cols), raw, n, cols);
	}
	mem_free(raw);
	return rc;
}

void
packed_product(const struct device *d, enum packed_form form, real *y,
    const real *x, const void *w, size_t R, size_t N, size_t K)
{
	if (form == PACKED_F32)
		d->k->product(d->dev, y, x, w, R, N, K);
	else
		d->k->quant_product(d->dev, kernel_form(form), y, x, w, R, N,
		    K);
}

void
packed_rows(const struct device *d, enum packed_form form, real *y,
    const void *w, const int32_t *id, size_t R, size_t N, size_t K)
{
	d->k->quant_embed(d->dev, kernel_form(form), y, w, id, R, N, K);
}
