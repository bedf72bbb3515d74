/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/words.h"
#include "appliance/text/chat_own.h"

#include <fcntl.h>
#include <time.h>

int
chat_find(struct arena *a, int dir, const char *want, struct chat_from *from,
    struct err *e)
{
	*from = (struct chat_from){ 0 };
	if (dir != -1 && file_exists(dir, "tokenizer_config.json") &&
	    file_read(a, dir, "tokenizer_config.json", CHAT_FILE,
	    &from->config, e) == -1)
		return -1;
	if (want != NULL && strchr(want, '/') != NULL)
		return file_read(a, AT_FDCWD, want, JINJA_TEMPLATE,
		    &from->template, e);
	from->name = want;
	if (want == NULL && dir != -1 &&
	    file_exists(dir, "chat_template.jinja"))
		return file_read(a, dir, "chat_template.jinja",
		    JINJA_TEMPLATE, &from->template, e);
	return 0;
}

/* config_template - chat_template: a text, or a list of named ones */
static bool
config_template(struct arena *a, struct view root, const char *name,
    struct view *out)
{
	struct json_iter it;
	struct view v, one, raw, text;

	if (!json_get(root, "chat_template", &v))
		return false;
	if (!json_open(&it, v, '['))
		return name == NULL && json_string(a, v, out);
	while (json_element(&it, &one))
		if (json_get(one, "name", &raw) && json_string(a, raw,
		    &text) && view_is(text, name == NULL ? "default" : name))
			return json_get(one, "template", &raw) &&
			    json_string(a, raw, out);
	return false;
}

/* is_special - a vocabulary may have <s> as a token like others */
static bool
is_special(const struct chat *c, int32_t id)
{
	for (size_t i = 0; i < c->nspecial; i++)
		if ((int64_t)c->special[i].id == id)
			return true;
	return false;
}

/* open_tokens - bos_token and the like, as the template's own text */
static void
open_tokens(struct chat *c, struct arena *a, struct view root)
{
	static const char *const names[CHAT_TOKENS] = { "bos_token",
	    "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
	    "mask_token" };
	const int32_t known[2] = { c->tokenizer->bos, c->tokenizer->end };
	struct view raw, inner;
	struct buf *b, *text;

	for (size_t i = 0; i < CHAT_TOKENS && names[i] != NULL; i++) {
		bool there = json_get(root, names[i], &raw);

		if (there && json_get(raw, "content", &inner))
			raw = inner;
		if (!there && i < 2 && is_special(c, known[i])) {
			uint32_t id = (uint32_t)known[i];

			text = buf_new(a, 1024);
			b = buf_new(a, 8192);
			if (tokenizer_decode(c->tokenizer, &id, 1, text) == -1
			    || utf8_check(text->p, text->n) != text->n)
				continue;
			buf_json(b, buf_get(text));
			raw = buf_get(b);
			there = true;
		}
		if (there && raw.n > 1 && raw.p[0] == '"')
			c->var[c->nvar++] = (struct jinja_var){ names[i],
			    view_keep(a, raw), true };
	}
}

/* open_special - special tokens by their first byte, the longest first */
static void
open_special(struct chat *c, struct view file, struct arena *a)
{
	struct chat_special s;
	size_t k;

	c->nspecial = chat_specials(c->tokenizer, file, a, &c->special);
	c->next = arena_array(a, c->nspecial + 1, sizeof(*c->next));
	for (size_t i = 1; i < c->nspecial; i++) {
		s = c->special[i];
		for (k = i; k > 0 && c->special[k - 1].text.n < s.text.n; k--)
			c->special[k] = c->special[k - 1];
		c->special[k] = s;
	}
	for (size_t i = c->nspecial; i-- > 0; ) {
		unsigned char b;

		if (c->special[i].text.n == 0)
			continue;
		b = (unsigned char)c->special[i].text.p[0];
		c->next[i] = c->first[b];
		c->first[b] = (uint32_t)i + 1;
	}
}

