/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/calls.h"
#include "appliance/text/json.h"

#define CONTENT_MAX	((size_t)64 << 20)

struct reading {
	struct arena *arena;
	struct view tools;
	const char *p, *end;
	struct calls *out;
};

/* blanks - and a sign among them that some write between calls, or '\0' */
static void
blanks(struct reading *r, char sign)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p ==
	    '\r' || *r->p == '\t' || (sign != '\0' && *r->p == sign)))
		r->p++;
}

/* word - this comes next, and is gone past */
static bool
word(struct reading *r, const char *want)
{
	size_t n = strlen(want);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, want, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* value - the JSON value that comes next, of a kind */
static bool
value(struct reading *r, char kind, struct view *v)
{
	const char *why, *after;

	if (r->p == r->end || *r->p != kind)
		return false;
	after = json_skip(r->p, r->end, &why);
	if (after == NULL)
		return false;
	*v = (struct view){ r->p, (size_t)(after - r->p) };
	r->p = after;
	return true;
}

/* is_tool - is it the name of one */
static bool
is_tool(const struct reading *r, struct view name)
{
	struct json_iter it;
	struct view one, f;

	if (!json_open(&it, r->tools, '['))
		return false;
	while (json_element(&it, &one)) {
		if (!json_get(one, "function", &f))
			f = one;
		if (json_get(f, "name", &f) && json_string(r->arena, f, &f) &&
		    view_eq(f, name))
			return true;
	}
	return false;
}

/* call_add - one more; arguments that are a string hold an object */
static bool
call_add(struct reading *r, struct view name, struct view raw)
{
	struct calls *c = r->out;
	struct view v = raw;
	struct err e;

	if (json_is_null(v))
		v = VIEW("{}");
	else if (v.p[0] == '"' && (!json_string(r->arena, v, &v) ||
	    json_value(v, &v, &e) == -1))
		return false;
	if (v.n == 0 || v.p[0] != '{' || !is_tool(r, name))
		return false;
	if ((c->n & (c->n - 1)) == 0)
		c->v = arena_grow(r->arena, c->v, c->n, c->n == 0 ? 1 :
		    c->n * 2, sizeof(*c->v));
	c->v[c->n++] = (struct call){ name, v };
	return true;
}

/* call_object - {"name":...} with its arguments */
static bool
call_object(struct reading *r, struct view object)
{
	struct view name, args;

	if (!json_get(object, "name", &name) || !json_string(r->arena, name,
	    &name))
		return false;
	if (!json_get(object, "arguments", &args) && !json_get(object,
	    "parameters", &args))
		args = VIEW("{}");
	return call_add(r, name, args);
}

/* hermes - behind <tool_call>; an answer may end without the closing word */
static bool
hermes(struct reading *r)
{
	struct view v;

	blanks(r, '\0');
	if (!value(r, '{', &v) || !call_object(r, v))
		return false;
	blanks(r, '\0');
	return r->p == r->end || word(r, "</tool_call>");
}

/* mistral - behind [TOOL_CALLS]: a list, or a name and an object */
static bool
mistral(struct reading *r)
{
	struct json_iter it;
	struct view v, name;

	blanks(r, '\0');
	if (value(r, '[', &v)) {
		for ((void)json_open(&it, v, '['); json_element(&it, &v); )
			if (v.p[0] != '{' || !call_object(r, v))
				return false;
		return r->out->n > 0;
	}
	name.p = r->p;
	while (r->p < r->end && *r->p != '{' && *r->p != '[' && *r->p != '\n')
		r->p++;
	name.n = (size_t)(r->p - name.p);
	while (name.n > 0 && name.p[name.n - 1] == ' ')
		name.n--;
	(void)word(r, "[ARGS]");
	blanks(r, '\0');
	return value(r, '{', &v) && call_add(r, name, v);
}

/* llama - objects and nothing else */
static bool
llama(struct reading *r)
{
	struct view v;

	while (r->p < r->end) {
		if (!value(r, '{', &v) || !call_object(r, v))
			return false;
		blanks(r, ';');
	}
	return r->out->n > 0;
}

/* marked - calls behind a word of their own, wherever they stand */
static int
marked(struct reading *r, struct view text, const char *mark,
    bool (*call)(struct reading *))
{
	struct buf *b = buf_new(r->arena, CONTENT_MAX);
	const char *at;

	r->p = text.p;
	while ((at = memmem(r->p, (size_t)(r->end - r->p), mark,
	    strlen(mark))) != NULL) {
		buf_add(b, r->p, (size_t)(at - r->p));
		r->p = at + strlen(mark);
		if (!call(r))
			return -1;
	}
	buf_add(b, r->p, (size_t)(r->end - r->p));
	r->out->content = buf_get(b);
	return r->out->n > 0;
}

static struct view
trimmed(struct view v)
{
	while (v.n > 0 && memchr(" \t\r\n", v.p[v.n - 1], 4) != NULL)
		v.n--;
	while (v.n > 0 && memchr(" \t\r\n", *v.p, 4) != NULL) {
		v.p++;
		v.n--;
	}
	return v;
}

int
calls_read(struct arena *a, struct view text, struct view tools,
    struct calls *out)
{
	struct reading r = { .arena = a, .tools = tools, .out = out };
	int rc;
	bool tag;

	*out = (struct calls){ .content = VIEW("") };
	text = trimmed(text);
	r.p = text.p;
	r.end = text.p + text.n;
	if (text.n == 0)
		return 0;
	rc = marked(&r, text, "<tool_call>", hermes);
	if (rc == 0)
		rc = marked(&r, text, "[TOOL_CALLS]", mistral);
	out->content = trimmed(out->content);
	if (rc != 0)
		return rc;
	out->content = VIEW("");
	r.p = text.p;
	tag = word(&r, "<|python_tag|>");
	blanks(&r, '\0');
	/* an object of another meaning is an answer like any other */
	if (llama(&r))
		return 1;
	out->n = 0;
	return tag ? -1 : 0;
}
