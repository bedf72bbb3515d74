/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe.h"
#include "appliance/text/utf8.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BPE_TOKENS	((uint32_t)1 << 24)
#define NONE		UINT32_MAX

struct bpe_merge {
	uint64_t pair;			/* left << 32 | right; ~0 is free */
	uint32_t rank, id;
};

struct bpe {
	struct view *token;		/* bytes by id; p NULL: no such id */
	uint32_t size;
	uint32_t byte[256];		/* id of each byte */
	struct bpe_merge *merge;
	size_t mask;
};

uint32_t
bpe_byte_char(unsigned char c)
{
	uint32_t n = 0;

	if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174)
		return c;
	/* the others in order: 0 to 32, 127 to 160, 173 */
	n = c <= 32 ? c : c <= 160 ? (uint32_t)c - 127 + 33 : 67;
	return 256 + n;
}

/* char_byte - the byte that a character of the alphabet stands for; -1 */
static int
char_byte(uint32_t c)
{
	static const unsigned char gap[68] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
		18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
		127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138,
		139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150,
		151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 173
	};

	if (c >= 256 && c < 256 + sizeof(gap))
		return gap[c - 256];
	return c < 256 && bpe_byte_char((unsigned char)c) == c ? (int)c : -1;
}

/* merge_place - where a pair is or would be */
static size_t
merge_place(const struct bpe *b, uint64_t pair)
{
	size_t i = XXH3_64bits(&pair, sizeof(pair)) & b->mask;

	while (b->merge[i].pair != UINT64_MAX && b->merge[i].pair != pair)
		i = (i + 1) & b->mask;
	return i;
}

/* open_token - a token as written to its bytes; p NULL if it is none of the
 * alphabet */
static struct view
open_token(struct arena *a, struct view text)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n, len = 0;
	int c;

	for (size_t i = 0; i < text.n; i += n) {
		c = char_byte(utf8_get(text.p + i, &n));
		if (c == -1)
			return text;	/* an added token: plain text */
		out[len++] = (char)c;
	}
	return (struct view){ out, len };
}

/* open_vocab - the object token: id */
static int
open_vocab(struct bpe *b, struct arena *a, struct view vocab, bool plain,
    struct err *e)
{
	struct json_iter it;
	struct view key, value, text;
	int64_t id;

	if (!json_open(&it, vocab, '{'))
		return err_set(e, FATE_REJECT, "model.vocab is no object");
	while (json_member(&it, &key, &value)) {
		if (!json_string(a, key, &text) || !json_integer(value, &id) ||
		    id < 0 || id >= (int64_t)BPE_TOKENS)
			return err_set(e, FATE_REJECT, "model.vocab: '%.40s' "
			    "has no good id", key.p);
		if (id >= b->size) {
			uint32_t want = (uint32_t)id + 1;

			want = want < b->size * 2 ? b->size * 2 : want;
			if (want < 1024)
				want = 1024;
			b->token = arena_grow(a, b->token, b->size, want,
			    sizeof(*b->token));
			b->size = want;
		}
		b->token[id] = plain ? text : open_token(a, text);
	}
	return 0;
}

struct bpe_names {			/* token bytes to id, for loading */
	uint32_t *id;
	size_t mask;
};

/* name_place - where a token is or would be */
static size_t
name_place(const struct bpe *b, const struct bpe_names *t, struct view v)
{
	size_t i = XXH3_64bits(v.p, v.n) & t->mask;

	while (t->id[i] != NONE && !view_eq(b->token[t->id[i]], v))
		i = (i + 1) & t->mask;
	return i;
}

/* open_names - the table for looking tokens up while loading */
static void
open_names(const struct bpe *b, struct arena *a, struct bpe_names *t)
{
	size_t size = 1024;

	while (size < (size_t)b->size * 2)
		size *= 2;
	t->id = arena_array(a, size, sizeof(*t->id));
	memset(t->id, 0xff, size * sizeof(*t->id));
	t->mask = size - 1;
	for (uint32_t i = 0; i < b->size; i++)
		if (b->token[i].p != NULL)
			t->id[name_place(b, t, b->token[i])] = i;
}

/* merge_sides - "a b", or ["a","b"] */
static bool
merge_sides(struct arena *a, struct view v, struct view *left,
    struct view *right)
{
	struct json_iter it;
	struct view one, two, text;
	const char *blank;

