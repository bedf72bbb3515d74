/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"

/* run_chain - a block's filters, the first one first */
static int
run_chain(struct jrun *r, const struct jnode *filter, struct jv *v)
{
	struct jargs args;

	if (filter->kid[0] != NULL && run_chain(r, filter->kid[0], v) == -1)
		return -1;
	r->line = filter->line;
	return jinja_args(r, filter, &args) == -1 ? -1 :
	    jinja_filter(r, filter->s, *v, &args, v);
}

/* run_inner - statements with names of their own */
static int
run_inner(struct jrun *r, const struct jnode *body)
{
	struct jscope *outer = r->scope;
	int rc;

	r->scope = arena_alloc(r->arena, sizeof(*r->scope));
	r->scope->up = outer;
	rc = jinja_body(r, body);
	r->scope = outer;
	return rc;
}

/* run_captured - what statements write, as a value; filter may be NULL */
static int
run_captured(struct jrun *r, const struct jnode *body,
    const struct jnode *filter, struct jv *out)
{
	struct jout o = { 0 }, *outer = r->out;
	int rc;

	r->out = &o;
	rc = run_inner(r, body);
	r->out = outer;
	*out = out_end(&o);
	return rc == -1 || filter == NULL ? rc : run_chain(r, filter, out);
}

/* run_kept - what a for goes through: with a condition, what meets it */
static int
run_kept(struct jrun *r, const struct jnode *n, struct jseq *q)
{
	struct jscope *outer = r->scope;
	struct jv kept, v;

	if (jinja_eval(r, n->kid[1], &v) == -1)
		return -1;
	r->line = n->line;
	if (jv_iter(r, v, q) == -1)
		return -1;
	if (n->kid[2] == NULL)
		return 0;
	kept = jv_seq(r, SEQ_LIST);
	for (size_t i = 0; i < q->n; i++) {
		r->scope = arena_alloc(r->arena, sizeof(*r->scope));
		r->scope->up = outer;
		if (jinja_assign(r, n->kid[0], q->v[i]) == -1 ||
		    jinja_eval(r, n->kid[2], &v) == -1)
			return -1;
		if (jv_true(v) && jv_push(r, kept, q->v[i]) == -1)
			return -1;
	}
	r->scope = outer;
	*q = *kept.seq;
	return 0;
}

static int
run_for(struct jrun *r, const struct jnode *n)
{
	struct jscope *outer = r->scope;
	struct jv v = { .kind = J_LOOP };
	bool whole = false;
	struct jseq q;

	if (run_kept(r, n, &q) == -1)
		return -1;
	v.loop = arena_alloc(r->arena, sizeof(*v.loop));
	v.loop->seq = arena_copy(r->arena, &q, sizeof(q));
	for (size_t i = 0; i < q.n && r->flow != FLOW_BREAK; i++) {
		r->flow = FLOW_ON;
		v.loop->at = i;
		r->scope = arena_alloc(r->arena, sizeof(*r->scope));
		r->scope->up = outer;
		if (dict_set(r, &r->scope->vars, jinja_key(VIEW("loop")),
		    v) == -1 || jinja_assign(r, n->kid[0], q.v[i]) == -1 ||
		    jinja_body(r, n->kid[3]) == -1)
			return -1;
		whole = whole || r->flow == FLOW_ON;
	}
	r->flow = FLOW_ON;
	r->scope = outer;
	/* Jinja's else: no turn was gone through to its end */
	return whole || n->kid[4] == NULL ? 0 : run_inner(r, n->kid[4]);
}

static int
run_if(struct jrun *r, const struct jnode *n)
{
	struct jv v;

	for (unsigned i = 0; i + 1 < n->n; i += 2) {
		if (jinja_eval(r, n->kid[i], &v) == -1)
			return -1;
		if (jv_true(v))
			return jinja_body(r, n->kid[i + 1]);
	}
	return n->n % 2 == 1 ? jinja_body(r, n->kid[n->n - 1]) : 0;
}

/* run_with - names for a body alone */
static int
run_with(struct jrun *r, const struct jnode *n)
{
	struct jscope *outer = r->scope, *inner;
	struct jv v;

	inner = arena_alloc(r->arena, sizeof(*inner));
	inner->up = outer;
	for (unsigned i = 0; i + 1 < n->n; i += 2)
		if (jinja_eval(r, n->kid[i + 1], &v) == -1 ||
		    dict_set(r, &inner->vars, jinja_key(n->kid[i]->s), v) == -1)
			return -1;
	r->scope = inner;
	if (jinja_body(r, n->kid[n->n - 1]) == -1)
		return -1;
	r->scope = outer;
	return 0;
}

/* run_generation - what is written is the assistant's */
static int
run_generation(struct jrun *r, const struct jnode *n)
{
	unsigned outer = r->generation;
	int rc;

	r->generation = JINJA_GENERATION;
	rc = run_inner(r, n->kid[0]);
	r->generation = outer;
	return rc;
}

/* run_callblock - a call whose caller() writes the body */
static int
run_callblock(struct jrun *r, const struct jnode *n)
{
	const struct jnode *call = n->kid[0];
	struct jmacro *m = arena_alloc(r->arena, sizeof(*m));
	struct jv what, caller = { .kind = J_MACRO }, v;
	struct jargs args;

	m->node = n->kid[1];
	m->scope = r->scope;
	caller.macro = m;
	if (jinja_eval(r, call->kid[0], &what) == -1 ||
	    jinja_args(r, call, &args) == -1)
		return -1;
	if (what.kind != J_MACRO)
		return jinja_error(r, "a call block needs a macro");
	return jinja_macro(r, what.macro, &args, &caller, &v) == -1 ? -1 :
	    jv_show(r, r->out, v, false);
}

