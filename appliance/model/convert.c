/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/convert.h"

#include <math.h>
#include <unistd.h>

#define BITE	((size_t)16 << 10)	/* blocks written at once */
#define MOST	65504			/* of a half, and so of a scale */

/* convert_meant - a tensor has other names in other formats, but one place */
static bool
convert_meant(const struct convert *c, const struct tensor *t)
{
	for (unsigned i = 0; i < t->parts; i++)
		if (convert_meant(c, &t->part[i]))
			return true;
	return c->only == NULL || (t->part == NULL && c->only->fd == t->fd &&
	    c->only->data + c->only->from == t->data + t->from);
}

const struct quant *
convert_asked(const struct convert *c, const struct tensor *t)
{
	return convert_meant(c, t) ? c->form : NULL;
}

uint64_t
convert_size(const struct tensor *t, const struct quant *form)
{
	return form == NULL ? t->to - t->from :
	    t->count / form->block * form->bytes;
}

/* convert_check - numbers that a form cannot hold */
static int
convert_check(const struct tensor *t, const struct quant *form,
    const float *v, struct err *e)
{
	if (form->form == GGUF_FORM_F32 || form->form == GGUF_FORM_BF16)
		return 0;
	for (uint64_t i = 0; i < t->count; i++)
		if (!(fabsf(v[i]) <= MOST))
			return err_set(e, FATE_REJECT, "tensor '%.100s' holds "
			    "%g at %llu, which %s cannot: write f32 or bf16",
			    t->name, v[i], (unsigned long long)i, form->name);
	return 0;
}

/* convert_lost - count what is lost by a form */
static void
convert_lost(struct loss *l, const char *name, const float *was,
    const float *is, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		double off = fabs((double)is[i] - was[i]);

		l->lost += off * off;
		l->squares += (double)was[i] * was[i];
		if (off > l->worst) {
			l->worst = off;
			l->where = name;
		}
	}
	l->numbers += n;
}

/* write_form - encode, look what it lost, write */
static int
write_form(struct convert *c, int fd, const struct tensor *t,
    const struct quant *form, const float *v, struct err *e)
{
	size_t blocks = (size_t)(t->count / form->block), n;
	unsigned char *raw = mem_alloc(BITE * form->bytes);
	float *back = mem_alloc(BITE * form->block * sizeof(*back));
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < blocks; i += n) {
		n = blocks - i < BITE ? blocks - i : BITE;
		form->encode(v + i * form->block, raw, n);
		if (file_put(fd, raw, n * form->bytes) == -1)
			rc = err_errno(e, "cannot write");
		if (form->form == GGUF_FORM_F32)
			continue;
		form->decode(raw, back, n);
		convert_lost(&c->loss, t->name, v + i * form->block, back,
		    n * form->block);
	}
	c->loss.tensors += form->form != GGUF_FORM_F32;
	mem_free(raw);
	mem_free(back);
	return rc;
}

/* write_raw - the file's own bytes */
static int
write_raw(int fd, const struct tensor *t, struct err *e)
{
	char buf[65536];
	uint64_t at = t->from;
	ssize_t n;

	while (at < t->to) {
		n = pread(t->fd, buf, t->to - at < sizeof(buf) ?
		    (size_t)(t->to - at) : sizeof(buf), (off_t)(t->data + at));
		if (n <= 0)
			return err_set(e, FATE_REJECT, "tensor '%.100s' "
			    "cannot be read at byte %llu: the file is cut "
			    "short", t->name, (unsigned long long)(t->data +
			    at));
		if (file_put(fd, buf, (size_t)n) == -1)
			return err_errno(e, "cannot write");
		at += (uint64_t)n;
	}
	return 0;
}

int
convert_tensor(struct convert *c, int fd, const struct tensor *t,
    const struct quant *form, struct err *e)
{
	bool same = t->change == TENSOR_SAME && t->scales == 0 &&
	    t->values == NULL;
	bool prune = c->prune != NULL && convert_meant(c, t) &&
	    prune_takes(c->prune, t);
	float *v;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < t->parts; i++)
		rc = convert_tensor(c, fd, &t->part[i], form, e);
	if (t->part != NULL)
		return rc;
	c->numbers += t->count;
	c->bytes += convert_size(t, form);
	if (prune && (form == NULL || form->encode == NULL))
		return err_set(e, FATE_REJECT, "tensor '%.100s' is %s, which "
		    "is not written: prune with a dtype", t->name, t->dtype);
	if (form == NULL || (same && t->form == form && !prune))
		return write_raw(fd, t, e);
	v = mem_alloc((size_t)t->count * sizeof(*v));
	rc = tensor_read(t, v, e);
	if (rc == 0 && prune)
		prune_tensor(c->prune, t, v);
	if (rc == 0)
		rc = convert_check(t, form, v, e);
	if (rc == 0)
		rc = write_form(c, fd, t, form, v, e);
	mem_free(v);
	return rc;
}
