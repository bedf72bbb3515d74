/* SPDX-License-Identifier: Apache-2.0 */
/* Chats: messages become a prompt by the model's own template */
#include "appliance/base/base.h"
#include "modules/infer/infer.h"

int
talk_open(struct stage *s, const struct infer_conf *c, const struct model *m,
    struct talk *t, struct err *e)
{
	struct arena *a = s->arena;
	struct chat_from from;

	*t = (struct talk){ .chat = NULL };
	if (chat_find(a, -1, c->chat_template, &from, e) == -1)
		return -1;
	from.config = m->tokenizer_config;
	if (c->chat_template == NULL && m->chat_template.n > 0)
		from.template = m->chat_template;
	from.date = c->date;
	t->chat = chat_open(a, &from, m->tokenizer, m->tokenizer_file, e);
	if (t->chat == NULL && c->chat_template != NULL)
		return -1;
	t->why = t->chat == NULL ? arena_str(a, e->text) : NULL;
	return 0;
}

bool
talk_content(struct arena *a, struct view raw, struct buf *b)
{
	struct json_iter it;
	struct view part, text;

	if (json_string(a, raw, &text)) {
		buf_view(b, text);
		return true;
	}
	if (!json_open(&it, raw, '['))
		return false;
	while (json_element(&it, &part)) {
		if (!json_get(part, "text", &text) ||
		    !json_string(a, text, &text))
			return false;
		buf_view(b, text);
	}
	return true;
}

/* talk_message - as it is; a content in parts as one text */
static const char *
talk_message(struct arena *a, struct view one, struct buf *out)
{
	struct buf *text = buf_new(a, REC_MAX);
	struct view role, content, key, value;
	struct json_iter it;

	if (!json_get(one, "role", &role) || role.p[0] != '"')
		return "a message has no 'role'";
	if (!json_get(one, "content", &content) || content.p[0] != '[') {
		buf_view(out, one);
		return NULL;
	}
	if (!talk_content(a, content, text))
		return "a message's content is not text alone";
	buf_str(out, "{\"content\":");
	buf_json(out, buf_get(text));
	for ((void)json_open(&it, one, '{'); json_member(&it, &key, &value); ) {
		if (view_is(key, "\"content\""))
			continue;
		buf_char(out, ',');
		buf_view(out, key);
		buf_char(out, ':');
		buf_view(out, value);
	}
	buf_char(out, '}');
	return NULL;
}

void
talk_calls(const struct ask *q, struct buf *b)
{
	for (size_t i = 0; i < q->calls.n; i++) {
		const struct call *c = &q->calls.v[i];

		/* nine letters or digits, as Mistral's template wants them
		 * back */
		buf_printf(b, "%s{\"id\":\"%09llx\",\"type\":\"function\","
		    "\"function\":{\"name\":", i == 0 ? "[" : ",",
		    (unsigned long long)(q->key[1] + i) & 0xfffffffff);
		buf_json(b, c->name);
		buf_str(b, ",\"arguments\":");
		buf_json(b, c->arguments);
		buf_str(b, "}}");
	}
	buf_char(b, ']');
}

const char *
talk_ids(const struct talk *t, struct arena *a, struct view messages,
    struct ask *q)
{
	struct buf *b = buf_new(a, REC_MAX);
	struct chat_ask ask = { .prompt = true, .tools = q->tools };
	struct chat_ids ids;
	struct json_iter it;
	struct view one;
	const char *why;
	struct err e;

	if (!json_open(&it, messages, '['))
		return "'messages' must be a list";
	buf_char(b, '[');
	while (json_element(&it, &one)) {
		buf_str(b, b->n > 1 ? "," : "");
		why = talk_message(a, one, b);
		if (why != NULL)
			return why;
	}
	buf_char(b, ']');
	if (b->full)
		return "the messages are longer than a record may be";
	ask.messages = buf_get(b);
	if (chat_encode(t->chat, a, &ask, false, &ids, &e) == -1)
		return arena_str(a, e.text);
	q->id = ids.id;
	q->nid = ids.n;
	q->prompt = messages;		/* what a row's own numbers come from */
	return NULL;
}
