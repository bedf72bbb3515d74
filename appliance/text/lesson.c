/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/lesson.h"

void
lesson_ids(const struct lesson_conf *c, struct arena *a, const uint32_t *id,
    size_t n, size_t quiet, struct lesson *l)
{
	const struct tokenizer *k = c->tokenizer;

	l->id = arena_array(a, n + 2, sizeof(*l->id));
	l->mine = arena_alloc(a, n + 2);
	l->n = 0;
	if (k->begins || (k->bos >= 0 && k->bos != k->end)) {
		l->mine[l->n] = quiet == 0;
		l->id[l->n++] = (uint32_t)k->bos;
	}
	for (size_t i = 0; i < n; i++) {
		l->mine[l->n] = i >= quiet;
		l->id[l->n++] = id[i];
	}
	if (k->end < 0)
		return;
	l->mine[l->n] = 1;
	l->id[l->n++] = (uint32_t)k->end;
}

/* lesson_completion - a text after another */
static const char *
lesson_completion(const struct lesson_conf *c, struct arena *a,
    struct view prompt, struct view text, struct lesson *l)
{
	char *whole = arena_alloc(a, prompt.n + text.n + 1);
	size_t n, quiet = 0;
	uint32_t *id;

	if (prompt.n > 0) {
		memcpy(whole, prompt.p, prompt.n);
		quiet = tokenizer_encode(c->tokenizer, a, prompt, &id);
	}
	memcpy(whole + prompt.n, text.p, text.n);
	n = tokenizer_encode(c->tokenizer, a, (struct view){ whole, prompt.n +
	    text.n }, &id);
	quiet = quiet < n ? quiet : n;
	lesson_ids(c, a, id, n, c->asked ? 0 : quiet, l);
	return NULL;
}

size_t
lesson_turns(struct arena *a, struct view messages, size_t n)
{
	struct json_iter it;
	struct view one, role;
	size_t turns = 0;

	if (!json_open(&it, messages, '['))
		return 0;
	for (size_t i = 0; i < n && json_element(&it, &one); i++)
		turns += json_get(one, "role", &role) &&
		    json_string(a, role, &role) && view_is(role, "assistant");
	return turns;
}

/* lesson_chat - messages by the template; the first turns are given */
static const char *
lesson_chat(const struct lesson_conf *c, struct arena *a,
    const struct rec *r, struct view messages, size_t given, struct lesson *l)
{
	struct chat_ask ask = { .messages = messages, .given = given };
	struct chat_ids ids;
	struct err e;

	if (c->chat == NULL)
		return c->why;
	(void)rec_raw(r, "tools", &ask.tools);
	(void)rec_raw(r, "documents", &ask.documents);
	if (chat_encode(c->chat, a, &ask, true, &ids, &e) == -1)
		return arena_str(a, e.text);
	*l = (struct lesson){ ids.id, ids.mask, ids.n };
	if (c->others && l->n > 0)
		memset(l->mine, 1, l->n);
	return NULL;
}

/* is_list - messages, by their first byte */
static bool
is_list(struct view raw)
{
	return raw.n > 0 && raw.p[0] == '[';
}

/* put_messages - a list's, or a text as what a role says; behind others */
static void
put_messages(struct view raw, const char *role, struct buf *b)
{
	struct json_iter it;
	struct view one;

	if (!json_open(&it, raw, '[')) {
		buf_printf(b, "%s{\"role\":\"%s\",\"content\":", b->n > 1 ?
		    "," : "", role);
		buf_view(b, raw);
		buf_char(b, '}');
		return;
	}
	while (json_element(&it, &one)) {
		buf_str(b, b->n > 1 ? "," : "");
		buf_view(b, one);
	}
}

const char *
lesson_answer(const struct lesson_conf *c, struct arena *a,
    const struct rec *r, const char *answer, size_t given, struct lesson *l)
{
	struct view raw, prompt = VIEW(""), before = { NULL, 0 }, text;
	struct buf *b;

	if (!rec_raw(r, answer, &raw) || (!is_list(raw) &&
	    !json_string(a, raw, &text)))
		return arena_printf(a, "'%s' is neither a text nor a list of "
		    "messages", answer);
	(void)rec_raw(r, c->prompt, &before);
	if (!is_list(raw) && !is_list(before)) {
		if (before.n > 0 && !json_is_null(before) &&
		    !json_string(a, before, &prompt))
			return arena_printf(a, "'%s' is neither a text nor a "
			    "list of messages", c->prompt);
		return lesson_completion(c, a, prompt, text, l);
	}
	b = buf_new(a, before.n + raw.n + 256);
	buf_char(b, '[');
	if (before.n > 0 && !json_is_null(before)) {
		put_messages(before, "user", b);
		given += lesson_turns(a, before, SIZE_MAX);
	}
	put_messages(raw, "assistant", b);
	buf_char(b, ']');
	return lesson_chat(c, a, r, buf_get(b), given, l);
}

const char *
lesson_of(const struct lesson_conf *c, struct arena *a, const struct rec *r,
    struct lesson *l)
{
	struct view raw, text;
	uint32_t *id;
	size_t n;

	if (rec_raw(r, c->messages, &raw) && is_list(raw))
		return lesson_chat(c, a, r, raw, 0, l);
	if (rec_raw(r, c->completion, &raw) && !json_is_null(raw))
		return lesson_answer(c, a, r, c->completion, 0, l);
	if (!rec_str(a, r, c->text, &text))
		return arena_printf(a, "no text in '%s', and neither '%s' nor "
		    "'%s' is there", c->text, c->completion, c->messages);
	n = tokenizer_encode(c->tokenizer, a, text, &id);
	lesson_ids(c, a, id, n, 0, l);
	return NULL;
}
