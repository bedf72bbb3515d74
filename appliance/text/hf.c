/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf_back.h"
#include "appliance/text/hf_decode.h"
#include "appliance/text/hf_image.h"
#include "appliance/text/hf_post.h"
#include "appliance/text/hf_quick.h"
#include "appliance/text/hf_split.h"
#include "appliance/text/utf8.h"

#include <stdatomic.h>

#define IDS	(1u << 31)	/* a flag of ours: ids are all that is asked */
#define MANY	256u		/* ids, for which tables are worth while */

struct hf {
	struct hf_norm *norm;
	struct hf_split *split;
	struct hf_model *model;
	struct hf_added *added;
	struct hf_post *post;
	struct hf_decode *decode;
	struct hf_limits limits;
	const struct hf_quick *quick;	/* NULL: none */
	_Atomic(struct hf_back *) back;	/* made when first needed */
	atomic_bool no_back;		/* it was, and there is none */
	bool local;			/* its decoder is one for that */
	uint32_t size;
};

struct view
hf_type(struct view json)
{
	struct view v;

	if (!json_get(json, "type", &v) || v.n < 2 || v.p[0] != '"')
		return VIEW("");
	return (struct view){ v.p + 1, v.n - 2 };
}

bool
hf_flag(struct view json, const char *name, bool otherwise)
{
	struct view v;
	bool on;

	return json_get(json, name, &v) && json_bool(v, &on) ? on : otherwise;
}

bool
hf_text_of(struct hf_open *o, struct view json, const char *name,
    struct view *text)
{
	struct view v;

	return json_get(json, name, &v) && json_string(o->arena, v, text);
}

int
hf_unknown(const char *what, struct view type, struct err *e)
{
	return err_set(e, FATE_REJECT, "its %s '%.*s' is not read", what,
	    (int)(type.n < 40 ? type.n : 40), type.p);
}

int
hf_grow(uint64_t *all, size_t times, const char *what, struct err *e)
{
	*all *= times < HF_GROWTH ? times : HF_GROWTH + 1;
	return *all <= HF_GROWTH ? 0 : err_set(e, FATE_REJECT, "its %ss may "
	    "make a text more than %u times as long", what, HF_GROWTH);
}

/* part - a member of the file, or null */
static struct view
part(struct view root, const char *name)
{
	struct view v;

	return json_get(root, name, &v) ? v : VIEW("null");
}

/* hf_close - an arena's closer */
static void
hf_close(void *arg)
{
	struct hf *t = arg;

	hf_back_free(atomic_load(&t->back));
}

/* open_rest - all but the model */
static int
open_rest(struct hf *t, struct hf_open *o, struct view root, struct err *e)
{
	if ((t->norm = hf_norm_open(o, part(root, "normalizer"), e)) == NULL ||
	    (t->split = hf_split_open(o, part(root, "pre_tokenizer"), e)) ==
	    NULL ||
	    (t->added = hf_added_open(o, part(root, "added_tokens"), t->model,
	    t->norm, e)) == NULL ||
	    (t->post = hf_post_open(o, part(root, "post_processor"), e)) ==
	    NULL ||
	    (t->decode = hf_decode_open(o, part(root, "decoder"), e)) ==
	    NULL || hf_limits_open(o, part(root, "truncation"),
	    part(root, "padding"), &t->limits, e) == -1)
		return -1;
	t->size = hf_model_end(t->model);
	if (hf_added_end(t->added) > t->size)
		t->size = hf_added_end(t->added);
	t->local = hf_decode_local(t->decode);
	arena_defer(o->arena, hf_close, t);
	t->quick = hf_quick_open(o->arena, &(struct hf_path){ o->chars,
	    t->norm, t->split, t->model, t->added });
	return 0;
}

struct hf *
hf_open(struct arena *a, struct view json, struct err *e)
{
	return hf_open_with(a, hf_chars_new(a), json, e);
}

struct hf *
hf_open_with(struct arena *a, const struct hf_chars *chars, struct view json,
    struct err *e)
{
	struct hf_open o = { .arena = a, .chars = chars };
	struct hf *t = arena_alloc(a, sizeof(*t));
	struct view root, v;

