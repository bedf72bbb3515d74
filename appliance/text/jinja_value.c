/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_str.h"
#include "appliance/text/utf8.h"

#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int
jinja_error(struct jrun *r, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, FATE_REJECT, "line %u of the template: %s",
	    r->line, text);
}

int
jinja_step(struct jrun *r, size_t n)
{
	if (r->full)
		return jinja_error(r, "it makes more than %zu MiB of text",
		    JINJA_MADE >> 20);
	if (n > (size_t)r->steps)
		return jinja_error(r, "more than %d steps", JINJA_STEPS);
	if (((r->steps - (int64_t)n) ^ r->steps) >> 12 != 0 &&
	    arena_size(r->arena) - r->size > JINJA_MEMORY)
		return jinja_error(r, "it needs more than %zu MiB of memory",
		    JINJA_MEMORY >> 20);
	r->steps -= (int64_t)n;
	return 0;
}

struct jv
jv_bool(bool b)
{
	return (struct jv){ .kind = J_BOOL, .i = b };
}

struct jv
jv_int(int64_t i)
{
	return (struct jv){ .kind = J_INT, .i = i };
}

struct jv
jv_text(const char *s)
{
	return (struct jv){ .kind = J_STR, .s = { s, NULL, strlen(s) } };
}

struct jv
jv_undefined(struct view name)
{
	return (struct jv){ .kind = J_UNDEFINED, .s = { name.p, NULL,
	    name.n } };
}

struct jv
jv_seq(struct jrun *r, enum jform form)
{
	struct jv v = { .kind = J_SEQ };

	v.seq = arena_alloc(r->arena, sizeof(*v.seq));
	v.seq->form = form;
	return v;
}

struct jv
jv_dict(struct jrun *r)
{
	struct jv v = { .kind = J_DICT };

	v.dict = arena_alloc(r->arena, sizeof(*v.dict));
	return v;
}

int
jv_push(struct jrun *r, struct jv seq, struct jv v)
{
	struct jseq *q = seq.seq;

	if (q->n == q->cap) {
		q->v = arena_grow(r->arena, q->v, q->n, q->cap * 2 + 4,
		    sizeof(*q->v));
		q->cap = q->cap * 2 + 4;
	}
	q->v[q->n++] = v;
	return jinja_step(r, 1);
}

bool
jv_is(struct jv v, const char *text)
{
	return v.kind == J_STR && view_is((struct view){ v.s.p, v.s.n }, text);
}

bool
jv_number(struct jv v, double *x)
{
	*x = v.kind == J_FLOAT ? v.f : (double)v.i;
	return v.kind == J_FLOAT || v.kind == J_INT || v.kind == J_BOOL;
}

/* jv_hash - equal values have equal ones: 1, 1.0 and True */
static uint64_t
jv_hash(struct jv v)
{
	double x;

	if (v.kind == J_STR)
		return XXH3_64bits(v.s.p, v.s.n);
	if (jv_number(v, &x)) {
		x += 0.0;			/* -0 is 0 */
		return XXH3_64bits(&x, sizeof(x));
	}
	return (uint64_t)v.kind;
}

/* dict_same - keys are texts, numbers or None */
static bool
dict_same(struct jv a, struct jv b)
{
	double x, y;

	if (a.kind == J_STR && b.kind == J_STR)
		return a.s.n == b.s.n && memcmp(a.s.p, b.s.p, a.s.n) == 0;
	if (jv_number(a, &x) && jv_number(b, &y))
		return x == y;
	return a.kind == J_NONE && b.kind == J_NONE;
}

/* dict_place - where a key is or would be */
static size_t
dict_place(const struct jdict *d, struct jv key)
{
	size_t i = jv_hash(key) & d->mask;

	while (d->slot[i] != 0 && !dict_same(d->key[d->slot[i] - 1], key))
		i = (i + 1) & d->mask;
	return i;
}

struct jv *
dict_get(const struct jdict *d, struct jv key)
{
	size_t i;

	if (d->slot == NULL) {
		for (i = 0; i < d->n; i++)
			if (dict_same(d->key[i], key))
				return &d->value[i];
		return NULL;
	}
	i = dict_place(d, key);
	return d->slot[i] == 0 ? NULL : &d->value[d->slot[i] - 1];
}

