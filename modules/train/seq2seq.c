/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs with their targets, for encoder-decoders */
#include "appliance/base/base.h"
#include "modules/train/seq2seq.h"

#include <math.h>

int
seq2seq_plan(const struct train_conf *c, struct err *e)
{
	if (c->packing == PACKING_WRAPPED)
		return err_set(e, FATE_REJECT, "an encoder-decoder reads whole "
		    "texts: packing=bfd or none");
	return 0;
}

/* special_find - a special token by its name; -1 */
static int32_t
special_find(const struct chat_special *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (view_is(v[i].text, name))
			return (int32_t)v[i].id;
	return -1;
}

void
seq2seq_shape(const struct train *t, struct shape *s)
{
	const struct train_conf *c = t->conf;
	const struct tokenizer *tok = t->model.tokenizer;
	struct chat_special *v;
	size_t n = chat_specials(tok, t->model.tokenizer_file,
	    t->stage->arena, &v);
	int32_t end = special_find(v, n, "</s>");

	*s = (struct shape){ .family = FAMILY_T5, .V = tok->size,
	    .T = (size_t)1 << 16, .C = (size_t)c->channels,
	    .LE = (size_t)c->layers, .L = 2 * (size_t)c->layers,
	    .H = (size_t)c->heads, .eps = 1e-6, .tied = c->tied, .bos = -1,
	    .buckets = 32, .far = 128 };
	s->G = s->H;
	s->D = s->C / s->H;
	shape_family(s, s->family);
	s->gated = true;
	s->act = ACT_GELU;
	s->head_scale = s->tied ? 1 / sqrt((double)s->C) : 0;
	s->F = c->hidden > 0 ? (size_t)c->hidden : (8 * s->C / 3 + 7) / 8 * 8;
	end = end >= 0 ? end : tok->end;
	s->begin = special_find(v, n, "<pad>");
	if (s->begin < 0)
		s->begin = tok->bos >= 0 ? tok->bos : end >= 0 ? end : 0;
	if (end >= 0)
		s->stop[s->nstops++] = end;
}

int
seq2seq_open(struct train *t, struct err *e)
{
	struct seq2seq *x = arena_alloc(t->stage->arena, sizeof(*x));
	const struct shape *s = &t->model.w.shape;

	t->goal = x;
	x->end = s->nstops > 0 ? s->stop[0] : t->model.tokenizer->end;
	if (x->end >= 0 && (size_t)x->end < s->V)
		return 0;
	return err_set(e, FATE_REJECT, "nothing ends a text: the model has no "
	    "'eos_token_id', the vocabulary no </s>");
}

int
seq2seq_ready(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	struct seq2seq *x = t->goal;
	size_t R = t->decoder.R;

	(void)e;
	if (x->cut > 0 && !t->part.quiet)
		stage_warn(t->stage, "%zu of %zu inputs lost their end: with "
		    "its target a text has at most %zu tokens", x->cut,
		    x->all, train_context(t));
	x->id = arena_array(a, R, sizeof(*x->id));
	x->out = arena_array(a, R, sizeof(*x->out));
	x->target = arena_array(a, R, sizeof(*x->target));
	for (size_t i = 0; i < BASE_COUNT(x->seen); i++)
		x->seen[i] = arena_array(a, R, sizeof(**x->seen));
	x->micro = (struct t5_micro){ x->id, x->out, { x->seen[0],
	    x->seen[1] }, { x->seen[2], x->seen[3] }, { x->seen[4],
	    x->seen[5] }, x->target };
	return 0;
}

void
seq2seq_begin(struct train *t)
{
	struct seq2seq *x = t->goal;
	size_t R = t->decoder.R;

	memset(x->id, 0, R * sizeof(*x->id));
	memset(x->out, 0, R * sizeof(*x->out));
	for (size_t i = 0; i < BASE_COUNT(x->seen); i++)
		memset(x->seen[i], 0, R * sizeof(**x->seen));
	for (size_t i = 0; i < R; i++)
		x->target[i] = -1;
	x->b = SIZE_MAX;
}

