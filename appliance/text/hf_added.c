/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_split.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/hf_vocab.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct token {
	uint32_t id;
	struct view content, shown;	/* shown: normalized, if that differs */
	bool single, left, right, normalized, special;
};

struct edge {				/* of a tree of bytes */
	uint64_t key;			/* node << 8 | byte; 0 is free */
	uint32_t child;
};

struct tree {
	struct edge *edge;
	uint32_t *final;		/* by node: a token's place and one */
	size_t mask;
	uint32_t nodes;			/* 1 is the root */
	bool any, first[256];		/* bytes that begin a token */
};

struct hf_added {
	const struct hf_chars *chars;
	struct token *token;		/* in the order of ids */
	uint32_t n, end;		/* ids are below it */
	struct hf_vocab *ids;		/* by content */
	struct hf_vocab *special;	/* contents that are special */
	struct tree tree[2];		/* in the text as it is; normalized */
	struct arena *work;		/* while it is made */
};

/* edge_place - where an edge is or would be */
static struct edge *
edge_place(const struct tree *t, uint32_t node, char c)
{
	uint64_t key = (uint64_t)node << 8 | (unsigned char)c;
	size_t i = XXH3_64bits(&key, sizeof(key)) & t->mask;

	while (t->edge[i].key != 0 && t->edge[i].key != key)
		i = (i + 1) & t->mask;
	return &t->edge[i];
}

/* tree_put - of two tokens that look the same the one of the lower id */
static void
tree_put(struct tree *t, struct view v, uint32_t place)
{
	uint32_t node = 1;

	if (v.n == 0)
		return;
	for (size_t i = 0; i < v.n; i++) {
		struct edge *g = edge_place(t, node, v.p[i]);

		if (g->key == 0)
			*g = (struct edge){ (uint64_t)node << 8 |
			    (unsigned char)v.p[i], ++t->nodes };
		node = g->child;
	}
	if (t->final[node] == 0)
		t->final[node] = place + 1;
	t->any = true;
	t->first[(unsigned char)v.p[0]] = true;
}

/* tree_at - the longest token at a place of a text, and its end; -1 */
static int64_t
tree_at(const struct tree *t, struct view v, size_t at, size_t *end)
{
	uint32_t node = 1;
	int64_t place = -1;

	for (; at < v.n; at++) {
		const struct edge *g = edge_place(t, node, v.p[at]);

		if (g->key == 0)
			break;
		node = g->child;
		if (t->final[node] != 0) {
			place = (int64_t)t->final[node] - 1;
			*end = at + 1;
		}
	}
	return place;
}

/* trees - over all tokens, once these are known */
static void
trees(struct hf_added *d, struct arena *a)
{
	size_t bytes[2] = { 0, 0 }, size;

	for (uint32_t i = 0; i < d->n; i++)
		bytes[d->token[i].normalized] += d->token[i].normalized ?
		    d->token[i].shown.n : d->token[i].content.n;
	for (int k = 0; k < 2; k++) {
		for (size = 16; size < bytes[k] * 2; size *= 2)
			;
		d->tree[k].edge = arena_array(a, size, sizeof(struct edge));
		d->tree[k].mask = size - 1;
		d->tree[k].final = arena_array(a, bytes[k] + 2,
		    sizeof(uint32_t));
		d->tree[k].nodes = 1;
	}
	for (uint32_t i = 0; i < d->n; i++)
		tree_put(&d->tree[d->token[i].normalized],
		    d->token[i].normalized ? d->token[i].shown :
		    d->token[i].content, i);
}

