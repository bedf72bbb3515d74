/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"

struct jv
jinja_key(struct view s)
{
	return (struct jv){ .kind = J_STR, .s = { s.p, NULL, s.n } };
}

/* name_get - a variable, or what a template can always call */
static void
name_get(struct jrun *r, struct view name, struct jv *out)
{
	const struct jv *v;

	for (struct jscope *s = r->scope; s != NULL; s = s->up) {
		v = dict_get(&s->vars, jinja_key(name));
		if (v != NULL) {
			*out = *v;
			return;
		}
	}
	*out = jv_undefined(name);
	if (!jinja_has_function(r, name))
		return;
	out->kind = J_BOUND;
	out->bound = arena_alloc(r->arena, sizeof(*out->bound));
	out->bound->name = name;
}

int
jinja_assign(struct jrun *r, const struct jnode *target, struct jv v)
{
	struct jseq q;
	struct jv space;

	if (target->kind == N_NAME)
		return dict_set(r, &r->scope->vars, jinja_key(target->s), v);
	if (target->kind == N_ATTR) {
		name_get(r, target->kid[0]->s, &space);
		if (space.kind != J_SPACE)
			return jinja_error(r, "'%.*s' is no namespace: make it "
			    "with namespace()", (int)target->kid[0]->s.n,
			    target->kid[0]->s.p);
		if (target->s.p[0] == '_')
			return jinja_error(r, "a namespace takes no name with "
			    "'_' in front");
		return dict_set(r, space.dict, jinja_key(target->s), v);
	}
	if (v.kind == J_UNDEFINED)
		return jinja_error(r, "'%.*s' is undefined", (int)v.s.n,
		    v.s.p);
	if (jv_iter(r, v, &q) == -1)
		return -1;
	if (q.n != target->n)
		return jinja_error(r, "%zu values for %u names", q.n,
		    target->n);
	for (unsigned i = 0; i < target->n; i++)
		if (jinja_assign(r, target->kid[i], q.v[i]) == -1)
			return -1;
	return 0;
}

/* eval_many - a list's or a dict's values */
static int
eval_many(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jv k, v;

	*out = n->kind == N_DICT ? jv_dict(r) : jv_seq(r, n->kind == N_LIST ?
	    SEQ_LIST : SEQ_TUPLE);
	for (unsigned i = 0; i < n->n; i++) {
		if (jinja_eval(r, n->kid[i], &v) == -1)
			return -1;
		if (n->kind != N_DICT) {
			if (jv_push(r, *out, v) == -1)
				return -1;
			continue;
		}
		k = v;
		if (jinja_eval(r, n->kid[++i], &v) == -1 ||
		    dict_set(r, out->dict, k, v) == -1)
			return -1;
	}
	return 0;
}

int
jinja_args(struct jrun *r, const struct jnode *n, struct jargs *args)
{
	struct jv *v = arena_array(r->arena, n->n, sizeof(*v));
	struct view *name = arena_array(r->arena, n->n, sizeof(*name));

	*args = (struct jargs){ v, 0, name, 0 };
	for (unsigned i = 1; i < n->n; i++) {
		const struct jnode *k = n->kid[i];

		if (k->kind == N_KEYWORD) {
			name[args->nnamed++] = k->s;
			k = k->kid[0];
		}
		if (jinja_eval(r, k, &v[args->n++]) == -1)
			return -1;
	}
	return 0;
}

/* eval_concat - a ~ b ~ c */
static int
eval_concat(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jout o = { 0 };
	struct jv v;

	for (unsigned i = 0; i < n->n; i++)
		if (jinja_eval(r, n->kid[i], &v) == -1 ||
		    jv_show(r, &o, v, false) == -1)
			return -1;
	*out = out_end(&o);
	return 0;
}

/* eval_one - left op right, for one operator of a comparison */
static int
eval_one(struct jrun *r, struct view op, struct jv a, struct jv b, bool *yes)
{
	int rc = 0;

	if (view_is(op, "==") || view_is(op, "!="))
		*yes = jv_same(r, a, b) == (op.p[0] == '=');
	else if (view_is(op, "in") || view_is(op, "not in")) {
		rc = jinja_in(r, a, b, yes);
		*yes = *yes == (op.n == 2);
	} else if (op.p[0] == '<' && op.n == 1)
		rc = jv_less(r, a, b, yes);
	else if (op.p[0] == '>' && op.n == 1)
		rc = jv_less(r, b, a, yes);
	else {
		rc = op.p[0] == '<' ? jv_less(r, b, a, yes) :
		    jv_less(r, a, b, yes);
		*yes = !*yes;
	}
	return rc;
}

/* eval_compare - a < b < c */
static int
eval_compare(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jv a, b;
	bool yes = true;

	if (jinja_eval(r, n->kid[0], &a) == -1)
		return -1;
	for (unsigned i = 1; i < n->n && yes; i++) {
		if (jinja_eval(r, n->kid[i]->kid[0], &b) == -1 ||
		    eval_one(r, n->kid[i]->s, a, b, &yes) == -1)
			return -1;
		a = b;
	}
	*out = jv_bool(yes);
	return 0;
}

