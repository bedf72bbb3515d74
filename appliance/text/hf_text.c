/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/hf_text.h"
#include "appliance/text/utf8.h"

#define HEAD	8u		/* bytes before a text that was replaced */

/* text_room - new memory for n bytes */
static void
text_room(struct hf_text *t, size_t n)
{
	if (n > HF_TEXT_MAX)
		msg_fatal(75, "out of memory for a text of %zu bytes", n);
	t->p = arena_alloc(t->arena, n);
	t->span = arena_array(t->arena, n, sizeof(*t->span));
	t->head = 0;
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
		c->cap += c->cap / 2 + 64;
		c->v = mem_grow(c->v, c->cap * sizeof(*c->v));
	}
	c->v[c->n++] = (struct hf_dest){ ch, step };
}

void
hf_change_free(struct hf_change *c)
{
	mem_free(c->v);
	*c = (struct hf_change){ NULL, 0, 0 };
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
    struct hf_change *c, size_t gone)
{
	struct hf_text old = *t;
	uint32_t at = skip_chars(&old, from, to, gone), n = from;
	size_t sum = (size_t)from + (old.n - to) + 1;
	struct hf_span s;
	char four[4];

	for (size_t i = 0; i < c->n; i++)
		sum += utf8_put(c->v[i].c, four);
	text_room(t, sum);
	memcpy(t->p, old.p, from);
	memcpy(t->span, old.span, from * sizeof(s));
	for (size_t i = 0; i < c->n; i++) {
		int32_t step = c->v[i].step;
		size_t len = utf8_put(c->v[i].c, t->p + n);

		s = (struct hf_span){ t->at, t->at };
		if (step <= 0 && at < old.n)
			s = old.span[at];
		else if (step > 0 && at > 0)
			s = old.span[at - 1];
		if (step <= 0)
			at = skip_chars(&old, at, to, 1 + (size_t)-step);
		for (size_t k = 0; k < len; k++)
			t->span[n++] = s;
	}
	hf_change_free(c);
	memcpy(t->p + n, old.p + to, old.n - to);
	memcpy(t->span + n, old.span + to, (old.n - to) * sizeof(s));
	t->n = n + (old.n - to);
}

/*
 * hf_text_change - the library asks which part of the text stands for all of
 * the original.  What is of no width at its start is not part of that and
 * stays, so that such text is there twice.
 */
void
hf_text_change(struct hf_text *t, struct hf_change *c, size_t gone)
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
	hf_change_free(c);
}

/* prepend_here - where there is room, so that no large text is there twice;
 * places as the change below has them */
static bool
prepend_here(struct hf_text *t, struct view v)
{
	struct hf_span first = t->span[0], rest;
	size_t n, len;

	if (v.n == 0 || v.n > t->head)
		return false;
	utf8_get(t->p, &n);
	utf8_get(v.p, &len);
	rest = t->span[n - 1];
	for (size_t i = 0; i < n; i++)
		t->span[i] = rest;
	t->head -= (uint32_t)v.n;
	t->p -= v.n;
	t->span -= v.n;
	t->n += (uint32_t)v.n;
	memcpy(t->p, v.p, v.n);
	for (size_t i = 0; i < v.n; i++)
		t->span[i] = i < len ? first : rest;
	return true;
}

void
hf_text_prepend(struct hf_text *t, struct view v)
{
	struct hf_change c = { NULL, 0, 0 };
	size_t n;

	if (t->n == 0 || prepend_here(t, v))
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

void
hf_matches_free(struct hf_matches *m)
{
	mem_free(m->v);
	*m = (struct hf_matches){ NULL, 0, 0 };
}

/* matches_put - one more part */
static void
matches_put(struct hf_matches *m, size_t from, size_t to, bool is)
{
	if (m->n == m->cap) {
		m->cap += m->cap / 2 + 16;
		m->v = mem_grow(m->v, m->cap * sizeof(*m->v));
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
	text_room(&r, HEAD + t->n + count * content.n + 1);
	r.p += HEAD;
	r.span += HEAD;
	r.head = HEAD;
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