/* dict_grow - twice the room; from 16 keys on with hashes */
static void
dict_grow(struct jrun *r, struct jdict *d)
{
	size_t cap = d->cap == 0 ? 8 : d->cap * 2;

	d->key = arena_grow(r->arena, d->key, d->n, cap, sizeof(*d->key));
	d->value = arena_grow(r->arena, d->value, d->n, cap,
	    sizeof(*d->value));
	d->cap = cap;
	if (cap < 16)
		return;
	d->slot = arena_array(r->arena, cap * 2, sizeof(*d->slot));
	d->mask = cap * 2 - 1;
	for (size_t i = 0; i < d->n; i++)
		d->slot[dict_place(d, d->key[i])] = (uint32_t)i + 1;
}

int
dict_set(struct jrun *r, struct jdict *d, struct jv key, struct jv v)
{
	struct jv *old;
	double x;

	if (key.kind != J_STR && key.kind != J_NONE && !jv_number(key, &x))
		return jinja_error(r, "a %s cannot be a key", jv_type(key));
	old = dict_get(d, key);
	if (old != NULL) {
		*old = v;
		return 0;
	}
	if (d->n == d->cap)
		dict_grow(r, d);
	d->key[d->n] = key;
	d->value[d->n++] = v;
	if (d->slot != NULL)
		d->slot[dict_place(d, key)] = (uint32_t)d->n;
	return jinja_step(r, 1);
}

bool
jv_true(struct jv v)
{
	switch (v.kind) {
	case J_UNDEFINED:
	case J_NONE:
		return false;
	case J_BOOL:
	case J_INT:
		return v.i != 0;
	case J_FLOAT:
		return v.f != 0;
	case J_STR:
		return v.s.n > 0;
	case J_SEQ:
		return v.seq->form == SEQ_ONCE || v.seq->n > 0;
	case J_DICT:
		return v.dict->n > 0;
	default:
		return true;
	}
}

/* same_deep - lists and dicts; false too where nesting ends it */
static bool
same_deep(struct jrun *r, struct jv a, struct jv b)
{
	const struct jv *v;

	if (a.kind == J_DICT) {
		if (a.dict->n != b.dict->n)
			return false;
		for (size_t i = 0; i < a.dict->n; i++) {
			v = dict_get(b.dict, a.dict->key[i]);
			if (v == NULL || !jv_same(r, a.dict->value[i], *v))
				return false;
		}
		return true;
	}
	if (a.seq == b.seq)
		return true;
	if (a.seq->form != b.seq->form || a.seq->n != b.seq->n ||
	    a.seq->form == SEQ_ONCE)
		return false;
	for (size_t i = 0; i < a.seq->n; i++)
		if (!jv_same(r, a.seq->v[i], b.seq->v[i]))
			return false;
	return true;
}

bool
jv_same(struct jrun *r, struct jv a, struct jv b)
{
	bool same;

	if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED)
		return a.kind == b.kind;
	if ((a.kind != J_SEQ && a.kind != J_DICT) || a.kind != b.kind)
		return dict_same(a, b) || (a.kind == b.kind &&
		    a.kind >= J_SPACE && a.dict == b.dict);
	/* steps may go below what is left: the next step ends it */
	if (r->steps <= 0 || ++r->depth > JINJA_DEPTH)
		return false;
	r->steps--;
	same = same_deep(r, a, b);
	r->depth--;
	return same;
}

int
jv_less(struct jrun *r, struct jv a, struct jv b, bool *less)
{
	double x, y;
	int c;

	if (a.kind == J_STR && b.kind == J_STR) {
		c = view_cmp((struct view){ a.s.p, a.s.n },
		    (struct view){ b.s.p, b.s.n });
		*less = c < 0;
		return 0;
	}
	if (jv_number(a, &x) && jv_number(b, &y)) {
		*less = x < y;
		return 0;
	}
	if (a.kind == J_SEQ && b.kind == J_SEQ && a.seq->form < SEQ_VIEW &&
	    a.seq->form == b.seq->form) {
		size_t i = 0;

		while (i < a.seq->n && i < b.seq->n &&
		    jv_same(r, a.seq->v[i], b.seq->v[i]))
			i++;
		if (jinja_step(r, i + 1) == -1)
			return -1;
		if (i < a.seq->n && i < b.seq->n) {
			if (++r->depth > JINJA_DEPTH)
				return jinja_error(r, "nested too deeply");
			c = jv_less(r, a.seq->v[i], b.seq->v[i], less);
			r->depth--;
			return c;
		}
		*less = a.seq->n < b.seq->n;
		return 0;
	}
	return jinja_error(r, "a %s and a %s have no order", jv_type(a),
	    jv_type(b));
}