/* eval_slice - the three places; no place is None */
static int
eval_slice(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jv v;

	*out = jv_seq(r, SEQ_SLICE);
	for (unsigned i = 0; i < 3; i++) {
		v = JV_NONE;
		if ((n->kid[i] != NULL && jinja_eval(r, n->kid[i], &v) == -1) ||
		    jv_push(r, *out, v) == -1)
			return -1;
	}
	return 0;
}

/* eval_applied - a call, filter or test */
static int
eval_applied(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jargs args;
	struct jv v;
	bool yes;

	if (jinja_eval(r, n->kid[0], &v) == -1 ||
	    jinja_args(r, n, &args) == -1)
		return -1;
	r->line = n->line;
	if (n->kind == N_CALL)
		return jinja_call(r, v, &args, out);
	if (n->kind == N_FILTER)
		return jinja_filter(r, n->s, v, &args, out);
	if (jinja_test(r, n->s, v, &args, &yes) == -1)
		return -1;
	*out = jv_bool(yes);
	return 0;
}

/* eval_const - a value that stands in the template; false: none of these */
static bool
eval_const(const struct jnode *n, struct jv *out)
{
	switch (n->kind) {
	case N_STRING:
		*out = jinja_key(n->s);
		return true;
	case N_INT:
		*out = jv_int(n->i);
		return true;
	case N_FLOAT:
		*out = (struct jv){ .kind = J_FLOAT, .f = n->f };
		return true;
	case N_TRUE:
	case N_FALSE:
		*out = jv_bool(n->kind == N_TRUE);
		return true;
	case N_NONE:
		*out = JV_NONE;
		return true;
	default:
		return false;
	}
}

/* eval_logic - and, or, not, if else */
static int
eval_logic(struct jrun *r, const struct jnode *n, struct jv *out)
{
	if (jinja_eval(r, n->kid[0], out) == -1)
		return -1;
	if (n->kind == N_NOT) {
		*out = jv_bool(!jv_true(*out));
		return 0;
	}
	if (n->kind == N_AND || n->kind == N_OR)
		return jv_true(*out) == (n->kind == N_OR) ? 0 :
		    jinja_eval(r, n->kid[1], out);
	if (jv_true(*out))
		return jinja_eval(r, n->kid[1], out);
	if (n->kid[2] != NULL)
		return jinja_eval(r, n->kid[2], out);
	*out = jv_undefined(VIEW("what stands behind a missing else"));
	return 0;
}

/* eval_sign - -a and +a */
static int
eval_sign(struct jrun *r, const struct jnode *n, struct jv *out)
{
	double x;

	if (jinja_eval(r, n->kid[0], out) == -1)
		return -1;
	if (!jv_number(*out, &x))
		return jinja_error(r, "a %s has no sign", jv_type(*out));
	if (n->kind == N_POS || out->kind != J_FLOAT)
		return jinja_binary(r, n->kind == N_POS ? VIEW("+") :
		    VIEW("-"), jv_int(0), *out, out);
	out->f = -out->f;
	return 0;
}

/* eval_node - by kind */
static int
eval_node(struct jrun *r, const struct jnode *n, struct jv *out)
{
	struct jv a, b;

	switch (n->kind) {
	case N_NAME:
		name_get(r, n->s, out);
		return 0;
	case N_LIST:
	case N_TUPLE:
	case N_DICT:
		return eval_many(r, n, out);
	case N_ATTR:
		return jinja_eval(r, n->kid[0], &a) == -1 ? -1 :
		    jinja_attr(r, a, n->s, out);
	case N_ITEM:
		return jinja_eval(r, n->kid[0], &a) == -1 ||
		    jinja_eval(r, n->kid[1], &b) == -1 ? -1 :
		    jinja_item(r, a, b, out);
	case N_SLICE:
		return eval_slice(r, n, out);
	case N_CALL:
	case N_FILTER:
	case N_TEST:
		return eval_applied(r, n, out);
	case N_NEG:
	case N_POS:
		return eval_sign(r, n, out);
	case N_BINARY:
		return jinja_eval(r, n->kid[0], &a) == -1 ||
		    jinja_eval(r, n->kid[1], &b) == -1 ? -1 :
		    jinja_binary(r, n->s, a, b, out);
	case N_CONCAT:
		return eval_concat(r, n, out);
	case N_COMPARE:
		return eval_compare(r, n, out);
	default:
		return eval_logic(r, n, out);
	}
}

int
jinja_eval(struct jrun *r, const struct jnode *n, struct jv *out)
{
	int rc;

	if (jinja_step(r, 1) == -1)
		return -1;
	if (eval_const(n, out))
		return 0;
	if (++r->depth > JINJA_DEPTH)
		return jinja_error(r, "nested too deeply");
	rc = eval_node(r, n, out);
	r->depth--;
	return rc;
}
