/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"
#include "appliance/text/utf8.h"

#include <math.h>

/* loop_attr - loop.first and the like */
static int
loop_attr(const struct jloop *l, struct view name, struct jv *out)
{
	const struct jseq *q = l->seq;

	if (view_is(name, "index"))
		*out = jv_int((int64_t)l->at + 1);
	else if (view_is(name, "index0"))
		*out = jv_int((int64_t)l->at);
	else if (view_is(name, "revindex"))
		*out = jv_int((int64_t)(q->n - l->at));
	else if (view_is(name, "revindex0"))
		*out = jv_int((int64_t)(q->n - l->at) - 1);
	else if (view_is(name, "first"))
		*out = jv_bool(l->at == 0);
	else if (view_is(name, "last"))
		*out = jv_bool(l->at + 1 == q->n);
	else if (view_is(name, "length"))
		*out = jv_int((int64_t)q->n);
	else if (view_is(name, "depth") || view_is(name, "depth0"))
		*out = jv_int(name.n == 5);
	else if (view_is(name, "previtem") && l->at > 0)
		*out = q->v[l->at - 1];
	else if (view_is(name, "nextitem") && l->at + 1 < q->n)
		*out = q->v[l->at + 1];
	return 0;
}

int
jinja_attr(struct jrun *r, struct jv v, struct view name, struct jv *out)
{
	const struct jv *got;

	*out = jv_undefined(name);
	if (v.kind == J_UNDEFINED)
		return jinja_error(r, "'%.*s' is undefined, so it has no "
		    "'%.*s'", (int)v.s.n, v.s.p, (int)name.n, name.p);
	if (jinja_has_method(v, name)) {
		out->kind = J_BOUND;
		out->bound = arena_alloc(r->arena, sizeof(*out->bound));
		*out->bound = (struct jbound){ name, v, true };
		return 0;
	}
	if (v.kind == J_LOOP)
		return loop_attr(v.loop, name, out);
	if (v.kind == J_DICT || v.kind == J_SPACE) {
		got = dict_get(v.dict, jinja_key(name));
		if (got != NULL)
			*out = *got;
	}
	if (v.kind == J_MACRO && view_is(name, "name"))
		*out = jinja_key(v.macro->node->s);
	return 0;
}

/* slice_at - a place that may be counted from the end, within bounds */
static int64_t
slice_at(struct jv v, int64_t n, int64_t none, bool back)
{
	int64_t low = back ? -1 : 0, high = back ? n - 1 : n, i = v.i;

	if (v.kind == J_NONE)
		return none;
	if (i < 0)
		i = i < -n ? -1 - n : i;
	i += i < 0 ? n : 0;
	return i < low ? low : i > high ? high : i;
}

/* slice_text - a text's characters from one to another */
static int
slice_text(struct jrun *r, struct jv v, int64_t from, int64_t to, int64_t step,
    struct jv *out)
{
	struct jout o = { 0 };
	struct jv part;
	struct jseq q;

	if (step == 1) {
		size_t at = 0, begin, n;
		int64_t i = 0;

		for (; i < from && at < v.s.n; i++, at += n)
			utf8_get(v.s.p + at, &n);
		for (begin = at; i < to && at < v.s.n; i++, at += n)
			utf8_get(v.s.p + at, &n);
		*out = str_value(str_part(v.s, begin, at), v.safe);
		return 0;
	}
	if (jv_iter(r, v, &q) == -1)
		return -1;
	for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
		out_add(r, &o, q.v[i].s);
	part = out_end(&o);
	part.safe = v.safe;
	*out = part;
	return 0;
}

/* item_slice - v[from:to:step] */
static int
item_slice(struct jrun *r, struct jv v, const struct jv *place, struct jv *out)
{
	int64_t n, step = 1, from, to;

	for (size_t i = 0; i < 3; i++)
		if (place[i].kind != J_NONE && place[i].kind != J_INT &&
		    place[i].kind != J_BOOL)
			return jinja_error(r, "a %s is no place in a list",
			    jv_type(place[i]));
	if (v.kind != J_STR && (v.kind != J_SEQ || v.seq->form == SEQ_ONCE ||
	    v.seq->form == SEQ_VIEW))
		return jinja_error(r, "a %s has no parts", jv_type(v));
	if (place[2].kind != J_NONE)
		step = place[2].i;
	if (step == 0)
		return jinja_error(r, "a step of 0");
	n = (int64_t)(v.kind == J_STR ? str_count(v.s) : v.seq->n);
	if (step < -n - 1 || step > n + 1)
		step = step < 0 ? -n - 1 : n + 1;
	from = slice_at(place[0], n, step > 0 ? 0 : n - 1, step < 0);
	to = slice_at(place[1], n, step > 0 ? n : -1, step < 0);
	if (v.kind == J_STR)
		return slice_text(r, v, from, to, step, out);
	*out = jv_seq(r, v.seq->form);
	for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
		if (jv_push(r, *out, v.seq->v[i]) == -1)
			return -1;
	return 0;
}

