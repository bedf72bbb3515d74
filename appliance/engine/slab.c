/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/slab.h"

#define ALIGN	((size_t)64)

void
slab_init(struct slab *s, struct arena *a, struct device *d)
{
	*s = (struct slab){ .arena = a, .device = d };
}

void
slab_want(struct slab *s, const char *what, size_t bytes, void **where)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->part = arena_grow(s->arena, s->part, s->n, s->cap,
		    sizeof(*s->part));
	}
	s->part[s->n++] = (struct slab_part){ .what = what, .bytes = (bytes +
	    ALIGN - 1) / ALIGN * ALIGN, .where = where };
}

void
slab_reals(struct slab *s, const char *what, size_t n, real **where)
{
	slab_want(s, what, n * sizeof(real), (void **)where);
}

void
slab_ints(struct slab *s, const char *what, size_t n, int32_t **where)
{
	slab_want(s, what, n * sizeof(int32_t), (void **)where);
}

void
slab_halves(struct slab *s, const char *what, size_t n, enum kernel_form form,
    real **where)
{
	slab_want(s, what, n * sizeof(uint16_t), (void **)where);
	s->part[s->n - 1].halves = true;
	s->part[s->n - 1].form = form;
}

size_t
slab_size(const struct slab *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->part[i].bytes;
	return sum;
}

/* slab_category - bytes of part i's category; 0 if it came before */
static size_t
slab_category(const struct slab *s, size_t i)
{
	size_t sum = 0;

	for (size_t k = 0; k < s->n; k++) {
		if (strcmp(s->part[k].what, s->part[i].what) != 0)
			continue;
		if (k < i)
			return 0;
		sum += s->part[k].bytes;
	}
	return sum;
}

void
slab_json(const struct slab *s, struct buf *b)
{
	size_t sum;

	buf_char(b, '{');
	for (size_t i = 0; i < s->n; i++) {
		sum = slab_category(s, i);
		if (sum > 0) {
			buf_json_str(b, s->part[i].what);
			buf_printf(b, ":%zu,", sum);
		}
	}
	buf_printf(b, "\"total\":%zu}", slab_size(s));
}

void
slab_text(const struct slab *s, struct buf *b)
{
	const double mega = 1 << 20;
	const char *sep = "";
	size_t sum;

	for (size_t i = 0; i < s->n; i++) {
		sum = slab_category(s, i);
		if (sum == 0)
			continue;
		buf_printf(b, "%s%s %.1f", sep, s->part[i].what,
		    (double)sum / mega);
		sep = ", ";
	}
	buf_printf(b, ", in all %.1f MiB", (double)slab_size(s) / mega);
}

void
slab_drop(void *arg)
{
	struct slab *s = arg;

	if (s->block != NULL)
		s->device->k->release(s->device->dev, s->block);
	s->block = NULL;
}

int
slab_take(struct slab *s, struct err *e)
{
	size_t want = ALIGN, left, at;
	struct buf *b = buf_new(s->arena, 4096);
	const char *where;

	for (size_t i = 0; i < s->n; i++)
		want += s->part[i].where == NULL ? 0 : s->part[i].bytes;
	left = slab_left(s, &where);
	if (want > left) {
		slab_text(s, b);
		return err_set(e, FATE_REJECT, "%.200s is needed, %zu MiB are "
		    "left %s: take a smaller batch or model", buf_cstr(b),
		    left >> 20, where);
	}
	s->block = s->device->k->alloc(s->device->dev, want);
	if (s->block == NULL)
		return err_set(e, FATE_RETRY, "the device has no %zu MiB",
		    want >> 20);
	arena_defer(s->arena, slab_drop, s);
	at = ((uintptr_t)s->block + ALIGN - 1) / ALIGN * ALIGN -
	    (uintptr_t)s->block;
	for (size_t i = 0; i < s->n; i++) {
		const struct slab_part *p = &s->part[i];

		if (p->where == NULL)
			continue;
		*p->where = (char *)s->block + at;
		if (p->halves)
			*p->where = s->device->k->halves(s->device->dev,
			    *p->where, p->form);
		at += p->bytes;
	}
	return 0;
}

void
slab_place(struct slab *s, void *block)
{
	size_t at = 0;

	for (size_t i = 0; i < s->n; i++) {
		*s->part[i].where = (char *)block + at;
		at += s->part[i].bytes;
	}
}
