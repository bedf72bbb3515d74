/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objectives of encoders: masked words, classes, numbers, tags, pairs that
 * belong together.
 */
#include "appliance/base/base.h"
#include "appliance/model/contrast.h"
#include "appliance/model/random.h"
#include "modules/train/encode.h"

#include <math.h>

/* BERT's: of the masked, so many become the mask and so many another word */
#define TO_MASK		0.8
#define TO_OTHER	0.1

static int
encoders_plan(const struct train_conf *c, struct err *e)
{
	if (c->packing == PACKING_WRAPPED || c->packing == PACKING_BFD_SPLIT)
		return err_set(e, FATE_REJECT, "an encoder reads whole texts: "
		    "packing=bfd or none");
	return 0;
}

/* encoders_head - labels in the order of the option */
static int
encoders_head(struct train *t, enum head_kind kind, enum problem problem,
    struct shape_head *h, struct err *e)
{
	const struct opt_list *l = &t->conf->labels;

	*h = (struct shape_head){ .kind = kind, .problem = problem,
	    .pool = (enum pool)t->conf->pool, .normalize =
	    t->conf->normalize };
	if (l->n > 0)
		head_named(h, t->stage->arena, (const char *const *)l->v,
		    l->n);
	if (problem == PROBLEM_NUMBERS && l->n == 0 && t->conf->base == NULL)
		h->labels = 1;
	if (h->labels == 0 && t->conf->base == NULL && kind != HEAD_MASKED &&
	    kind != HEAD_EMBED)
		return err_set(e, FATE_REJECT, "'labels' is missing: the names "
		    "of what is told apart");
	return 0;
}

/* read_text - a record's text, with its second one if that is asked for */
static const char *
read_text(struct train *t, struct arena *a, const struct rec *rec,
    struct reading *x)
{
	const struct train_conf *c = t->conf;
	struct encode *g = t->goal;
	struct view text, pair;
	bool two;
	struct err e;

	if (!rec_str(a, rec, c->text, &text))
		return arena_printf(a, "it has no '%s'", c->text);
	two = c->pair != NULL;
	if (two && !rec_str(a, rec, c->pair, &pair))
		return arena_printf(a, "it has no '%s'", c->pair);
	if (reader_read(&g->reader, a, text, two ? &pair : NULL, false, x,
	    &e) == -1)
		return arena_str(a, e.text);
	return NULL;
}

/* Masked words */

static int
masked_head(struct train *t, struct shape_head *h, struct err *e)
{
	return encoders_head(t, HEAD_MASKED, PROBLEM_ONE, h, e);
}

static int
masked_open(struct train *t, struct err *e)
{
	struct encode *x;

	if (encode_open(t, e) == -1)
		return -1;
	x = t->goal;
	return x->reader.mask >= 0 ? 0 : err_set(e, FATE_REJECT, "the "
	    "vocabulary has neither [MASK] nor <mask>");
}

static const char *
masked_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	struct lines l = { .all = true };
	const char *why = read_text(t, a, rec, &l.x);

	if (why == NULL)
		encode_put(t->goal, &l, out);
	return why;
}

/* masked_word - what stands for a word that is asked for */
static int32_t
masked_word(const struct train *t, int32_t word, uint64_t key, uint64_t i)
{
	const struct encode *x = t->goal;
	double draw = random_unit(key, 2, i);

	if (draw < TO_MASK)
		return x->reader.mask;
	return draw < TO_MASK + TO_OTHER ? (int32_t)(random_unit(key, 3, i) *
	    (double)t->model.tokenizer->size) : word;
}

/*
 * masked_run - which words are masked is drawn anew in each step, and of what
 * is held back always the same.  A step divides by all words, before
 * it is known how many will be masked: each counts 1 / mask times.
 */
static double
masked_run(struct train *t, const struct micro *m, double scale)
{
	uint64_t key = m->held ? 1 : t->decoder.work.key, n;
	double part = t->conf->mask;
	struct encode *x = t->goal;
	struct encoder_wanted w = { x->row, 0, x->target, NULL };

	encode_texts(t, m);
	for (size_t i = 0; i < t->decoder.R; i++) {
		x->id[i] = m->id[i];
		n = t->decoder.work.row + i;
		if (m->target[i] < 0 || m->token[i] < 0 ||
		    random_unit(key, 1, n) >= part)
			continue;
		x->row[w.n] = (int32_t)i;
		x->target[w.n++] = m->id[i];
		x->id[i] = masked_word(t, m->id[i], key, n);
	}
	return encoder_run(&t->decoder, x->id, &w, scale / part) / part;
}

const struct objective objective_masked = {
	.name = "masked", .group = 1, .head = masked_head,
	.plan = encoders_plan, .open = masked_open, .add = masked_add,
	.ready = encode_ready, .run = masked_run,
};

/* Classes */