/* item_at - v[number]; nothing if it is not there */
static int
item_at(struct jrun *r, struct jv v, int64_t i, struct jv *out)
{
	int64_t n;

	(void)r;
	if (v.kind == J_SEQ) {
		n = (int64_t)v.seq->n;
		i += i < 0 ? n : 0;
		if (v.seq->form != SEQ_ONCE && v.seq->form != SEQ_VIEW &&
		    i >= 0 && i < n)
			*out = v.seq->v[i];
		return 0;
	}
	if (v.kind != J_STR)
		return 0;
	n = (int64_t)str_count(v.s);
	i += i < 0 ? n : 0;
	return i < 0 || i >= n ? 0 : slice_text(r, v, i, i + 1, 1, out);
}

int
jinja_item(struct jrun *r, struct jv v, struct jv key, struct jv *out)
{
	const struct jv *got;

	if (key.kind == J_SEQ && key.seq->form == SEQ_SLICE)
		return item_slice(r, v, key.seq->v, out);
	*out = jv_undefined(key.kind == J_STR ? (struct view){ key.s.p,
	    key.s.n } : VIEW("an item"));
	if (v.kind == J_UNDEFINED)
		return jinja_error(r, "'%.*s' is undefined, so it has no "
		    "items", (int)v.s.n, v.s.p);
	if (v.kind == J_DICT || v.kind == J_SPACE) {
		got = dict_get(v.dict, key);
		if (got != NULL) {
			*out = *got;
			return 0;
		}
	} else if (key.kind == J_INT || key.kind == J_BOOL)
		return item_at(r, v, key.i, out);
	return key.kind == J_STR ? jinja_attr(r, v, (struct view){ key.s.p,
	    key.s.n }, out) : 0;
}

int
jinja_in(struct jrun *r, struct jv v, struct jv holds, bool *yes)
{
	struct jseq q;

	*yes = false;
	if (holds.kind == J_STR) {
		if (v.kind != J_STR)
			return jinja_error(r, "a %s cannot be in a str",
			    jv_type(v));
		*yes = v.s.n == 0 || (holds.s.n >= v.s.n && memmem(holds.s.p,
		    holds.s.n, v.s.p, v.s.n) != NULL);
		return jinja_step(r, holds.s.n / 64);
	}
	if (holds.kind == J_DICT) {
		if (v.kind == J_DICT || (v.kind == J_SEQ &&
		    v.seq->form == SEQ_LIST))
			return jinja_error(r, "a %s cannot be a key",
			    jv_type(v));
		*yes = dict_get(holds.dict, v) != NULL;
		return 0;
	}
	if (jv_iter(r, holds, &q) == -1)
		return -1;
	for (size_t i = 0; i < q.n && !*yes; i++) {
		*yes = jv_same(r, v, q.v[i]);
		if (*yes && holds.kind == J_SEQ &&
		    holds.seq->form == SEQ_ONCE)
			holds.seq->at = holds.seq->n - q.n + i + 1;
	}
	return jinja_step(r, q.n);
}

/* binary_join - texts and lists: a + b */
static int
binary_join(struct jrun *r, struct jv a, struct jv b, struct jv *out)
{
	struct jout o = { 0 };

	if (a.kind == J_STR) {
		bool safe = a.safe || b.safe;

		if (safe) {
			str_escape(r, &o, a);
			str_escape(r, &o, b);
		} else {
			out_add(r, &o, a.s);
			out_add(r, &o, b.s);
		}
		*out = out_end(&o);
		out->safe = safe;
		return 0;
	}
	*out = jv_seq(r, a.seq->form);
	for (size_t i = 0; i < a.seq->n; i++)
		if (jv_push(r, *out, a.seq->v[i]) == -1)
			return -1;
	for (size_t i = 0; i < b.seq->n; i++)
		if (jv_push(r, *out, b.seq->v[i]) == -1)
			return -1;
	return 0;
}

