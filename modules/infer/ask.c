/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "modules/infer/ask.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TEXT_MAX	((size_t)64 << 20)

/* ask_ids - of a prompt's text: how many, or an error */
static size_t
ask_ids(const struct infer *t, struct arena *a, struct ask *q, uint32_t **id)
{
	struct err e;
	size_t n = 0;

	if (t->find == NULL)
		return tokenizer_encode(t->model.tokenizer, a, q->prompt, id);
	if (tokenizer_encode_all(t->find, a, q->prompt, false, true, id, &n,
	    &e) == -1)
		q->error = arena_str(a, e.text);
	return n;
}

/* ask_tokens - the prompt's ids, as many as the context has room for */
static void
ask_tokens(struct infer *t, struct arena *a, struct ask *q)
{
	struct generate_row *r = &q->row;
	size_t places = t->predict->places, room, n = q->nid;
	int32_t first = model_begin(&t->model), *id;
	const uint32_t *ids = q->id;
	uint32_t *made;
	bool begin;

	if (ids == NULL) {
		n = ask_ids(t, a, q, &made);
		ids = made;
	}
	if (q->error != NULL)
		return;
	/* a template writes itself what begins a text */
	begin = ((t->begin && q->id == NULL) || n == 0) && first >= 0;

	if (n == 0 && !begin) {
		q->error = "the prompt is empty, and the model has no token "
		    "that begins a text";
		return;
	}
	room = r->max < places / 2 ? places - r->max : places - places / 2;
	if (n + begin > places && t->conf->overlong == OVERLONG_FAIL) {
		q->error = arena_printf(a, "the prompt has %zu tokens, the "
		    "context %zu: a larger context=, or overlong=cut",
		    n + begin, places);
		return;
	}
	if (n + begin > room && t->conf->overlong == OVERLONG_CUT) {
		ids += n + begin - room;
		n = room - begin;
	}
	id = arena_array(a, n + 1, sizeof(*id));
	id[0] = first;
	memcpy(id + begin, ids, n * sizeof(*id));
	r->prompt = id;
	r->n = n + begin;
	if (r->max > places - r->n)
		r->max = places - r->n > 0 ? places - r->n : 1;
	r->out = arena_array(a, r->max, sizeof(*r->out));
}

/* ask_input - of an encoder-decoder: the ids and what ends a text */
static void
ask_input(struct infer *t, struct arena *a, struct ask *q)
{
	struct generate_row *r = &q->row;
	size_t places = t->seq2seq->p.places, n;
	uint32_t *ids;
	int32_t *id;

	n = ask_ids(t, a, q, &ids);
	if (q->error != NULL)
		return;
	if (n + 1 > places && t->conf->overlong == OVERLONG_FAIL) {
		q->error = arena_printf(a, "the input has %zu tokens, the "
		    "context %zu: a larger context=, or overlong=cut", n + 1,
		    places);
		return;
	}
	n = n + 1 > places ? places - 1 : n;
	id = arena_array(a, n + 1, sizeof(*id));
	memcpy(id, ids, n * sizeof(*id));
	id[n] = t->model.w.shape.nstops > 0 ? t->model.w.shape.stop[0] :
	    t->model.tokenizer->end;
	r->prompt = id;
	r->n = n + 1;
	r->max = r->max > places ? places : r->max;
	r->out = arena_array(a, r->max, sizeof(*r->out));
}

