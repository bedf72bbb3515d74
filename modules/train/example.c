/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is about to be learnt, before it is: the first example as a person can
 * read it, and the tokens that what is learnt ends with.  A mask that is off by
 * one, or an end that nobody learns, is seen here and in no curve.
 */
#include "appliance/base/base.h"
#include "modules/train/tokens.h"

#define EXAMPLE	((size_t)16 << 20)	/* bytes of its file */

/* token_text - as the vocabulary writes it */
static struct view
token_text(const struct train *t, struct arena *a, uint32_t id)
{
	struct buf *b = buf_new(a, 1 << 16);

	(void)tokenizer_decode(t->model.tokenizer, &id, 1, b);
	return buf_get(b);
}

/* end_name - a token, in quotes */
static const char *
end_name(const struct train *t, struct arena *a, uint32_t id)
{
	struct buf *b = buf_new(a, 1 << 16);

	buf_json(b, token_text(t, a, id));
	return buf_cstr(b);
}

/* example_text - one text as it reads, what is learnt in brackets, then its
 * tokens one by one */
static void
example_text(const struct train *t, const uint32_t *v, size_t n,
    struct buf *b)
{
	struct arena *a = arena_new();
	bool in = false, mine;
	uint32_t *id = arena_array(a, n + 1, sizeof(*id));

	for (size_t i = 0; i < n; i++)
		id[i] = v[i] & TOKEN_ID;
	for (size_t i = 0, k; i < n; i = k) {
		mine = i > 0 && !(v[i] & TOKEN_QUIET);
		buf_str(b, mine ? "[[" : "");
		for (k = i + 1; k < n && !(v[k] & TOKEN_QUIET) == mine; k++)
			continue;
		(void)tokenizer_decode(t->model.tokenizer, id + i, k - i, b);
		buf_str(b, mine ? "]]" : "");
		in |= mine;
	}
	buf_printf(b, "\n\n%s\n      id  learnt  token\n", in ? "" :
	    "nothing of it is learnt\n");
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%8u  %-6s  ", id[i], i > 0 && !(v[i] &
		    TOKEN_QUIET) ? "yes" : "");
		buf_json(b, token_text(t, a, id[i]));
		buf_char(b, '\n');
	}
	buf_char(b, '\n');
	arena_free(a);
}

/* text_end - behind the last token of the text that begins at a place */
static size_t
text_end(const struct tokens *x, size_t at)
{
	for (at++; at < x->n && !(x->v[at] & TOKEN_FIRST); at++)
		continue;
	return at;
}

/* put_text - one of them, drawn if texts are */
static void
put_text(struct train *t, const uint32_t *v, size_t n, struct buf *b)
{
	struct arena *a = arena_new();
	uint32_t *drawn;

	if (t->objective->draw == NULL)
		example_text(t, v, n, b);
	else {
		n = t->objective->draw(t, a, v, n, &drawn);
		example_text(t, drawn, n, b);
	}
	arena_free(a);
}

/* put_example - to the file that is asked for; a job has one by itself */
static int
put_example(struct train *t, struct err *e)
{
	const char *path = t->conf->example;
	struct buf *b = buf_new(t->stage->arena, EXAMPLE);
	const struct tokens *x = &t->train;
	size_t at = 0, end;
	int dir;

	if (path == NULL && stage_is_shell(t->stage))
		return 0;
	if (path == NULL)
		path = arena_printf(t->stage->arena, "%s.example.txt",
		    stage_pipeline(t->stage));
	path = stage_output(t->stage, path, &dir, e);
	if (path == NULL)
		return -1;
	buf_printf(b, "The first example as the model reads it%s. What is "
	    "learnt stands in [[ ]].\n", t->objective->draw == NULL ? "" :
	    ", as it may be drawn");
	for (size_t k = 0; k < t->objective->group && at < x->n; k++) {
		end = text_end(x, at);
		buf_str(b, "\n");
		put_text(t, x->v + at, end - at, b);
		at = end;
	}
	return file_replace(dir, path, buf_get(b), 0640, false, e);
}

/* what each token is to this count */
struct ends {
	size_t *count;			/* how often it is last */
	bool *blank, *special;
	size_t n;
};

static void
ends_open(const struct train *t, struct arena *a, struct ends *o)
{
	const struct model *m = &t->model;
	struct buf *b = buf_new(a, 1 << 16);
	struct chat_special *s;
	size_t V = m->w.shape.V, n;

	o->count = arena_array(a, V, sizeof(*o->count));
	o->blank = arena_array(a, V, sizeof(*o->blank));
	o->special = arena_array(a, V, sizeof(*o->special));
	n = chat_specials(m->tokenizer, m->tokenizer_file, a, &s);
	for (size_t i = 0; i < n; i++)
		o->special[s[i].id] = true;
	if (m->tokenizer->end >= 0)
		o->special[m->tokenizer->end] = true;
	for (uint32_t id = 0; id < V; id++) {
		b->n = 0;
		if (o->special[id] || tokenizer_decode(m->tokenizer, &id, 1,
		    b) == -1)
			continue;
		o->blank[id] = strspn(buf_cstr(b), " \t\r\n") == b->n &&
		    b->n > 0;
	}
}

/* ends_count - the last token of what is learnt in a row; blanks behind it are
 * the template's own */
static void
ends_count(const struct tokens *x, struct ends *o)
{
	size_t last;

	for (size_t i = 0; i < x->n; i++) {
		if ((x->v[i] & TOKEN_QUIET) || (i + 1 < x->n &&
		    !(x->v[i + 1] & (TOKEN_QUIET | TOKEN_FIRST))))
			continue;
		for (last = i; o->blank[x->v[last] & TOKEN_ID] && last > 0 &&
		    !(x->v[last] & (TOKEN_QUIET | TOKEN_FIRST)); )
			last--;
		o->count[x->v[last] & TOKEN_ID]++;
		o->n++;
	}
}

/*
 * tell_ends - the special token that what is learnt ends with is where the
 * model stops.  A whole model keeps that in its config.json; an adapter's base
 * has one of its own.
 */
static void
tell_ends(struct train *t)
{
	struct shape *s = &t->model.w.shape;
	struct arena *a = arena_new();
	struct ends o = { .n = 0 };
	size_t most = 0;
	const char *name;

	ends_open(t, a, &o);
	ends_count(&t->train, &o);
	for (size_t id = 1; id < s->V; id++)
		most = o.count[id] > o.count[most] ? id : most;
	name = end_name(t, a, (uint32_t)most);
	if (t->part.quiet)
		;
	else if (!o.special[most] || o.count[most] < o.n - o.n / 10)
		stage_warn(t->stage, "of %zu ends of what is learnt %zu are a "
		    "token that ends texts: the model does not learn to stop",
		    o.n, o.special[most] ? o.count[most] : 0);
	else
		msg_info("what is learnt ends with %s, %zu times of %zu",
		    name, o.count[most], o.n);
	if (!o.special[most] || model_stops(&t->model, (int32_t)most))
		;
	else if (t->conf->adapter != ADAPTER_NONE && !t->conf->merge) {
		if (!t->part.quiet)
			stage_warn(t->stage, "the base does not stop at %s: "
			    "what uses the adapter must", name);
	} else if (s->nstops < SHAPE_STOPS)
		s->stop[s->nstops++] = (int32_t)most;
	arena_free(a);
}

int
train_example(struct train *t, struct err *e)
{
	/* an encoder never stops; what is drawn ends as it should */
	if (t->objective->head == NULL && t->objective->draw == NULL)
		tell_ends(t);
	return put_example(t, e);
}
