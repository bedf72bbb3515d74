/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/chat_own.h"
#include "appliance/text/utf8.h"

struct ids {
	struct arena *arena;
	struct chat_ids *out;
	size_t cap;
	const unsigned char *mine;	/* of each byte; NULL: no mask */
};

/* special_at - the longest special token that the template wrote at a place */
static const struct chat_special *
special_at(const struct chat *c, const struct jinja_text *t, size_t at)
{
	uint32_t i = c->first[(unsigned char)t->text.p[at]];

	for (; i != 0; i = c->next[i - 1]) {
		const struct chat_special *s = &c->special[i - 1];
		size_t k = 0;

		if (s->text.n > t->text.n - at || memcmp(t->text.p + at,
		    s->text.p, s->text.n) != 0)
			continue;
		while (k < s->text.n && (t->mark[at + k] & JINJA_VALUE) == 0)
			k++;
		if (k == s->text.n)
			return s;
	}
	return NULL;
}

/* cut_put - one more piece; empty ones are none */
static void
cut_put(struct arena *a, struct chat_pieces *p, size_t from, size_t to,
    const struct chat_special *s)
{
	if (from == to)
		return;
	if ((p->n & (p->n - 1)) == 0)
		p->v = arena_grow(a, p->v, p->n, p->n == 0 ? 1 : p->n * 2,
		    sizeof(*p->v));
	p->v[p->n++] = (struct chat_piece){ from, to, s };
}

void
chat_cut(const struct chat *c, struct arena *a, const struct jinja_text *t,
    struct chat_pieces *p)
{
	const struct chat_special *s;
	struct view v = t->text;
	size_t from = 0, begin, end, n;

	*p = (struct chat_pieces){ 0 };
	for (size_t at = 0; at < v.n; ) {
		s = special_at(c, t, at);
		if (s == NULL) {
			at++;
			continue;
		}
		begin = at;
		end = at + s->text.n;
		/* some take the white space beside them */
		while (s->lstrip && begin > from &&
		    memchr(" \t\r\n", v.p[begin - 1], 4) != NULL)
			begin--;
		while (s->rstrip && end < v.n && (utf8_class(utf8_get(v.p +
		    end, &n)) & UTF8_SPACE))
			end += n;
		cut_put(a, p, from, begin, NULL);
		cut_put(a, p, begin, end, s);
		from = at = end;
	}
	cut_put(a, p, from, v.n, NULL);
}

/* ids_put - one more */
static void
ids_put(struct ids *o, uint32_t id, bool mine)
{
	struct chat_ids *c = o->out;

	if (c->n == o->cap) {
		size_t cap = o->cap * 2 + 256;

		c->id = arena_grow(o->arena, c->id, c->n, cap,
		    sizeof(*c->id));
		if (o->mine != NULL)
			c->mask = arena_grow(o->arena, c->mask, c->n, cap, 1);
		o->cap = cap;
	}
	c->id[c->n] = id;
	if (o->mine != NULL)
		c->mask[c->n] = mine;
	c->n++;
}

/*
 * ids_where - how many bytes of the text each id stands for; false if that
 * cannot be seen, as after a normalizer.  A blank that the vocabulary puts in
 * front is not of the text.
 */
static bool
ids_where(const struct chat *c, struct arena *a, struct view text,
    const uint32_t *ids, size_t n, size_t *len)
{
	struct buf *b = buf_new(a, text.n * 2 + 1024);
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const char *p;
		size_t k;

		b->n = 0;
		if (tokenizer_decode(c->tokenizer, &ids[i], 1, b) == -1 ||
		    b->full)
			return false;
		p = b->p;
		k = b->n;
		if (k > text.n - at || (k > 0 && memcmp(p, text.p + at,
		    k) != 0)) {
			if (i > 0 || k == 0 || *p != ' ' || k - 1 > text.n ||
			    memcmp(p + 1, text.p, k - 1) != 0)
				return false;
			k--;
		}
		len[i] = k;
		at += k;
	}
	return at == text.n;
}

/* ids_part - text that is wholly the assistant's, or wholly not */
static void
ids_part(struct ids *o, const struct chat *c, struct view text, bool mine)
{
	uint32_t *id;
	size_t n = tokenizer_encode(c->tokenizer, o->arena, text, &id);

	for (size_t i = 0; i < n; i++)
		ids_put(o, id[i], mine);
}

/*
 * ids_text - text between special tokens.  A token is the assistant's if any
 * byte of it is, as transformers has it.  Where it cannot be seen which bytes a
 * token stands for, the text is cut where the mask changes.
 */
static void
ids_text(struct ids *o, const struct chat *c, struct view text, size_t from)
{
	const unsigned char *mine = o->mine == NULL ? NULL : o->mine + from;
	size_t n, *len, at = 0, k;
	uint32_t *id;

	if (mine == NULL || memchr(mine, !mine[0], text.n) == NULL) {
		ids_part(o, c, text, mine != NULL && mine[0]);
		return;
	}
	n = tokenizer_encode(c->tokenizer, o->arena, text, &id);
	len = arena_array(o->arena, n + 1, sizeof(*len));
	if (ids_where(c, o->arena, text, id, n, len)) {
		for (size_t i = 0; i < n; i++) {
			ids_put(o, id[i], len[i] > 0 && memchr(mine + at, 1,
			    len[i]) != NULL);
			at += len[i];
		}
		return;
	}
	for (; at < text.n; at = k) {
		for (k = at; k < text.n && mine[k] == mine[at]; k++)
			;
		ids_part(o, c, (struct view){ text.p + at, k - at },
		    mine[at]);
	}
}

int
chat_encode(const struct chat *c, struct arena *a, const struct chat_ask *ask,
    bool mask, struct chat_ids *out, struct err *e)
{
	struct ids o = { .arena = a, .out = out };
	struct chat_pieces p;
	struct jinja_text t;
	unsigned char *mine = NULL;

	*out = (struct chat_ids){ 0 };
	if (chat_render(c, a, ask, &t, e) == -1)
		return -1;
	chat_cut(c, a, &t, &p);
	if (mask && chat_turns(c, a, ask, &t, &p, &mine, e) == -1)
		return -1;
	o.mine = mine;
	for (size_t i = 0; i < p.n; i++)
		if (p.v[i].special != NULL)
			ids_put(&o, p.v[i].special->id, mine != NULL &&
			    mine[p.v[i].from]);
		else
			ids_text(&o, c, (struct view){ t.text.p + p.v[i].from,
			    p.v[i].to - p.v[i].from }, p.v[i].from);
	return 0;
}
