/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/chat_own.h"

/* turns_messages - the first n messages, as a list of their own */
static struct view
turns_messages(struct arena *a, const struct view *message, size_t n,
    size_t bytes)
{
	struct buf *b = buf_new(a, bytes + n + 2);

	buf_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_view(b, message[i]);
	}
	buf_char(b, ']');
	return buf_get(b);
}

static bool
is_prefix(struct view of, struct view v)
{
	return v.n <= of.n && (v.n == 0 || memcmp(of.p, v.p, v.n) == 0);
}

/* turns_one - what answer i adds: the text with it must go on from the text up
 * to where an answer begins, and the whole text from that */
static int
turns_one(const struct chat *c, struct arena *a, const struct chat_ask *ask,
    const struct view *message, size_t i, struct view whole,
    unsigned char *mine, struct err *e)
{
	struct chat_ask part = *ask;
	struct jinja_text before = { 0 }, with;
	bool prompt = true;

	part.messages = turns_messages(a, message, i + 1, ask->messages.n);
	part.prompt = false;
	if (chat_render(c, a, &part, &with, e) == -1)
		return err_prefix(e, "message %zu: ", i + 1);
	part.messages = turns_messages(a, message, i, ask->messages.n);
	for (;; prompt = false) {
		part.prompt = prompt;
		if (chat_render(c, a, &part, &before, e) == -1)
			return err_prefix(e, "message %zu: ", i + 1);
		if (is_prefix(with.text, before.text) || !prompt)
			break;
	}
	if (!is_prefix(with.text, before.text) ||
	    !is_prefix(whole, with.text))
		return err_set(e, FATE_REJECT, "message %zu: the template "
		    "writes the turns before an answer otherwise when more "
		    "follow, so the answer cannot be found; give a template "
		    "with {%% generation %%}, or the markers of an answer",
		    i + 1);
	memset(mine + before.text.n, 1, with.text.n - before.text.n);
	return 0;
}

/* turns_added - all answers, each by what it adds */
static int
turns_added(const struct chat *c, struct arena *a, const struct chat_ask *ask,
    struct view whole, unsigned char *mine, struct err *e)
{
	struct view *message, one, raw, role;
	struct json_iter it;
	size_t n = 0, turns = 0;

	message = arena_array(a, ask->messages.n / 2 + 1, sizeof(*message));
	if (json_open(&it, ask->messages, '['))
		while (json_element(&it, &one))
			message[n++] = one;
	for (size_t i = 0; i < n; i++) {
		if (!json_get(message[i], "role", &raw) ||
		    !json_string(a, raw, &role) ||
		    !view_is(role, "assistant") || turns++ < ask->given)
			continue;
		if (turns_one(c, a, ask, message, i, whole, mine, e) == -1)
			return -1;
	}
	return 0;
}

/* turns_find - a marker that the template wrote, from a place on; SIZE_MAX */
static size_t
turns_find(const struct jinja_text *t, struct view marker, size_t from)
{
	const char *p;
	size_t at, k;

	for (; from + marker.n <= t->text.n; from = at + 1) {
		p = memmem(t->text.p + from, t->text.n - from, marker.p,
		    marker.n);
		if (p == NULL)
			break;
		at = (size_t)(p - t->text.p);
		for (k = 0; k < marker.n; k++)
			if (t->mark[at + k] & JINJA_VALUE)
				break;
		if (k == marker.n)
			return at;
	}
	return SIZE_MAX;
}

/* turns_marked - from behind one marker to the end of the other */
static void
turns_marked(const struct chat *c, const struct jinja_text *t, size_t given,
    unsigned char *mine)
{
	size_t at = 0, end, turns = 0;

	while ((at = turns_find(t, c->begin, at)) != SIZE_MAX) {
		at += c->begin.n;
		end = turns_find(t, c->end, at);
		if (end == SIZE_MAX)
			return;			/* the prompt of an answer */
		if (turns++ >= given)
			memset(mine + at, 1, end + c->end.n - at);
		at = end + c->end.n;
	}
}

/* turns_generated - blocks of the template; two that touch are one */
static void
turns_generated(const struct jinja_text *t, size_t given, unsigned char *mine)
{
	size_t turns = 0;

	for (size_t i = 0; i < t->text.n; i++) {
		bool in = t->mark[i] & JINJA_GENERATION;

		turns += in && (i == 0 || !(t->mark[i - 1] &
		    JINJA_GENERATION));
		mine[i] = in && turns > given;
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* turns_close - the turn in [from,to) ends with the last special token of it if
 * only blanks follow, else with the one behind it */
static int
turns_close(const struct jinja_text *t, const struct chat_pieces *p,
    size_t from, size_t to, unsigned char *mine, size_t *after, struct err *e)
{
	const char *s = t->text.p;
	size_t end = to;

	while (end > from && is_blank(s[end - 1]))
		end--;
	for (size_t i = 0; i < p->n; i++) {
		const struct chat_piece *q = &p->v[i];

		if (q->special == NULL || q->to <= from)
			continue;
		if (q->from < to && q->to >= end) {	/* in it, last */
			memset(mine + q->from, 1, q->to - q->from);
			if (to > q->to)
				memset(mine + q->to, 0, to - q->to);
			*after = to > q->to ? to : q->to;
			return 0;
		}
		if (q->from < to)
			continue;
		for (end = to; end < q->from && is_blank(s[end]); )
			end++;
		if (end < q->from)
			break;
		memset(mine + to, 1, q->to - to);
		*after = q->to;
		return 0;
	}
	return err_set(e, FATE_REJECT, "no special token ends the answer "
	    "'%.*s': the template must write one behind it, such as "
	    "{{ eos_token }}, and the vocabulary must have it",
	    to - from < 60 ? (int)(to - from) : 60, s + from);
}

int
chat_turns(const struct chat *c, struct arena *a, const struct chat_ask *ask,
    const struct jinja_text *t, const struct chat_pieces *p,
    unsigned char **out, struct err *e)
{
	unsigned char *mine = arena_alloc(a, t->text.n + 1);
	size_t at = 0, from;

	*out = mine;
	if (c->begin.n > 0)
		turns_marked(c, t, ask->given, mine);
	else if (jinja_generation(c->jinja))
		turns_generated(t, ask->given, mine);
	else if (turns_added(c, a, ask, t->text, mine, e) == -1)
		return -1;
	while (at < t->text.n) {
		if (!mine[at]) {
			at++;
			continue;
		}
		for (from = at; at < t->text.n && mine[at]; at++)
			;
		if (turns_close(t, p, from, at, mine, &at, e) == -1)
			return -1;
	}
	return 0;
}