static int
classes_head(struct train *t, struct shape_head *h, struct err *e)
{
	return encoders_head(t, HEAD_CLASSES, t->conf->multi ? PROBLEM_MANY :
	    PROBLEM_ONE, h, e);
}

/* label_of - its number, from its name or from the number itself */
static int64_t
label_of(const struct train *t, struct arena *a, struct view raw)
{
	const struct encode *g = t->goal;
	struct view name;
	int64_t n;

	if (json_string(a, raw, &name))
		return head_find(&g->names, name);
	return json_integer(raw, &n) && n >= 0 && n < (int64_t)g->names.n ?
	    n : -1;
}

/* no_label - why a record is not learnt from */
static const char *
no_label(struct arena *a, const char *field)
{
	return arena_printf(a, "'%s' is none of the labels", field);
}

/* many_of - 1 for each label of a list, else 0 */
static const char *
many_of(struct train *t, struct arena *a, struct view raw, float *value)
{
	struct json_iter it;
	struct view one;
	int64_t n;

	if (!json_open(&it, raw, '['))
		return arena_printf(a, "'%s' is no list of labels",
		    t->conf->label);
	while (json_element(&it, &one)) {
		n = label_of(t, a, one);
		if (n < 0)
			return no_label(a, t->conf->label);
		value[n] = 1;
	}
	return NULL;
}

static const char *
classes_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	struct encode *g = t->goal;
	float *value = arena_array(a, g->values + 1, sizeof(*value));
	struct lines l = { .value = value };
	const char *why = read_text(t, a, rec, &l.x);
	int32_t *tag;
	struct view raw;
	int64_t n;

	if (why != NULL)
		return why;
	if (!rec_raw(rec, t->conf->label, &raw))
		return arena_printf(a, "it has no '%s'", t->conf->label);
	if (g->values > 0) {
		why = many_of(t, a, raw, value);
	} else {
		n = label_of(t, a, raw);
		if (n < 0)
			return no_label(a, t->conf->label);
		tag = arena_array(a, l.x.n + 1, sizeof(*tag));
		for (size_t i = 0; i < l.x.n; i++)
			tag[i] = i == 0 ? (int32_t)n : -1;
		l.tag = tag;
	}
	if (why == NULL)
		encode_put(g, &l, out);
	return why;
}

/* values_of - what each text's numbers are to be */
static void
values_of(const struct encode *x, const struct micro *m)
{
	for (size_t i = 0; i < x->ntexts; i++) {
		const float *v = encode_values(x, m, x->token[i]);

		for (size_t k = 0; k < x->values; k++)
			x->value[i * x->values + k] = (double)v[k];
	}
}

/* classes_run - the first row of each text */
static double
classes_run(struct train *t, const struct micro *m, double scale)
{
	struct encode *x = t->goal;
	struct encoder_wanted w = { x->row, 0, x->target, NULL };

	encode_texts(t, m);
	for (; w.n < x->ntexts; w.n++) {
		x->row[w.n] = (int32_t)x->text[w.n].row;
		x->target[w.n] = (*encode_words(x, m, x->token[w.n]) >>
		    WORD_TAG) - 1;
	}
	if (x->values > 0) {
		values_of(x, m);
		w.value = x->value;
	}
	return encoder_run(&t->decoder, m->id, &w, scale);
}

const struct objective objective_classify = {
	.name = "classify", .group = 1, .head = classes_head,
	.plan = encoders_plan, .open = encode_open, .add = classes_add,
	.ready = encode_ready, .run = classes_run,
};

/* Numbers */

static int
number_head(struct train *t, struct shape_head *h, struct err *e)
{
	return encoders_head(t, HEAD_CLASSES, PROBLEM_NUMBERS, h, e);
}

static const char *
number_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	struct encode *g = t->goal;
	float *value = arena_array(a, g->values + 1, sizeof(*value));
	struct lines l = { .value = value };
	const char *why = read_text(t, a, rec, &l.x);
	struct view raw = { NULL, 0 }, one;
	struct json_iter it;
	bool bad = false;
	double x;
	size_t n = 0;

	if (why != NULL)
		return why;
	if (!rec_raw(rec, t->conf->label, &raw))
		return arena_printf(a, "it has no '%s'", t->conf->label);
	if (json_number(raw, &x))
		value[n++] = (float)x;
	else if (json_open(&it, raw, '['))
		for (; json_element(&it, &one); n++) {
			bad |= n >= g->values || !json_number(one, &x);
			if (!bad)
				value[n] = (float)x;
		}
	if (bad || n != g->values)
		return arena_printf(a, "'%s' is not %zu numbers",
		    t->conf->label, g->values);
	encode_put(g, &l, out);
	return NULL;
}

const struct objective objective_regress = {
	.name = "regress", .group = 1, .head = number_head,
	.plan = encoders_plan, .open = encode_open, .add = number_add,
	.ready = encode_ready, .run = classes_run,
};

/* Tags */

