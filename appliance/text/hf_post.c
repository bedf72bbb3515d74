/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_post.h"
#include "appliance/text/hf_vocab.h"
#include "appliance/text/utf8.h"

#define WINDOWS	((size_t)1 << 16)	/* of a pair, all with all */

enum post_kind { POST_BERT, POST_ROBERTA, POST_BYTES, POST_TEMPLATE };

struct part {				/* of a template */
	int text;			/* 0, 1, or -1: special tokens */
	uint32_t type;
	const struct hf_unit *unit;
	size_t n;
};

struct template {
	struct part *v;
	size_t n, added;
};

struct post_step {
	enum post_kind kind;
	struct hf_unit cls, sep;
	bool trim, blank;
	struct template one, pair;
};

struct hf_post {
	struct post_step *v;
	size_t n, cap;
};

/* special_token - ["[SEP]", 102] */
static int
special_token(struct hf_open *o, struct view json, const char *name,
    struct hf_unit *u, struct err *e)
{
	struct json_iter it;
	struct view v, text, id;
	int64_t n;

	if (!json_get(json, name, &v) || !json_open(&it, v, '[') ||
	    !json_element(&it, &text) || !json_element(&it, &id) ||
	    !json_string(o->arena, text, &u->text) || !json_integer(id, &n) ||
	    n < 0 || n >= HF_TOKENS)
		return err_set(e, FATE_REJECT, "its post-processor has no "
		    "good %s", name);
	u->id = (uint32_t)n;
	u->special = u->attended = true;
	return 0;
}

/* template_tokens - the ids and texts that a special token stands for */
static int
template_tokens(struct hf_open *o, struct view all, struct view name,
    struct part *p, struct err *e)
{
	struct view key, value = { NULL, 0 }, list, texts, v;
	struct json_iter it, ids, words;
	struct hf_unit *u;
	int64_t id;
	bool found = false;

	json_open(&it, all, '{');
	while (!found && json_member(&it, &key, &value))
		found = json_string(o->arena, key, &v) && view_eq(v, name);
	if (!found || !json_get(value, "ids", &list) ||
	    !json_open(&ids, list, '[') ||
	    !json_get(value, "tokens", &texts) ||
	    !json_open(&words, texts, '['))
		return err_set(e, FATE_REJECT, "its template speaks of '%.*s', "
		    "which is no special token of it", (int)(name.n < 40 ?
		    name.n : 40), name.p);
	while (json_element(&ids, &v))
		p->n++;
	u = arena_array(o->arena, p->n + 1, sizeof(*u));
	json_open(&ids, list, '[');
	for (size_t i = 0; json_element(&ids, &v); i++) {
		if (!json_integer(v, &id) || id < 0 || id >= HF_TOKENS)
			return err_set(e, FATE_REJECT, "its template has a "
			    "wrong id");
		u[i] = (struct hf_unit){ .id = (uint32_t)id, .type = p->type,
		    .special = true, .attended = true };
		if (json_element(&words, &v))
			json_string(o->arena, v, &u[i].text);
	}
	p->unit = u;
	return 0;
}

/* template_part - {"Sequence":{"id":"A","type_id":0}} or SpecialToken */
static int
template_part(struct hf_open *o, struct view all, struct view json,
    struct part *p, bool pair, struct err *e)
{
	struct view v, name;
	int64_t type = 0;

	p->text = json_get(json, "Sequence", &v) ? 0 : -1;
	if ((p->text == -1 && !json_get(json, "SpecialToken", &v)) ||
	    !hf_text_of(o, v, "id", &name))
		return err_set(e, FATE_REJECT, "its template has an unknown "
		    "part");
	if (p->text == 0 && view_is(name, "B"))
		p->text = 1;
	if (p->text == 1 && !pair)
		return err_set(e, FATE_REJECT, "its template for one text asks "
		    "for two");
	if (json_get(v, "type_id", &v) && (!json_integer(v, &type) ||
	    type < 0 || type > UINT32_MAX))
		return err_set(e, FATE_REJECT, "its template has a wrong "
		    "type_id");
	p->type = (uint32_t)type;
	return p->text >= 0 ? 0 : template_tokens(o, all, name, p, e);
}

static int
open_template(struct hf_open *o, struct view json, const char *name,
    struct template *t, struct err *e)
{
	struct view list, all, v;
	struct json_iter it;
	size_t n = 0;

	if (!json_get(json, name, &list) || !json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "its template has no %s", name);
	if (!json_get(json, "special_tokens", &all))
		all = VIEW("{}");
	while (json_element(&it, &v))
		n++;
	t->v = arena_array(o->arena, n + 1, sizeof(*t->v));
	json_open(&it, list, '[');
	for (; json_element(&it, &v); t->n++) {
		if (template_part(o, all, v, &t->v[t->n], name[0] == 'p',
		    e) == -1)
			return -1;
		t->added += t->v[t->n].n;
	}
	return 0;
}

