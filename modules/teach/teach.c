/* SPDX-License-Identifier: Apache-2.0 */
/*
 * teach - what a model holds to be likely at each place of a record that
 * another is to learn: the words that train objective=distill learns from.
 */
#include "appliance/base/base.h"
#include "appliance/model/model.h"
#include "appliance/model/score.h"
#include "appliance/module.h"
#include "appliance/text/lesson.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS		8
#define ROWS		512		/* tokens looked at in one call */
#define LOGITS		((size_t)32 << 20)	/* bytes of them */
#define CONTEXT		4096		/* unless context= says more */

enum { LOSS_ASSISTANT, LOSS_ALL };

struct teach_conf {
	const char *model, *adapter, *text, *prompt, *completion, *messages;
	const char *template, *date, *gpus;
	struct opt_list turn;
	int loss;			/* LOSS_ASSISTANT or LOSS_ALL */
	int64_t k, context;
	double temperature;
	bool completion_only;
};

static const struct opt teach_opts[] = {
	OPT_REF(OPT_MODEL, struct teach_conf, model, NULL, OPT_POSITIONAL |
	    OPT_NEEDED, "the teacher, as NAME[@VERSION|@TAG], or a path with "
	    "a slash"),
	OPT_REF(OPT_MODEL, struct teach_conf, adapter, NULL, 0,
	    "an adapter of that model, likewise"),
	OPT_INT(struct teach_conf, k, "16", 1, KERNEL_TAUGHT, 0,
	    "words that are kept of each place, the likeliest"),
	OPT_FLOAT(struct teach_conf, temperature, "1", 0.01, 100, 0,
	    "their probabilities are those at this temperature, and so will "
	    "the student's be"),
	OPT_TEXT(struct teach_conf, text, "text", 0,
	    "fields as train has them: what is learnt from"),
	OPT_TEXT(struct teach_conf, completion, "completion", 0,
	    "what is learnt from after the prompt, where it is there"),
	OPT_TEXT(struct teach_conf, prompt, "prompt", 0,
	    "what goes before a completion"),
	OPT_TEXT(struct teach_conf, messages, "messages", 0,
	    "a chat, which goes before the others"),
	OPT_BOOL(struct teach_conf, completion_only, "yes", 0,
	    "the prompt's own tokens are not learnt"),
	OPT_ENUM(struct teach_conf, loss, "assistant", "assistant|all", 0,
	    "messages: what is learnt: the assistant's turns, or all"),
	OPT_TEXT(struct teach_conf, template, NULL, 0,
	    "messages: the chat template, a name or a path with a slash; "
	    "unset: the model's"),
	OPT_TEXT(struct teach_conf, date, NULL, 0,
	    "messages: the date that a template shows, as 2026-11-25"),
	OPT_LIST(struct teach_conf, turn, NULL, 0,
	    "messages: two markers, what stands before an answer and what "
	    "ends it"),
	OPT_INT(struct teach_conf, context, "0", 0, 1 << 20, 0,
	    "tokens of a window; 0: the model's, at most 4096"),
	OPT_TEXT(struct teach_conf, gpus, "0", OPT_NOKEY,
	    "GPUs that it waits for, or auto"),
	OPT_DONE
};

struct teach {
	const struct teach_conf *conf;
	struct model model;
	struct predict *predict;
	struct lesson_conf lesson;
	size_t K;			/* words of a place */
	char hash[HASH_HEX + 1];	/* of the vocabulary's file */
	bool odd;			/* of this record a sum is no number */
};

/* one record's lesson on its way */
struct one {
	struct score score;		/* the first member: score_words' x */
	struct lesson lesson;
	struct rec *rec;
	struct buf *words;
};

static int
teach_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct teach_conf *c = arg;

	if (c->turn.n != 0 && c->turn.n != 2)
		return err_set(e, FATE_REJECT, "'turn' is two markers: what "
		    "stands before an answer and what ends it");
	needs->store = stage_named(c->model) || stage_named(c->adapter);
	needs->gpus = strcmp(c->gpus, "auto") == 0 ? -1 : atoi(c->gpus);
	return 0;
}

/* open_model - with its adapter merged in */
static int
open_model(struct teach *t, struct stage *s, struct err *e)
{
	struct buf *told = buf_new(s->arena, 1 << 16);
	int dir = stage_files(s, t->conf->model, KIND_MODEL, e), rc;

	if (dir == -1)
		return -1;
	rc = model_open(s->arena, dir, &t->model, e);
	close(dir);
	if (rc == -1)
		return err_prefix(e, "'%s': ", t->conf->model);
	if (t->conf->adapter == NULL)
		return 0;
	dir = stage_files(s, t->conf->adapter, KIND_MODEL, e);
	if (dir == -1)
		return -1;
	rc = model_adapt(s->arena, dir, &t->model, told, e);
	close(dir);
	if (told->n > 0)
		stage_warn(s, "'%s': %s", t->conf->adapter, buf_cstr(told));
	return rc == 0 ? 0 : err_prefix(e, "'%s': ", t->conf->adapter);
}

