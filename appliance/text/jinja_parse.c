/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/jinja_own.h"

#define PARSE_DEPTH	100		/* tags in tags */

static struct jnode *parse_tag(struct jparse *);

/*
 * parse_body - up to a tag that is one of ends ("endif|else"), which is left as
 * the next token behind its {%; NULL: up to the end of the template
 */
static struct jnode *
parse_body(struct jparse *p, const char *ends)
{
	struct jnode *body = jinja_node(p, N_BODY), *n, *k;
	struct jtoken *t;

	if (++p->depth > PARSE_DEPTH)
		return jinja_fail(p, "nested too deeply");
	for (;;) {
		t = p->t;
		if (t->kind == T_END) {
			if (ends != NULL)
				return jinja_fail(p, "'{%% %s %%}' is missing",
				    ends);
			break;
		}
		p->t++;
		if (t->kind == T_DATA) {
			n = jinja_node(p, N_DATA);
			n->s = t->s;
		} else if (t->kind == T_PRINT) {
			n = jinja_node(p, N_PRINT);
			k = jinja_expr(p, JINJA_TUPLE);
			if (k == NULL)
				return NULL;
			jinja_kid(p, n, k);
			if (!jinja_skip(p, T_PRINT_END, NULL))
				return jinja_fail(p, "'}}' is missing before "
				    "%s", jinja_shown(p));
		} else {
			if (p->t->kind != T_NAME)
				return jinja_fail(p, "a tag's name is missing "
				    "before %s", jinja_shown(p));
			if (ends != NULL && jinja_among(ends, p->t->s))
				break;
			if ((n = parse_tag(p)) == NULL)
				return NULL;
			if (!jinja_skip(p, T_TAG_END, NULL))
				return jinja_fail(p, "'%%}' is missing before "
				    "%s", jinja_shown(p));
		}
		jinja_kid(p, body, n);
	}
	p->depth--;
	return body;
}

/* parse_inner - the end of an opening tag, a body, and the end's name */
static struct jnode *
parse_inner(struct jparse *p, const char *ends)
{
	if (!jinja_skip(p, T_TAG_END, NULL))
		return jinja_fail(p, "'%%}' is missing before %s",
		    jinja_shown(p));
	return parse_body(p, ends);
}

/* parse_one - the same with one end, which is passed */
static struct jnode *
parse_one(struct jparse *p, const char *end)
{
	struct jnode *n = parse_inner(p, end);

	if (n != NULL)
		p->t++;
	return n;
}