void
seq2seq_put(struct train *t, const int32_t *in, size_t n,
    const int32_t *target, size_t m)
{
	struct seq2seq *x = t->goal;
	size_t T = t->decoder.T, own = t->decoder.rows / t->decoder.B, r;

	for (size_t i = 0; i < n; i++) {
		r = x->b * T + x->in + i;
		x->id[r] = in[i];
		x->seen[0][r] = (int32_t)x->in;
		x->seen[1][r] = (int32_t)(x->in + n);
	}
	for (size_t i = 0; i < m; i++) {
		r = x->b * own + x->to + i;
		x->out[r] = i == 0 ? t->model.w.shape.begin : target[i - 1];
		x->target[r] = target[i];
		x->seen[2][r] = (int32_t)x->to;
		x->seen[3][r] = (int32_t)(x->to + i + 1);
		x->seen[4][r] = (int32_t)x->in;
		x->seen[5][r] = (int32_t)(x->in + n);
	}
	x->in += n;
	x->to += m;
}

size_t
seq2seq_text(struct train *t, const struct micro *m, size_t *at,
    size_t *first)
{
	struct seq2seq *x = t->goal;
	size_t T = t->decoder.T, R = t->decoder.R, end;
	bool any = false;

	for (; *at < R && !any; *at = end) {
		*first = *at;
		any = m->target[*at] >= 0;
		for (end = *at + 1; end % T != 0 && m->from[end] ==
		    m->from[*at]; end++)
			any |= m->target[end] >= 0;
	}
	if (any && *first / T != x->b) {
		x->b = *first / T;
		x->in = x->to = 0;
	}
	return any ? *at - *first : 0;
}

/* pair_field - a field's ids, or why it has none */
static const char *
pair_field(struct train *t, struct arena *a, const struct rec *rec,
    const char *name, uint32_t **id, size_t *n)
{
	struct view text;

	if (!rec_str(a, rec, name, &text))
		return arena_printf(a, "it has no '%s'", name);
	*n = tokenizer_encode(t->model.tokenizer, a, text, id);
	return NULL;
}

/* pair_put - tokens of an input or a target, and what ends it */
static void
pair_put(const struct seq2seq *x, const uint32_t *id, size_t n, bool quiet,
    struct buf *out)
{
	uint32_t one;

	for (size_t i = 0; i <= n; i++) {
		one = i < n ? id[i] : (uint32_t)x->end;
		one |= (quiet ? TOKEN_QUIET : 0) | (quiet && i == 0 ?
		    TOKEN_FIRST : 0);
		buf_add(out, &one, 4);
	}
}

/* pair_add - an input and its target, which together are a text */
static const char *
pair_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	struct seq2seq *x = t->goal;
	size_t n = 0, m = 0, most = train_context(t);
	uint32_t *in, *target;
	const char *why;

	why = pair_field(t, a, rec, t->conf->prompt, &in, &n);
	if (why == NULL)
		why = pair_field(t, a, rec, t->conf->completion, &target, &m);
	if (why != NULL)
		return why;
	/* the target's last token is read by nobody */
	if (m + 1 > most / 2)
		return arena_printf(a, "'%s' has %zu tokens, of a context of "
		    "%zu it may have half", t->conf->completion, m + 1, most);
	x->all++;
	if (n + 1 + m > most) {
		n = most - m - 1;
		x->cut++;
	}
	pair_put(x, in, n, true, out->ids);
	pair_put(x, target, m, false, out->ids);
	return NULL;
}

/* pair_run - a row's texts as they lie: up to the first target the input */
static double
pair_run(struct train *t, const struct micro *m, double scale)
{
	struct seq2seq *x = t->goal;
	size_t at = 0, first, n, in;

	seq2seq_begin(t);
	while ((n = seq2seq_text(t, m, &at, &first)) > 0) {
		for (in = 0; m->target[first + in] < 0; in++)
			continue;
		seq2seq_put(t, m->id + first, in + 1, m->target + first + in,
		    n - in);
	}
	return t5_run(&t->decoder, &x->micro, scale);
}

const struct objective objective_seq2seq = {
	.name = "seq2seq", .group = 1, .seq2seq = true,
	.plan = seq2seq_plan, .open = seq2seq_open, .add = pair_add,
	.ready = seq2seq_ready, .run = pair_run,
};