/* binary_times - a text or list so many times */
static int
binary_times(struct jrun *r, struct jv v, int64_t n, struct jv *out)
{
	struct jout o = { 0 };
	bool safe = v.safe;

	if (v.kind == J_STR) {
		if (v.s.n == 0)
			n = 0;
		for (int64_t i = 0; i < n && !r->full; i++)
			out_add(r, &o, v.s);
		*out = out_end(&o);
		out->safe = safe;
		return jinja_step(r, 1);
	}
	*out = jv_seq(r, v.seq->form);
	if (v.seq->n == 0)
		n = 0;
	for (int64_t i = 0; i < n; i++)
		for (size_t k = 0; k < v.seq->n; k++)
			if (jv_push(r, *out, v.seq->v[k]) == -1)
				return -1;
	return 0;
}

/* binary_whole - whole numbers; what does not fit is refused */
static int
binary_whole(struct jrun *r, struct view op, int64_t a, int64_t b,
    struct jv *out)
{
	int64_t x = 0, base = a;
	bool over = false;

	if (strchr("/%", op.p[0]) != NULL && b == 0)
		return jinja_error(r, "division by zero");
	if (view_is(op, "+"))
		over = __builtin_add_overflow(a, b, &x);
	else if (view_is(op, "-"))
		over = __builtin_sub_overflow(a, b, &x);
	else if (view_is(op, "*"))
		over = __builtin_mul_overflow(a, b, &x);
	else if (b == -1 && op.p[0] != '*')
		over = op.p[0] == '/' && __builtin_sub_overflow(0, a, &x);
	else if (view_is(op, "//"))
		x = a / b - (a % b != 0 && (a < 0) != (b < 0));
	else if (view_is(op, "%"))
		x = a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0);
	else
		for (x = 1; b > 0 && !over; b--) {
			over = __builtin_mul_overflow(x, base, &x);
			if (x == 0 || x == 1)
				break;
			if (x == -1 && base == -1) {
				x = b % 2 == 1 ? -1 : 1;
				break;
			}
		}
	if (over)
		return jinja_error(r, "a number that is too large");
	*out = jv_int(x);
	return 0;
}

int
jinja_binary(struct jrun *r, struct view op, struct jv a, struct jv b,
    struct jv *out)
{
	bool list = a.kind == J_SEQ && a.seq->form <= SEQ_TUPLE, whole;
	double x, y;

	if (a.kind == J_STR && view_is(op, "%"))
		return jinja_error(r, "formatting with %% is not supported; "
		    "use ~");
	if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED) {
		a = a.kind == J_UNDEFINED ? a : b;
		return jinja_error(r, "'%.*s' is undefined", (int)a.s.n,
		    a.s.p);
	}
	if (view_is(op, "+") && ((a.kind == J_STR && b.kind == J_STR) ||
	    (list && b.kind == J_SEQ && b.seq->form == a.seq->form)))
		return binary_join(r, a, b, out);
	if (view_is(op, "*") && (a.kind == J_STR || list) &&
	    (b.kind == J_INT || b.kind == J_BOOL))
		return binary_times(r, a, b.i, out);
	if (view_is(op, "*") && (b.kind == J_STR || (b.kind == J_SEQ &&
	    b.seq->form <= SEQ_TUPLE)) && (a.kind == J_INT ||
	    a.kind == J_BOOL))
		return binary_times(r, b, a.i, out);
	if (!jv_number(a, &x) || !jv_number(b, &y))
		return jinja_error(r, "'%.*s' cannot join a %s and a %s",
		    (int)op.n, op.p, jv_type(a), jv_type(b));
	whole = a.kind != J_FLOAT && b.kind != J_FLOAT;
	if (whole && !view_is(op, "/") && !(view_is(op, "**") && b.i < 0))
		return binary_whole(r, op, a.i, b.i, out);
	if ((op.p[0] == '/' || op.p[0] == '%') && y == 0)
		return jinja_error(r, "division by zero");
	*out = (struct jv){ .kind = J_FLOAT };
	if (view_is(op, "+"))
		out->f = x + y;
	else if (view_is(op, "-"))
		out->f = x - y;
	else if (view_is(op, "*"))
		out->f = x * y;
	else if (view_is(op, "**"))
		out->f = pow(x, y);
	else if (view_is(op, "/"))
		out->f = x / y;
	else if (view_is(op, "//"))
		out->f = floor(x / y);
	else {
		out->f = fmod(x, y);
		if (out->f != 0 && (out->f < 0) != (y < 0))
			out->f += y;
	}
	return 0;
}
