/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"
#include "appliance/text/utf8.h"

#include <math.h>
#include <stdlib.h>

/* filter_json - tojson(ensure_ascii, indent, separators, sort_keys) */
static int
filter_json(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	const struct jv *ascii = jinja_arg(args, 0, "ensure_ascii"),
	    *indent = jinja_arg(args, 1, "indent"),
	    *parts = jinja_arg(args, 2, "separators"),
	    *sorted = jinja_arg(args, 3, "sort_keys");
	struct jjson how = { -1, { ", ", NULL, 2 }, { ": ", NULL, 2 },
	    ascii != NULL && jv_true(*ascii),
	    sorted != NULL && jv_true(*sorted) };
	struct jout o = { 0 };

	if (indent != NULL && indent->kind == J_INT) {
		how.indent = indent->i < 0 ? 0 : indent->i;
		how.comma.n = 1;
	} else if (indent != NULL && indent->kind != J_NONE)
		return jinja_error(r, "tojson: indent is a %s",
		    jv_type(*indent));
	if (parts != NULL && parts->kind == J_SEQ && parts->seq->n == 2 &&
	    parts->seq->v[0].kind == J_STR && parts->seq->v[1].kind == J_STR) {
		how.comma = parts->seq->v[0].s;
		how.colon = parts->seq->v[1].s;
	} else if (parts != NULL && parts->kind != J_NONE)
		return jinja_error(r, "tojson: separators are two texts");
	if (jv_dump(r, &o, v, &how, 0) == -1)
		return -1;
	*out = out_end(&o);
	return 0;
}

/* filter_indent - all lines but the first (and empty ones) moved right */
static int
filter_indent(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	const struct jv *width = jinja_arg(args, 0, "width"),
	    *first = jinja_arg(args, 1, "first"),
	    *blank = jinja_arg(args, 2, "blank");
	struct jout pad = { 0 }, o = { 0 };
	struct jv lines, line;

	if (width != NULL && width->kind == J_STR)
		out_add(r, &pad, width->s);
	for (int64_t n = width == NULL ? 4 : width->kind == J_INT ? width->i :
	    0; n > 0 && !r->full; n--)
		out_text(r, &pad, " ", 0);
	/* an empty last line is one too */
	out_add(r, &o, v.s);
	out_text(r, &o, "\n", 0);
	line = out_end(&o);
	o = (struct jout){ 0 };
	if (jinja_str_method(r, line, VIEW("splitlines"), &(struct jargs){ 0 },
	    &lines) == -1)
		return -1;
	for (size_t i = 0; i < lines.seq->n; i++) {
		line = lines.seq->v[i];
		out_text(r, &o, i > 0 ? "\n" : "", 0);
		if (i == 0 ? first != NULL && jv_true(*first) :
		    line.s.n > 0 || (blank != NULL && jv_true(*blank)))
			out_add(r, &o, out_end(&pad).s);
		out_add(r, &o, line.s);
	}
	*out = out_end(&o);
	out->safe = v.safe;
	return 0;
}

/* filter_title - each word's first letter large, the others small */
static int
filter_title(struct jrun *r, struct jv v, struct jv *out)
{
	struct jout o = { 0 };
	struct jargs none = { 0 };
	bool begins = true;
	struct jv c;
	size_t n;

	for (size_t i = 0; i < v.s.n; i += n) {
		bool between = jinja_space(v.s.p + i, v.s.p + v.s.n) > 0 ||
		    strchr("-({[<", v.s.p[i]) != NULL;

		utf8_get(v.s.p + i, &n);
		if (jinja_str_method(r, str_value(str_part(v.s, i, i + n),
		    false), begins ? VIEW("upper") : VIEW("lower"), &none,
		    &c) == -1)
			return -1;
		out_add(r, &o, c.s);
		begins = between;
	}
	*out = out_end(&o);
	return 0;
}