/* place_of - where the token of an id is or would be */
static uint32_t
place_of(const struct hf_added *d, uint32_t id)
{
	uint32_t lo = 0, hi = d->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (d->token[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* token_of - NULL: none has this id */
static const struct token *
token_of(const struct hf_added *d, uint32_t id)
{
	uint32_t at = id < d->end ? place_of(d, id) : d->n;

	return at < d->n && d->token[at].id == id ? &d->token[at] : NULL;
}

/* while they are read they lie in the order of the file, and it is known by id
 * where: the place and one */
struct placed {
	uint32_t *at, n;
};

static const struct token *
token_was(const struct hf_added *d, const struct placed *p, uint32_t id)
{
	return id < p->n && p->at[id] != 0 ? &d->token[p->at[id] - 1] : NULL;
}

/* token_put - behind the others, or in the place of the one with its id */
static void
token_put(struct hf_added *d, struct placed *p, const struct token *t)
{
	uint32_t n = p->n;

	if (t->id >= n) {
		p->n = t->id < n * 2 ? n * 2 : t->id + 64;
		p->at = mem_grow(p->at, p->n * sizeof(*p->at));
		memset(p->at + n, 0, (p->n - n) * sizeof(*p->at));
	}
	if (p->at[t->id] == 0)
		p->at[t->id] = ++d->n;
	d->token[p->at[t->id] - 1] = *t;
	if (t->id >= d->end)
		d->end = t->id + 1;
}

static int
token_cmp(const void *va, const void *vb)
{
	const struct token *a = va, *b = vb;

	return a->id < b->id ? -1 : a->id > b->id;
}

/*
 * added_put - one token of the list.  Its id is the vocabulary's, or else the
 * next from the number of tokens on, which another may have where there are
 * gaps; what the file says is not asked.
 */
static int
added_put(struct hf_open *o, struct hf_added *d, struct view json,
    const struct hf_model *m, const struct hf_norm *norm, uint32_t *next,
    struct placed *placed, struct err *e)
{
	const struct token *was;
	struct token t = { .id = 0 };
	struct hf_text x;
	uint32_t have;
	int64_t id;

	if (!hf_text_of(o, json, "content", &t.content))
		return err_set(e, FATE_REJECT, "an added token has no content");
	if (t.content.n == 0)
		return 0;
	t.single = hf_flag(json, "single_word", false);
	t.left = hf_flag(json, "lstrip", false);
	t.right = hf_flag(json, "rstrip", false);
	t.special = hf_flag(json, "special", false);
	t.normalized = hf_flag(json, "normalized", !t.special);
	have = hf_vocab_find(d->ids, t.content);
	id = have != HF_NONE ? (int64_t)have : hf_model_find(m, t.content);
	if (id == -1)
		id = (*next)++;
	if (!hf_vocab_put(d->ids, o->arena, t.content, id))
		return err_set(e, FATE_REJECT, "an added token's id is too "
		    "large");
	t.id = (uint32_t)id;
	was = token_was(d, placed, t.id);
	t.shown = was != NULL && view_eq(was->content, t.content) ?
	    was->shown : t.content;
	if (t.normalized) {
		x = hf_text_new(d->work, t.content);
		hf_norm_run(norm, &x);
		t.shown = (struct view){ arena_copy(o->arena, x.p, x.n),
		    x.n };
		arena_reset(d->work);
		if (t.shown.n == 0)	/* it would be found everywhere */
			return err_set(e, FATE_REJECT, "of the added token "
			    "'%.*s' its normalizer leaves nothing",
			    (int)(t.content.n < 40 ? t.content.n : 40),
			    t.content.p);
	}
	if (t.special)
		hf_vocab_put(d->special, o->arena, t.content, id);
	token_put(d, placed, &t);
	return 0;
}

struct hf_added *
hf_added_open(struct hf_open *o, struct view list, const struct hf_model *m,
    const struct hf_norm *norm, struct err *e)
{
	struct hf_added *d = arena_alloc(o->arena, sizeof(*d));
	uint32_t next = hf_model_count(m);
	struct placed placed = { NULL, 0 };
	struct json_iter it;
	struct view v;
	size_t n = 0;
	int rc = 0;

	d->chars = o->chars;
	if (list.n > 0 && !json_is_null(list) && !json_open(&it, list, '[')) {
		err_set(e, FATE_REJECT, "added_tokens is no array");
		return NULL;
	}
	if (json_open(&it, list, '['))
		while (json_element(&it, &v))
			n++;
	d->token = arena_array(o->arena, n + 1, sizeof(*d->token));
	d->ids = hf_vocab_new(o->arena, n);
	d->special = hf_vocab_new(o->arena, n);
	d->work = arena_new();
	if (json_open(&it, list, '['))
		while (rc == 0 && json_element(&it, &v))
			rc = added_put(o, d, v, m, norm, &next, &placed, e);
	arena_free(d->work);
	mem_free(placed.at);
	if (rc == -1)
		return NULL;
	if (d->n > 1)
		qsort(d->token, d->n, sizeof(*d->token), token_cmp);
	trees(d, o->arena);
	return d;
}

/* word_before - does a character of a word end at a place; word_at - begin */
static bool
word_at(const struct hf_added *d, struct view v, size_t at)
{
	size_t n;

	return at < v.n && d->chars->prop[utf8_get(v.p + at, &n)] >>
	    HF_WORD & 1;
}

/* before - the start of the character that ends at a place */
static size_t
before(struct view v, size_t at)
{
	do
		at--;
	while (at > 0 && ((unsigned char)v.p[at] & 0xc0) == 0x80);
	return at;
}

/* takes - does a token that was found count; widened by its white space */
static bool
takes(const struct hf_added *d, struct view v, const struct token *t,
    bool special, size_t done, size_t *from, size_t *to)
{
	size_t n, i;

	if (!special && hf_vocab_find(d->special, t->content) != HF_NONE)
		return false;
	if (t->single && ((*from > 0 && word_at(d, v, before(v, *from))) ||
	    word_at(d, v, *to)))
		return false;
	if (t->left) {
		for (i = *from; i > 0; *from = i) {
			i = before(v, i);
			if (!hf_white(utf8_get(v.p + i, &n)))
				break;
		}
		if (*from < done)
			*from = done;
	}
	while (t->right && *to < v.n && hf_white(utf8_get(v.p + *to, &n)))
		*to += n;
	return *from <= *to;	/* else it lies in the last one's blanks */
}

/* seek - cut a text by the tokens of one kind */
static void
seek(const struct hf_added *d, const struct hf_text *x, bool normalized,
    bool special, struct hf_pieces *out)
{
	const struct tree *t = &d->tree[normalized];
	struct view v = hf_text_get(x);
	size_t done = 0, from, to = 0;
	int64_t place;

	for (size_t at = 0; t->any && at < v.n;) {
		place = t->first[(unsigned char)v.p[at]] ?
		    tree_at(t, v, at, &to) : -1;
		if (place == -1) {
			at++;
			continue;
		}
		from = at;
		at = to;		/* what does not count is over, too */
		if (!takes(d, v, &d->token[place], special, done, &from, &to))
			continue;
		if (done < from)
			hf_pieces_put(out, hf_text_slice(out->arena, x,
			    (uint32_t)done, (uint32_t)from), -1);
		hf_pieces_put(out, hf_text_slice(out->arena, x, (uint32_t)from,
		    (uint32_t)to), d->token[place].id);
		done = to;
	}
	if (done < v.n)
		hf_pieces_put(out, hf_text_slice(out->arena, x, (uint32_t)done,
		    x->n), -1);
}

struct between {			/* what lies between tokens */
	const struct hf_added *added;
	const struct hf_norm *norm;
	bool special;
	struct arena *arena;		/* of one such text, normalized */
	struct hf_pieces *out;
};

static void
between_put(void *arg, struct hf_text *x, int64_t id)
{
	struct between *b = arg;

	if (id >= 0) {
		hf_pieces_put(b->out, *x, id);
		return;
	}
	x->arena = b->arena;
	hf_norm_run(b->norm, x);
	seek(b->added, x, true, b->special, b->out);
	arena_reset(b->arena);
}

void
hf_added_cut(const struct hf_added *d, const struct hf_norm *norm,
    const struct hf_text *x, bool special, struct hf_pieces *out)
{
	struct arena *own = arena_new();
	struct between b = { d, norm, special, own, out };
	struct hf_pieces raw = { .put = between_put, .arg = &b,
	    .arena = own };

	seek(d, x, false, special, &raw);
	arena_free(own);
}

bool
hf_added_token(const struct hf_added *d, uint32_t id, struct view *text)
{
	const struct token *t = token_of(d, id);

	if (t != NULL)
		*text = t->shown;
	return t != NULL;
}

bool
hf_added_special(const struct hf_added *d, struct view text)
{
	return hf_vocab_find(d->special, text) != HF_NONE;
}

bool
hf_added_specials(const struct hf_added *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (hf_added_special(d, d->token[i].content))
			return true;
	return false;
}

bool
hf_added_sought(const struct hf_added *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (hf_vocab_find(d->special, d->token[i].content) == HF_NONE)
			return true;
	return false;
}

int64_t
hf_added_find(const struct hf_added *d, struct view text)
{
	uint32_t id = hf_vocab_find(d->ids, text);

	return id == HF_NONE ? -1 : (int64_t)id;
}

uint32_t
hf_added_end(const struct hf_added *d)
{
	return d->end;
}