/* kind_of - the type, or by members in files that have none */
static struct view
kind_of(struct view json)
{
	struct view type = hf_type(json), v;

	if (type.n > 0)
		return type;
	if (json_get(json, "sep", &v))
		return view_of(json_get(json, "trim_offsets", &v) ?
		    "RobertaProcessing" : "BertProcessing");
	return view_of(json_get(json, "processors", &v) ? "Sequence" :
	    json_get(json, "single", &v) ? "TemplateProcessing" :
	    json_get(json, "trim_offsets", &v) ? "ByteLevel" : "");
}

static int
open_step(struct hf_open *o, struct hf_post *m, struct view json,
    struct err *e)
{
	struct post_step s = { .trim = hf_flag(json, "trim_offsets", true),
	    .blank = hf_flag(json, "add_prefix_space", true) };
	struct view type = kind_of(json), list, v;
	struct json_iter it;
	int r = 0;

	if (view_is(type, "Sequence")) {
		if (!json_get(json, "processors", &list) ||
		    !json_open(&it, list, '[') || ++o->depth > 20)
			return err_set(e, FATE_REJECT, "its post-processor "
			    "Sequence has no good list");
		while (r == 0 && json_element(&it, &v))
			r = open_step(o, m, v, e);
		o->depth--;
		return r;
	}
	if (view_is(type, "TemplateProcessing")) {
		s.kind = POST_TEMPLATE;
		r = open_template(o, json, "single", &s.one, e) == -1 ? -1 :
		    open_template(o, json, "pair", &s.pair, e);
	} else if (view_is(type, "BertProcessing") ||
	    view_is(type, "RobertaProcessing")) {
		s.kind = type.p[0] == 'B' ? POST_BERT : POST_ROBERTA;
		r = special_token(o, json, "cls", &s.cls, e) == -1 ? -1 :
		    special_token(o, json, "sep", &s.sep, e);
	} else if (view_is(type, "ByteLevel"))
		s.kind = POST_BYTES;
	else
		return hf_unknown("post-processor", type, e);
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 4 : m->cap * 2;
		m->v = arena_grow(o->arena, m->v, m->n, m->cap,
		    sizeof(*m->v));
	}
	m->v[m->n++] = s;
	return r;
}

struct hf_post *
hf_post_open(struct hf_open *o, struct view json, struct err *e)
{
	struct hf_post *m = arena_alloc(o->arena, sizeof(*m));

	if (json.n > 0 && !json_is_null(json) &&
	    open_step(o, m, json, e) == -1)
		return NULL;
	return m;
}

size_t
hf_post_added(const struct hf_post *m, bool pair)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		switch (m->v[i].kind) {
		case POST_BERT:
			n += pair ? 3 : 2;
			break;
		case POST_ROBERTA:
			n += pair ? 4 : 2;
			break;
		case POST_TEMPLATE:
			n += pair ? m->v[i].pair.added : m->v[i].one.added;
			break;
		default:
			break;
		}
	return n;
}

/* blanks - white space and its byte-level character at an end of a token */
static uint32_t
blanks(struct view v, bool tail)
{
	uint32_t count = 0, c;
	size_t at = tail ? v.n : 0, n;

	for (; tail ? at > 0 : at < v.n; count++) {
		if (tail)
			do
				at--;
			while (at > 0 &&
			    ((unsigned char)v.p[at] & 0xc0) == 0x80);
		c = utf8_get(v.p + at, &n);
		if (c != 0x120 && !hf_white(c))
			break;
		at += tail ? 0 : n;
	}
	return count;
}

/* trim - blanks of a token are not part of what it stands for */
static void
trim(struct hf_encoding *x, bool blank)
{
	for (size_t i = 0; i < x->n; i++) {
		struct hf_unit *u = &x->v[i];
		uint32_t head = blanks(u->text, false);
		uint32_t tail = blanks(u->text, true);

		/* one blank at the start may be what was put in front */
		if (head == 1 && blank && (i == 0 || u->from == 0))
			head = 0;
		if (head > 0)
			u->from = u->from + head < u->to ? u->from + head :
			    u->to;
		if (tail > 0 && u->to >= tail)
			u->to = u->to - tail > u->from ? u->to - tail :
			    u->from;
	}
	for (size_t i = 0; i < x->nover; i++)
		trim(&x->over[i], blank);
}

static void
set_types(struct hf_encoding *x, uint32_t type)
{
	for (size_t i = 0; i < x->n; i++)
		x->v[i].type = type;
}