	if (json_value(json, &root, e) == -1)
		return NULL;
	if (utf8_check(json.p, json.n) != json.n) {
		err_set(e, FATE_REJECT, "it is not UTF-8");
		return NULL;
	}
	if (json_get(root, "version", &v) && !view_is(v, "\"1.0\"")) {
		err_set(e, FATE_REJECT, "its version %.*s is not \"1.0\"",
		    (int)(v.n < 20 ? v.n : 20), v.p);
		return NULL;
	}
	if (!json_get(root, "model", &v)) {
		err_set(e, FATE_REJECT, "it has no model");
		return NULL;
	}
	t->model = hf_model_open(&o, v, e);
	return t->model == NULL || open_rest(t, &o, root, e) == -1 ? NULL : t;
}

struct hf *
hf_attach(struct arena *a, const struct hf_chars *chars, struct view image)
{
	struct hf_open o = { .arena = a, .chars = chars };
	struct hf *t = arena_alloc(a, sizeof(*t));
	struct view rest, root;
	struct err e;

	t->model = hf_image_attach(a, image, &rest);
	if (t->model == NULL || json_value(rest, &root, &e) == -1 ||
	    utf8_check(rest.p, rest.n) != rest.n)
		return NULL;
	return open_rest(t, &o, root, &e) == -1 ? NULL : t;
}

struct hf *
hf_map(struct arena *a, int dir, const struct hash *source)
{
	struct view image = compiled_map(a, dir, COMPILED_HF,
	    HF_IMAGE_REVISION, source);

	return image.p == NULL ? NULL : hf_attach(a, hf_chars_new(a), image);
}

struct view
hf_compile(struct arena *a, const struct hf *t, struct view json)
{
	static const struct view none = { NULL, 0 };
	struct view root;
	struct err e;

	return json_value(json, &root, &e) == -1 ? none :
	    hf_image_make(a, t->model, root);
}

/* points - the code point that each byte of a text belongs to */
static uint32_t *
points(struct arena *a, struct view v)
{
	uint32_t *p = arena_array(a, v.n + 1, sizeof(*p)), n = 0;

	for (size_t i = 0; i < v.n; i++) {
		n += ((unsigned char)v.p[i] & 0xc0) != 0x80;
		p[i] = n - 1;
	}
	return p;
}

/*
 * place - where a token stands in the original: the piece's alignment, or, as
 * in the library, its own numbers where the alignment ends before them
 */
static struct hf_span
place(const struct hf_text *x, const struct hf_token *t, const uint32_t *point,
    size_t n)
{
	struct hf_span s = { t->from, t->to };

	if (t->from == t->to)
		s = (struct hf_span){ x->at + t->from, x->at + t->to };
	else if (t->from < t->to && t->to <= x->n)
		s = (struct hf_span){ x->span[t->from].from,
		    x->span[t->to - 1].to };
	if (point == NULL || s.from >= n)
		return s;
	if (s.to < n)
		return (struct hf_span){ point[s.from], point[s.to] };
	return (struct hf_span){ point[s.from], (s.to > 0 && s.to <= n ?
	    point[s.to - 1] : point[s.from] + 1) + 1 };
}

struct work {				/* of one text */
	const struct hf *hf;
	struct arena *arena;		/* what lasts: texts of tokens */
	const uint32_t *point;
	size_t n;			/* bytes of the text */
	struct hf_unit *unit;		/* what is asked for: units or ids */
	uint32_t *id;
	size_t count, cap;
	uint32_t type;
	unsigned flags;
	struct hf_tokens tokens;
	const struct hf_text *piece;	/* the one they are of */
	int rc;
	struct err *err;
};

