/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's batch lines, in: custom_id, method, url, body; out: id, custom_id,
 * response {status_code, request_id, body}, error.  A line that cannot be
 * answered gets status 400 and says why, in its place.  What the body leaves
 * out is as the stage's options say.  `created` is 0: the bytes of an answer
 * depend on the question alone.
 */
#include "appliance/base/base.h"
#include "modules/infer/infer.h"

#include <math.h>

bool
line_is(const struct rec *r)
{
	struct view raw;

	return rec_raw(r, "custom_id", &raw) && rec_raw(r, "body", &raw);
}

/* line_refuse - the first reason stays */
static void
line_refuse(struct ask *q, const char *why)
{
	if (q->error == NULL)
		q->error = why;
}

/* line_number - a member from lo to hi, if it is there and not null */
static bool
line_number(struct arena *a, struct ask *q, struct view body, const char *name,
    double lo, double hi, double *x)
{
	struct view raw;

	if (!json_get(body, name, &raw) || json_is_null(raw))
		return false;
	if (json_number(raw, x) && *x >= lo && *x <= hi)
		return true;
	line_refuse(q, arena_printf(a, "'%s' must be a number from %g to %g",
	    name, lo, hi));
	return false;
}

/* line_stops - a text or a list of texts */
static void
line_stops(struct arena *a, struct ask *q, struct view raw)
{
	struct json_iter it;
	struct view one;
	size_t n = 0;

	q->stop = arena_array(a, 16, sizeof(*q->stop));
	if (json_string(a, raw, &q->stop[0])) {
		q->nstop = 1;
		return;
	}
	if (!json_open(&it, raw, '['))
		return line_refuse(q, "'stop' must be a text or a list of "
		    "texts");
	while (json_element(&it, &one)) {
		if (n == 16 || !json_string(a, one, &q->stop[n]))
			return line_refuse(q, "'stop' must be at most 16 "
			    "texts");
		n++;
	}
	q->nstop = n;
}

void
line_plain(struct arena *a, struct ask *q)
{
	struct buf *b = buf_new(a, REC_MAX);
	struct json_iter it;
	struct view one, role, content;

	if (!json_open(&it, q->messages, '['))
		return line_refuse(q, "'messages' must be a list");
	while (json_element(&it, &one)) {
		if (!json_get(one, "role", &role) ||
		    !json_string(a, role, &role) ||
		    !json_get(one, "content", &content))
			return line_refuse(q, "a message has no 'role' or no "
			    "'content'");
		buf_view(b, role);
		buf_str(b, ": ");
		if (!talk_content(a, content, b))
			return line_refuse(q, "a message's content is not "
			    "text alone");
		buf_char(b, '\n');
	}
	buf_str(b, "assistant:");
	q->prompt = buf_get(b);
}

/* line_tools - the template is told of them; that one must be called is not
 * seen to */
static void
line_tools(struct ask *q, struct view body)
{
	struct view raw, choice;

	if (!json_get(body, "tools", &raw) || json_is_null(raw) ||
	    view_is(raw, "[]"))
		return;
	if (!q->chat)
		return line_refuse(q, "'tools' go with messages");
	q->tools = raw;
	if (json_get(body, "tool_choice", &choice) && !json_is_null(choice) &&
	    !view_is(choice, "\"auto\"")) {
		if (!view_is(choice, "\"none\""))
			return line_refuse(q, "'tool_choice' must be auto or "
			    "none: that a tool is called is not seen to");
		q->tools.p = NULL;
	}
	if (json_get(body, "parallel_tool_calls", &raw) &&
	    view_is(raw, "false"))
		line_refuse(q, "'parallel_tool_calls' cannot be false");
}

/* line_prompt - what the two endpoints ask */
static void
line_prompt(struct arena *a, struct ask *q, struct view body)
{
	struct json_iter it;
	struct view raw, url = VIEW("");
	bool named = rec_str(a, q->rec, "url", &url);

	q->chat = json_get(body, "messages", &raw);
	if (named && !view_is(url, q->chat ? "/v1/chat/completions" :
	    "/v1/completions"))
		return line_refuse(q, "'url' must be /v1/completions with a "
		    "prompt, or /v1/chat/completions with messages");
	if (q->chat) {
		q->messages = raw;
		return;
	}
	if (!json_get(body, "prompt", &raw))
		return line_refuse(q, "there is neither 'prompt' nor "
		    "'messages'");
	if (json_open(&it, raw, '[') && (!json_element(&it, &raw) ||
	    json_element(&it, &raw)))
		return line_refuse(q, "'prompt' must be one text");
	if (!json_string(a, raw, &q->prompt))
		line_refuse(q, "'prompt' must be one text");
}