/* filter_count - length */
static int
filter_count(struct jrun *r, struct jv v, struct jv *out)
{
	int64_t n = 0;

	if (v.kind == J_STR)
		n = (int64_t)str_count(v.s);
	else if (v.kind == J_DICT)
		n = (int64_t)v.dict->n;
	else if (v.kind == J_SEQ && v.seq->form != SEQ_ONCE)
		n = (int64_t)v.seq->n;
	else if (v.kind != J_UNDEFINED)
		return jinja_error(r, "a %s has no length%s", jv_type(v),
		    v.kind == J_SEQ ? "; put '| list' in front" : "");
	*out = jv_int(n);
	return 0;
}

/* filter_number - int and float; what is none becomes the default */
static int
filter_number(struct jrun *r, struct jv v, bool whole,
    const struct jargs *args, struct jv *out)
{
	const struct jv *def = jinja_arg(args, 0, "default");
	char s[64] = "", *end;
	double x;

	if (v.kind == J_UNDEFINED)
		return jinja_error(r, "'%.*s' is undefined", (int)v.s.n,
		    v.s.p);
	if (v.kind == J_STR) {
		struct jv t;

		if (jinja_str_method(r, v, VIEW("strip"), &(struct jargs){ 0 },
		    &t) == -1)
			return -1;
		if (t.s.n > 0 && t.s.n < sizeof(s))
			memcpy(s, t.s.p, t.s.n);
		out->kind = J_INT;
		out->i = strtoll(s, &end, 10);
		if (whole && s[0] != '\0' && *end == '\0' &&
		    out->i != INT64_MAX && out->i != INT64_MIN)
			return 0;
		x = strtod(s, &end);
		if (s[0] == '\0' || *end != '\0' || strpbrk(s, "xXpP"))
			x = NAN;
	} else if (!jv_number(v, &x))
		x = NAN;
	if (isnan(x) || (whole && fabs(x) >= 9e18))
		*out = def != NULL ? *def : whole ? jv_int(0) :
		    (struct jv){ .kind = J_FLOAT };
	else if (whole)
		*out = jv_int((int64_t)x);
	else
		*out = (struct jv){ .kind = J_FLOAT, .f = x };
	return 0;
}

/* filter_round - to a number of digits: common, ceil or floor */
static int
filter_round(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	const struct jv *digits = jinja_arg(args, 0, "precision"),
	    *how = jinja_arg(args, 1, "method");
	int64_t n = digits != NULL && digits->kind == J_INT ? digits->i : 0;
	double x, f;
	char s[400];

	if (!jv_number(v, &x) || n < -300 || n > 300)
		return jinja_error(r, "round of a %s", jv_type(v));
	f = pow(10, (double)n);
	if (how != NULL && jv_is(*how, "ceil"))
		x = ceil(x * f) / f;
	else if (how != NULL && jv_is(*how, "floor"))
		x = floor(x * f) / f;
	else if (n >= 0) {
		/* the nearest decimal, ties to even, as C's printf has it */
		snprintf(s, sizeof(s), "%.*f", (int)(n > 40 ? 40 : n), x);
		x = fabs(x) < 1e300 ? strtod(s, NULL) : x;
	} else
		x = nearbyint(x * f) / f;
	*out = v.kind == J_FLOAT || how != NULL ? (struct jv){
	    .kind = J_FLOAT, .f = x } : jv_int((int64_t)x);
	return 0;
}

/* filter_items - a dict's pairs, each given once; none of what is undefined */
static int
filter_items(struct jrun *r, struct jv v, struct jv *out)
{
	struct jbound b = { VIEW("items"), v, true };

	*out = jv_seq(r, SEQ_ONCE);
	if (v.kind == J_UNDEFINED)
		return 0;
	if (v.kind != J_DICT)
		return jinja_error(r, "items of a %s", jv_type(v));
	if (jinja_method(r, &b, &(struct jargs){ 0 }, out) == -1)
		return -1;
	out->seq->form = SEQ_ONCE;
	return 0;
}