/* put_unit - one more unit, whose text goes with the piece unless it is kept */
static void
put_unit(struct work *w, const struct hf_token *k)
{
	struct hf_span s = place(w->piece, k, w->point, w->n);
	struct view text = { NULL, 0 };

	if (w->count == w->cap) {
		w->cap += w->cap / 4 + 64;
		w->unit = mem_grow(w->unit, w->cap * sizeof(*w->unit));
	}
	if (w->flags & HF_TEXTS)
		text = (struct view){ arena_copy(w->arena, k->text.p,
		    k->text.n), k->text.n };
	w->unit[w->count++] = (struct hf_unit){ k->id, w->type, s.from, s.to,
	    false, true, text };
}

/* put_token - what a piece's model says */
static void
put_token(void *arg, const struct hf_token *k)
{
	struct work *w = arg;

	if ((w->flags & IDS) == 0) {
		put_unit(w, k);
		return;
	}
	if (w->count == w->cap) {
		w->cap += w->cap / 4 + 64;
		w->id = mem_grow(w->id, w->cap * sizeof(*w->id));
	}
	w->id[w->count++] = k->id;
}

/* put_piece - the ids of one piece; after a fault no more */
static void
put_piece(void *arg, struct hf_text *x, int64_t id)
{
	struct work *w = arg;

	if (w->rc == -1)
		return;
	w->piece = x;
	arena_reset(w->tokens.scratch);
	if (id >= 0)
		put_token(w, &(struct hf_token){ (uint32_t)id, 0, x->n,
		    hf_text_get(x) });
	else
		w->rc = hf_model_run(w->hf->model, hf_text_get(x),
		    &w->tokens, w->err);
}

/* put_between - a token, or text that is still to be cut */
static void
put_between(void *arg, struct hf_text *x, int64_t id)
{
	struct work *w = arg;
	struct hf_pieces out = { .put = put_piece, .arg = w };

	if (id >= 0)
		put_piece(w, x, id);
	else
		hf_split_each(w->hf->split, x, &out);
}

/* encode_one - a text to units or ids, before any special ones are put around;
 * the arena has them then */
static int
encode_one(const struct hf *t, struct work *w, struct view text)
{
	struct hf_pieces out = { .put = put_between, .arg = w };
	struct arena *own = arena_new();
	struct hf_text x = hf_text_new(own, text);

	w->hf = t;
	w->n = text.n;
	w->tokens = (struct hf_tokens){ .scratch = arena_new(),
	    .put = put_token, .arg = w };
	if (w->flags & HF_POINTS)
		w->point = points(own, text);
	hf_added_cut(t->added, t->norm, &x, w->flags & HF_SPECIAL, &out);
	arena_free(w->tokens.scratch);
	arena_free(own);
	arena_defer(w->arena, mem_free, w->unit);
	arena_defer(w->arena, mem_free, w->id);
	return w->rc;
}

/* encode_limits - truncation; the library's subtraction wraps around */
static int
encode_limits(const struct hf *t, struct arena *a, struct hf_encoding *x,
    size_t n, unsigned flags, struct err *e)
{
	uint64_t max = t->limits.max;

	if (flags & HF_TEMPLATE)
		max -= hf_post_added(t->post, n == 2);
	return hf_limits_cut(&t->limits, a, max, &x[0], n == 2 ? &x[1] : NULL,
	    flags & HF_OVERFLOW, e);
}

int
hf_encode(const struct hf *t, struct arena *a, struct view text,
    const struct view *pair, unsigned flags, struct hf_encoding *out,
    struct err *e)
{
	struct hf_encoding x[2];
	size_t n = pair == NULL ? 1 : 2;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct work w = { .arena = a, .type = (uint32_t)i,
		    .flags = flags, .err = e };

		r = encode_one(t, &w, i == 0 ? text : *pair);
		x[i] = (struct hf_encoding){ .v = w.unit, .n = w.count };
	}
	if (r == 0 && flags & HF_LIMITS && t->limits.cut)
		r = encode_limits(t, a, x, n, flags, e);
	if (r == 0)
		r = hf_post_run(t->post, a, x, n, flags & HF_TEMPLATE, out, e);
	if (r == 0 && flags & HF_LIMITS && t->limits.pad)
		hf_limits_pad(&t->limits, a, out);
	return r;
}

