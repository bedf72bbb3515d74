/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/infer/infer.h"

#define PROMPT_MAX	((size_t)64 << 20)

/* prompt_passages - what search found, numbered as an answer may cite it */
static void
prompt_passages(struct arena *a, struct view raw, struct buf *b)
{
	struct json_iter it;
	struct view one, text;
	unsigned n = 0;

	if (!json_open(&it, raw, '['))
		return;
	while (json_element(&it, &one)) {
		n++;
		if (!json_get(one, "text", &text) ||
		    !json_string(a, text, &text))
			continue;
		buf_printf(b, "%s[%u] ", n > 1 ? "\n" : "", n);
		buf_view(b, text);
	}
}

/* prompt_field - {name}: a string's text, or any other value's JSON */
static const char *
prompt_field(struct arena *a, const struct rec *r, struct view name,
    struct buf *b)
{
	const char *n = arena_strn(a, name.p, name.n);
	struct view raw, text;

	if (!rec_raw(r, n, &raw))
		return arena_printf(a, "the template wants '%s', which is not "
		    "there", n);
	if (strcmp(n, "passages") == 0)
		prompt_passages(a, raw, b);
	else if (json_string(a, raw, &text))
		buf_view(b, text);
	else
		buf_view(b, raw);
	return NULL;
}

/* prompt_template - {name} is a field, {{ and }} are braces */
static const char *
prompt_template(struct arena *a, const char *t, const struct rec *r,
    struct buf *b)
{
	const char *why = NULL;
	size_t n;

	while (*t != '\0' && why == NULL) {
		if ((t[0] == '{' || t[0] == '}') && t[1] == t[0]) {
			buf_char(b, *t);
			t += 2;
		} else if (t[0] == '{') {
			n = strcspn(t + 1, "{}");
			if (t[1 + n] != '}')
				return "the template has a '{' without its "
				    "'}'";
			why = prompt_field(a, r, (struct view){ t + 1, n }, b);
			t += n + 2;
		} else
			buf_char(b, *t++);
	}
	return why;
}

const char *
prompt_of(const struct infer_conf *c, struct arena *a, struct ask *q)
{
	const struct rec *r = q->rec;
	struct view raw;
	struct buf *b;
	const char *why;

	if (c->template != NULL) {
		b = buf_new(a, PROMPT_MAX);
		why = prompt_template(a, c->template, r, b);
		if (why == NULL && b->full)
			why = "the prompt is longer than 64 MiB";
		q->prompt = buf_get(b);
		return why;
	}
	if (c->prompt != NULL)
		return rec_str(a, r, c->prompt, &q->prompt) ? NULL :
		    arena_printf(a, "no text in '%s'", c->prompt);
	if (rec_raw(r, "prompt", &raw) && raw.p[0] == '[') {
		q->messages = raw;	/* as train has it */
		return NULL;
	}
	if (rec_raw(r, "prompt", &raw))
		return rec_str(a, r, "prompt", &q->prompt) ? NULL :
		    "'prompt' is no text";
	if (rec_raw(r, c->messages, &raw)) {
		q->messages = raw;
		return NULL;
	}
	return rec_str(a, r, "text", &q->prompt) ? NULL : arena_printf(a,
	    "neither 'prompt', '%s' nor 'text' is there", c->messages);
}

size_t
ask_stop(const struct ask *q, size_t from)
{
	size_t first = q->text->n;

	for (size_t i = 0; i < q->nstop; i++) {
		struct view s = q->stop[i];
		const char *at = s.n == 0 || q->text->n < from ? NULL :
		    memmem(q->text->p + from, q->text->n - from, s.p, s.n);

		if (at != NULL && (size_t)(at - q->text->p) < first)
			first = (size_t)(at - q->text->p);
	}
	return first;
}
