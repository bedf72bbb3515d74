/* SPDX-License-Identifier: Apache-2.0 */
/* What the parsers of tags and of expressions share */
#include "appliance/base/base.h"
#include "appliance/text/jinja_own.h"

struct jnode *
jinja_node(struct jparse *p, enum jnode_kind kind)
{
	struct jnode *n = arena_alloc(p->arena, sizeof(*n));

	n->kind = kind;
	n->line = p->t->line;
	return n;
}

void
jinja_kid(struct jparse *p, struct jnode *n, struct jnode *kid)
{
	if ((n->n & (n->n - 1)) == 0)		/* 0, 1, 2, 4, 8: full */
		n->kid = arena_grow(p->arena, n->kid, n->n,
		    n->n == 0 ? 1 : n->n * 2, sizeof(struct jnode *));
	n->kid[n->n++] = kid;
}

bool
jinja_is(const struct jparse *p, enum token kind, const char *s)
{
	return p->t->kind == kind && (s == NULL || view_is(p->t->s, s));
}

bool
jinja_among(const char *words, struct view v)
{
	for (const char *p = words; ; p++) {
		size_t n = strcspn(p, "|");

		if (n == v.n && memcmp(p, v.p, n) == 0)
			return true;
		p += n;
		if (*p == '\0')
			return false;
	}
}

bool
jinja_skip(struct jparse *p, enum token kind, const char *s)
{
	if (!jinja_is(p, kind, s))
		return false;
	p->t++;
	return true;
}

struct jnode *
jinja_fail(struct jparse *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(p->e, FATE_REJECT, "line %u of the template: %s", p->t->line,
	    text);
	return NULL;
}

const char *
jinja_shown(struct jparse *p)
{
	static const char *const names[T_OP + 1] = {
		[T_END] = "the end of the template", [T_DATA] = "text",
		[T_PRINT] = "'{{'", [T_PRINT_END] = "'}}'", [T_TAG] = "'{%'",
		[T_TAG_END] = "'%}'", [T_STRING] = "a string"
	};
	int n = p->t->s.n < 40 ? (int)p->t->s.n : 40;

	return names[p->t->kind] != NULL ? names[p->t->kind] :
	    arena_printf(p->arena, "'%.*s'", n, p->t->s.p);
}
