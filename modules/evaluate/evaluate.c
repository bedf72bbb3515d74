/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate - how good a model is, or its answers, and whether that is enough */
#include "appliance/base/base.h"
#include "appliance/store/ref.h"
#include "appliance/store/store.h"
#include "modules/evaluate/evaluate.h"

#include <math.h>
#include <stdlib.h>

static const struct opt evaluate_opts[] = {
	OPT_REF(OPT_MODEL, struct evaluate_conf, model, NULL, OPT_POSITIONAL,
	    "measure this model's perplexity, as NAME[@VERSION|@TAG], or a "
	    "path with a slash; without it predictions are compared with "
	    "labels"),
	OPT_REF(OPT_MODEL, struct evaluate_conf, adapter, NULL, 0,
	    "an adapter of that model, likewise; gates are then on it"),
	OPT_REF(OPT_MODEL, struct evaluate_conf, against, NULL, 0,
	    "another model, the baseline; a tag that does not exist yet is "
	    "no fault"),
	OPT_TEXT(struct evaluate_conf, text, NULL, 0,
	    "field that a model is measured on; unset: completion if it is "
	    "there, else text"),
	OPT_TEXT(struct evaluate_conf, prompt, "prompt", 0,
	    "field that goes before a completion and does not count"),
	OPT_TEXT(struct evaluate_conf, label, "label", 0,
	    "field with what is right: a text, a number, or a list of them"),
	OPT_TEXT(struct evaluate_conf, prediction, "prediction", 0,
	    "field with what was answered"),
	OPT_ENUM(struct evaluate_conf, kind, "texts", "texts|numbers|tags", 0,
	    "what is compared: texts or classes, numbers, or a list of tags "
	    "for the words of a text"),
	OPT_TEXT(struct evaluate_conf, rival, NULL, 0,
	    "field with what somebody else answered, the baseline"),
	OPT_LIST(struct evaluate_conf, gate, NULL, 0,
	    "METRIC:min|max:VALUE|baseline: the job fails unless it holds; "
	    "several with commas"),
	OPT_INT(struct evaluate_conf, context, "0", 0, 1 << 20, 0,
	    "tokens of a window; 0: the model's, at most 4096"),
	OPT_ENUM(struct evaluate_conf, weights, "f32", "f32|q8|q4", 0,
	    "measure the model with its matrices rounded to 8 or 4 bits, as "
	    "infer does; against= stays as it is"),
	OPT_INT(struct evaluate_conf, resamples, "1000", 0, 100000, 0,
	    "of the intervals that are bootstrapped"),
	OPT_INT(struct evaluate_conf, seed, "1", 0, 1e15, 0,
	    "of the bootstrap"),
	OPT_TEXT(struct evaluate_conf, gpus, "0", OPT_NOKEY,
	    "GPUs that it waits for, or auto"),
	OPT_DONE
};

struct evaluate {
	const struct evaluate_conf *conf;
	struct scorer model, other;
	bool against;			/* the baseline is there */
	struct buf *items;		/* all; the journal has them too */
};

/* bare - the name alone, which the job may have saved */
static bool
bare(const char *ref)
{
	return ref != NULL && strpbrk(ref, "/@:") == NULL;
}

/* plan_gate - is its metric one that will be measured */
static int
plan_gate(const struct evaluate_conf *c, const struct gate *g, struct err *e)
{
	bool known = c->model != NULL ? likely_metric(g->metric) :
	    c->kind != KIND_TEXTS ? figure_metric(c->kind, g->metric) :
	    match_metric(g->metric);

	if (!known)
		return err_set(e, FATE_REJECT, "gate: no metric '%s' here: %s",
		    g->metric, c->model != NULL ?
		    "perplexity, word_perplexity, bits_per_byte" :
		    c->kind == KIND_NUMBERS ? "pearson, spearman, "
		    "mean_squared_error, mean_absolute_error" :
		    c->kind == KIND_TAGS ? "tag_accuracy, entity_precision, "
		    "entity_recall, entity_f1" :
		    "accuracy, macro_f1, exact_match, token_f1");
	if (g->baseline && c->against == NULL && c->rival == NULL)
		return err_set(e, FATE_REJECT, "gate: a baseline needs %s",
		    c->model != NULL ? "against=" : "rival=");
	return 0;
}

/* judged - what gates are on: the adapter, if there is one */
static const char *
judged(const struct evaluate_conf *c)
{
	return c->adapter != NULL ? c->adapter : c->model;
}