/* run_statement - by kind */
static int
run_statement(struct jrun *r, const struct jnode *n)
{
	struct jv v;

	switch (n->kind) {
	case N_DATA:
		out_add(r, r->out, (struct jstr){ n->s.p, NULL, n->s.n });
		return 0;
	case N_PRINT:
		if (jinja_eval(r, n->kid[0], &v) == -1)
			return -1;
		r->line = n->line;
		return jv_show(r, r->out, v, false);
	case N_IF:
		return run_if(r, n);
	case N_FOR:
		return run_for(r, n);
	case N_SET:
		return jinja_eval(r, n->kid[1], &v) == -1 ? -1 :
		    jinja_assign(r, n->kid[0], v);
	case N_SETBLOCK:
		return run_captured(r, n->kid[2], n->kid[1], &v) == -1 ? -1 :
		    jinja_assign(r, n->kid[0], v);
	case N_FILTERBLOCK:
		return run_captured(r, n->kid[1], n->kid[0], &v) == -1 ? -1 :
		    jv_show(r, r->out, v, false);
	case N_MACRO:
		v.kind = J_MACRO;
		v.macro = arena_alloc(r->arena, sizeof(*v.macro));
		v.macro->node = n;
		v.macro->scope = r->scope;
		return dict_set(r, &r->scope->vars, jinja_key(n->s), v);
	case N_CALLBLOCK:
		return run_callblock(r, n);
	case N_WITH:
		return run_with(r, n);
	case N_GENERATION:
		return run_generation(r, n);
	default:
		r->flow = n->kind == N_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
		return 0;
	}
}

int
jinja_body(struct jrun *r, const struct jnode *n)
{
	if (++r->depth > JINJA_DEPTH)
		return jinja_error(r, "nested too deeply");
	for (unsigned i = 0; i < n->n && r->flow == FLOW_ON; i++) {
		r->line = n->kid[i]->line;
		if (jinja_step(r, 1) == -1 ||
		    run_statement(r, n->kid[i]) == -1)
			return -1;
	}
	r->depth--;
	return 0;
}

/* param_value - what a macro was given for a parameter; NULL: nothing */
static const struct jv *
param_value(const struct jnode *param, unsigned at, const struct jargs *args)
{
	for (size_t i = 0; i < args->nnamed; i++)
		if (view_eq(args->name[i], param->s))
			return &args->v[args->n - args->nnamed + i];
	return at < args->n - args->nnamed ? &args->v[at] : NULL;
}

/* macro_params - arguments and defaults as names of the macro */
static int
macro_params(struct jrun *r, const struct jmacro *m, const struct jargs *args)
{
	const struct jnode *n = m->node, *param;
	const struct jv *given;
	struct jv v;
	size_t known = 0;

	if (args->n - args->nnamed > n->n - 1)
		return jinja_error(r, "macro '%.*s' takes %u arguments",
		    (int)n->s.n, n->s.p, n->n - 1);
	for (unsigned i = 1; i < n->n; i++) {
		param = n->kid[i];
		given = param_value(param, i - 1, args);
		for (size_t k = 0; k < args->nnamed; k++)
			known += view_eq(args->name[k], param->s);
		if (given != NULL)
			v = *given;
		else if (param->n > 0 && param->kid[0] != NULL) {
			if (jinja_eval(r, param->kid[0], &v) == -1)
				return -1;
		} else
			v = jv_undefined(param->s);
		if (dict_set(r, &r->scope->vars, jinja_key(param->s),
		    v) == -1)
			return -1;
	}
	if (known < args->nnamed)
		return jinja_error(r, "macro '%.*s' has no such argument",
		    (int)n->s.n, n->s.p);
	return 0;
}

int
jinja_macro(struct jrun *r, const struct jmacro *m, const struct jargs *args,
    const struct jv *caller, struct jv *out)
{
	struct jscope *scope = r->scope;
	struct jout o = { 0 }, *outer = r->out;
	unsigned line = r->line;
	int rc;

	if (++r->depth > JINJA_DEPTH)
		return jinja_error(r, "nested too deeply");
	r->scope = arena_alloc(r->arena, sizeof(*r->scope));
	r->scope->up = m->scope;
	r->out = &o;
	rc = macro_params(r, m, args);
	if (rc == 0 && caller != NULL)
		rc = dict_set(r, &r->scope->vars, jinja_key(VIEW("caller")),
		    *caller);
	if (rc == 0)
		rc = jinja_body(r, m->node->kid[0]);
	r->scope = scope;
	r->out = outer;
	r->depth--;
	if (rc == 0)
		r->line = line;
	*out = out_end(&o);
	return rc;
}

int
jinja_render(const struct jinja *j, struct arena *a,
    const struct jinja_var *var, size_t n, const struct tm *now,
    struct jinja_text *text, struct err *e)
{
	struct jout out = { 0 };
	struct jscope given = { 0 }, top = { .up = &given };
	struct jrun r = { .arena = a, .scope = &top, .out = &out, .now = now,
	    .e = e, .line = 1, .steps = JINJA_STEPS,
	    .size = arena_size(a) };
	struct jv v;

	for (size_t i = 0; i < n; i++)
		if (jv_json(&r, var[i].json, var[i].own ? 0 : JINJA_VALUE,
		    &v) == -1 || dict_set(&r, &given.vars,
		    jinja_key(view_of(var[i].name)), v) == -1)
			return err_prefix(e, "'%s': ", var[i].name);
	if (jinja_body(&r, j->body) == -1 || jinja_step(&r, 0) == -1)
		return -1;
	text->text = (struct view){ out.p != NULL ? out.p : "", out.n };
	text->mark = out.mark;
	return 0;
}