	if (json_open(&it, v, '['))
		return json_element(&it, &one) && json_element(&it, &two) &&
		    json_string(a, one, left) && json_string(a, two, right);
	if (!json_string(a, v, &text))
		return false;
	blank = memchr(text.p, ' ', text.n);
	if (blank == NULL)
		return false;
	*left = (struct view){ text.p, (size_t)(blank - text.p) };
	*right = (struct view){ blank + 1, text.n - left->n - 1 };
	return true;
}

/* open_merge - one rule; all three tokens must be in the vocabulary */
static int
open_merge(struct bpe *b, struct arena *a, const struct bpe_names *t,
    struct view v, uint32_t rank, struct err *e)
{
	struct view left, right, l, r, both;
	uint32_t li, ri, bi;
	char *joined;
	size_t i;

	if (!merge_sides(a, v, &left, &right))
		return err_set(e, FATE_REJECT, "model.merges: rule %u is no "
		    "pair", rank);
	l = open_token(a, left);
	r = open_token(a, right);
	joined = arena_alloc(a, l.n + r.n + 1);
	memcpy(joined, l.p, l.n);
	memcpy(joined + l.n, r.p, r.n);
	both = (struct view){ joined, l.n + r.n };
	li = t->id[name_place(b, t, l)];
	ri = t->id[name_place(b, t, r)];
	bi = t->id[name_place(b, t, both)];
	if (li == NONE || ri == NONE || bi == NONE)
		return err_set(e, FATE_REJECT, "model.merges: rule %u speaks "
		    "of a token that model.vocab lacks", rank);
	i = merge_place(b, (uint64_t)li << 32 | ri);
	if (b->merge[i].pair == UINT64_MAX)
		b->merge[i] = (struct bpe_merge){ (uint64_t)li << 32 | ri,
		    rank, bi };
	return 0;
}

/* open_merges - all rules, and the ids of the single bytes */
static int
open_merges(struct bpe *b, struct arena *a, struct view merges, struct err *e)
{
	struct bpe_names t;
	struct json_iter it;
	struct view v;
	uint32_t rank = 0;
	size_t size = 1024;
	char c;

	while (size < (size_t)b->size * 4)
		size *= 2;
	b->merge = arena_array(a, size, sizeof(*b->merge));
	memset(b->merge, 0xff, size * sizeof(*b->merge));
	b->mask = size - 1;
	open_names(b, a, &t);
	for (int i = 0; i < 256; i++) {
		c = (char)i;
		b->byte[i] = t.id[name_place(b, &t, (struct view){ &c, 1 })];
		if (b->byte[i] == NONE)
			return err_set(e, FATE_REJECT, "model.vocab lacks byte "
			    "%d: no byte-level vocabulary", i);
	}
	if (!json_open(&it, merges, '['))
		return err_set(e, FATE_REJECT, "model.merges is no array");
	while (json_element(&it, &v)) {
		if (rank > size / 2)
			return err_set(e, FATE_REJECT, "more merges than the "
			    "vocabulary explains");
		if (open_merge(b, a, &t, v, rank++, e) == -1)
			return -1;
	}
	return 0;
}

/* member_is - is a member absent, null, or this string */
static bool
member_is(struct view object, const char *name, const char *want)
{
	struct view v;

	return !json_get(object, name, &v) || json_is_null(v) ||
	    (v.n == strlen(want) + 2 &&
	    memcmp(v.p + 1, want, v.n - 2) == 0);
}

/* open_refuse - what of the pipeline this reader does not know */
static int
open_refuse(struct view root, struct view model, struct err *e)
{
	struct view v, x;
	bool on;

	if (!member_is(model, "type", "BPE"))
		return err_set(e, FATE_REJECT, "the model is not BPE");
	if (json_get(root, "normalizer", &v) && !json_is_null(v))
		return err_set(e, FATE_REJECT, "it has a normalizer; only "
		    "byte-level BPE without one is read");
	if (!json_get(root, "pre_tokenizer", &v) ||
	    !json_get(v, "type", &x) || !view_is(x, "\"ByteLevel\""))
		return err_set(e, FATE_REJECT, "its pre-tokenizer is not "
		    "ByteLevel");
	if ((json_get(v, "use_regex", &x) && json_bool(x, &on) && !on) ||
	    (json_get(v, "add_prefix_space", &x) && json_bool(x, &on) && on))
		return err_set(e, FATE_REJECT, "its ByteLevel pre-tokenizer "
		    "has other settings than GPT-2's");
	if ((json_get(model, "ignore_merges", &x) && json_bool(x, &on) &&
	    on) || !member_is(model, "continuing_subword_prefix", "") ||
	    !member_is(model, "end_of_word_suffix", ""))
		return err_set(e, FATE_REJECT, "its BPE has settings that are "
		    "not read (ignore_merges, prefix, suffix)");
	return 0;
}

