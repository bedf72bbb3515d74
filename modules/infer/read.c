/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/encoder.h"
#include "appliance/model/reader.h"
#include "modules/infer/read.h"
#include "modules/infer/says.h"

#include <math.h>
#include <stdlib.h>

#define ROWS		((size_t)2048)	/* of a call, if no text is longer */
#define NUMBERS		((size_t)1 << 24)	/* said in one, likewise */

struct reads {
	struct stage *stage;
	const struct infer_conf *conf;
	struct model model;
	struct reader reader;
	struct decoder decoder;
	struct slab slab;
	size_t rows;			/* that there is room for */
	int32_t *id, *from, *to, *type;
	struct says says;
};

/* reads_model - the weights, with the adapter in them */
static int
reads_model(struct reads *r, int dir, int adapter, struct buf *told,
    struct err *e)
{
	struct arena *a = r->stage->arena;

	if (model_look_encoder(a, dir, NULL, &r->model, e) == -1 ||
	    model_read(a, &r->model, e) == -1)
		return -1;
	return adapter == -1 ? 0 : model_adapt(a, adapter, &r->model, told,
	    e);
}

/* reads_memory - the weights on the device; nothing of them is trained, and one
 * layer's results are kept at a time */
static int
reads_memory(struct reads *r, struct err *e)
{
	struct arena *a = r->stage->arena;
	const struct weights *w = &r->model.w;
	bool *frozen = arena_array(a, w->n, sizeof(*frozen));
	struct device *d = device_for(a, stage_gpus(r->stage),
	    stage_threads(r->stage), e);

	if (d == NULL)
		return -1;
	memset(frozen, 1, w->n * sizeof(*frozen));
	r->rows = r->reader.most > ROWS ? r->reader.most : ROWS;
	slab_init(&r->slab, a, d);
	decoder_want(&r->decoder, a, w, &r->slab, &(struct decoder_conf){
	    .B = 1, .T = r->rows, .frozen = frozen, .recompute = true });
	if (slab_take(&r->slab, e) == -1)
		return -1;
	decoder_ready(&r->decoder);
	d->k->put(d->dev, r->decoder.run, r->model.run, w->all *
	    sizeof(real));
	model_drop(&r->model);
	return 0;
}

struct reads *
reads_open(struct stage *s, const struct infer_conf *c, int dir, int adapter,
    struct buf *told, struct err *e)
{
	struct reads *r = arena_alloc(s->arena, sizeof(*r));
	size_t most = (size_t)c->context;

	r->stage = s;
	r->conf = c;
	if (c->adapters.n > 0) {
		err_set(e, FATE_REJECT, "an encoder's records choose no "
		    "adapters: adapter= is for all of them");
		return NULL;
	}
	if (c->find) {
		err_set(e, FATE_REJECT, "find=yes: an encoder reads text "
		    "alone, and the mask where it is asked for masked words");
		return NULL;
	}
	if (c->weights != 0) {
		err_set(e, FATE_REJECT, "an encoder's weights are f32");
		return NULL;
	}
	if (reads_model(r, dir, adapter, told, e) == -1)
		return NULL;
	if (most == 0)
		most = r->model.most;
	if (reader_open(s->arena, &r->model, most, &r->reader, e) == -1 ||
	    reads_memory(r, e) == -1)
		return NULL;
	r->says = (struct says){ .model = &r->model, .reader = &r->reader,
	    .into = strcmp(c->into, "completion") == 0 ? NULL : c->into };
	head_names(&r->model.w.shape.head, s->arena, &r->says.names);
	r->id = arena_array(s->arena, r->rows, sizeof(*r->id));
	r->from = arena_array(s->arena, r->rows, sizeof(*r->from));
	r->to = arena_array(s->arena, r->rows, sizeof(*r->to));
	r->type = arena_array(s->arena, r->rows, sizeof(*r->type));
	return r;
}

/* said_text - what a record has to be read; an encoder reads no chats */
static const char *
said_text(struct reads *r, struct arena *a, struct said *x, struct view *text)
{
	struct ask q = { .rec = x->rec };
	const char *why = prompt_of(r->conf, a, &q);

	*text = q.prompt;
	return why != NULL || q.messages.p == NULL ? why :
	    "an encoder reads a text, no messages";
}

/* tags_text - the words of a record: a list, or a text cut at blanks */
static const char *
tags_text(struct reads *r, struct arena *a, struct said *x, struct view *text)
{
	struct view raw;

	if (rec_raw(x->rec, "tokens", &raw)) {
		if (!reader_words(a, raw, &x->words))
			return "'tokens' is no list of words";
	} else {
		const char *why = said_text(r, a, x, text);

		if (why != NULL)
			return why;
		says_words(a, *text, &x->words);
	}
	*text = x->words.text;
	return NULL;
}