/* ask_key - two rows with one key have one answer */
static void
ask_key(struct infer *t, struct ask *q)
{
	const struct generate_row *r = &q->row;
	XXH3_state_t s;
	XXH128_hash_t h;

	XXH3_128bits_reset(&s);
	XXH3_128bits_update(&s, &t->base, sizeof(t->base));
	if (r->adapter > 0)
		XXH3_128bits_update(&s, &t->adapter[r->adapter - 1].check,
		    sizeof(t->adapter->check));
	XXH3_128bits_update(&s, &r->seed, sizeof(r->seed));
	XXH3_128bits_update(&s, &r->stream, sizeof(r->stream));
	XXH3_128bits_update(&s, &r->max, sizeof(r->max));
	XXH3_128bits_update(&s, &r->how.temperature, sizeof(double));
	XXH3_128bits_update(&s, &r->how.top_p, sizeof(double));
	XXH3_128bits_update(&s, &r->how.top_k, sizeof(int64_t));
	for (size_t i = 0; i < q->nstop; i++) {
		XXH3_128bits_update(&s, &q->stop[i].n, sizeof(q->stop[i].n));
		XXH3_128bits_update(&s, q->stop[i].p, q->stop[i].n);
	}
	if (q->schema != NULL)
		XXH3_128bits_update(&s, q->format.p, q->format.n);
	XXH3_128bits_update(&s, r->prompt, r->n * sizeof(*r->prompt));
	h = XXH3_128bits_digest(&s);
	q->key[0] = h.high64;
	q->key[1] = h.low64;
}

/* ask_messages - by the template, or for a line without one in plain words */
static void
ask_messages(struct infer *t, struct arena *a, struct ask *q)
{
	if (!q->line)
		(void)rec_raw(q->rec, "tools", &q->tools);
	if (q->tools.p != NULL && (json_is_null(q->tools) ||
	    view_is(q->tools, "[]")))
		q->tools.p = NULL;
	if (q->tools.p != NULL && q->tools.p[0] != '[')
		q->error = "'tools' must be a list";
	else if (q->tools.p != NULL && t->talk.chat == NULL)
		q->error = "tools are put to a model by its chat template, "
		    "and it has none";
	else if (t->talk.chat != NULL)
		q->error = talk_ids(&t->talk, a, q->messages, q);
	else if (q->line)
		line_plain(a, q);
	else
		q->error = t->talk.why;
}

void
ask_open(struct infer *t, struct arena *a, struct rec *rec, struct ask *q)
{
	const struct infer_conf *c = t->conf;
	struct generate_row *r = &q->row;
	struct view name;

	q->rec = rec;
	q->text = buf_new(a, TEXT_MAX);
	r->arg = q;
	r->max = (size_t)c->max_tokens;
	r->seed = (uint64_t)c->seed;
	r->how = (struct sample){ .temperature = c->temperature,
	    .top_p = c->top_p, .top_k = c->top_k };
	q->nstop = c->stop.n;
	q->stop = arena_array(a, c->stop.n + 1, sizeof(*q->stop));
	for (size_t i = 0; i < c->stop.n; i++)
		q->stop[i] = view_of(c->stop.v[i]);
	if (line_is(rec))
		line_read(a, q);
	else
		q->error = prompt_of(c, a, q);
	if (q->error == NULL)
		q->error = adapters_of(t, a, q);
	if (q->error == NULL && q->messages.p != NULL)
		ask_messages(t, a, q);
	for (size_t i = 0; i < q->nstop; i++)
		if (q->stop[i].n > q->longest)
			q->longest = q->stop[i].n;
	/* numbers of its own, that do not depend on where it stands */
	if (!rec_raw(rec, q->line ? "custom_id" : "id", &name))
		name = q->prompt;
	r->stream = XXH3_64bits(name.p == NULL ? "" : name.p, name.n);
	if (q->error == NULL && t->seq2seq != NULL)
		ask_input(t, a, q);
	else if (q->error == NULL)
		ask_tokens(t, a, q);
	ask_key(t, q);
	if (q->schema != NULL && t->format == NULL)
		t->format = format_open(t->stage->arena, &t->model);
}

/* ask_before - the token before number i that has a text, if there is one; the
 * answer of an encoder-decoder is a text by itself */
static bool
ask_before(const struct infer *t, const struct generate_row *r, size_t i,
    uint32_t *id)
{
	while (i > 0 && (uint32_t)r->out[i - 1] >= t->model.tokenizer->size)
		i--;		/* a model may have more words */
	if (i == 0 && t->seq2seq != NULL)
		return false;
	*id = (uint32_t)(i > 0 ? r->out[i - 1] : r->prompt[r->n - 1]);
	return true;
}