int
hf_encode_ids(const struct hf *t, struct arena *a, struct view text,
    unsigned flags, uint32_t **ids, size_t *n, struct err *e)
{
	struct work w = { .arena = a, .flags = flags | IDS, .err = e };
	int r = encode_one(t, &w, text);

	*ids = w.id != NULL ? w.id : arena_alloc(a, sizeof(**ids));
	*n = w.count;
	return r;
}

struct hf_scratch *
hf_scratch(struct arena *a, const struct hf *t)
{
	return t->quick == NULL ? NULL : hf_quick_scratch(a, t->quick,
	    SIZE_MAX);
}

/* ids_small - with a scratch of its own, as large as is worth while */
static int
ids_small(const struct hf *t, struct arena *a, struct view text,
    uint32_t **ids, size_t *n, struct err *e)
{
	struct arena *own = arena_new();
	int r = hf_quick_run(hf_quick_scratch(own, t->quick, text.n / 16), a,
	    text, ids, n, e);

	arena_free(own);
	return r;
}

int
hf_ids(const struct hf *t, struct hf_scratch *s, struct arena *a,
    struct view text, uint32_t **ids, size_t *n, struct err *e)
{
	if (s != NULL)
		return hf_quick_run(s, a, text, ids, n, e);
	if (t->quick != NULL)
		return ids_small(t, a, text, ids, n, e);
	return hf_encode_ids(t, a, text, 0, ids, n, e);
}

/* decode_plain - through the decoders, see hf_back.h */
static int
decode_plain(const void *hf, const uint32_t *ids, size_t n, unsigned flags,
    struct buf *b)
{
	struct arena *a = arena_new();
	const struct hf *t = hf;
	struct view *v = arena_array(a, n + 1, sizeof(*v));
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		if (!hf_added_token(t->added, ids[i], &v[count]) &&
		    !hf_model_token(t->model, ids[i], &v[count]))
			r = -1;
		else if ((flags & HF_SKIP) == 0 || !hf_added_special(t->added,
		    v[count]))
			count++;
	}
	if (r == 0)
		hf_decode_run(t->decode, a, v, count, flags & HF_BYTES, b);
	arena_free(a);
	return r;
}

/* back_of - the quick way back, NULL: there is none; of two threads that make
 * one at once, one's stays */
static const struct hf_back *
back_of(const struct hf *t)
{
	struct hf *own = (void *)(uintptr_t)t;
	struct hf_back *b = atomic_load(&own->back), *none = NULL;
	struct view v;
	int16_t *bytes;

	if (b != NULL || atomic_load(&own->no_back))
		return b;
	bytes = mem_alloc((t->size + 1) * sizeof(*bytes));
	for (uint32_t i = 0; i < t->size; i++)
		bytes[i] = hf_added_token(t->added, i, &v) ||
		    hf_model_token(t->model, i, &v) ?
		    (int16_t)hf_decode_byte(t->decode, v) : HF_BACK_OTHER;
	b = hf_back_make(t, decode_plain, t->size, bytes);
	mem_free(bytes);
	if (b == NULL)
		atomic_store(&own->no_back, true);
	if (b == NULL || atomic_compare_exchange_strong(&own->back, &none, b))
		return b;
	hf_back_free(b);
	return none;
}

int
hf_decode(const struct hf *t, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *b)
{
	const struct hf_back *back = NULL;

	if (t->local && !(flags & HF_SKIP) && n >= MANY)
		back = back_of(t);
	return back != NULL ? hf_back_run(back, ids, n, flags, b) :
	    decode_plain(t, ids, n, flags, b);
}

uint32_t
hf_size(const struct hf *t)
{
	return t->size;
}

int64_t
hf_find(const struct hf *t, const char *token)
{
	int64_t id = hf_added_find(t->added, view_of(token));

	return id != -1 ? id : hf_model_find(t->model, view_of(token));
}

bool
hf_special(const struct hf *t, const char *token)
{
	return token == NULL ? hf_added_specials(t->added) :
	    hf_added_special(t->added, view_of(token));
}

const char *
hf_may_fail(const struct hf *t)
{
	return hf_model_may_fail(t->model);
}
