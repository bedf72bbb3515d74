/* SPDX-License-Identifier: Apache-2.0 */
/* infer - a language model goes on with each record's prompt */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "modules/infer/ask.h"

#include <stdlib.h>
#include <unistd.h>

#define SMALL		100000000	/* parameters; see infer_open */

static int
infer_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct infer_conf *c = arg;
	const struct opt *o = opt_find(infer_opts, "adapters");
	const char *ref;

	needs->store = stage_named(c->model) || stage_named(c->adapter);
	for (size_t i = 0; (ref = opt_path(o, c, i, NULL)) != NULL; i++)
		needs->store |= stage_named(ref);
	if (c->adapter != NULL && c->adapters.n > 0)
		return err_set(e, FATE_REJECT, "adapter= is for all records, "
		    "adapters= are chosen by each: give one of the two");
	needs->gpus = strcmp(c->gpus, "auto") == 0 ? -1 : atoi(c->gpus);
	return 0;
}

static int
infer_open(struct stage *s, struct err *e)
{
	struct infer *t = arena_alloc(s->arena, sizeof(*t));
	struct view past = stage_journal(s);

	s->state = t;
	t->stage = s;
	t->conf = s->conf;
	t->answers.fd = -1;
	t->pair = buf_new(s->arena, (size_t)1 << 20);
	t->began = when_mono();
	if (past.n >= sizeof(t->told))
		memcpy(&t->told, past.p + past.n - sizeof(t->told),
		    sizeof(t->told));
	if (infer_model(t, e) == -1 || answers_open(&t->answers, s->arena,
	    stage_dir(s), e) == -1)
		return -1;
	if (t->answers.fd != -1)
		stage_sync(s, t->answers.fd);
	if (t->reads == NULL && t->conf->template != NULL &&
	    strstr(t->conf->template, "{passages}") != NULL &&
	    t->model.w.all < SMALL)
		stage_warn(s, "a model of %.1f million parameters continues a "
		    "text, it does not understand one: the passages are the "
		    "useful part", (double)t->model.w.all / 1e6);
	return 0;
}

/* infer_mask - generate's question before each token */
static bool
infer_mask(void *arg, struct generate_row *r, real *logits)
{
	struct infer *t = arg;
	struct ask *q = r->arg;

	if (q->schema == NULL)
		return true;
	if (q->follow == NULL)
		q->follow = format_begin(t->format, q->schema);
	return format_mask(t->format, q->follow, logits);
}

/* infer_ends - generate's question after each token */
static bool
infer_ends(void *arg, struct generate_row *r)
{
	struct ask *q = r->arg;
	size_t was = q->text->n, longest = q->longest;

	ask_text(arg, q, r->nout - 1);
	if (q->schema != NULL && ask_follow(arg, q, was))
		return true;
	return longest > 0 && ask_stop(q, was > longest ? was - longest : 0) <
	    q->text->n;
}

static int
infer_done(void *arg, struct generate_row *r, struct err *e)
{
	struct infer *t = arg;
	double s = when_mono() - t->began;

	ask_ended(t, r->arg);
	t->told.rows++;
	t->told.prompt += (int64_t)r->n;
	t->told.completion += (int64_t)r->nout;
	t->shared += (int64_t)r->shared;
	stage_note(t->stage, "%lld answers, %.0f tokens/s",
	    (long long)t->told.rows, (double)t->told.completion /
	    (s > 0.001 ? s : 0.001));
	return answers_add(&t->answers, r->arg, e);
}

static bool
infer_stopping(void *arg)
{
	return stage_stopping(((struct infer *)arg)->stage);
}

static int
infer_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct infer *t = s->state;
	struct ask *q = arena_array(b->arena, b->n, sizeof(*q));
	struct generate_row **row = arena_array(b->arena, b->n, sizeof(*row));
	struct generate_calls calls = { infer_ends, infer_done,
	    infer_stopping, t, !t->conf->share, infer_mask };
	size_t n = 0;

	(void)scratch;
	if (t->reads != NULL) {
		if (reads_batch(t->reads, b, &t->told.read, e) == -1)
			return -1;
		stage_append(s, &t->told, sizeof(t->told));
		return 0;
	}
	for (size_t i = 0; i < b->n; i++) {
		ask_open(t, b->arena, &b->rec[i], &q[i]);
		if (q[i].error == NULL && !ask_again(t, &q[i]))
			row[n++] = &q[i].row;
	}
	if ((t->seq2seq != NULL ? t5_generate_run(t->seq2seq, &t->model, row,
	    n, &calls, e) : generate_run(t->predict, &t->model, row, n,
	    &calls, e)) == -1)
		return -1;
	for (size_t i = 0; i < b->n; i++)
		ask_close(t, b->arena, &q[i]);
	stage_append(s, &t->told, sizeof(t->told));
	return 0;
}

static int
infer_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct infer *t = s->state;
	const struct told *k = &t->told;

	(void)out;
	(void)e;
	if (t->reads != NULL) {
		stage_result(s, "infer", view_of(arena_printf(s->arena,
		    "{\"read\":%lld,\"refused\":%lld,\"tokens\":%lld}",
		    (long long)k->read.rows, (long long)k->read.refused,
		    (long long)k->read.tokens)));
		return 1;
	}
	if (k->refused > 0)
		stage_warn(s, "%lld rows have no answer but the reason why",
		    (long long)k->refused);
	if (k->uncalled > 0)
		stage_warn(s, "%lld answers began a call of a tool that cannot "
		    "be read or is of none that there is: they stayed text",
		    (long long)k->uncalled);
	stage_measured(s, "cached_tokens", t->shared);
	stage_result(s, "infer", view_of(arena_printf(s->arena,
	    "{\"answers\":%lld,\"refused\":%lld,\"prompt_tokens\":%lld,"
	    "\"completion_tokens\":%lld,\"tool_calls\":%lld,"
	    "\"unread_calls\":%lld}", (long long)k->rows,
	    (long long)k->refused, (long long)k->prompt,
	    (long long)k->completion, (long long)k->calls,
	    (long long)k->uncalled)));
	return 1;
}

static void
infer_close(struct stage *s)
{
	struct infer *t = s->state;

	if (t != NULL && t->answers.fd != -1)
		close(t->answers.fd);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 5,
	.name = "infer", .summary = "a model answers each record's prompt",
	.options = infer_opts, .conf_size = sizeof(struct infer_conf),
	.plan = infer_plan, .open = infer_open, .batch = infer_batch,
	.finish = infer_finish, .close = infer_close,
};