/* said_open - a record as ids; NULL, or why it is none */
static const char *
said_open(struct reads *r, struct arena *a, struct said *x)
{
	enum head_kind kind = r->model.w.shape.head.kind;
	struct view text, pair;
	const char *why;
	struct err e;
	bool two;

	why = kind == HEAD_TAGS ? tags_text(r, a, x, &text) :
	    said_text(r, a, x, &text);
	if (why != NULL)
		return why;
	two = r->conf->pair != NULL;
	if (two && !rec_str(a, x->rec, r->conf->pair, &pair))
		return arena_printf(a, "it has no '%s'", r->conf->pair);
	if (reader_read(&r->reader, a, text, two ? &pair : NULL, kind ==
	    HEAD_MASKED, &x->x, &e) == -1)
		return arena_str(a, e.text);
	if (x->x.cut && r->conf->overlong == OVERLONG_FAIL)
		return arena_printf(a, "the text has more than %zu tokens: "
		    "overlong=cut", r->reader.most);
	says_rows(&r->says, a, x);
	if (kind == HEAD_MASKED && x->nrows == 0)
		return "it has no mask";
	return NULL;
}

/* by_length - the longest first; a tie as they came */
static int
by_length(const void *va, const void *vb)
{
	const struct said *a = *(struct said *const *)va;
	const struct said *b = *(struct said *const *)vb;

	if (a->x.n != b->x.n)
		return a->x.n > b->x.n ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* call_put - a text's rows at a place of the call */
static void
call_put(struct reads *r, const struct reading *x, size_t at)
{
	for (size_t i = 0; i < x->n; i++) {
		r->id[at + i] = x->id[i];
		r->type[at + i] = x->type[i];
		r->from[at + i] = (int32_t)at;
		r->to[at + i] = (int32_t)(at + x->n);
	}
}

/* call - the texts from v[0] on that fit into one, and what is said of them
 * into NUMBERS; how many */
static size_t
call(struct reads *r, struct arena *a, struct said **v, size_t n)
{
	struct decoder *d = &r->decoder;
	size_t R = 0, k = 0, rows = 0, width = says_width(&r->says);
	struct arena *own = arena_new();
	struct encoder_text *text;
	int32_t *row;
	real *out;

	for (; k < n && R + v[k]->x.n <= r->rows && (k == 0 ||
	    (rows + v[k]->nrows) * width <= NUMBERS); k++) {
		call_put(r, &v[k]->x, R);
		v[k]->first = R;
		v[k]->said = rows;
		rows += v[k]->nrows;
		R += v[k]->x.n;
	}
	d->T = d->R = R;		/* of what there is room for */
	encoder_texts(d, r->from, r->to, r->model.w.shape.types > 1 ? r->type :
	    NULL);
	text = arena_array(own, rows + 1, sizeof(*text));
	row = arena_array(own, rows + 1, sizeof(*row));
	out = arena_array(own, rows * width + 1, sizeof(*out));
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < v[i]->nrows; j++) {
			size_t at = v[i]->said + j;

			row[at] = (int32_t)(v[i]->first + v[i]->row[j]);
			text[at] = (struct encoder_text){ v[i]->first,
			    v[i]->x.n };
		}
	if (r->model.w.shape.head.kind == HEAD_EMBED)
		encoder_embed(d, r->id, text, rows, false, out);
	else
		encoder_outputs(d, r->id, row, rows, out);
	for (size_t i = 0; i < k; i++)
		says_put(&r->says, a, v[i], out + v[i]->said * width);
	arena_free(own);
	return k;
}

int
reads_batch(struct reads *r, struct batch *b, struct reads_told *told,
    struct err *e)
{
	struct said *all = arena_array(b->arena, b->n + 1, sizeof(*all));
	struct said **v = arena_array(b->arena, b->n + 1, sizeof(*v));
	size_t n = 0;
	const char *why;

	for (size_t i = 0; i < b->n; i++) {
		all[i].rec = &b->rec[i];
		why = said_open(r, b->arena, &all[i]);
		if (why == NULL) {
			told->tokens += (int64_t)all[i].x.n;
			v[n++] = &all[i];
			continue;
		}
		told->refused++;
		rec_fail(b->arena, &b->rec[i], "%s", why);
	}
	told->rows += (int64_t)n;
	qsort(v, n, sizeof(struct said *), by_length);
	for (size_t at = 0; at < n; at += call(r, b->arena, v + at, n - at))
		if (stage_stopping(r->stage))
			return stage_stop(e);
	return 0;
}