/* open_date - what strftime_now shows: noon of that day */
static int
open_date(struct chat *c, const char *date, struct err *e)
{
	int year, month, day, n = 0;
	time_t t;

	if (date == NULL)
		return 0;
	if (sscanf(date, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3 ||
	    date[n] != '\0' || month < 1 || month > 12 || day < 1 || day > 31)
		return err_set(e, FATE_REJECT, "'%s' is no date: write it as "
		    "2026-11-25", date);
	c->tm = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1,
	    .tm_mday = day, .tm_hour = 12 };
	t = timegm(&c->tm);
	gmtime_r(&t, &c->tm);
	c->dated = true;
	return 0;
}

/* open_template - a file, a configuration's or a built-in one */
static int
open_template(const struct chat_from *from, struct arena *a, struct view root,
    struct view *text, struct err *e)
{
	*text = from->template;
	if (text->p != NULL || config_template(a, root, from->name, text))
		return 0;
	if (from->name == NULL)
		return err_set(e, FATE_REJECT, "there is no chat template: "
		    "give template=, a file or one of %s", CHAT_NAMES);
	if (chat_named(from->name) == NULL)
		return err_set(e, FATE_REJECT, "no chat template '%s': give a "
		    "path with a slash or one of %s", from->name, CHAT_NAMES);
	*text = view_of(chat_named(from->name));
	return 0;
}

struct chat *
chat_open(struct arena *a, const struct chat_from *from,
    const struct tokenizer *t, struct view file, struct err *e)
{
	struct chat *c = arena_alloc(a, sizeof(*c));
	struct view root = { 0 }, text;

	c->tokenizer = t;
	if (from->config.p != NULL && (utf8_check(from->config.p,
	    from->config.n) != from->config.n || json_value(from->config,
	    &root, e) == -1)) {
		err_set(e, FATE_REJECT, "'tokenizer_config.json' is not JSON "
		    "in UTF-8");
		return NULL;
	}
	if (open_template(from, a, root, &text, e) == -1 ||
	    open_date(c, from->date, e) == -1)
		return NULL;
	c->jinja = jinja_open(a, text, e);
	if (c->jinja == NULL)
		return NULL;
	if ((from->begin == NULL) != (from->end == NULL)) {
		err_set(e, FATE_REJECT, "the markers of an answer are two: "
		    "its beginning and its end");
		return NULL;
	}
	if (from->begin != NULL) {
		c->begin = view_of(from->begin);
		c->end = view_of(from->end);
	}
	open_special(c, file, a);
	open_tokens(c, a, root);
	return c;
}

int
chat_render(const struct chat *c, struct arena *a, const struct chat_ask *ask,
    struct jinja_text *out, struct err *e)
{
	struct jinja_var var[CHAT_TOKENS + 4];
	struct json_iter it;
	struct view one;
	size_t n = c->nvar, i = 0;

	if (ask->messages.p == NULL || !json_open(&it, ask->messages, '['))
		return err_set(e, FATE_REJECT, "the messages are no list");
	for (; json_element(&it, &one); i++)
		if (one.p[0] != '{')
			return err_set(e, FATE_REJECT, "message %zu is no "
			    "object with role and content", i + 1);
	memcpy(var, c->var, c->nvar * sizeof(*var));
	var[n++] = (struct jinja_var){ "messages", ask->messages, false };
	var[n++] = (struct jinja_var){ "tools", ask->tools.p != NULL ?
	    ask->tools : VIEW("null"), false };
	var[n++] = (struct jinja_var){ "documents", ask->documents.p != NULL ?
	    ask->documents : VIEW("null"), false };
	var[n++] = (struct jinja_var){ "add_generation_prompt", ask->prompt ?
	    VIEW("true") : VIEW("false"), false };
	return jinja_render(c->jinja, a, var, n, c->dated ? &c->tm : NULL, out,
	    e);
}