/* open_lesson - how records become texts, as in train */
static int
open_lesson(struct teach *t, struct stage *s, struct err *e)
{
	const struct teach_conf *c = t->conf;
	struct model *m = &t->model;
	struct chat_from from;

	t->lesson = (struct lesson_conf){ .tokenizer = m->tokenizer,
	    .text = c->text, .prompt = c->prompt, .completion = c->completion,
	    .messages = c->messages, .asked = !c->completion_only,
	    .others = c->loss == LOSS_ALL };
	if (chat_find(s->arena, -1, c->template, &from, e) == -1)
		return -1;
	from.config = m->tokenizer_config;
	if (c->template == NULL && m->chat_template.n > 0)
		from.template = m->chat_template;
	from.date = c->date;
	if (c->turn.n == 2) {
		from.begin = c->turn.v[0];
		from.end = c->turn.v[1];
	}
	t->lesson.chat = chat_open(s->arena, &from, m->tokenizer,
	    m->tokenizer_file, e);
	if (t->lesson.chat != NULL)
		return 0;
	t->lesson.why = arena_str(s->arena, e->text);
	return c->template != NULL || c->turn.n > 0 ? -1 : 0;
}

static int
teach_open(struct stage *s, struct err *e)
{
	struct teach *t = arena_alloc(s->arena, sizeof(*t));
	size_t V, wanted, places;
	struct device *d;

	s->state = t;
	t->conf = s->conf;
	if (open_model(t, s, e) == -1 || open_lesson(t, s, e) == -1)
		return -1;
	hash_hex(hash_of(NULL, t->model.tokenizer_file.p,
	    t->model.tokenizer_file.n), t->hash);
	V = t->model.w.shape.V;
	places = t->model.w.shape.T;
	if (t->conf->context > 0 || places > CONTEXT)
		places = t->conf->context > 0 ? (size_t)t->conf->context :
		    CONTEXT;
	t->K = (size_t)t->conf->k < V ? (size_t)t->conf->k : V;
	wanted = LOGITS / (V * sizeof(real));
	wanted = wanted < 16 ? 16 : wanted > ROWS ? ROWS : wanted;
	d = device_for(s->arena, stage_gpus(s), stage_threads(s), e);
	t->predict = d == NULL ? NULL : predict_open(s->arena, d, &t->model.w,
	    t->model.run, SLOTS, places, ROWS, wanted, e);
	if (t->predict == NULL)
		return -1;
	model_drop(&t->model);
	return 0;
}

/* likeliest - the K largest of the logits, the largest first; of equals the
 * first word */
static void
likeliest(const real *x, size_t V, size_t K, uint32_t *id)
{
	size_t n = 0, at;

	for (uint32_t i = 0; i < V; i++) {
		if (n == K && x[i] <= x[id[K - 1]])
			continue;
		at = n < K ? n++ : K - 1;
		for (; at > 0 && x[i] > x[id[at - 1]]; at--)
			id[at] = id[at - 1];
		id[at] = i;
	}
}

/* teach_word - a place's words and their probabilities, if it is learnt */
static void
teach_word(void *arg, const struct score *score, size_t token,
    const real *logits)
{
	struct teach *t = arg;
	const struct one *o = (const void *)score;
	uint32_t id[KERNEL_TAUGHT] = { 0 };
	double sum = 0, most, T = t->conf->temperature;
	size_t V = t->model.w.shape.V;

	if (!o->lesson.mine[token])
		return;
	likeliest(logits, V, t->K, id);
	most = (double)logits[id[0]];
	for (size_t i = 0; i < V; i++)
		sum += exp(((double)logits[i] - most) / T);
	if (!isfinite(sum)) {
		t->odd = true;
		return;
	}
	buf_str(o->words, o->words->n > 0 ? ",[" : "[");
	for (size_t k = 0; k < t->K; k++)
		buf_printf(o->words, "%s%u,%.6g", k > 0 ? "," : "", id[k],
		    exp(((double)logits[id[k]] - most) / T) / sum);
	buf_char(o->words, ']');
}

/* one_open - a record as a text; false: it failed */
static bool
one_open(struct teach *t, struct arena *a, struct rec *r, struct one *o)
{
	const char *why = lesson_of(&t->lesson, a, r, &o->lesson);
	size_t from = 1;

	if (why != NULL) {
		rec_fail(a, r, "%s", why);
		return false;
	}
	while (from < o->lesson.n && !o->lesson.mine[from])
		from++;
	o->rec = r;
	o->words = buf_new(a, REC_MAX);
	o->score = (struct score){ .id = (const void *)o->lesson.id,
	    .n = o->lesson.n, .from = from };
	return true;
}

/* one_close - the field; a record may be no longer than others */
static void
one_close(struct teach *t, struct arena *a, struct one *o)
{
	struct buf *b = buf_new(a, REC_MAX);

	if (t->odd) {
		rec_fail(a, o->rec, "what the model says of it is no number");
		return;
	}
	buf_printf(b, "{\"tokenizer\":\"%s\",\"temperature\":%.9g,"
	    "\"words\":[", t->hash, t->conf->temperature);
	buf_view(b, buf_get(o->words));
	buf_str(b, "]}");
	if (b->full || o->words->full)
		rec_fail(a, o->rec, "what is taught of %zu tokens does not "
		    "fit a record: a smaller k, or shorter texts",
		    o->lesson.n);
	else
		rec_set_raw(a, o->rec, "teacher", buf_get(b));
}

static int
teach_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct teach *t = s->state;
	struct one o;

	(void)scratch;
	for (size_t i = 0; i < b->n; i++) {
		if (stage_stopping(s))
			return stage_stop(e);
		if (!one_open(t, b->arena, &b->rec[i], &o))
			continue;
		t->odd = false;
		score_words(t->predict, &o.score, 1, teach_word, t);
		one_close(t, b->arena, &o);
	}
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "teach", .summary = "what a model would say, for another to "
	    "learn",
	.options = teach_opts, .conf_size = sizeof(struct teach_conf),
	.plan = teach_plan, .open = teach_open, .batch = teach_batch,
};