static struct jnode *
parse_if(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_IF), *k;

	do {
		if ((k = jinja_expr(p, JINJA_TUPLE | JINJA_BARE)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
		if ((k = parse_inner(p, "elif|else|endif")) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	} while (jinja_skip(p, T_NAME, "elif"));
	if (jinja_skip(p, T_NAME, "else")) {
		if ((k = parse_one(p, "endif")) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	} else
		p->t++;
	return n;
}

struct jnode *
jinja_target(struct jparse *p, bool space)
{
	struct jnode *n, *k, *tuple = NULL;
	bool open = jinja_skip(p, T_OP, "(");

	for (;;) {
		if (p->t->kind != T_NAME)
			return jinja_fail(p, "a name is missing before %s",
			    jinja_shown(p));
		n = jinja_node(p, N_NAME);
		n->s = p->t->s;
		p->t++;
		if (view_is(n->s, "none") || view_is(n->s, "true") ||
		    view_is(n->s, "false") || view_is(n->s, "None") ||
		    view_is(n->s, "True") || view_is(n->s, "False"))
			return jinja_fail(p, "cannot assign to '%.*s'",
			    (int)n->s.n, n->s.p);
		if (space && jinja_skip(p, T_OP, ".")) {
			k = jinja_node(p, N_ATTR);
			k->s = p->t->s;
			jinja_kid(p, k, n);
			n = k;
			if (!jinja_skip(p, T_NAME, NULL))
				return jinja_fail(p, "a name is missing "
				    "before %s", jinja_shown(p));
		}
		if (tuple != NULL)
			jinja_kid(p, tuple, n);
		if (!jinja_is(p, T_OP, ","))
			break;
		p->t++;
		if (tuple == NULL) {
			tuple = jinja_node(p, N_TUPLE);
			jinja_kid(p, tuple, n);
		}
		if (p->t->kind != T_NAME)
			break;
	}
	if (open && !jinja_skip(p, T_OP, ")"))
		return jinja_fail(p, "')' is missing before %s",
		    jinja_shown(p));
	return tuple != NULL ? tuple : n;
}

static struct jnode *
parse_for(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_FOR), *k;

	if ((k = jinja_target(p, false)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	if (!jinja_skip(p, T_NAME, "in"))
		return jinja_fail(p, "'in' is missing before %s",
		    jinja_shown(p));
	if ((k = jinja_expr(p, JINJA_TUPLE | JINJA_BARE)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	k = NULL;
	if (jinja_skip(p, T_NAME, "if") && (k = jinja_expr(p, 0)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	if (jinja_is(p, T_NAME, "recursive"))
		return jinja_fail(p, "recursive loops are not supported; use a "
		    "macro that calls itself");
	p->loops++;
	if ((k = parse_inner(p, "else|endfor")) == NULL)
		return NULL;
	p->loops--;
	jinja_kid(p, n, k);
	k = NULL;
	if (!jinja_skip(p, T_NAME, "else"))
		p->t++;
	else if ((k = parse_one(p, "endfor")) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	return n;
}

static struct jnode *
parse_set(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_SETBLOCK), *k;

	if ((k = jinja_target(p, true)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	if (jinja_skip(p, T_OP, "=")) {
		n->kind = N_SET;
		if ((k = jinja_expr(p, JINJA_TUPLE)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
		return n;
	}
	k = NULL;
	if (jinja_is(p, T_OP, "|") &&
	    (k = jinja_filters(p, NULL, false)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	if ((k = parse_one(p, "endset")) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	return n;
}

/* parse_params - (a, b=1): what a macro takes; its body comes first */
static bool
parse_params(struct jparse *p, struct jnode *macro)
{
	struct jnode *n, *k = NULL;
	bool first = true, any = false;

	for (p->t++; !jinja_skip(p, T_OP, ")"); first = false) {
		if (!first && !jinja_skip(p, T_OP, ","))
			return jinja_fail(p, "',' is missing before %s",
			    jinja_shown(p)) != NULL;
		n = jinja_node(p, N_PARAM);
		n->s = p->t->s;
		if (!jinja_skip(p, T_NAME, NULL))
			return jinja_fail(p, "a name is missing before %s",
			    jinja_shown(p)) != NULL;
		k = NULL;
		if (jinja_skip(p, T_OP, "=")) {
			any = true;
			if ((k = jinja_expr(p, 0)) == NULL)
				return false;
		} else if (any)
			return jinja_fail(p, "an argument without a default "
			    "after one with a default") != NULL;
		jinja_kid(p, n, k);
		jinja_kid(p, macro, n);
	}
	return true;
}

/* parse_macro - {% macro NAME(..) %}; of a call block: without a name */
static struct jnode *
parse_macro(struct jparse *p, const char *end, struct jnode *call)
{
	struct jnode *n = jinja_node(p, N_MACRO), *k;
	int loops = p->loops;

	n->s = VIEW("caller");
	if (call == NULL) {
		n->s = p->t->s;
		if (!jinja_skip(p, T_NAME, NULL))
			return jinja_fail(p, "a name is missing before %s",
			    jinja_shown(p));
	}
	jinja_kid(p, n, NULL);
	if (call == NULL && !jinja_is(p, T_OP, "("))
		return jinja_fail(p, "'(' is missing before %s",
		    jinja_shown(p));
	if (jinja_is(p, T_OP, "(") && !parse_params(p, n))
		return NULL;
	if (call != NULL) {
		if ((k = jinja_expr(p, 0)) == NULL)
			return NULL;
		if (k->kind != N_CALL)
			return jinja_fail(p, "a call is missing");
		jinja_kid(p, call, k);
	}
	p->loops = 0;
	if ((k = parse_one(p, end)) == NULL)
		return NULL;
	p->loops = loops;
	n->kid[0] = k;
	return n;
}

static struct jnode *
parse_call(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_CALLBLOCK), *k;

	if ((k = parse_macro(p, "endcall", n)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	return n;
}

static struct jnode *
parse_filter(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_FILTERBLOCK), *k;

	if ((k = jinja_filters(p, NULL, true)) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	if ((k = parse_one(p, "endfilter")) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	return n;
}

static struct jnode *
parse_with(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_WITH), *k;

	while (p->t->kind != T_TAG_END) {
		if (n->n > 0 && !jinja_skip(p, T_OP, ","))
			return jinja_fail(p, "',' is missing before %s",
			    jinja_shown(p));
		if (p->t->kind != T_NAME)
			return jinja_fail(p, "a name is missing before %s",
			    jinja_shown(p));
		k = jinja_node(p, N_NAME);
		k->s = p->t->s;
		p->t++;
		jinja_kid(p, n, k);
		if (!jinja_skip(p, T_OP, "="))
			return jinja_fail(p, "'=' is missing before %s",
			    jinja_shown(p));
		if ((k = jinja_expr(p, 0)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	}
	if ((k = parse_one(p, "endwith")) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	return n;
}

static struct jnode *
parse_generation(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_GENERATION), *k;

	if ((k = parse_one(p, "endgeneration")) == NULL)
		return NULL;
	jinja_kid(p, n, k);
	p->out->generation = true;
	return n;
}

/* parse_tag - the tag whose name is the next token */
static struct jnode *
parse_tag(struct jparse *p)
{
	static const struct {
		const char *name;
		struct jnode *(*parse)(struct jparse *);
	} tags[] = {
		{ "if", parse_if }, { "for", parse_for }, { "set", parse_set },
		{ "call", parse_call }, { "filter", parse_filter },
		{ "with", parse_with }, { "generation", parse_generation },
	};
	struct view name = p->t->s;
	int n = name.n < 40 ? (int)name.n : 40;

	p->t++;
	for (size_t i = 0; i < BASE_COUNT(tags); i++)
		if (view_is(name, tags[i].name))
			return tags[i].parse(p);
	if (view_is(name, "macro"))
		return parse_macro(p, "endmacro", NULL);
	if (view_is(name, "break") || view_is(name, "continue")) {
		if (p->loops == 0)
			return jinja_fail(p, "'%.*s' outside a loop", n,
			    name.p);
		return jinja_node(p, view_is(name, "break") ? N_BREAK :
		    N_CONTINUE);
	}
	p->t--;
	if (jinja_among("include|import|from|extends|block|autoescape|do|trans|"
	    "debug|print", name))
		return jinja_fail(p, "the tag '%.*s' is not supported: a chat "
		    "template stands alone", n, name.p);
	if (jinja_among("else|elif|endif|endfor|endset|endmacro|endcall|"
	    "endfilter|endwith|endgeneration|endraw", name))
		return jinja_fail(p, "'{%% %.*s %%}' closes nothing", n,
		    name.p);
	return jinja_fail(p, "no tag '%.*s'", n, name.p);
}

struct jinja *
jinja_open(struct arena *a, struct view text, struct err *e)
{
	struct jinja *j = arena_alloc(a, sizeof(*j));
	struct jparse p = { .arena = a, .out = j, .e = e };

	if (text.n > JINJA_TEMPLATE) {
		err_set(e, FATE_REJECT, "a template of more than %zu bytes",
		    JINJA_TEMPLATE);
		return NULL;
	}
	if (utf8_check(text.p, text.n) != text.n) {
		err_set(e, FATE_REJECT, "the template is not UTF-8");
		return NULL;
	}
	p.t = jinja_lex(a, text, e);
	if (p.t == NULL)
		return NULL;
	j->body = parse_body(&p, NULL);
	return j->body == NULL ? NULL : j;
}

bool
jinja_generation(const struct jinja *j)
{
	return j->generation;
}
