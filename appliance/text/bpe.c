/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/utf8.h"

uint32_t
bpe_size(const struct bpe *b)
{
	return b->size;
}

int64_t
bpe_find(const struct bpe *b, const char *text)
{
	for (uint32_t i = 0; i < b->size; i++)
		if (b->token[i].p != NULL && view_is(b->token[i], text))
			return i;
	return -1;
}

struct bpe_cand {			/* a pair that could be joined */
	uint32_t rank, at, left, right, id;
};

/* cand_less - lowest rank, then leftmost */
static bool
cand_less(const struct bpe_cand *a, const struct bpe_cand *b)
{
	return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

/* heap_push - binary heap, least first */
static void
heap_push(struct bpe_cand *h, size_t *n, struct bpe_cand c)
{
	size_t i = (*n)++;

	for (; i > 0 && cand_less(&c, &h[(i - 1) / 2]); i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = c;
}

static struct bpe_cand
heap_pop(struct bpe_cand *h, size_t *n)
{
	struct bpe_cand top = h[0], last = h[--*n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < *n) {
		if (k + 1 < *n && cand_less(&h[k + 1], &h[k]))
			k++;
		if (!cand_less(&h[k], &last))
			break;
		h[i] = h[k];
		i = k;
	}
	h[i] = last;
	return top;
}

struct symbol {
	uint32_t id, prev, next;
};

/* piece_join - do two neighbours make a token, of what rank */
static bool
piece_join(const struct bpe *b, struct view v, const struct symbol *s,
    uint32_t at, struct bpe_cand *c)
{
	uint32_t right = s[at].next;
	size_t end = s[right].next == BPE_NONE ? v.n : s[right].next;
	const struct bpe_merge *m;

	*c = (struct bpe_cand){ 0, at, s[at].id, s[right].id, BPE_NONE };
	if (b->merge == NULL) {
		if (end - at <= b->longest)
			c->id = bpe_table_find(b, (struct view){ v.p + at,
			    end - at });
		c->rank = c->id;
		return c->id != BPE_NONE;
	}
	m = &b->merge[bpe_merge_place(b, (uint64_t)c->left << 32 | c->right)];
	c->rank = m->rank;
	c->id = m->id;
	return m->pair != UINT64_MAX;
}

/* piece_try - push the pair that begins at a symbol, if it can be joined */
static void
piece_try(const struct bpe *b, struct view v, const struct symbol *s,
    uint32_t at, struct bpe_cand *h, size_t *n)
{
	struct bpe_cand c;

	if (at != BPE_NONE && s[at].next != BPE_NONE &&
	    piece_join(b, v, s, at, &c))
		heap_push(h, n, c);
}

/* piece_encode - one piece: n log n in its length */
static size_t
piece_encode(const struct bpe *b, struct arena *a, struct view v,
    uint32_t *out)
{
	struct symbol *s;
	struct bpe_cand *h, c;
	size_t n = 0, count = 0;
	uint32_t right;

	if (v.n == 0)
		return 0;
	if (b->whole && v.n <= b->longest) {
		out[0] = bpe_table_find(b, v);
		if (out[0] != BPE_NONE)
			return 1;
	}
	s = arena_array(a, v.n, sizeof(*s));
	h = arena_array(a, 3 * v.n + 1, sizeof(*h));
	for (uint32_t i = 0; i < v.n; i++)
		s[i] = (struct symbol){ b->byte[(unsigned char)v.p[i]],
		    i == 0 ? BPE_NONE : i - 1,
		    i + 1 == v.n ? BPE_NONE : i + 1 };
	for (uint32_t i = 0; i < v.n; i++)
		piece_try(b, v, s, i, h, &n);
	while (n > 0) {
		c = heap_pop(h, &n);
		right = s[c.at].id == c.left ? s[c.at].next : BPE_NONE;
		if (right == BPE_NONE || s[right].id != c.right)
			continue;	/* joined otherwise meanwhile */
		s[c.at].id = c.id;
		s[c.at].next = s[right].next;
		if (s[right].next != BPE_NONE)
			s[s[right].next].prev = c.at;
		s[right].id = BPE_NONE;
		piece_try(b, v, s, s[c.at].prev, h, &n);
		piece_try(b, v, s, c.at, h, &n);
	}
	for (uint32_t i = 0; i != BPE_NONE; i = s[i].next)
		if (s[i].id != BPE_NONE)
			out[count++] = s[i].id;
	return count;
}

struct bpe_ids {
	struct arena *arena, *scratch;
	uint32_t *id;
	size_t n, cap;
};

/* ids_reserve - room for more */
static void
ids_reserve(struct bpe_ids *o, size_t more)
{
	size_t want = o->n + more;

	if (want <= o->cap)
		return;
	want = want < o->cap * 2 ? o->cap * 2 : want;
	o->id = arena_grow(o->arena, o->id, o->n, want, sizeof(*o->id));
	o->cap = want;
}

/* encode_text - text without added tokens, normalized */
static void
encode_text(const struct bpe *b, struct bpe_ids *o, struct arena *a,
    struct view v)
{
	size_t len;

	if (v.n == 0)
		return;
	if (b->blank && v.p[0] != ' ') {
		char *p = arena_alloc(a, v.n + 1);

		p[0] = ' ';
		memcpy(p + 1, v.p, v.n);
		v = (struct view){ p, v.n + 1 };
	}
	ids_reserve(o, v.n);
	for (size_t at = 0; at < v.n; at += len) {
		len = bpe_piece(b->pattern, v.p + at, v.n - at);
		arena_reset(o->scratch);
		o->n += piece_encode(b, o->scratch, (struct view){ v.p + at,
		    len }, o->id + o->n);
	}
}

/* encode_split - text between the added tokens of one kind, and these */
static void
encode_split(const struct bpe *b, struct bpe_ids *o, struct arena *a,
    struct view v, bool normalized)
{
	struct bpe_split s = { b->added, v, normalized, 0, 0 };
	bool any = bpe_added_any(b->added, normalized);
	int64_t id = -1;

	while (any ? bpe_split_next(&s, &v, &id) : v.n > 0) {
		if (normalized)
			encode_text(b, o, a, v);
		else
			encode_split(b, o, a, b->nfc ? utf8_nfc9(a, v) : v,
			    true);
		if (id == -1)
			break;
		ids_reserve(o, 1);
		o->id[o->n++] = (uint32_t)id;
	}
}

size_t
bpe_encode(const struct bpe *b, struct arena *a, struct view text,
    uint32_t **ids)
{
	struct arena *work = arena_new();
	struct bpe_ids o = { .arena = a, .scratch = arena_new() };

	ids_reserve(&o, text.n + 1);
	encode_split(b, &o, work, text, false);
	arena_free(o.scratch);
	arena_free(work);
	*ids = o.id;
	return o.n;
}

int
bpe_decode(const struct bpe *b, const uint32_t *ids, size_t n,
    struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] >= b->size || b->token[ids[i]].p == NULL)
			return -1;
		buf_view(out, b->token[ids[i]]);
	}
	return 0;
}
