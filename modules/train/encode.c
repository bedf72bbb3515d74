/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/encode.h"

void
encode_shape(const struct train *t, const struct shape_head *h,
    struct shape *s)
{
	const struct train_conf *c = t->conf;

	*s = (struct shape){ .V = t->model.tokenizer->size,
	    .T = (size_t)c->context, .C = (size_t)c->channels,
	    .L = (size_t)c->layers, .H = (size_t)c->heads, .eps = 1e-12,
	    .tied = true, .types = 2, .bos = -1, .head = *h };
	s->G = s->H;
	s->D = s->C / s->H;
	s->F = c->hidden > 0 ? (size_t)c->hidden : 4 * s->C;
	shape_family(s, FAMILY_BERT);
}

int
encode_open(struct train *t, struct err *e)
{
	struct encode *x = arena_alloc(t->stage->arena, sizeof(*x));
	const struct shape_head *h = &t->model.w.shape.head;

	t->goal = x;
	if (h->kind == HEAD_CLASSES && h->problem != PROBLEM_ONE)
		x->values = h->labels;
	head_names(h, t->stage->arena, &x->names);
	return reader_open(t->stage->arena, &t->model,
	    (size_t)t->conf->context, &x->reader, e);
}

/* ordinals - the number of each token's text */
static int32_t *
ordinals(struct train *t, const struct tokens *x)
{
	int32_t *n = arena_array(t->stage->arena, x->n + 1, sizeof(*n));
	int32_t text = -1;

	for (size_t i = 0; i < x->n; i++) {
		text += (x->v[i] & TOKEN_FIRST) != 0;
		n[i] = text;
	}
	return n;
}

int
encode_ready(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	struct encode *x = t->goal;
	size_t R = t->decoder.R, values = x->values > 0 ? x->values : 1;

	(void)e;
	if (x->cut > 0 && !t->part.quiet)
		stage_warn(t->stage, "%zu of %zu texts lost their end: a text "
		    "has at most %zu tokens", x->cut, x->all,
		    x->reader.most);
	x->ordinal[0] = ordinals(t, &t->train);
	x->ordinal[1] = ordinals(t, &t->valid);
	x->id = arena_array(a, R, sizeof(*x->id));
	x->to = arena_array(a, R, sizeof(*x->to));
	x->type = arena_array(a, R, sizeof(*x->type));
	x->row = arena_array(a, R, sizeof(*x->row));
	x->target = arena_array(a, R, sizeof(*x->target));
	x->value = arena_array(a, R * values, sizeof(*x->value));
	x->text = arena_array(a, R, sizeof(*x->text));
	x->token = arena_array(a, R, sizeof(*x->token));
	return 0;
}

/* learnt - is id i of a text what a step counts */
static bool
learnt(const struct lines *l, size_t i)
{
	if (l->all)
		return !l->x.special[i];
	return l->tag == NULL ? i == 0 : l->tag[i] >= 0;
}

void
encode_put(struct encode *x, const struct lines *l, struct texts *out)
{
	const struct reading *r = &l->x;
	int32_t word;
	uint32_t id;

	x->all++;
	x->cut += r->cut;
	for (size_t i = 0; i <= r->n; i++) {
		id = (uint32_t)r->id[i < r->n ? i : i - 1];
		id |= i == 0 ? TOKEN_FIRST | TOKEN_QUIET :
		    learnt(l, i - 1) ? 0 : TOKEN_QUIET;
		buf_add(out->ids, &id, 4);
		word = i == r->n ? WORD_SPECIAL :
		    (r->type[i] > 0 ? WORD_SECOND : 0) |
		    (r->special[i] ? WORD_SPECIAL : 0) |
		    (l->tag == NULL ? 0 : (l->tag[i] + 1) << WORD_TAG);
		buf_add(out->side, &word, 4);
	}
	if (x->values > 0)
		buf_add(out->side, l->value, x->values * sizeof(*l->value));
}

/* text_of - a token's text's number */
static size_t
text_of(const struct encode *x, const struct micro *m, size_t token)
{
	return (size_t)x->ordinal[m->held][token];
}

const int32_t *
encode_words(const struct encode *x, const struct micro *m, size_t token)
{
	return (const void *)(m->x->side + (token + text_of(x, m, token) *
	    x->values) * 4);
}

const float *
encode_values(const struct encode *x, const struct micro *m, size_t token)
{
	size_t text = text_of(x, m, token);

	while (token < m->x->n && text_of(x, m, token) == text)
		token++;
	return (const void *)(m->x->side + (token + text * x->values) * 4);
}

/* text_add - rows first to end, if anything of them is learnt: then it is
 * known where among the tokens they are */
static void
text_add(struct encode *x, const struct micro *m, size_t first, size_t end)
{
	size_t token;

	for (size_t i = first; i < end; i++) {
		if (m->token[i] < 0 || m->target[i] < 0)
			continue;
		token = (size_t)m->token[i] - 1 - (i - first);
		x->text[x->ntexts] = (struct encoder_text){ first, end -
		    first };
		x->token[x->ntexts++] = token;
		for (size_t k = first; k < end; k++)
			x->type[k] = (*encode_words(x, m, token + k - first) &
			    WORD_SECOND) != 0;
		return;
	}
}

void
encode_texts(struct train *t, const struct micro *m)
{
	struct encode *x = t->goal;
	size_t R = t->decoder.R, T = t->decoder.T, end;

	x->ntexts = 0;
	memset(x->type, 0, R * sizeof(*x->type));
	for (size_t i = 0; i < R; i = end) {
		for (end = i + 1; end % T != 0 && m->from[end] == m->from[i]; )
			end++;
		for (size_t k = i; k < end; k++)
			x->to[k] = (int32_t)(i % T + (end - i));
		text_add(x, m, i, end);
	}
	encoder_texts(&t->decoder, m->from, x->to, t->model.w.shape.types > 1 ?
	    x->type : NULL);
}
