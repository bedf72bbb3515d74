/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "modules/tokenize/compare.h"

#define GROUPS	200		/* values that are counted by themselves */

struct group {
	struct view field, value;	/* both empty: all texts */
	uint64_t texts, words, bytes, tokens[2];
};

struct compare {
	struct arena *arena;
	const struct tokenizer *tokenizer[2];
	const char *name[2];
	const struct opt_list *by;
	struct group group[GROUPS + 1];
	size_t n;
	bool more;			/* some values did not fit */
};

struct compare *
compare_open(struct stage *s, const struct tokenizer *with,
    const char *with_name, const char *against, const struct opt_list *by,
    struct err *e)
{
	struct compare *c = arena_alloc(s->arena, sizeof(*c));
	struct known other;

	if (known_open(s, against, NULL, &other, e) == -1)
		return NULL;
	c->arena = s->arena;
	c->tokenizer[0] = with;
	c->tokenizer[1] = other.tokenizer;
	c->name[0] = with_name;
	c->name[1] = against;
	c->by = by;
	c->n = 1;
	return c;
}

/* count_words - runs without white space */
static uint64_t
count_words(struct view v)
{
	uint64_t words = 0;
	bool inside = false;
	size_t n;

	for (size_t i = 0; i < v.n; i += n) {
		bool blank = (utf8_class(utf8_get(v.p + i, &n)) &
		    UTF8_SPACE) != 0;

		words += !blank && !inside;
		inside = !blank;
	}
	return words;
}

/* compare_group - of a field's value; NULL if there are too many */
static struct group *
compare_group(struct compare *c, const char *field, struct view value)
{
	struct view f = view_of(field);

	for (size_t i = 1; i < c->n; i++)
		if (view_eq(c->group[i].value, value) &&
		    view_eq(c->group[i].field, f))
			return &c->group[i];
	if (c->n > GROUPS) {
		c->more = true;
		return NULL;
	}
	c->group[c->n] = (struct group){ .field = f,
	    .value = view_keep(c->arena, value) };
	return &c->group[c->n++];
}

static void
group_add(struct group *g, const struct group *one)
{
	g->texts++;
	g->words += one->words;
	g->bytes += one->bytes;
	g->tokens[0] += one->tokens[0];
	g->tokens[1] += one->tokens[1];
}

void
compare_add(struct compare *c, struct arena *a, const struct rec *r,
    struct view text)
{
	struct group one = { .words = count_words(text), .bytes = text.n }, *g;
	struct view value;
	uint32_t *ids;

	for (int i = 0; i < 2; i++)
		one.tokens[i] = tokenizer_encode(c->tokenizer[i], a, text,
		    &ids);
	group_add(&c->group[0], &one);
	for (size_t i = 0; i < c->by->n; i++) {
		if (!rec_str(a, r, c->by->v[i], &value))
			continue;
		g = compare_group(c, c->by->v[i], value);
		if (g != NULL)
			group_add(g, &one);
	}
}

static double
ratio(uint64_t a, uint64_t b)
{
	return b == 0 ? 0 : (double)a / (double)b;
}

/* compare_bars - [[value, number],..] of a field, by a vocabulary */
static void
compare_bars(const struct compare *c, struct stage *s, const char *field,
    int which)
{
	struct buf *b = buf_new(s->arena, 1 << 20);
	struct view f = view_of(field);

	for (size_t i = 1; i < c->n; i++) {
		const struct group *g = &c->group[i];

		if (!view_eq(g->field, f))
			continue;
		buf_str(b, b->n > 0 ? ",[" : "[[");
		buf_json(b, g->value);
		buf_printf(b, ",%.4f]", ratio(g->bytes, g->tokens[which]));
	}
	if (b->n == 0)
		return;
	buf_char(b, ']');
	stage_result(s, arena_printf(s->arena, "bytes_per_token_%s_%s",
	    which == 0 ? "with" : "against", field), buf_get(b));
}

void
compare_finish(const struct compare *c, struct stage *s)
{
	struct buf *b = buf_new(s->arena, 1 << 20);

	msg_info("%-24s %9s %9s %9s %9s %9s %9s", "", "texts", "words",
	    "tok/word", "against", "byte/tok", "against");
	for (size_t i = 0; i < c->n; i++) {
		const struct group *g = &c->group[i];
		size_t skip = g->value.n > 24 ? g->value.n - 24 : 0;
		double w = ratio(g->tokens[0], g->words),
		    x = ratio(g->tokens[1], g->words),
		    y = ratio(g->bytes, g->tokens[0]),
		    z = ratio(g->bytes, g->tokens[1]);

		/* the end of a long value, from a whole character on */
		while (skip < g->value.n &&
		    ((unsigned char)g->value.p[skip] & 0xc0) == 0x80)
			skip++;
		msg_info("%-24.*s %9llu %9llu %9.3f %9.3f %9.3f %9.3f",
		    i == 0 ? 3 : (int)(g->value.n - skip),
		    i == 0 ? "all" : g->value.p + skip,
		    (unsigned long long)g->texts, (unsigned long long)g->words,
		    w, x, y, z);
		buf_str(b, i == 0 ? "[{" : ",{");
		if (i > 0) {
			buf_str(b, "\"field\":");
			buf_json(b, g->field);
			buf_str(b, ",\"value\":");
			buf_json(b, g->value);
			buf_char(b, ',');
		}
		buf_printf(b, "\"texts\":%llu,\"words\":%llu,\"bytes\":%llu,"
		    "\"tokens\":[%llu,%llu],\"tokens_per_word\":[%.4f,%.4f],"
		    "\"bytes_per_token\":[%.4f,%.4f]}",
		    (unsigned long long)g->texts, (unsigned long long)g->words,
		    (unsigned long long)g->bytes,
		    (unsigned long long)g->tokens[0],
		    (unsigned long long)g->tokens[1], w, x, y, z);
	}
	buf_char(b, ']');
	stage_result(s, "compare", buf_get(b));
	for (size_t i = 0; i < c->by->n; i++)
		for (int which = 0; which < 2; which++)
			compare_bars(c, s, c->by->v[i], which);
	if (c->more)
		stage_warn(s, "more than %d values: not all are in the table",
		    GROUPS);
}