/* filter_default - instead of what is undefined; boolean: of what is false */
static int
filter_default(struct jv v, const struct jargs *args, struct jv *out)
{
	const struct jv *def = jinja_arg(args, 0, "default_value"),
	    *boolean = jinja_arg(args, 1, "boolean");

	*out = v.kind == J_UNDEFINED || (boolean != NULL &&
	    jv_true(*boolean) && !jv_true(v)) ? def != NULL ? *def :
	    jv_text("") : v;
	return 0;
}

/* filter_text - those that are methods of texts; 1: none of them */
static int
filter_text(struct jrun *r, struct view name, struct jv v,
    const struct jargs *args, struct jv *out)
{
	struct jargs plain = *args;
	struct jout o = { 0 };
	struct jv t;

	if (!jinja_among("trim|lower|upper|capitalize|title|replace|indent|"
	    "string|safe|escape|e|forceescape|center|wordcount", name))
		return 1;
	if (view_is(name, "indent") && v.kind != J_STR)
		return jinja_error(r, "indent of a %s", jv_type(v));
	if (jv_str(r, v, &t) == -1)
		return -1;
	if (view_is(name, "indent"))
		return filter_indent(r, t, args, out);
	if (view_is(name, "title"))
		return filter_title(r, t, out);
	if (view_is(name, "trim"))
		return jinja_str_method(r, t, VIEW("strip"), args, out);
	if (view_is(name, "replace")) {
		t.safe = false;
		return jinja_str_method(r, t, name, args, out);
	}
	if (view_is(name, "center") && args->n == 0) {
		t = jv_int(80);
		plain = (struct jargs){ &t, 1, NULL, 0 };
		return jv_str(r, v, out) == -1 ? -1 :
		    jinja_str_method(r, *out, name, &plain, out);
	}
	if (jinja_among("lower|upper|capitalize|center", name))
		return jinja_str_method(r, t, name, args, out);
	if (view_is(name, "wordcount"))
		return jinja_error(r, "the filter 'wordcount' is not "
		    "supported; use split() and length");
	*out = t;
	if (view_is(name, "string"))
		return 0;
	if (!view_is(name, "safe")) {
		if (view_is(name, "forceescape"))
			t.safe = false;
		str_escape(r, &o, t);
		*out = out_end(&o);
	}
	out->safe = true;
	return 0;
}

int
jinja_filter(struct jrun *r, struct view name, struct jv v,
    const struct jargs *args, struct jv *out)
{
	double x;
	int rc;

	if (jinja_step(r, 1) == -1)
		return -1;
	if (view_is(name, "tojson"))
		return filter_json(r, v, args, out);
	if (view_is(name, "default") || view_is(name, "d"))
		return filter_default(v, args, out);
	if (view_is(name, "length") || view_is(name, "count"))
		return filter_count(r, v, out);
	if (view_is(name, "items"))
		return filter_items(r, v, out);
	if (view_is(name, "int") || view_is(name, "float"))
		return filter_number(r, v, view_is(name, "int"), args, out);
	if (view_is(name, "round"))
		return filter_round(r, v, args, out);
	if (view_is(name, "abs")) {
		if (!jv_number(v, &x))
			return jinja_error(r, "abs of a %s", jv_type(v));
		*out = v;
		if (v.kind == J_FLOAT)
			out->f = fabs(v.f);
		else
			*out = jv_int(v.i < 0 && v.i != INT64_MIN ? -v.i :
			    v.i);
		return 0;
	}
	if (view_is(name, "attr")) {
		if (args->n != 1 || args->v[0].kind != J_STR)
			return jinja_error(r, "attr takes a name");
		return jinja_attr(r, v, (struct view){ args->v[0].s.p,
		    args->v[0].s.n }, out);
	}
	rc = filter_text(r, name, v, args, out);
	if (rc == 1)
		rc = jinja_list_filter(r, name, v, args, out);
	if (rc == 1)
		return jinja_error(r, "the filter '%.*s' is not supported",
		    name.n < 80 ? (int)name.n : 80, name.p);
	return rc;
}