/* line_no - settings that would change the answer and are not there yet */
static void
line_no(struct arena *a, struct ask *q, struct view body)
{
	static const char *const no[] = { "presence_penalty",
	    "frequency_penalty", "repetition_penalty", "logit_bias",
	    "logprobs" };
	struct view raw;
	double x;

	for (size_t i = 0; i < BASE_COUNT(no); i++) {
		if (!json_get(body, no[i], &raw) || json_is_null(raw) ||
		    (json_number(raw, &x) && (x == 0 || (i == 2 && x == 1))) ||
		    view_is(raw, "false") || view_is(raw, "{}") ||
		    view_is(raw, "[]"))
			continue;
		line_refuse(q, arena_printf(a, "'%s' is not supported",
		    no[i]));
	}
	if (json_get(body, "stream", &raw) && view_is(raw, "true"))
		line_refuse(q, "'stream' has no meaning in a batch");
	if (json_get(body, "n", &raw) && !json_is_null(raw) &&
	    !view_is(raw, "1"))
		line_refuse(q, "'n' must be 1");
}

void
line_read(struct arena *a, struct ask *q)
{
	struct generate_row *r = &q->row;
	struct view body, raw;
	struct json_iter it;
	const char *why;
	double x;

	q->line = true;
	if (!rec_raw(q->rec, "body", &body) || !json_open(&it, body, '{'))
		return line_refuse(q, "'body' must be an object");
	line_no(a, q, body);
	if (json_get(body, "model", &raw))
		q->model = raw;
	if (line_number(a, q, body, "max_tokens", 1, 1e9, &x) ||
	    line_number(a, q, body, "max_completion_tokens", 1, 1e9, &x))
		r->max = (size_t)x;
	if (line_number(a, q, body, "temperature", 0, 100, &x))
		r->how.temperature = x;
	if (line_number(a, q, body, "top_p", 0, 1, &x))
		r->how.top_p = x;
	if (line_number(a, q, body, "top_k", -1, 1e9, &x))
		r->how.top_k = x < 0 ? 0 : (int64_t)x;
	if (line_number(a, q, body, "seed", -9e15, 9e15, &x))
		r->seed = (uint64_t)(int64_t)x;
	if (json_get(body, "stop", &raw) && !json_is_null(raw))
		line_stops(a, q, raw);
	if (json_get(body, "response_format", &q->format)) {
		why = format_read(a, q->format, &q->schema);
		if (why != NULL)
			line_refuse(q, why);
	}
	line_prompt(a, q, body);
	line_tools(q, body);
}

/* line_choice - the answer in the words of its endpoint */
static void
line_choice(const struct ask *q, const char *model, struct view text,
    struct buf *b)
{
	size_t in = q->row.n, out = q->row.nout;

	buf_printf(b, "{\"id\":\"%s-%016llx\",\"object\":\"%s\",\"created\":0,"
	    "\"model\":", q->chat ? "chatcmpl" : "cmpl",
	    (unsigned long long)q->key[0],
	    q->chat ? "chat.completion" : "text_completion");
	buf_json_str(b, model);
	buf_str(b, q->chat ? ",\"choices\":[{\"index\":0,\"message\":{\"role\":"
	    "\"assistant\",\"content\":" : ",\"choices\":[{\"index\":0,"
	    "\"text\":");
	if (q->calls.n > 0 && text.n == 0)
		buf_str(b, "null");
	else
		buf_json(b, text);
	buf_str(b, q->chat ? ",\"refusal\":null" : "");
	if (q->calls.n > 0) {
		buf_str(b, ",\"tool_calls\":");
		talk_calls(q, b);
	}
	buf_str(b, q->chat ? "}" : "");
	buf_printf(b, ",\"logprobs\":null,\"finish_reason\":\"%s\"}],\"usage\":"
	    "{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,"
	    "\"total_tokens\":%zu}}", q->finish, in, out, in + out);
}

void
line_write(struct arena *a, struct ask *q, const char *model,
    struct view text)
{
	struct buf *b = buf_new(a, REC_MAX + 4096);
	struct rec *r = q->rec;
	struct view id;
	char hex[17];

	snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)q->key[0]);
	buf_printf(b, "{\"status_code\":%d,\"request_id\":\"req_%s\",\"body\":",
	    q->error == NULL ? 200 : 400, hex);
	if (q->error == NULL)
		line_choice(q, model, text, b);
	else {
		buf_str(b, "{\"error\":{\"message\":");
		buf_json_str(b, q->error);
		buf_str(b, ",\"type\":\"invalid_request_error\",\"param\":"
		    "null,\"code\":null}}");
	}
	buf_char(b, '}');
	rec_raw(r, "custom_id", &id);
	r->nfields = r->nfacts = 0;
	rec_set_str(a, r, "id", view_of(arena_printf(a, "batch_req_%s",
	    hex)));
	rec_set_raw(a, r, "custom_id", id);
	rec_set_raw(a, r, "response", buf_get(b));
	rec_set_raw(a, r, "error", VIEW("null"));
}