static int
evaluate_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct evaluate_conf *c = arg;
	struct arena *a = arena_new();
	struct gate g;
	int rc = 0;

	needs->report = true;
	needs->store = stage_named(c->model) || stage_named(c->adapter) ||
	    stage_named(c->against);
	needs->gpus = strcmp(c->gpus, "auto") == 0 ? -1 : atoi(c->gpus);
	if (c->gate.n > 0 && bare(judged(c)))
		needs->gates = judged(c);
	if (c->adapter != NULL && c->model == NULL)
		rc = err_set(e, FATE_REJECT, "adapter= needs a model");
	if (c->weights != PACKED_F32 && c->model == NULL)
		rc = err_set(e, FATE_REJECT, "weights= needs a model");
	if (c->kind != KIND_TEXTS && (c->model != NULL || c->rival != NULL))
		rc = err_set(e, FATE_REJECT, "kind= is for predictions "
		    "without a rival");
	if (c->against != NULL && c->model == NULL)
		rc = err_set(e, FATE_REJECT, "against= needs a model");
	if (c->rival != NULL && c->model != NULL)
		rc = err_set(e, FATE_REJECT, "rival= is for predictions, a "
		    "model has against=");
	for (size_t i = 0; rc == 0 && i < c->gate.n; i++) {
		rc = gate_parse(a, c->gate.v[i], &g, e);
		if (rc == 0)
			rc = plan_gate(c, &g, e);
	}
	arena_free(a);
	return rc;
}

/* open_against - a baseline that nobody has made yet is told, no more */
static int
open_against(struct stage *s, struct evaluate *t, struct err *e)
{
	const char *ref = t->conf->against;

	if (ref == NULL)
		return 0;
	t->against = scorer_open(&t->other, s, ref, NULL,
	    t->conf->context, PACKED_F32, e) == 0;
	if (t->against)
		return 0;
	if (e->fate != FATE_NOINPUT || !stage_named(ref) ||
	    strchr(ref, '@') == NULL)
		return -1;
	stage_warn(s, "there is no '%s': no baseline to compare with", ref);
	return 0;
}

static int
evaluate_open(struct stage *s, struct err *e)
{
	struct evaluate *t = arena_alloc(s->arena, sizeof(*t));

	s->state = t;
	t->conf = s->conf;
	t->items = buf_new(s->arena, (size_t)1 << 36);
	buf_view(t->items, stage_journal(s));
	if (t->conf->model == NULL)
		return 0;
	if (scorer_open(&t->model, s, t->conf->model, t->conf->adapter,
	    t->conf->context, (enum packed_form)t->conf->weights, e) == -1)
		return -1;
	return open_against(s, t, e);
}

static void
item_add(struct stage *s, struct evaluate *t, const void *p, size_t n)
{
	buf_add(t->items, p, n);
	stage_append(s, p, n);
}

/* count_words - runs without white space */
static uint32_t
count_words(struct view v)
{
	uint32_t n = 0;
	bool in = false;

	for (size_t i = 0; i < v.n; i++) {
		bool blank = memchr(" \t\r\n\f\v", v.p[i], 6) != NULL;

		n += !blank && !in;
		in = !blank;
	}
	return n;
}

/* batch_texts - what is measured of each record; the faulty ones are left */
static size_t
batch_texts(const struct evaluate_conf *c, struct batch *b,
    struct view *prompt, struct view *text, struct rec **rec)
{
	struct view raw;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct rec *r = &b->rec[i];
		bool answer = c->text == NULL && rec_raw(r, "completion",
		    &raw);
		const char *field = c->text != NULL ? c->text :
		    answer ? "completion" : "text";

		if (!rec_str(b->arena, r, field, &text[n])) {
			rec_fail(b->arena, r, "no text in '%s'", field);
			continue;
		}
		if (!answer || !rec_str(b->arena, r, c->prompt, &prompt[n]))
			prompt[n] = VIEW("");
		rec[n++] = r;
	}
	return n;
}

static int
batch_likely(struct stage *s, struct evaluate *t, struct batch *b,
    struct err *e)
{
	struct arena *a = b->arena;
	struct view *prompt = arena_array(a, b->n, sizeof(*prompt));
	struct view *text = arena_array(a, b->n, sizeof(*text));
	struct rec **rec = arena_array(a, b->n, sizeof(*rec));
	struct score *x = arena_array(a, b->n, sizeof(*x));
	struct score *y = arena_array(a, b->n, sizeof(*y));
	size_t n = batch_texts(t->conf, b, prompt, text, rec);

	if (scorer_texts(&t->model, s, a, prompt, text, n, x, e) == -1 ||
	    (t->against && scorer_texts(&t->other, s, a, prompt, text, n, y,
	    e) == -1))
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct likely one = { x[i].nll, y[i].nll,
		    (uint32_t)x[i].counted, (uint32_t)y[i].counted,
		    (uint32_t)text[i].n, count_words(text[i]) };

		rec_fact(a, rec[i], "nll", x[i].nll);
		rec_fact(a, rec[i], "tokens", (double)x[i].counted);
		item_add(s, t, &one, sizeof(one));
	}
	return 0;
}