/* own - a copy of the units: windows share theirs */
static struct hf_encoding
own(struct arena *a, const struct hf_encoding *x)
{
	struct hf_encoding c = *x;

	c.v = arena_array(a, x->n + 1, sizeof(*c.v));
	if (x->n > 0)
		memcpy(c.v, x->v, x->n * sizeof(*c.v));
	c.over = arena_array(a, x->nover + 1, sizeof(*c.over));
	for (size_t i = 0; i < x->nover; i++)
		c.over[i] = own(a, &x->over[i]);
	return c;
}

/* wrap - tokens before and after, for Bert and Roberta */
static void
wrap(const struct post_step *s, struct arena *a, struct hf_encoding *x,
    size_t which)
{
	bool first = which == 0, roberta = s->kind == POST_ROBERTA;
	struct hf_unit *v = arena_array(a, x->n + 2, sizeof(*v));
	size_t n = 0;

	if (first || roberta)
		v[n++] = first ? s->cls : s->sep;
	for (size_t i = 0; i < x->n; i++) {
		v[n] = x->v[i];
		v[n].special = false;
		v[n].attended = true;
		if (roberta)
			v[n].type = 0;
		n++;
	}
	v[n] = s->sep;
	v[n++].type = !first && !roberta;
	x->v = v;
	x->n = n;
	for (size_t i = 0; i < x->nover; i++) {
		wrap(s, a, &x->over[i], which);
		x->over[i].nover = 0;
	}
}

/* merge - one encoding behind another; windows of both meet, all with all */
static int
merge(struct arena *a, struct hf_encoding *x, const struct hf_encoding *y,
    struct err *e)
{
	size_t n = x->nover * (1 + y->nover) + y->nover, k = 0;
	struct hf_encoding *over;
	struct hf_unit *v;

	if (n > WINDOWS)
		return err_set(e, FATE_REJECT, "truncation of a pair would "
		    "make %zu windows", n);
	over = arena_array(a, n + 1, sizeof(*over));
	for (size_t i = 0; i < x->nover; i++) {
		over[k] = x->over[i];
		if (merge(a, &over[k++], y, e) == -1)
			return -1;
		for (size_t j = 0; j < y->nover; j++) {
			over[k] = x->over[i];
			if (merge(a, &over[k++], &y->over[j], e) == -1)
				return -1;
		}
	}
	for (size_t j = 0; j < y->nover; j++) {
		over[k] = *x;
		if (merge(a, &over[k++], &y->over[j], e) == -1)
			return -1;
	}
	v = arena_array(a, x->n + y->n + 1, sizeof(*v));
	if (x->n > 0)
		memcpy(v, x->v, x->n * sizeof(*v));
	if (y->n > 0)
		memcpy(v + x->n, y->v, y->n * sizeof(*v));
	*x = (struct hf_encoding){ v, x->n + y->n, over, n };
	return 0;
}

struct encodings {
	struct hf_encoding *v;
	size_t n;
};

/* apply - a template: its parts, in its order */
static int
apply(const struct post_step *s, struct arena *a, struct encodings *x,
    bool special, struct err *e)
{
	const struct template *t = x->n == 2 ? &s->pair : &s->one;
	struct encodings out = { arena_array(a, t->n + 1, sizeof(*out.v)), 0 };

	if (x->n != 1 && x->n != 2)
		return err_set(e, FATE_REJECT, "a template follows another "
		    "post-processor that leaves %zu parts", x->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct part *p = &t->v[i];

		if (p->text >= 0) {
			set_types(&x->v[p->text], p->type);
			out.v[out.n++] = own(a, &x->v[p->text]);
		} else if (special) {
			struct hf_encoding one = { .n = p->n };

			one.v = arena_copy(a, p->unit, (p->n + 1) *
			    sizeof(*p->unit));
			out.v[out.n++] = one;
		}
	}
	*x = out;
	return 0;
}

int
hf_post_run(const struct hf_post *m, struct arena *a, struct hf_encoding *in,
    size_t n, bool special, struct hf_encoding *out, struct err *e)
{
	struct encodings x = { arena_array(a, n, sizeof(*x.v)), n };

	for (size_t i = 0; i < n; i++) {
		x.v[i] = own(a, &in[i]);
		if (m->n > 0)
			set_types(&x.v[i], (uint32_t)i);
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct post_step *s = &m->v[i];

		if (s->kind == POST_TEMPLATE) {
			if (apply(s, a, &x, special, e) == -1)
				return -1;
			continue;
		}
		for (size_t k = 0; k < x.n; k++) {
			if (s->kind != POST_BERT && s->trim)
				trim(&x.v[k], s->blank);
			if (s->kind == POST_ROBERTA)
				set_types(&x.v[k], 0);
			if (special && s->kind != POST_BYTES)
				wrap(s, a, &x.v[k], k);
		}
	}
	*out = (struct hf_encoding){ .v = NULL };
	for (size_t i = 0; i < x.n; i++)
		if (merge(a, out, &x.v[i], e) == -1)
			return -1;
	return 0;
}
