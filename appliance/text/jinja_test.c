/* SPDX-License-Identifier: Apache-2.0 */
/* The tests: what stands behind `is` */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"

/* test_kind - of one value; false: no such test */
static bool
test_kind(struct view name, struct jv v, bool *yes)
{
	bool seq = v.kind == J_SEQ;

	if (view_is(name, "defined") || view_is(name, "undefined"))
		*yes = (v.kind == J_UNDEFINED) == (name.p[0] == 'u');
	else if (view_is(name, "none"))
		*yes = v.kind == J_NONE;
	else if (view_is(name, "string"))
		*yes = v.kind == J_STR;
	else if (view_is(name, "mapping"))
		*yes = v.kind == J_DICT;
	else if (view_is(name, "iterable"))
		*yes = v.kind <= J_DICT && v.kind != J_NONE &&
		    v.kind != J_BOOL && v.kind != J_INT && v.kind != J_FLOAT;
	else if (view_is(name, "sequence"))
		*yes = v.kind == J_STR || v.kind == J_DICT ||
		    v.kind == J_UNDEFINED || (seq && v.seq->form != SEQ_ONCE &&
		    v.seq->form != SEQ_VIEW);
	else if (view_is(name, "number"))
		*yes = v.kind == J_INT || v.kind == J_FLOAT ||
		    v.kind == J_BOOL;
	else if (view_is(name, "boolean"))
		*yes = v.kind == J_BOOL;
	else if (view_is(name, "integer"))
		*yes = v.kind == J_INT;
	else if (view_is(name, "float"))
		*yes = v.kind == J_FLOAT;
	else if (view_is(name, "true") || view_is(name, "false"))
		*yes = v.kind == J_BOOL && (v.i != 0) == (name.n == 4);
	else if (view_is(name, "callable"))
		*yes = v.kind == J_MACRO || v.kind == J_BOUND ||
		    v.kind == J_UNDEFINED;		/* as Jinja has it */
	else if (view_is(name, "escaped"))
		*yes = v.kind == J_STR && v.safe;
	else
		return false;
	return true;
}

/* test_case - lower and upper: a method of the text */
static int
test_case(struct jrun *r, struct view name, struct jv v, bool *yes)
{
	struct jv t;

	if (jv_str(r, v, &t) == -1 || jinja_str_method(r, t,
	    view_is(name, "lower") ? VIEW("islower") : VIEW("isupper"),
	    &(struct jargs){ 0 }, &t) == -1)
		return -1;
	*yes = t.i != 0;
	return 0;
}

/* test_pair - of two values; 1: no such test */
static int
test_pair(struct jrun *r, struct view name, struct jv v, struct jv w,
    bool *yes)
{
	int rc;

	if (jinja_among("==|eq|equalto", name) ||
	    jinja_among("!=|ne", name)) {
		*yes = jv_same(r, v, w) == (name.p[0] == '=' ||
		    name.p[0] == 'e');
		return 0;
	}
	if (view_is(name, "in"))
		return jinja_in(r, v, w, yes);
	if (view_is(name, "sameas")) {
		*yes = v.kind == w.kind && (v.kind == J_SEQ ?
		    v.seq == w.seq : v.kind == J_DICT ? v.dict == w.dict :
		    jv_same(r, v, w));
		return 0;
	}
	if (jinja_among("<|lt|lessthan", name))
		return jv_less(r, v, w, yes);
	if (jinja_among(">|gt|greaterthan", name))
		return jv_less(r, w, v, yes);
	if (jinja_among("<=|le", name) || jinja_among(">=|ge", name)) {
		rc = name.p[0] == '<' || name.p[0] == 'l' ?
		    jv_less(r, w, v, yes) : jv_less(r, v, w, yes);
		*yes = !*yes;
		return rc;
	}
	return 1;
}

int
jinja_test(struct jrun *r, struct view name, struct jv v,
    const struct jargs *args, bool *yes)
{
	struct jv left;
	int rc;

	if (jinja_step(r, 1) == -1)
		return -1;
	if (test_kind(name, v, yes))
		return 0;
	if (view_is(name, "lower") || view_is(name, "upper"))
		return test_case(r, name, v, yes);
	if (jinja_among("odd|even|divisibleby", name)) {
		left = jv_int(2);
		if (view_is(name, "divisibleby") && args->n == 1)
			left = args->v[0];
		if (jinja_binary(r, VIEW("%"), v, left, &left) == -1)
			return -1;
		/* 1.5 is neither */
		*yes = jv_same(r, left, jv_int(view_is(name, "odd")));
		return 0;
	}
	rc = args->n == 1 ? test_pair(r, name, v, args->v[0], yes) : 1;
	if (rc == 1)
		return jinja_error(r, "the test '%.*s' is not supported%s",
		    name.n < 80 ? (int)name.n : 80, name.p,
		    args->n == 1 ? "" : " so");
	return rc;
}
