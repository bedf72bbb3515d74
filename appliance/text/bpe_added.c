/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_added.h"
#include "appliance/text/utf8.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct edge {				/* of a tree of bytes */
	uint64_t key;			/* node << 8 | byte; 0 is free */
	uint32_t child;
};

struct bpe_added {
	struct bpe_token *token;
	uint32_t *final;		/* by node: token + 1 */
	struct edge *edge;
	size_t n, mask;
	uint32_t nodes;			/* 1 is the root */
	bool any[2];			/* normalized or not, as below */
	/* first bytes of what is sought: the only one, or -1; bits of pairs */
	int only[2];
	uint64_t pair[2][1024];
};

struct bpe_added *
bpe_added_new(struct arena *a, size_t tokens, size_t bytes)
{
	struct bpe_added *t = arena_alloc(a, sizeof(*t));
	size_t size = 64;

	while (size < bytes * 2)
		size *= 2;
	t->edge = arena_array(a, size, sizeof(*t->edge));
	t->mask = size - 1;
	t->final = arena_array(a, bytes + 2, sizeof(*t->final));
	t->token = arena_array(a, tokens + 1, sizeof(*t->token));
	t->nodes = 1;
	t->only[0] = t->only[1] = -2;
	return t;
}

/* edge_place - where an edge is or would be */
static struct edge *
edge_place(const struct bpe_added *t, uint32_t node, char c)
{
	uint64_t key = (uint64_t)node << 8 | (unsigned char)c;
	size_t i = XXH3_64bits(&key, sizeof(key)) & t->mask;

	while (t->edge[i].key != 0 && t->edge[i].key != key)
		i = (i + 1) & t->mask;
	return &t->edge[i];
}

bool
bpe_added_put(struct bpe_added *t, const struct bpe_token *k)
{
	uint32_t node = 1;

	for (size_t i = 0; i < k->content.n; i++) {
		struct edge *g = edge_place(t, node, k->content.p[i]);

		if (g->key == 0)
			*g = (struct edge){ (uint64_t)node << 8 |
			    (unsigned char)k->content.p[i], ++t->nodes };
		node = g->child;
	}
	if (t->final[node] == 0)
		t->final[node] = (uint32_t)++t->n;
	else if (t->token[t->final[node] - 1].id != k->id)
		return false;
	t->token[t->final[node] - 1] = *k;
	if (!k->special)
		t->any[k->normalized] = true;
	return true;
}

bool
bpe_added_special(const struct bpe_added *t, uint32_t id)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		if (t->token[i].special && (id == BPE_NONE ||
		    t->token[i].id == id))
			return true;
	return false;
}

bool
bpe_added_any(const struct bpe_added *t, bool normalized)
{
	return t != NULL && t->any[normalized];
}

void
bpe_added_ready(struct bpe_added *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct view v = t->token[i].content;
		bool kind = t->token[i].normalized;
		unsigned first = (unsigned char)v.p[0], x;

		for (unsigned c = 0; c < 256; c++) {
			x = first << 8 | (v.n > 1 ? (unsigned char)v.p[1] : c);
			t->pair[kind][x / 64] |= (uint64_t)1 << x % 64;
		}
		t->only[kind] = t->only[kind] == -2 ||
		    t->only[kind] == (int)first ? (int)first : -1;
	}
}

/* added_seek - the first place from at on where a token may begin: most text is
 * passed over here */
static size_t
added_seek(const struct bpe_added *t, struct view v, size_t at, bool kind)
{
	const unsigned char *p = (const unsigned char *)v.p;
	const uint64_t *pair = t->pair[kind];
	unsigned x;

	if (at >= v.n || t->only[kind] == -2)
		return v.n;
	if (t->only[kind] >= 0) {
		p = memchr(v.p + at, t->only[kind], v.n - at);
		return p == NULL ? v.n : (size_t)((const char *)p - v.p);
	}
	for (; at + 1 < v.n; at++) {
		x = (unsigned)p[at] << 8 | p[at + 1];
		if (pair[x / 64] >> x % 64 & 1)
			break;
	}
	return at;
}

/* added_at - the longest token that begins at a place */
static const struct bpe_token *
added_at(const struct bpe_added *t, struct view v, size_t at, bool normalized)
{
	const struct bpe_token *best = NULL, *k;
	const struct edge *g;
	uint32_t node = 1;

	for (; at < v.n; at++) {
		g = edge_place(t, node, v.p[at]);
		if (g->key == 0)
			break;
		node = g->child;
		k = t->final[node] == 0 ? NULL : &t->token[t->final[node] - 1];
		if (k != NULL && k->normalized == normalized)
			best = k;
	}
	return best;
}

/* blanks_before - where the white space that ends at a place begins */
static size_t
blanks_before(struct view v, size_t from, size_t at)
{
	size_t i = at, n;

	while (i > from) {
		do
			i--;
		while (i > from && ((unsigned char)v.p[i] & 0xc0) == 0x80);
		if ((utf8_class(utf8_get(v.p + i, &n)) & UTF8_SPACE) == 0)
			break;
		at = i;
	}
	return at;
}

bool
bpe_split_next(struct bpe_split *s, struct view *text, int64_t *id)
{
	const struct bpe_token *k;
	struct view v = s->text;
	size_t start, stop, n;

	for (;; s->sought++) {
		s->sought = added_seek(s->added, v, s->sought, s->normalized);
		if (s->sought >= v.n)
			break;
		k = added_at(s->added, v, s->sought, s->normalized);
		if (k == NULL)
			continue;
		start = s->sought;
		stop = start + k->content.n;
		s->sought = stop - 1;		/* what stays text is over */
		if (k->special)
			continue;
		if (k->lstrip && start > s->at)
			start = blanks_before(v, s->at, start);
		while (k->rstrip && stop < v.n &&
		    utf8_class(utf8_get(v.p + stop, &n)) & UTF8_SPACE)
			stop += n;
		*text = (struct view){ v.p + s->at,
		    start - s->at };
		*id = k->id;
		s->at = s->sought = stop;
		return true;
	}
	*text = (struct view){ v.p + s->at, v.n - s->at };
	*id = -1;
	s->at = v.n;
	return text->n > 0;
}