static int
tags_head(struct train *t, struct shape_head *h, struct err *e)
{
	return encoders_head(t, HEAD_TAGS, PROBLEM_ONE, h, e);
}

static const char *
tags_add(struct train *t, struct arena *a, struct rec *rec, struct texts *out)
{
	const struct train_conf *c = t->conf;
	struct encode *g = t->goal;
	struct reader_words words;
	struct lines l = { .all = false };
	struct view raw, tag;
	struct json_iter it;
	size_t n = 0;
	int32_t *tags;
	int64_t label;
	struct err e;

	if (!rec_raw(rec, c->tokens, &raw) || !reader_words(a, raw, &words))
		return arena_printf(a, "'%s' is no list of words", c->tokens);
	if (!rec_raw(rec, c->tags, &raw) || !json_open(&it, raw, '['))
		return arena_printf(a, "'%s' is no list of tags", c->tags);
	if (reader_read(&g->reader, a, words.text, NULL, false, &l.x, &e) ==
	    -1)
		return arena_str(a, e.text);
	tags = arena_array(a, l.x.n + 1, sizeof(*tags));
	reader_first(&words, &l.x, tags);
	while (json_element(&it, &tag)) {
		label = label_of(t, a, tag);
		if (label < 0)
			return no_label(a, c->tags);
		if (n < words.n)
			words.value[n] = (int32_t)label;
		n++;
	}
	if (n != words.n)
		return arena_printf(a, "%zu words have %zu tags", words.n, n);
	for (size_t i = 0; i < l.x.n; i++)
		tags[i] = tags[i] < 0 ? -1 : words.value[tags[i]];
	l.tag = tags;
	encode_put(g, &l, out);
	return NULL;
}

/* tags_run - the first token of each word */
static double
tags_run(struct train *t, const struct micro *m, double scale)
{
	struct encode *x = t->goal;
	struct encoder_wanted w = { x->row, 0, x->target, NULL };

	encode_texts(t, m);
	for (size_t i = 0; i < t->decoder.R; i++) {
		if (m->target[i] < 0 || m->token[i] < 0)
			continue;
		x->row[w.n] = (int32_t)i;
		x->target[w.n++] = (*encode_words(x, m, (size_t)m->token[i] -
		    1) >> WORD_TAG) - 1;
	}
	return encoder_run(&t->decoder, m->id, &w, scale);
}

const struct objective objective_tag = {
	.name = "tag", .group = 1, .head = tags_head,
	.plan = encoders_plan, .open = encode_open, .add = tags_add,
	.ready = encode_ready, .run = tags_run,
};

/* Pairs */

static int
contrast_head(struct train *t, struct shape_head *h, struct err *e)
{
	return encoders_head(t, HEAD_EMBED, PROBLEM_ONE, h, e);
}

static int
contrast_plan(const struct train_conf *c, struct err *e)
{
	if (c->batch < 2)
		return err_set(e, FATE_REJECT, "objective=contrast with "
		    "batch=1: a pair is told from the others of its "
		    "micro-batch, batch=2 or more");
	return 0;
}

static const char *
contrast_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	const char *field[2] = { t->conf->text, t->conf->pair == NULL ?
	    "positive" : t->conf->pair };
	struct encode *g = t->goal;
	struct lines l[2] = { { .all = false }, { .all = false } };
	struct view text;
	struct err e;

	for (size_t i = 0; i < 2; i++) {
		if (!rec_str(a, rec, field[i], &text))
			return arena_printf(a, "it has no '%s'", field[i]);
		if (reader_read(&g->reader, a, text, NULL, false, &l[i].x,
		    &e) == -1)
			return arena_str(a, e.text);
	}
	encode_put(g, &l[0], out);
	encode_put(g, &l[1], out);
	return NULL;
}

static double
contrast_run(struct train *t, const struct micro *m, double scale)
{
	const struct shape *s = &t->model.w.shape;
	struct encode *x = t->goal;
	size_t all;
	real *y, *dy;
	double sum;

	encode_texts(t, m);
	all = x->ntexts * s->C;
	y = mem_alloc((all + 1) * sizeof(*y));
	dy = mem_alloc((all + 1) * sizeof(*dy));
	encoder_embed(&t->decoder, m->id, x->text, x->ntexts, scale !=
	    0, y);
	sum = contrast(y, x->ntexts, s->C, s->head.normalize,
	    t->conf->temperature, dy);
	for (size_t i = 0; i < all; i++)
		dy[i] *= (real)scale;
	if (scale != 0)
		encoder_embed_grad(&t->decoder, x->text, x->ntexts, dy);
	mem_free(y);
	mem_free(dy);
	return sum;
}

const struct objective objective_contrast = {
	.name = "contrast", .group = 2, .apart = true, .least = 2,
	.head = contrast_head, .plan = contrast_plan, .open = encode_open,
	.add = contrast_add, .ready = encode_ready, .run = contrast_run,
};
