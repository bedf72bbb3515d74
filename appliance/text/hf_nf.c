/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_nf.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

struct piece {
	uint32_t c;
	int32_t step;
	unsigned class;			/* canonical combining class */
};

struct pieces {
	struct piece *v;
	size_t n, cap;
	struct piece *work;		/* marks of one run */
	size_t room;
};

/* inert - not a character of 9.0 */
static bool
inert(const struct hf_chars *t, uint32_t c)
{
	return t->prop[c] >> HF_NEW & 1 || t->gc[c] == GC_CN;
}

static unsigned
class_of(const struct hf_chars *t, uint32_t c)
{
	return c < 0x300 || inert(t, c) ? 0 :
	    (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->
	    combining_class;
}

static void
pieces_put(struct pieces *p, struct piece one)
{
	if (p->n == p->cap) {
		p->cap += p->cap / 2 + 64;
		p->v = mem_grow(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = one;
}

/* pieces_work - room for n of them, what is there is kept */
static struct piece *
pieces_work(struct pieces *p, size_t n)
{
	if (n > p->room) {
		p->room = n + n / 2 + 16;
		p->work = mem_grow(p->work, p->room * sizeof(*p->work));
	}
	return p->work;
}

/* order - marks since the last starter by class, stable, in n log n: the
 * lengths of such runs are in the hands of who writes the text */
static void
order(struct pieces *p, size_t from)
{
	size_t n = p->n - from;
	struct piece *v, *w;

	if (p->n < from + 2)
		return;
	v = p->v + from;
	w = pieces_work(p, n);
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t at = 0; at < n; at += 2 * width) {
			size_t mid = at + width < n ? at + width : n;
			size_t end = at + 2 * width < n ? at + 2 * width : n;
			size_t i = at, k = mid;

			for (size_t o = at; o < end; o++)
				w[o] = i < mid && (k == end ||
				    v[i].class <= v[k].class) ? v[i++] :
				    v[k++];
		}
		memcpy(v, w, n * sizeof(*v));
	}
}

/* decompose - all of a text, in canonical order */
static void
decompose(const struct hf_chars *t, struct view v, bool compat,
    struct pieces *p)
{
	utf8proc_int32_t out[32];
	utf8proc_ssize_t count;
	size_t n, start = 0;
	int last = 0;

	for (size_t i = 0; i < v.n; i += n) {
		uint32_t c = utf8_get(v.p + i, &n);

		out[0] = (utf8proc_int32_t)c;
		count = c < 0xa0 || inert(t, c) ? 1 : utf8proc_decompose_char(
		    out[0], out, 32, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
		    (compat ? UTF8PROC_COMPAT : 0), &last);
		for (utf8proc_ssize_t k = 0; k < count; k++) {
			struct piece one = { (uint32_t)out[k], k > 0, 0 };

			one.class = class_of(t, one.c);
			if (one.class == 0) {
				order(p, start);
				start = p->n + 1;
			}
			pieces_put(p, one);
		}
	}
	order(p, start);
}

/* compose - what two characters make; 0 */
static uint32_t
compose(const struct hf_chars *t, uint32_t a, uint32_t b)
{
	utf8proc_int32_t two[3] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };

	/* U+11A7 is no trailing consonant; utf8proc 2.8 takes it for one */
	if (b < 0x300 || b == 0x11a7 || inert(t, a) || inert(t, b))
		return 0;
	if (utf8proc_normalize_utf32(two, 2, UTF8PROC_STABLE |
	    UTF8PROC_COMPOSE) != 1 || inert(t, (uint32_t)two[0]))
		return 0;
	return (uint32_t)two[0];
}

/* recompose - put the pieces together again */
static void
recompose(const struct hf_chars *t, struct pieces *p, struct hf_change *c)
{
	struct piece *starter = NULL, *kept = p->work;
	size_t nkept = 0;
	uint32_t whole;

	for (size_t i = 0; i < p->n; i++) {
		struct piece *one = &p->v[i];

		if (starter == NULL) {
			if (one->class == 0)
				starter = one;
			else
				hf_put(c, one->c, one->step);
			continue;
		}
		whole = nkept > 0 && kept[nkept - 1].class >= one->class ? 0 :
		    compose(t, starter->c, one->c);
		if (whole != 0) {
			starter->c = whole;
			starter->step += one->step - 1;
		} else if (one->class == 0) {
			hf_put(c, starter->c, starter->step);
			for (size_t k = 0; k < nkept; k++)
				hf_put(c, kept[k].c, kept[k].step);
			nkept = 0;
			starter = one;
		} else {
			kept = pieces_work(p, nkept + 1);
			kept[nkept++] = *one;
		}
	}
	if (starter != NULL)
		hf_put(c, starter->c, starter->step);
	for (size_t k = 0; k < nkept; k++)
		hf_put(c, kept[k].c, kept[k].step);
}

/* plain - does the form certainly leave a text alone */
static bool
plain(const struct hf_text *x, enum hf_form form)
{
	unsigned char least = form == HF_NFC ? 0xcc : form == HF_NFD ? 0xc3 :
	    0xc2;

	if (x->n == 0 || x->len == 0 || x->span[0].from == x->span[0].to)
		return false;
	for (uint32_t i = 0; i < x->n; i++)
		if ((unsigned char)x->p[i] >= least)
			return false;
	return true;
}

void
hf_nf(const struct hf_chars *t, struct hf_text *x, enum hf_form form)
{
	struct pieces p = { .n = 0 };
	struct hf_change c = { NULL, 0, 0 };

	if (plain(x, form))
		return;
	decompose(t, hf_text_get(x), form == HF_NFKC || form == HF_NFKD, &p);
	if (form == HF_NFC || form == HF_NFKC)
		recompose(t, &p, &c);
	else
		for (size_t i = 0; i < p.n; i++)
			hf_put(&c, p.v[i].c, p.v[i].step);
	mem_free(p.v);
	mem_free(p.work);
	hf_text_change(x, &c, 0);
}