const char *
jv_type(struct jv v)
{
	static const char *const names[] = { "undefined value", "None", "bool",
	    "int", "float", "str", "", "dict", "namespace", "loop", "macro",
	    "method" };
	static const char *const forms[] = { "list", "tuple", "dict view",
	    "range", "generator", "slice" };

	return v.kind == J_SEQ ? forms[v.seq->form] : names[v.kind];
}

/* iter_text - a text's characters */
static int
iter_text(struct jrun *r, struct jv v, struct jseq *out)
{
	struct jv list = jv_seq(r, SEQ_LIST);
	size_t n;

	for (size_t i = 0; i < v.s.n; i += n) {
		utf8_get(v.s.p + i, &n);
		if (jv_push(r, list, str_value(str_part(v.s, i, i + n),
		    false)) == -1)
			return -1;
	}
	*out = *list.seq;
	return 0;
}

int
jv_iter(struct jrun *r, struct jv v, struct jseq *out)
{
	*out = (struct jseq){ .form = SEQ_LIST };
	switch (v.kind) {
	case J_UNDEFINED:
		return 0;
	case J_STR:
		return iter_text(r, v, out);
	case J_DICT:
		out->v = v.dict->key;
		out->n = v.dict->n;
		return 0;
	case J_SEQ:
		*out = *v.seq;
		out->form = SEQ_LIST;
		if (v.seq->form == SEQ_ONCE && v.seq->n > 0) {
			out->v += v.seq->at;
			out->n -= v.seq->at;
			v.seq->at = v.seq->n;
		}
		return 0;
	default:
		return jinja_error(r, "a %s cannot be gone through",
		    jv_type(v));
	}
}

/* plain_word - a raw string of letters and _ */
static bool
plain_word(struct view raw)
{
	if (raw.n < 3 || raw.p[0] != '"')
		return false;
	for (size_t i = 1; i < raw.n - 1; i++)
		if ((raw.p[i] < 'a' || raw.p[i] > 'z') && raw.p[i] != '_')
			return false;
	return true;
}

/* json_deep - an array or an object */
static int
json_deep(struct jrun *r, struct view raw, unsigned mark, struct jv *out)
{
	struct json_iter it;
	struct view k, v;
	struct jv key, value;

	if (json_open(&it, raw, '[')) {
		*out = jv_seq(r, SEQ_LIST);
		while (json_element(&it, &v))
			if (jv_json(r, v, mark, &value) == -1 ||
			    jv_push(r, *out, value) == -1)
				return -1;
		return 0;
	}
	*out = jv_dict(r);
	if (!json_open(&it, raw, '{'))
		return 0;
	/* '<|' + message.role + '|>' is the template's to write: a role that
	 * is a plain word is not taken for a text of the user's */
	while (json_member(&it, &k, &v))
		if (jv_json(r, k, mark, &key) == -1 ||
		    jv_json(r, v, view_is(k, "\"role\"") && plain_word(v) ?
		    0 : mark, &value) == -1 ||
		    dict_set(r, out->dict, key, value) == -1)
			return -1;
	return 0;
}

int
jv_json(struct jrun *r, struct view raw, unsigned mark, struct jv *out)
{
	unsigned char *marks;
	struct view s;
	bool b;

	if (raw.n > 0 && (raw.p[0] == '[' || raw.p[0] == '{'))
		return json_deep(r, raw, mark, out);
	if (raw.n > 0 && raw.p[0] == '"') {
		if (!json_string(r->arena, raw, &s))
			return jinja_error(r, "a text holds half a surrogate "
			    "pair");
		out->kind = J_STR;
		out->safe = false;
		out->s = (struct jstr){ s.p, NULL, s.n };
		if (mark == 0 || s.n == 0)
			return 0;
		marks = arena_alloc(r->arena, s.n);
		memset(marks, (int)mark, s.n);
		out->s.mark = marks;
		return 0;
	}
	*out = (struct jv){ .kind = J_NONE };
	if (json_is_null(raw))
		return 0;
	if (json_bool(raw, &b)) {
		*out = jv_bool(b);
		return 0;
	}
	out->kind = J_INT;
	if (json_integer(raw, &out->i))
		return 0;
	out->kind = J_FLOAT;
	if (memchr(raw.p, '.', raw.n) == NULL &&
	    memchr(raw.p, 'e', raw.n) == NULL &&
	    memchr(raw.p, 'E', raw.n) == NULL)
		return jinja_error(r, "the number '%.*s' is too large",
		    raw.n < 40 ? (int)raw.n : 40, raw.p);
	return json_number(raw, &out->f) ? 0 :
	    jinja_error(r, "the number '%.*s' is too long",
	    raw.n < 40 ? (int)raw.n : 40, raw.p);
}
