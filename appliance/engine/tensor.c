/* SPDX-License-Identifier: Apache-2.0 */
/* one tensor's numbers, whatever they lie in */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/engine/tensors.h"

#include <unistd.h>

#define BITE	((size_t)256 << 10)	/* bytes read at once, about */

const char *
tensor_shape(struct arena *a, const struct tensor *t)
{
	const char *s = "[";

	for (unsigned i = 0; i < t->ndims; i++)
		s = arena_printf(a, "%s%s%llu", s, i > 0 ? "," : "",
		    (unsigned long long)t->shape[i]);
	return arena_printf(a, "%s]", s);
}

/* tensor_bytes - n bytes of the file from a place on */
static int
tensor_bytes(const struct tensor *t, uint64_t at, void *out, size_t n,
    struct err *e)
{
	ssize_t got;

	for (size_t have = 0; have < n; have += (size_t)got) {
		got = pread(t->fd, (char *)out + have, n - have,
		    (off_t)(at + have));
		if (got <= 0)
			return err_set(e, FATE_REJECT, "tensor '%.100s' "
			    "cannot be read at byte %llu: the file is cut "
			    "short", t->name, (unsigned long long)(at + have));
	}
	return 0;
}

/* read_blocks - the numbers in the file's order */
static int
read_blocks(const struct tensor *t, float *out, struct err *e)
{
	size_t most = BITE / t->form->bytes, n;
	unsigned char *raw = mem_alloc(most * t->form->bytes);
	uint64_t blocks = t->count / t->form->block;
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < blocks; i += n) {
		n = blocks - i < most ? (size_t)(blocks - i) : most;
		rc = tensor_bytes(t, t->data + t->from + i * t->form->bytes,
		    raw, n * t->form->bytes, e);
		if (rc == 0)
			t->form->decode(raw, out + i * t->form->block, n);
	}
	mem_free(raw);
	return rc;
}

/* read_scaled - bytes, and elsewhere a scale for each group of them */
static int
read_scaled(const struct tensor *t, float *out, struct err *e)
{
	size_t n = (size_t)t->count, groups = n / t->group;
	int8_t *q = mem_alloc(n);
	float *scale = mem_alloc(groups * sizeof(*scale));
	int rc = tensor_bytes(t, t->data + t->from, q, n, e);

	if (rc == 0)
		rc = tensor_bytes(t, t->scales, scale, groups *
		    sizeof(*scale), e);
	for (size_t i = 0; rc == 0 && i < groups * t->group; i++)
		out[i] = (float)q[i] * scale[i / t->group];
	mem_free(q);
	mem_free(scale);
	return rc;
}

/*
 * row_from - where row r of a matrix comes from.  PAIRED and HALVED stay within
 * a head of D rows: row i of the first half and row i of the second become rows
 * 2i and 2i+1, or the other way.  BY_HEAD makes [heads, 3, D] of [3, heads, D].
 */
static size_t
row_from(const struct tensor *t, size_t r)
{
	size_t H = t->heads, rows = (size_t)t->shape[0];
	size_t D = rows / H, d = r % D;

	switch (t->change) {
	case TENSOR_PAIRED:
		return r - d + d % 2 * (D / 2) + d / 2;
	case TENSOR_HALVED:
		return r - d + d % (D / 2) * 2 + d / (D / 2);
	case TENSOR_BY_HEAD:
		D = rows / (3 * H);
		return (r / D % 3 * H + r / (3 * D)) * D + r % D;
	default:
		D = rows / (3 * H);
		return (r / D % H * 3 + r / (H * D)) * D + r % D;
	}
}

/* move_rows - `to` from `from` */
static void
move_rows(const struct tensor *t, const float *from, float *to)
{
	size_t cols = t->ndims > 1 ? (size_t)t->shape[1] : 1;

	for (size_t r = 0; r < (size_t)t->shape[0]; r++)
		memcpy(to + r * cols, from + row_from(t, r) * cols,
		    cols * sizeof(*to));
}

static void
turn(const struct tensor *t, const float *from, float *to)
{
	size_t rows = (size_t)t->shape[0], cols = (size_t)t->shape[1];

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c++)
			to[r * cols + c] = from[c * rows + r];
}

/* change - in place */
static void
change(const struct tensor *t, float *v)
{
	size_t n = (size_t)t->count;
	float *copy;

	switch (t->change) {
	case TENSOR_SAME:
		return;
	case TENSOR_LESS_ONE:
	case TENSOR_PLUS_ONE:
		for (size_t i = 0; i < n; i++)
			v[i] += t->change == TENSOR_PLUS_ONE ? 1 : -1;
		return;
	default:
		copy = mem_alloc(n * sizeof(*copy));
		memcpy(copy, v, n * sizeof(*copy));
		if (t->change == TENSOR_TURNED)
			turn(t, copy, v);
		else
			move_rows(t, copy, v);
		mem_free(copy);
	}
}

int
tensor_read(const struct tensor *t, float *out, struct err *e)
{
	for (unsigned i = 0; i < t->parts; i++) {
		if (tensor_read(&t->part[i], out, e) == -1)
			return -1;
		out += t->part[i].count;
	}
	if (t->part != NULL)
		return 0;
	if (t->form == NULL)
		return err_set(e, FATE_REJECT, "tensor '%.100s' is of dtype "
		    "%s, which is not computed", t->name, t->dtype);
	if (t->values != NULL)
		memcpy(out, t->values, (size_t)t->count * sizeof(*out));
	else if ((t->scales > 0 ? read_scaled(t, out, e) :
	    read_blocks(t, out, e)) == -1)
		return -1;
	change(t, out);
	return 0;
}

enum tensor_change
tensor_back(enum tensor_change c)
{
	switch (c) {
	case TENSOR_PAIRED:
		return TENSOR_HALVED;
	case TENSOR_HALVED:
		return TENSOR_PAIRED;
	case TENSOR_BY_HEAD:
		return TENSOR_BY_KIND;
	case TENSOR_BY_KIND:
		return TENSOR_BY_HEAD;
	case TENSOR_LESS_ONE:
		return TENSOR_PLUS_ONE;
	case TENSOR_PLUS_ONE:
		return TENSOR_LESS_ONE;
	default:
		return c;
	}
}

void
tensor_changed(struct tensor *t, enum tensor_change c, unsigned heads)
{
	uint64_t rows = t->shape[0];

	if (c == TENSOR_SAME)
		return;
	if (c == TENSOR_TURNED) {
		t->shape[0] = t->shape[1];
		t->shape[1] = rows;
	}
	if (t->change == TENSOR_SAME) {
		t->change = c;
		t->heads = heads;
	} else if (t->change == tensor_back(c) && t->heads == heads)
		t->change = TENSOR_SAME;
	else
		panic("tensor '%s' is to be changed twice", t->name);
}