static void
batch_figures(struct stage *s, struct evaluate *t, struct batch *b)
{
	struct buf *one = buf_new(b->arena, 1 << 12);

	for (size_t i = 0; i < b->n; i++) {
		one->n = 0;
		if (figure_record(b->arena, &b->rec[i], t->conf, one))
			item_add(s, t, one->p, one->n);
	}
}

static int
evaluate_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct evaluate *t = s->state;
	struct match m;

	(void)scratch;
	if (t->conf->model != NULL)
		return batch_likely(s, t, b, e);
	if (t->conf->kind != KIND_TEXTS) {
		batch_figures(s, t, b);
		return 0;
	}
	for (size_t i = 0; i < b->n; i++)
		if (match_record(b->arena, &b->rec[i], t->conf, &m)) {
			rec_fact(b->arena, &b->rec[i], "token_f1",
			    (double)m.f1);
			item_add(s, t, &m, sizeof(m));
		}
	return 0;
}

/* tell_metrics - for result.json, and for people in the log */
static void
tell_metrics(struct stage *s, const struct metrics *m, size_t n)
{
	struct buf *b = buf_new(s->arena, 1 << 16);

	buf_char(b, '{');
	for (size_t i = 0; i < m->n; i++) {
		const struct metric *x = &m->v[i];

		buf_printf(b, "%s\"%s\":{\"value\":", i > 0 ? "," : "",
		    x->name);
		buf_json_num(b, x->value);
		buf_str(b, ",\"low\":");
		buf_json_num(b, x->lo);
		buf_str(b, ",\"high\":");
		buf_json_num(b, x->hi);
		if (!isnan(x->base)) {
			buf_str(b, ",\"baseline\":");
			buf_json_num(b, x->base);
		}
		buf_char(b, '}');
		if (isnan(x->lo))
			msg_info("%s %.6g", x->name, x->value);
		else
			msg_info("%s %.6g (95%%: %.6g to %.6g)", x->name,
			    x->value, x->lo, x->hi);
	}
	buf_printf(b, ",\"records\":%zu}", n);
	stage_result(s, "metrics", buf_get(b));
}

/* tell_gates - all are told, then the first that does not hold is the fault */
static int
tell_gates(struct stage *s, struct evaluate *t, const struct metrics *m,
    struct err *e)
{
	const struct evaluate_conf *c = t->conf;
	struct buf *b = buf_new(s->arena, 1 << 16);
	const char *why, *first = NULL;
	struct version v;
	struct ref ref;
	struct gate g;

	for (size_t i = 0; i < c->gate.n; i++) {
		if (gate_parse(s->arena, c->gate.v[i], &g, e) == -1)
			return -1;
		buf_str(b, i > 0 ? ",{\"gate\":" : "[{\"gate\":");
		buf_json_str(b, c->gate.v[i]);
		buf_printf(b, ",\"holds\":%s}", gate_passes(s->arena, &g, m,
		    &why) ? "true" : "false");
		if (first == NULL)
			first = why;
	}
	if (c->gate.n == 0)
		return 0;
	buf_char(b, ']');
	stage_result(s, "gates", buf_get(b));
	if (first != NULL)
		return err_set(e, FATE_REJECT, "gate: %s", first);
	if (!bare(judged(c)) || stage_is_shell(s))
		return 0;
	return stage_version(s, judged(c), KIND_MODEL, &v, &ref, e) == -1 ?
	    -1 : stage_passed(s, &v, e);
}

static int
evaluate_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct evaluate *t = s->state;
	bool model = t->conf->model != NULL;
	size_t n = t->items->n / (model ? sizeof(struct likely) :
	    t->conf->kind != KIND_TEXTS ? figure_size(t->conf->kind) :
	    sizeof(struct match));
	struct metrics m = { .n = 0 };

	(void)out;
	if (n == 0)
		return err_set(e, FATE_REJECT, "there is no record to "
		    "evaluate");
	if (model)
		likely_metrics(s->arena, (const void *)t->items->p, n,
		    t->against, &m);
	else if (t->conf->kind != KIND_TEXTS)
		figure_metrics(s->arena, t->conf, buf_get(t->items), &m);
	else
		match_metrics(s->arena, t->conf, (const void *)t->items->p, n,
		    &m);
	tell_metrics(s, &m, n);
	return tell_gates(s, t, &m, e) == -1 ? -1 : 1;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 4,
	.name = "evaluate", .summary = "measures with intervals, and gates",
	.options = evaluate_opts, .conf_size = sizeof(struct evaluate_conf),
	.plan = evaluate_plan, .open = evaluate_open,
	.batch = evaluate_batch, .finish = evaluate_finish,
};
