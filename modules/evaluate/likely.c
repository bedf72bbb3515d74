/* SPDX-License-Identifier: Apache-2.0 */
/* Likelihoods: perplexity of tokens and words, bits per byte */
#include "appliance/base/base.h"
#include "modules/evaluate/evaluate.h"

#include <math.h>
#include <unistd.h>

#define SLOTS		8
#define ROWS		512		/* tokens looked at in one call */
#define LOGITS		((size_t)32 << 20)	/* bytes of them */
#define TOGETHER	16		/* texts between two looks at a stop */
#define CONTEXT		4096		/* unless context= says more */
#define INPUT		512		/* the same of an encoder-decoder */

static const char *const names[] = { "perplexity", "word_perplexity",
    "bits_per_byte" };

bool
likely_metric(const char *name)
{
	for (size_t i = 0; i < BASE_COUNT(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* scorer_adapt - the model becomes what its adapter makes of it */
static int
scorer_adapt(struct scorer *x, struct stage *s, const char *ref, struct err *e)
{
	struct buf *told = buf_new(s->arena, 1 << 16);
	int dir = stage_files(s, ref, KIND_MODEL, e), rc;

	if (dir == -1)
		return -1;
	rc = model_adapt(s->arena, dir, &x->model, told, e);
	close(dir);
	if (told->n > 0)
		stage_warn(s, "'%s': %s", ref, buf_cstr(told));
	return rc == -1 ? err_prefix(e, "'%s': ", ref) : 0;
}

/* scorer_predict - the model on its device */
static int
scorer_predict(struct scorer *x, struct stage *s, int64_t context,
    enum packed_form form, struct err *e)
{
	struct model *m = &x->model;
	struct predict_how how = { .form = form, .w = &m->w, .run = m->run,
	    .tensors = &m->tensors, .config = m->config, .images = -1,
	    .slots = SLOTS, .places = m->w.shape.T, .rows = ROWS };
	size_t most = m->w.shape.seq2seq ? INPUT : CONTEXT;
	struct device *d;

	if (context > 0 || how.places > most)
		how.places = context > 0 ? (size_t)context : most;
	how.wanted = LOGITS / (m->w.shape.V * sizeof(real));
	how.wanted = how.wanted < 16 ? 16 : how.wanted > ROWS ? ROWS :
	    how.wanted;
	if (m->run == NULL)
		how.images = stage_compiled(s);
	d = device_for(s->arena, stage_gpus(s), stage_threads(s), e);
	if (d != NULL && m->w.shape.seq2seq)
		x->seq2seq = t5_predict_open(s->arena, d, &how, e);
	else if (d != NULL)
		x->predict = predict_packed(s->arena, d, &how, e);
	if (how.images != -1)
		close(how.images);
	return x->predict == NULL && x->seq2seq == NULL ? -1 : 0;
}

int
scorer_open(struct scorer *x, struct stage *s, const char *ref,
    const char *adapter, int64_t context, enum packed_form form,
    struct err *e)
{
	int dir = stage_files(s, ref, KIND_MODEL, e), images, rc;

	if (dir == -1)
		return -1;
	images = stage_compiled(s);
	rc = model_is_seq2seq(dir) ? model_look_seq2seq(s->arena, dir, images,
	    &x->model, e) : model_look_kept(s->arena, dir, images, &x->model,
	    e);
	/* quantised, it needs no more memory than that */
	if (rc == 0 && (form == PACKED_F32 || adapter != NULL))
		rc = model_read(s->arena, &x->model, e);
	close(dir);
	if (images != -1)
		close(images);
	if (rc == -1)
		return err_prefix(e, "'%s': ", ref);
	if (adapter != NULL && scorer_adapt(x, s, adapter, e) == -1)
		return -1;
	if (scorer_predict(x, s, context, form, e) == -1)
		return err_prefix(e, "'%s': ", ref);
	model_drop(&x->model);
	return 0;
}

/* scorer_ids - the token that begins a text, the prompt, the text.  Prompt and
 * text are encoded as one, since tokens may reach across */
static void
scorer_ids(struct scorer *x, struct arena *a, struct view prompt,
    struct view text, struct score *s)
{
	char *whole = arena_alloc(a, prompt.n + text.n + 1);
	int32_t begin = model_begin(&x->model), *id;
	size_t n, before = 0;
	uint32_t *ids;

	if (prompt.n > 0) {
		before = tokenizer_encode(x->model.tokenizer, a, prompt, &ids);
		memcpy(whole, prompt.p, prompt.n);
	}
	memcpy(whole + prompt.n, text.p, text.n);
	n = tokenizer_encode(x->model.tokenizer, a, (struct view){ whole,
	    prompt.n + text.n }, &ids);
	id = arena_array(a, n + 1, sizeof(*id));
	id[0] = begin;
	memcpy(id + (begin >= 0), ids, n * sizeof(*id));
	*s = (struct score){ .id = id, .n = n + (begin >= 0) };
	s->from = before + (begin >= 0);
	if (s->from == 0)
		s->from = 1;
}

/* scorer_answers - of an encoder-decoder: the prompt and what ends it are its
 * input, the text is what it says */
static void
scorer_answers(struct scorer *x, struct arena *a, const struct view *prompt,
    const struct view *text, size_t n, struct score *out)
{
	const struct shape *m = &x->model.w.shape;
	struct t5_text v[TOGETHER];
	uint32_t *ids;
	int32_t *in;
	size_t k;

	for (size_t i = 0; i < n; i++) {
		k = tokenizer_encode(x->model.tokenizer, a, prompt[i], &ids);
		k = k < x->seq2seq->p.places ? k : x->seq2seq->p.places - 1;
		in = arena_array(a, k + 1, sizeof(*in));
		memcpy(in, ids, k * sizeof(*in));
		in[k] = m->nstops > 0 ? m->stop[0] : x->model.tokenizer->end;
		v[i] = (struct t5_text){ .in = in, .nin = k + 1 };
		v[i].n = tokenizer_encode(x->model.tokenizer, a, text[i],
		    &ids);
		v[i].id = (const int32_t *)ids;
	}
	t5_score(x->seq2seq, v, n);
	for (size_t i = 0; i < n; i++)
		out[i] = (struct score){ .nll = v[i].nll, .counted = v[i].n };
}

int
scorer_texts(struct scorer *x, struct stage *s, struct arena *a,
    const struct view *prompt, const struct view *text, size_t n,
    struct score *out, struct err *e)
{
	for (size_t i = 0, k; i < n; i += k) {
		if (stage_stopping(s))
			return stage_stop(e);
		k = n - i < TOGETHER ? n - i : TOGETHER;
		if (x->seq2seq != NULL) {
			scorer_answers(x, a, prompt + i, text + i, k, out + i);
			continue;
		}
		for (k = 0; k < TOGETHER && i + k < n; k++)
			scorer_ids(x, a, prompt[i + k], text[i + k],
			    &out[i + k]);
		score_run(x->predict, out + i, k);
	}
	return 0;
}

static double
as_bits(double x)
{
	return x / M_LN2;
}

void
likely_metrics(struct arena *a, const struct likely *v, size_t n, bool other,
    struct metrics *m)
{
	double *nll = arena_array(a, n + 1, sizeof(double));
	double *less = arena_array(a, n + 1, sizeof(double));
	double *unit[3], base[3] = { 0, 0, 0 }, on[3] = { 0, 0, 0 };

	for (size_t k = 0; k < 3; k++)
		unit[k] = arena_array(a, n + 1, sizeof(double));
	for (size_t i = 0; i < n; i++) {
		nll[i] = v[i].nll;
		less[i] = v[i].nll - v[i].other;
		unit[0][i] = v[i].tokens;
		unit[1][i] = v[i].words;
		unit[2][i] = v[i].bytes;
		for (size_t k = 0; k < 3; k++) {
			base[k] += v[i].other;
			on[k] += k == 0 ? v[i].other_tokens : unit[k][i];
		}
	}
	for (size_t k = 0; k < 3; k++) {
		struct metric *one = metric_ratio(m, names[k], nll, unit[k],
		    n, k == 2 ? as_bits : exp);

		if (other)
			one->base = k == 2 ? as_bits(base[k] / on[k]) :
			    exp(base[k] / on[k]);
	}
	if (other)
		metric_ratio(m, "bits_per_byte_difference", less, unit[2], n,
		    as_bits);
}
