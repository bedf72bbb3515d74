/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_own.h"

#define EXPR_DEPTH	200

/* expr_need - a token that must be there */
static bool
expr_need(struct jparse *p, const char *op)
{
	if (jinja_skip(p, T_OP, op))
		return true;
	jinja_fail(p, "'%s' is missing before %s", op, jinja_shown(p));
	return false;
}

/* expr_list - values up to a closing bracket, a dict's in pairs */
static struct jnode *
expr_list(struct jparse *p, enum jnode_kind kind, const char *close)
{
	struct jnode *n = jinja_node(p, kind), *k;

	p->t++;
	while (!jinja_skip(p, T_OP, close)) {
		if (n->n > 0 && !expr_need(p, ","))
			return NULL;
		if (jinja_skip(p, T_OP, close))
			break;
		if ((k = jinja_expr(p, 0)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
		if (kind != N_DICT)
			continue;
		if (!expr_need(p, ":") || (k = jinja_expr(p, 0)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	}
	return n;
}

/* expr_args - (..): what is given to a call, filter or test */
static bool
expr_args(struct jparse *p, struct jnode *n)
{
	struct jnode *k, *v;
	bool first = true, named = false;

	for (p->t++; !jinja_skip(p, T_OP, ")"); first = false) {
		if (!first && !expr_need(p, ","))
			return false;
		if (!first && jinja_skip(p, T_OP, ")"))
			break;
		if (jinja_is(p, T_OP, "*") || jinja_is(p, T_OP, "**")) {
			jinja_fail(p, "arguments with '%.*s' are not "
			    "supported; write them one by one",
			    (int)p->t->s.n, p->t->s.p);
			return false;
		}
		k = NULL;
		if (p->t->kind == T_NAME && p->t[1].kind == T_OP &&
		    view_is(p->t[1].s, "=")) {
			k = jinja_node(p, N_KEYWORD);
			k->s = p->t->s;
			p->t += 2;
			named = true;
		} else if (named) {
			jinja_fail(p, "an argument without a name after one "
			    "with a name");
			return false;
		}
		if ((v = jinja_expr(p, 0)) == NULL)
			return false;
		if (k != NULL)
			jinja_kid(p, k, v);
		jinja_kid(p, n, k != NULL ? k : v);
	}
	return true;
}

/* expr_word - a name that is a value */
static struct jnode *
expr_word(struct jparse *p)
{
	static const struct {
		const char *name;
		enum jnode_kind kind;
	} words[] = { { "true", N_TRUE }, { "True", N_TRUE },
	    { "false", N_FALSE }, { "False", N_FALSE }, { "none", N_NONE },
	    { "None", N_NONE } };
	struct jnode *n = jinja_node(p, N_NAME);

	for (size_t i = 0; i < BASE_COUNT(words); i++)
		if (view_is(p->t->s, words[i].name))
			n->kind = words[i].kind;
	n->s = p->t->s;
	p->t++;
	return n;
}

/* expr_strings - strings beside one another are one */
static struct jnode *
expr_strings(struct jparse *p)
{
	struct jnode *n = jinja_node(p, N_STRING);
	struct buf *b;

	n->s = p->t->s;
	p->t++;
	if (p->t->kind != T_STRING)
		return n;
	b = buf_new(p->arena, JINJA_TEMPLATE);
	buf_view(b, n->s);
	for (; p->t->kind == T_STRING; p->t++)
		buf_view(b, p->t->s);
	n->s = buf_get(b);
	return n;
}

/* expr_primary - a value without operators */
static struct jnode *
expr_primary(struct jparse *p)
{
	struct jnode *n;

	switch (p->t->kind) {
	case T_NAME:
		return expr_word(p);
	case T_STRING:
		return expr_strings(p);
	case T_INT:
	case T_FLOAT:
		n = jinja_node(p, p->t->kind == T_INT ? N_INT : N_FLOAT);
		n->i = p->t->i;
		n->f = p->t->f;
		p->t++;
		return n;
	default:
		break;
	}
	if (jinja_is(p, T_OP, "["))
		return expr_list(p, N_LIST, "]");
	if (jinja_is(p, T_OP, "{"))
		return expr_list(p, N_DICT, "}");
	if (!jinja_skip(p, T_OP, "("))
		return jinja_fail(p, "a value is missing before %s",
		    jinja_shown(p));
	if (jinja_is(p, T_OP, ")"))
		n = jinja_node(p, N_TUPLE);
	else
		n = jinja_expr(p, JINJA_TUPLE);
	return n != NULL && expr_need(p, ")") ? n : NULL;
}

/* expr_index - what stands between [ and ] */
static struct jnode *
expr_index(struct jparse *p)
{
	struct jnode *n = NULL, *slice = jinja_node(p, N_SLICE);

	if (!jinja_is(p, T_OP, ":") &&
	    (n = jinja_expr(p, JINJA_TUPLE)) == NULL)
		return NULL;
	if (!jinja_is(p, T_OP, ":"))
		return n;
	jinja_kid(p, slice, n);
	for (int i = 0; i < 2; i++) {
		n = NULL;
		if (jinja_skip(p, T_OP, ":") && !jinja_is(p, T_OP, ":") &&
		    !jinja_is(p, T_OP, "]") && (n = jinja_expr(p, 0)) == NULL)
			return NULL;
		jinja_kid(p, slice, n);
	}
	return slice;
}

/* expr_postfix - .name [index] (arguments) */
static struct jnode *
expr_postfix(struct jparse *p, struct jnode *of)
{
	struct jnode *n, *k;

	for (;;) {
		if (jinja_skip(p, T_OP, ".")) {
			if (p->t->kind != T_NAME && p->t->kind != T_INT)
				return jinja_fail(p, "a name is missing "
				    "before %s", jinja_shown(p));
			n = jinja_node(p, p->t->kind == T_NAME ? N_ATTR :
			    N_ITEM);
			n->s = p->t->s;
			jinja_kid(p, n, of);
			if (n->kind == N_ITEM)
				jinja_kid(p, n, expr_primary(p));
			else
				p->t++;
		} else if (jinja_is(p, T_OP, "[")) {
			n = jinja_node(p, N_ITEM);
			p->t++;
			if ((k = expr_index(p)) == NULL || !expr_need(p, "]"))
				return NULL;
			jinja_kid(p, n, of);
			jinja_kid(p, n, k);
		} else if (jinja_is(p, T_OP, "(")) {
			n = jinja_node(p, N_CALL);
			jinja_kid(p, n, of);
			if (!expr_args(p, n))
				return NULL;
		} else
			return of;
		of = n;
	}
}

struct jnode *
jinja_filters(struct jparse *p, struct jnode *of, bool begun)
{
	struct jnode *n;

	while (begun || jinja_skip(p, T_OP, "|")) {
		begun = false;
		if (p->t->kind != T_NAME)
			return jinja_fail(p, "a filter's name is missing "
			    "before %s", jinja_shown(p));
		n = jinja_node(p, N_FILTER);
		n->s = p->t->s;
		p->t++;
		jinja_kid(p, n, of);
		if (jinja_is(p, T_OP, "(") && !expr_args(p, n))
			return NULL;
		of = n;
	}
	return of;
}

/* expr_test - of what, behind `is` */
static struct jnode *
expr_test(struct jparse *p, struct jnode *of)
{
	struct jnode *n, *k, *not = NULL;
	bool more;

	if (jinja_is(p, T_NAME, "not")) {
		not = jinja_node(p, N_NOT);
		p->t++;
	}
	if (p->t->kind != T_NAME)
		return jinja_fail(p, "a test's name is missing before %s",
		    jinja_shown(p));
	n = jinja_node(p, N_TEST);
	n->s = p->t->s;
	p->t++;
	jinja_kid(p, n, of);
	more = (p->t->kind == T_NAME && !jinja_is(p, T_NAME, "else") &&
	    !jinja_is(p, T_NAME, "or") && !jinja_is(p, T_NAME, "and")) ||
	    p->t->kind == T_STRING || p->t->kind == T_INT ||
	    p->t->kind == T_FLOAT || jinja_is(p, T_OP, "[") ||
	    jinja_is(p, T_OP, "{");
	if (jinja_is(p, T_NAME, "is"))
		return jinja_fail(p, "tests cannot be chained with 'is'");
	if (jinja_is(p, T_OP, "(")) {
		if (!expr_args(p, n))
			return NULL;
	} else if (more) {
		if ((k = expr_primary(p)) == NULL ||
		    (k = expr_postfix(p, k)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	}
	if (not == NULL)
		return n;
	jinja_kid(p, not, n);
	return not;
}

/* expr_unary - a sign, a value and what follows it; filters bind to both */
static struct jnode *
expr_unary(struct jparse *p, bool filters)
{
	struct jnode *n, *k;

	if (++p->depth > EXPR_DEPTH)
		return jinja_fail(p, "nested too deeply");
	if (jinja_is(p, T_OP, "-") || jinja_is(p, T_OP, "+")) {
		n = jinja_node(p, jinja_is(p, T_OP, "-") ? N_NEG : N_POS);
		p->t++;
		if ((k = expr_unary(p, false)) == NULL)
			return NULL;
		jinja_kid(p, n, k);
	} else
		n = expr_primary(p);
	if (n != NULL)
		n = expr_postfix(p, n);
	while (n != NULL && filters) {
		if (jinja_is(p, T_OP, "|"))
			n = jinja_filters(p, n, false);
		else if (jinja_skip(p, T_NAME, "is"))
			n = expr_test(p, n);
		else if (jinja_is(p, T_OP, "("))
			n = expr_postfix(p, n);
		else
			break;
	}
	p->depth--;
	return n;
}

/* how tightly what stands between two values binds; 0: not an operator */
enum { BIND_OR = 1, BIND_AND, BIND_COMPARE, BIND_ADD, BIND_CONCAT, BIND_MUL,
    BIND_POW };

static int
expr_binding(const struct jparse *p)
{
	static const struct {
		const char *op;
		enum token kind;
		int binds;
	} table[] = {
		{ "or", T_NAME, BIND_OR }, { "and", T_NAME, BIND_AND },
		{ "==", T_OP, BIND_COMPARE }, { "!=", T_OP, BIND_COMPARE },
		{ "<", T_OP, BIND_COMPARE }, { "<=", T_OP, BIND_COMPARE },
		{ ">", T_OP, BIND_COMPARE }, { ">=", T_OP, BIND_COMPARE },
		{ "in", T_NAME, BIND_COMPARE },
		{ "+", T_OP, BIND_ADD }, { "-", T_OP, BIND_ADD },
		{ "~", T_OP, BIND_CONCAT }, { "*", T_OP, BIND_MUL },
		{ "/", T_OP, BIND_MUL }, { "//", T_OP, BIND_MUL },
		{ "%", T_OP, BIND_MUL }, { "**", T_OP, BIND_POW },
	};

	for (size_t i = 0; i < BASE_COUNT(table); i++)
		if (jinja_is(p, table[i].kind, table[i].op))
			return table[i].binds;
	return jinja_is(p, T_NAME, "not") && p->t[1].kind == T_NAME &&
	    view_is(p->t[1].s, "in") ? BIND_COMPARE : 0;
}

/* expr_join - left, an operator of a binding, right */
static struct jnode *
expr_join(struct jparse *p, struct jnode *left, int binds, struct view op,
    struct jnode *right)
{
	struct jnode *n, *k;

	/* a ~ b ~ c and a < b < c are one node each */
	if (binds == BIND_CONCAT && left->kind == N_CONCAT && left->i == 0) {
		jinja_kid(p, left, right);
		return left;
	}
	n = jinja_node(p, binds == BIND_OR ? N_OR : binds == BIND_AND ? N_AND :
	    binds == BIND_CONCAT ? N_CONCAT : binds == BIND_COMPARE ?
	    N_COMPARE : N_BINARY);
	n->s = op;
	if (binds == BIND_COMPARE) {
		k = jinja_node(p, N_OPERAND);
		k->s = op;
		jinja_kid(p, k, right);
		if (left->kind == N_COMPARE && left->i == 0) {
			jinja_kid(p, left, k);
			return left;
		}
		right = k;
	}
	jinja_kid(p, n, left);
	jinja_kid(p, n, right);
	return n;
}

/* expr_bound - values and operators that bind more tightly than at least */
static struct jnode *
expr_bound(struct jparse *p, int least)
{
	struct jnode *left, *right;
	struct view op;
	int binds;

	if (least < BIND_COMPARE && jinja_is(p, T_NAME, "not")) {
		left = jinja_node(p, N_NOT);
		p->t++;
		if (++p->depth > EXPR_DEPTH)
			return jinja_fail(p, "nested too deeply");
		if ((right = expr_bound(p, BIND_AND)) == NULL)
			return NULL;
		p->depth--;
		jinja_kid(p, left, right);
	} else
		left = expr_unary(p, true);
	while (left != NULL && (binds = expr_binding(p)) > least) {
		op = p->t->s;
		if (view_is(op, "not")) {
			op = VIEW("not in");
			p->t++;
		}
		p->t++;
		if ((right = expr_bound(p, binds)) == NULL)
			return NULL;
		left = expr_join(p, left, binds, op, right);
	}
	/* in brackets or behind a sign it is a value like others */
	if (left != NULL && (left->kind == N_COMPARE ||
	    left->kind == N_CONCAT) && least < BIND_COMPARE)
		left->i = 1;
	return left;
}

/* expr_cond - value if test else other */
static struct jnode *
expr_cond(struct jparse *p)
{
	struct jnode *n = expr_bound(p, 0), *c, *test, *other;

	while (n != NULL && jinja_is(p, T_NAME, "if")) {
		c = jinja_node(p, N_COND);
		p->t++;
		if ((test = expr_bound(p, 0)) == NULL)
			return NULL;
		other = NULL;
		if (jinja_skip(p, T_NAME, "else") &&
		    (other = jinja_expr(p, 0)) == NULL)
			return NULL;
		jinja_kid(p, c, test);
		jinja_kid(p, c, n);
		jinja_kid(p, c, other);
		n = c;
	}
	return n;
}

/* expr_ends - can no more values of a tuple come */
static bool
expr_ends(const struct jparse *p)
{
	return p->t->kind == T_PRINT_END || p->t->kind == T_TAG_END ||
	    jinja_is(p, T_OP, ")") || jinja_is(p, T_OP, "]") ||
	    jinja_is(p, T_NAME, "in") ||
	    jinja_is(p, T_NAME, "recursive");
}

struct jnode *
jinja_expr(struct jparse *p, unsigned how)
{
	struct jnode *n, *tuple;

	if (++p->depth > EXPR_DEPTH)
		return jinja_fail(p, "nested too deeply");
	n = how & JINJA_BARE ? expr_bound(p, 0) : expr_cond(p);
	if (n != NULL && how & JINJA_TUPLE && jinja_is(p, T_OP, ",")) {
		tuple = jinja_node(p, N_TUPLE);
		jinja_kid(p, tuple, n);
		while (n != NULL && jinja_skip(p, T_OP, ",") &&
		    !expr_ends(p)) {
			n = how & JINJA_BARE ? expr_bound(p, 0) : expr_cond(p);
			jinja_kid(p, tuple, n);
		}
		n = n == NULL ? NULL : tuple;
	}
	p->depth--;
	return n;
}
