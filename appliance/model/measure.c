/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/model/measure.h"
#include "appliance/model/score.h"
#include "appliance/text/lines.h"
#include "appliance/text/rec.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define SLOTS		8
#define ROWS		512
#define LOGITS		((size_t)32 << 20)	/* bytes of them */
#define CONTEXT		4096
#define TOGETHER	16			/* texts at once */
#define Z		1.959963984540054	/* 95 % of the normal */

/* text_add - of one line; -1 with what is wrong in it */
static int
text_add(struct arena *a, struct measure_texts *x, size_t *room,
    struct view line, struct err *e)
{
	struct measure_text one = { { "", 0 }, { NULL, 0 } };
	struct rec rec = { .nfields = 0 };

	if (line.n == 0)
		return 0;
	if (rec_parse(a, view_keep(a, line), &rec, e) == -1)
		return -1;
	if (rec_str(a, &rec, "completion", &one.text))
		(void)rec_str(a, &rec, "prompt", &one.prompt);
	else if (!rec_str(a, &rec, "text", &one.text))
		return err_set(e, FATE_REJECT, "neither text nor completion");
	if (x->n == *room) {
		*room = *room == 0 ? 1024 : *room * 2;
		x->v = arena_grow(a, x->v, x->n, *room, sizeof(*x->v));
	}
	x->v[x->n++] = one;
	return 0;
}

int
measure_read(struct arena *a, const char *path, struct measure_texts *x,
    struct err *e)
{
	struct lines l;
	struct view line;
	size_t room = 0;
	int64_t at;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), got, rc = 0;

	*x = (struct measure_texts){ NULL, 0 };
	if (fd == -1)
		return err_errno(e, "cannot open '%s'", path);
	lines_open(&l, lines_fd, &fd, REC_MAX);
	while (rc == 0 && (got = lines_next(&l, &line, &at)) != LINES_END) {
		rc = got == LINES_ERROR ? err_errno(e, "cannot read") :
		    got == LINES_LONG ? err_set(e, FATE_REJECT, "the line is "
		    "too long") : utf8_check(line.p, line.n) < line.n ?
		    err_set(e, FATE_REJECT, "the line is no UTF-8") :
		    text_add(a, x, &room, line, e);
	}
	if (rc == -1)
		err_prefix(e, "'%s', line %lld: ", path, (long long)l.number);
	lines_close(&l);
	close(fd);
	if (rc == 0 && x->n == 0)
		rc = err_set(e, FATE_REJECT, "'%s' has no records", path);
	return rc;
}

/* text_ids - the token that begins a text, the prompt, the text; prompt and
 * text are encoded as one, since tokens may reach across */
static void
text_ids(struct arena *a, const struct model *m, const struct measure_text *x,
    struct score *s)
{
	char *whole = arena_alloc(a, x->prompt.n + x->text.n + 1);
	int32_t begin = model_begin(m), *id;
	size_t n, before = 0;
	uint32_t *ids;

	if (x->prompt.n > 0) {
		before = tokenizer_encode(m->tokenizer, a, x->prompt, &ids);
		memcpy(whole, x->prompt.p, x->prompt.n);
	}
	memcpy(whole + x->prompt.n, x->text.p, x->text.n);
	n = tokenizer_encode(m->tokenizer, a, (struct view){ whole,
	    x->prompt.n + x->text.n }, &ids);
	id = arena_array(a, n + 1, sizeof(*id));
	id[0] = begin;
	memcpy(id + (begin >= 0), ids, n * sizeof(*id));
	*s = (struct score){ .id = id, .n = n + (begin >= 0) };
	s->from = before + (begin >= 0);
	s->from = s->from == 0 ? 1 : s->from;
}

void
measure_ids(struct arena *a, const struct model *m,
    const struct measure_texts *x, int32_t **id, size_t *n)
{
	struct buf *b = buf_new(a, (size_t)1 << 36);
	struct arena *own = arena_new();
	struct score s;

	for (size_t i = 0; i < x->n; i++) {
		text_ids(own, m, &x->v[i], &s);
		buf_add(b, s.id, s.n * sizeof(*s.id));
		arena_reset(own);
	}
	arena_free(own);
	*id = (void *)b->p;
	*n = b->n / sizeof(**id);
}

/* predictor - the model where it is computed; the host's copy goes */
static struct predict *
predictor(struct arena *a, struct device *d, struct model *m, struct err *e)
{
	size_t places = m->w.shape.T, wanted = LOGITS / (m->w.shape.V *
	    sizeof(real));
	struct predict *p;

	wanted = wanted < 16 ? 16 : wanted > ROWS ? ROWS : wanted;
	p = predict_open(a, d, &m->w, m->run, SLOTS, places < CONTEXT ?
	    places : CONTEXT, ROWS, wanted, e);
	model_drop(m);
	return p;
}

int
measure_model(struct arena *to, struct device *d, int at,
    const struct measure_texts *x, struct measure *out, struct err *e)
{
	struct arena *a = arena_new(), *own;
	struct model *m = arena_alloc(a, sizeof(*m));
	struct predict *p = NULL;
	struct score s[TOGETHER];

	*out = (struct measure){ .texts = x->n };
	out->nll = arena_array(to, x->n, sizeof(*out->nll));
	out->tokens = arena_array(to, x->n, sizeof(*out->tokens));
	if (model_open(a, at, m, e) == 0)
		p = predictor(a, d, m, e);
	for (size_t i = 0, k; p != NULL && i < x->n; i += k) {
		own = arena_new();
		for (k = 0; k < TOGETHER && i + k < x->n; k++)
			text_ids(own, m, &x->v[i + k], &s[k]);
		score_run(p, s, k);
		for (size_t j = 0; j < k; j++) {
			out->all_nll += out->nll[i + j] = s[j].nll;
			out->all_tokens += out->tokens[i + j] =
			    (double)s[j].counted;
		}
		arena_free(own);
	}
	arena_free(a);
	if (p == NULL)
		return -1;
	return out->all_tokens > 0 ? 0 : err_set(e, FATE_REJECT, "there is no "
	    "token to predict");
}

double
measure_perplexity(const struct measure *m)
{
	return exp(m->all_nll / m->all_tokens);
}

double
measure_more(const struct measure *before, const struct measure *after,
    double *low, double *high)
{
	double n = (double)after->texts, all = after->all_tokens;
	double more = (after->all_nll - before->all_nll) / all, sum = 0, half;

	for (size_t i = 0; i < after->texts; i++) {
		double off = after->nll[i] - before->nll[i] - more *
		    after->tokens[i];

		sum += off * off;
	}
	half = n > 1 ? Z * sqrt(sum * n / (n - 1)) / all : NAN;
	*low = more - half;
	*high = more + half;
	return more;
}
