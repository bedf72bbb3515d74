/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/hf_text.h"
#include "appliance/text/utf8.h"

/* text_room - room for n bytes */
static void
text_room(struct hf_text *t, size_t n)
{
	if (n <= t->cap)
		return;
	if (n > HF_TEXT_MAX)
		msg_fatal(75, "out of memory for a text of %zu bytes", n);
	n = n < (size_t)t->cap * 2 ? (size_t)t->cap * 2 : n;
	n = n < t->n ? t->n : n;	/* a slice has room for nothing yet */
	t->p = arena_grow(t->arena, t->p, t->n, n, 1);
	t->span = arena_grow(t->arena, t->span, t->n, n, sizeof(*t->span));
	t->cap = (uint32_t)n;
}

struct hf_text
hf_text_new(struct arena *a, struct view v)
{
	struct hf_text t = { .arena = a, .len = (uint32_t)v.n };
	size_t n;

	text_room(&t, v.n + 1);
	memcpy(t.p, v.p, v.n);
	t.n = (uint32_t)v.n;
	for (uint32_t i = 0; i < t.n; i += (uint32_t)n) {
		utf8_get(t.p + i, &n);
		for (uint32_t k = 0; k < n; k++)
			t.span[i + k] = (struct hf_span){ i, i +
			    (uint32_t)n };
	}
	return t;
}

struct hf_text
hf_text_slice(struct arena *a, const struct hf_text *s, uint32_t from,
    uint32_t to)
{
	struct hf_text t = { .p = s->p + from, .span = s->span + from,
	    .n = to - from, .arena = a };

	t.at = t.n > 0 ? t.span[0].from : s->at + from;
	t.len = t.n > 0 && t.span[t.n - 1].to > t.at ? t.span[t.n - 1].to -
	    t.at : 0;
	return t;
}

struct view
hf_text_get(const struct hf_text *t)
{
	return (struct view){ t->p, t->n };
}

void
hf_put(struct hf_change *c, uint32_t ch, int32_t step)
{
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 64 : c->cap * 2;

		c->v = arena_grow(c->arena, c->v, c->n, cap, sizeof(*c->v));
		c->cap = cap;
	}
	c->v[c->n++] = (struct hf_dest){ ch, step };
}

/* skip_chars - the end of up to n characters of [at, to) */
static uint32_t
skip_chars(const struct hf_text *t, uint32_t at, uint32_t to, size_t n)
{
	size_t len;

	for (; n > 0 && at < to; n--) {
		utf8_get(t->p + at, &len);
		at += (uint32_t)len;
	}
	return at;
}

void
hf_text_apply(struct hf_text *t, uint32_t from, uint32_t to,
    const struct hf_change *c, size_t gone)
{
	uint32_t at = skip_chars(t, from, to, gone), n = 0, tail = t->n - to;
	size_t sum = (size_t)from + tail + 1;
	struct hf_span *span, s;
	char four[4], *p;

	for (size_t i = 0; i < c->n; i++)
		sum += utf8_put(c->v[i].c, four);
	/* a slice gets bytes of its own, even if none are left */
	text_room(t, sum);
	p = arena_alloc(t->arena, sum);
	span = arena_array(t->arena, sum, sizeof(*span));
	for (size_t i = 0; i < c->n; i++) {
		int32_t step = c->v[i].step;
		size_t len = utf8_put(c->v[i].c, p + n);

		s = (struct hf_span){ t->at, t->at };
		if (step <= 0 && at < t->n)
			s = t->span[at];
		else if (step > 0 && at > 0)
			s = t->span[at - 1];
		if (step <= 0)
			at = skip_chars(t, at, to, 1 + (size_t)-step);
		for (size_t k = 0; k < len; k++)
			span[n++] = s;
	}
	memmove(t->p + from + n, t->p + to, tail);
	memmove(t->span + from + n, t->span + to, tail * sizeof(*span));
	memcpy(t->p + from, p, n);
	memcpy(t->span + from, span, n * sizeof(*span));
	t->n = from + n + tail;
}

/*
 * hf_text_change - the library asks which part of the text stands for all of
 * the original.  What is of no width at its start is not part of that and
 * stays, so that such text is there twice.
 */
void
hf_text_change(struct hf_text *t, const struct hf_change *c, size_t gone)
{
	uint32_t from = 0, to = 0;
	bool any = false;

	if (t->len == 0) {
		hf_text_apply(t, 0, 0, c, gone);
		return;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->span[i].to > t->at + t->len)
			break;
		if (!any && t->span[i].from != t->span[i].to) {
			any = true;
			from = i;
		}
		to = i + 1;
	}
	if (to > 0)
		hf_text_apply(t, any ? from : to, to, c, gone);
}

void
hf_text_prepend(struct hf_text *t, struct view v)
{
	struct hf_change c = { .arena = t->arena };
	size_t n;

	if (t->n == 0)
		return;
	for (size_t i = 0; i < v.n; i += n) {
		uint32_t ch = utf8_get(v.p + i, &n);

		hf_put(&c, ch, i > 0);
	}
	hf_put(&c, utf8_get(t->p, &n), 1);
	hf_text_apply(t, 0, (uint32_t)n, &c, 0);
}

bool
hf_text_starts(const struct hf_text *t, uint32_t c)
{
	size_t n;

	return t->n > 0 && utf8_get(t->p, &n) == c;
}

/* matches_put - one more part */
static void
matches_put(struct hf_matches *m, size_t from, size_t to, bool is)
{
	if (m->n == m->cap) {
		size_t cap = m->cap == 0 ? 16 : m->cap * 2;

		m->v = arena_grow(m->arena, m->v, m->n, cap, sizeof(*m->v));
		m->cap = cap;
	}
	m->v[m->n++] = (struct hf_match){ (uint32_t)from, (uint32_t)to, is };
}

void
hf_found(struct hf_matches *m, size_t *done, size_t from, size_t to)
{
	if (*done != from)
		matches_put(m, *done, from, false);
	matches_put(m, from, to, true);
	*done = to;
}

void
hf_found_end(struct hf_matches *m, size_t done, size_t n)
{
	if (done != n)
		matches_put(m, done, n, false);
}

void
hf_text_replace(struct hf_text *t, const struct hf_matches *m,
    struct view content)
{
	struct hf_text r = { .arena = t->arena, .at = t->at, .len = t->len };
	size_t count = 0;

	for (size_t i = 0; i < m->n; i++)
		count += m->v[i].is;
	if (count == 0)
		return;
	text_room(&r, t->n + count * content.n + 1);
	for (size_t i = 0; i < m->n; i++) {
		const struct hf_match *x = &m->v[i];
		struct hf_span s = { t->at, t->at };

		if (!x->is) {
			memcpy(r.p + r.n, t->p + x->from, x->to - x->from);
			memcpy(r.span + r.n, t->span + x->from,
			    (x->to - x->from) * sizeof(s));
			r.n += x->to - x->from;
			continue;
		}
		if (x->to > 0)
			s = t->span[x->to - 1];
		memcpy(r.p + r.n, content.p, content.n);
		for (size_t k = 0; k < content.n; k++)
			r.span[r.n++] = s;
	}
	*t = r;
}