void
ask_text(struct infer *t, struct ask *q, size_t i)
{
	const struct generate_row *r = &q->row;
	uint32_t pair[2] = { 0, (uint32_t)r->out[i] };
	bool alone = !ask_before(t, r, i, &pair[0]);
	size_t before = 0;

	/* what a token looks like may depend on the one before it */
	t->pair->n = 0;
	if (!alone) {
		(void)tokenizer_decode(t->model.tokenizer, pair, 1, t->pair);
		before = t->pair->n;
		t->pair->n = 0;
	}
	(void)tokenizer_decode(t->model.tokenizer, pair + alone, 2 - alone,
	    t->pair);
	if (t->pair->n > before)
		buf_add(q->text, t->pair->p + before, t->pair->n - before);
}

bool
ask_follow(struct infer *t, struct ask *q, size_t from)
{
	struct view more = { q->text->p + from, q->text->n - from };

	if (q->follow == NULL)
		q->follow = format_begin(t->format, q->schema);
	if (!follow_bytes(q->follow, more))
		q->error = "the vocabulary's tokens hang on those before "
		    "them: its answers cannot be held to a form";
	return follow_over(q->follow);
}

void
ask_ended(struct infer *t, struct ask *q)
{
	if (q->follow != NULL)
		format_end(t->format, q->follow);
	q->follow = NULL;
}

bool
ask_again(struct infer *t, struct ask *q)
{
	const struct answer *k = answers_find(&t->answers, q->key);
	struct generate_row *r = &q->row;

	if (k == NULL || k->n > r->max)
		return false;
	if (k->n > 0)
		memcpy(r->out, k->id, k->n * sizeof(*r->out));
	r->nout = k->n;
	r->why = (enum generate_end)k->why;
	for (size_t i = 0; i < r->nout; i++)
		ask_text(t, q, i);
	if (q->schema != NULL) {
		ask_follow(t, q, 0);
		ask_ended(t, q);
	}
	t->told.rows++;
	t->told.prompt += (int64_t)r->n;
	t->told.completion += (int64_t)r->nout;
	return true;
}

/* ask_calls - what an answer has of calls of tools is taken out of its text;
 * one that cannot be read stays there */
static void
ask_calls(struct infer *t, struct arena *a, struct ask *q, struct view *text)
{
	int rc = q->error != NULL || q->tools.p == NULL || q->schema != NULL ?
	    0 : calls_read(a, *text, q->tools, &q->calls);

	t->told.uncalled += rc == -1;
	if (rc != 1) {
		q->calls.n = 0;
		return;
	}
	t->told.calls += (int64_t)q->calls.n;
	*text = q->calls.content;
	q->finish = "tool_calls";
}

/* ask_fields - a record's answer */
static void
ask_fields(struct infer *t, struct arena *a, struct ask *q, struct view text)
{
	struct buf *b;

	rec_set_str(a, q->rec, t->conf->into, text);
	if (q->calls.n > 0) {
		b = buf_new(a, TEXT_MAX * 8);
		talk_calls(q, b);
		rec_set_raw(a, q->rec, "tool_calls", buf_get(b));
	}
	rec_set_str(a, q->rec, "finish_reason", view_of(q->finish));
	rec_fact(a, q->rec, "prompt_tokens", (double)q->row.n);
	rec_fact(a, q->rec, "completion_tokens", (double)q->row.nout);
}

void
ask_close(struct infer *t, struct arena *a, struct ask *q)
{
	struct view text = buf_get(q->text);
	size_t repairs;

	if (q->error == NULL && q->row.why == GENERATE_STUCK)
		q->error = "the vocabulary has no token with which the answer "
		    "could go on in this form";
	if (q->error != NULL)
		t->told.refused++;
	if (q->error != NULL && !q->line) {
		rec_fail(a, q->rec, "%s", q->error);
		return;
	}
	text.n = q->text->n == 0 ? 0 : ask_stop(q, 0);
	text = utf8_repair(a, text, &repairs);
	q->finish = q->row.why == GENERATE_STOP ? "stop" : "length";
	ask_calls(t, a, q, &text);
	if (q->line) {
		line_write(a, q, adapters_name(t, q), text);
		return;
	}
	ask_fields(t, a, q, text);
}