/* open_added - added tokens: for decoding only */
static int
open_added(struct bpe *b, struct arena *a, struct view root, struct err *e)
{
	struct json_iter it;
	struct view list, one, content, id;

	if (!json_get(root, "added_tokens", &list) ||
	    !json_open(&it, list, '['))
		return 0;
	while (json_element(&it, &one)) {
		if (!json_get(one, "content", &content) ||
		    !json_get(one, "id", &id))
			return err_set(e, FATE_REJECT, "an added token without "
			    "content or id");
		if (open_vocab(b, a, view_of(arena_printf(a, "{%.*s:%.*s}",
		    (int)content.n, content.p, (int)id.n, id.p)), true,
		    e) == -1)
			return -1;
	}
	return 0;
}

struct bpe *
bpe_open(struct arena *a, struct view json, struct err *e)
{
	struct bpe *b = arena_alloc(a, sizeof(*b));
	struct view root, model, vocab, merges;

	if (json_value(json, &root, e) == -1)
		return NULL;
	if (!json_get(root, "model", &model) ||
	    !json_get(model, "vocab", &vocab) ||
	    !json_get(model, "merges", &merges)) {
		err_set(e, FATE_REJECT, "no model with vocab and merges");
		return NULL;
	}
	if (open_refuse(root, model, e) == -1 ||
	    open_vocab(b, a, vocab, false, e) == -1 ||
	    open_merges(b, a, merges, e) == -1 ||
	    open_added(b, a, root, e) == -1)
		return NULL;
	while (b->size > 0 && b->token[b->size - 1].p == NULL)
		b->size--;
	return b;
}

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

/* piece_try - push the pair that begins at a symbol, if a rule joins it */
static void
piece_try(const struct bpe *b, const struct symbol *s, uint32_t at,
    struct bpe_cand *h, size_t *n)
{
	uint32_t right = at == NONE ? NONE : s[at].next;
	const struct bpe_merge *m;

	if (right == NONE)
		return;
	m = &b->merge[merge_place(b, (uint64_t)s[at].id << 32 | s[right].id)];
	if (m->pair != UINT64_MAX)
		heap_push(h, n, (struct bpe_cand){ m->rank, at, s[at].id,
		    s[right].id, m->id });
}

/* piece_encode - one piece: n log n in its length */
static size_t
piece_encode(const struct bpe *b, struct arena *a, struct view v,
    uint32_t *out)
{
	struct symbol *s = arena_array(a, v.n, sizeof(*s));
	struct bpe_cand *h = arena_array(a, 3 * v.n + 1, sizeof(*h)), c;
	size_t n = 0, count = 0;
	uint32_t right;

	for (uint32_t i = 0; i < v.n; i++)
		s[i] = (struct symbol){ b->byte[(unsigned char)v.p[i]],
		    i == 0 ? NONE : i - 1, i + 1 == v.n ? NONE : i + 1 };
	for (uint32_t i = 0; i < v.n; i++)
		piece_try(b, s, i, h, &n);
	while (n > 0) {
		c = heap_pop(h, &n);
		right = s[c.at].id == c.left ? s[c.at].next : NONE;
		if (right == NONE || s[right].id != c.right)
			continue;	/* joined otherwise meanwhile */
		s[c.at].id = c.id;
		s[c.at].next = s[right].next;
		if (s[right].next != NONE)
			s[s[right].next].prev = c.at;
		s[right].id = NONE;
		piece_try(b, s, s[c.at].prev, h, &n);
		piece_try(b, s, c.at, h, &n);
	}
	for (uint32_t i = 0; i != NONE && v.n > 0; i = s[i].next)
		out[count++] = s[i].id;
	return count;
}

size_t
bpe_encode(const struct bpe *b, struct arena *a, struct view text,
    uint32_t **ids)
{
	struct arena *scratch = arena_new();
	uint32_t *out = arena_array(a, text.n + 1, sizeof(*out));
	size_t n = 0, len;

	for (size_t at = 0; at < text.n; at += len) {
		len = bpe_piece(text.p + at, text.n - at);
		arena_reset(scratch);
		n += piece_encode(b, scratch, (struct view){ text.p + at,
		    len }, out + n);
	}
	arena_free(scratch);
	*ids = out;
	return n;
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
