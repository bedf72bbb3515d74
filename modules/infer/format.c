/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/chat.h"
#include "appliance/text/json.h"
#include "modules/infer/format.h"

#include <math.h>

#define BYTES_MAX	((size_t)256 << 20)

struct token {				/* a token */
	uint32_t at, n;			/* its bytes; n 0: it writes none, or
					 * is special */
	bool plain;			/* nothing but what stands in strings */
	bool stops;
};

struct format {
	struct arena *arena;
	struct token *v;
	size_t V;
	struct buf *bytes;
	struct follow *try;
	struct follow **spare;		/* that may be begun again */
	size_t nspare, cap;
};

/* plain - whole characters, no quote, backslash or control character */
static bool
plain(struct view text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == '"' ||
		    text.p[i] == '\\')
			return false;
	return utf8_check(text.p, text.n) == text.n;
}

/* word_bytes - what a token adds behind another; a byte that is no character
 * by itself and was made U+FFFD is left out */
static void
word_bytes(struct format *f, const struct tokenizer *t, struct token *w,
    uint32_t before, uint32_t id, struct buf *b)
{
	uint32_t pair[2] = { before, id };
	size_t n;

	b->n = 0;
	if (tokenizer_decode(t, pair, 1, b) == -1)
		return;
	n = b->n;
	b->n = 0;
	if (tokenizer_decode(t, pair, 2, b) == -1 || b->n <= n ||
	    memmem(b->p + n, b->n - n, "\xef\xbf\xbd", 3) != NULL)
		return;
	w->at = (uint32_t)f->bytes->n;
	w->n = (uint32_t)(b->n - n);
	buf_add(f->bytes, b->p + n, w->n);
	w->plain = plain((struct view){ b->p + n, w->n });
}

struct format *
format_open(struct arena *a, const struct model *m)
{
	const struct tokenizer *t = m->tokenizer;
	struct format *f = arena_alloc(a, sizeof(*f));
	struct chat_special *special;
	struct buf *b = buf_new(a, (size_t)1 << 20);
	size_t n = chat_specials(t, m->tokenizer_file, a, &special);
	bool *is = arena_array(a, m->w.shape.V, sizeof(*is));
	uint32_t *some;

	f->arena = a;
	f->V = m->w.shape.V;
	f->v = arena_array(a, f->V, sizeof(*f->v));
	f->bytes = buf_new(a, BYTES_MAX);
	f->try = arena_alloc(a, sizeof(*f->try));
	follow_room(f->try, a);
	for (size_t i = 0; i < n; i++)
		if (special[i].id < f->V)
			is[special[i].id] = true;
	n = tokenizer_encode(t, a, VIEW("a"), &some);
	for (size_t i = 0; i < f->V; i++) {
		f->v[i].stops = model_stops(m, (int32_t)i);
		if (i < t->size && !is[i] && n > 0)
			word_bytes(f, t, &f->v[i], some[n - 1], (uint32_t)i,
			    b);
	}
	return f;
}

const char *
format_read(struct arena *a, struct view json, struct schema **to)
{
	struct view type, text, body, schema = { NULL, 0 };
	struct schema *s = arena_alloc(a, sizeof(*s));
	struct err e;

	*to = NULL;
	if (json_is_null(json))
		return NULL;
	if (!json_get(json, "type", &type) || !json_string(a, type, &text))
		return "'response_format' has no 'type'";
	if (view_is(text, "text"))
		return NULL;
	if (view_is(text, "json_schema")) {
		if (!json_get(json, "json_schema", &body) ||
		    !json_get(body, "schema", &schema))
			return "'response_format' has no 'json_schema' with a "
			    "'schema'";
	} else if (!view_is(text, "json_object"))
		return "'response_format' must be text, json_object or "
		    "json_schema";
	if (schema_read(a, schema, s, &e) == -1)
		return arena_printf(a, "'response_format': %s", e.text);
	*to = s;
	return NULL;
}

struct follow *
format_begin(struct format *f, const struct schema *s)
{
	struct follow *x;

	if (f->nspare == 0) {
		x = arena_alloc(f->arena, sizeof(*x));
		follow_room(x, f->arena);
	} else
		x = f->spare[--f->nspare];
	follow_begin(x, s);
	return x;
}

void
format_end(struct format *f, struct follow *x)
{
	if (f->nspare == f->cap) {
		f->cap = f->cap == 0 ? 16 : 2 * f->cap;
		f->spare = arena_grow(f->arena, f->spare, f->nspare, f->cap,
		    sizeof(*f->spare));
	}
	f->spare[f->nspare++] = x;
}

/* goes_on - with these bytes */
static bool
goes_on(struct format *f, const struct follow *at, struct view text)
{
	follow_copy(f->try, at);
	return follow_bytes(f->try, text);
}

bool
format_mask(struct format *f, const struct follow *at, real *logits)
{
	bool first[256], within = follow_plain(at), done = follow_done(at);
	bool any = false, may;

	for (size_t i = 0; i < 256; i++) {
		char c = (char)i;

		first[i] = goes_on(f, at, (struct view){ &c, 1 });
	}
	for (size_t i = 0; i < f->V; i++) {
		const struct token *w = &f->v[i];
		struct view text = { f->bytes->p + w->at, w->n };

		if (w->stops)
			may = done;
		else if (w->n == 0)
			may = false;
		else
			may = (within && w->plain) ||
			    (first[(unsigned char)text.p[0]] && (w->n == 1 ||
			    goes_on(f, at, text)));
		any |= may;
		if (!may)
			logits[i] = -INFINITY;
	}
	return any;
}
