/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning merges.  Distinct pieces with their counts are kept as symbols; each
 * pair's count is kept up to date as pairs are joined, and the words that hold
 * it are remembered, so that a join touches only those.  The heap's entries may
 * be old: one whose count has changed is put back with the new count.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct piece {
	struct view text;
	int64_t count;
	uint32_t *sym, n;
};

struct pair {
	uint64_t key;			/* left << 32 | right; ~0 is free */
	int64_t count;
	uint32_t *word, nwords, cap;	/* pieces that held it once */
};

struct bpe_learn {
	struct arena *arena;
	const struct bpe_pattern *pattern;
	struct piece *piece;
	size_t n, cap;
	size_t *slot, mask;		/* piece numbers + 1, by text */
	struct pair *pair;
	size_t npairs, pair_mask;
	size_t *heap, nheap, heap_cap;	/* places in pair[] at push ... */
	int64_t *heap_count;		/* ... and their counts then */
};

/* learn_close - the arena's closer */
static void
learn_close(void *arg)
{
	struct bpe_learn *l = arg;

	for (size_t i = 0; l->pair != NULL && i <= l->pair_mask; i++)
		mem_free(l->pair[i].word);
	mem_free(l->pair);
	mem_free(l->piece);
	mem_free(l->slot);
	mem_free(l->heap);
	mem_free(l->heap_count);
}

struct bpe_learn *
bpe_learn_begin(struct arena *a)
{
	struct bpe_learn *l = arena_alloc(a, sizeof(*l));

	l->arena = a;
	l->pattern = bpe_pattern("gpt2");
	l->mask = 4095;
	l->slot = mem_alloc((l->mask + 1) * sizeof(*l->slot));
	arena_defer(a, learn_close, l);
	return l;
}

/* slot_place - where a piece's number is or would be */
static size_t
slot_place(const struct bpe_learn *l, struct view v)
{
	size_t i = XXH3_64bits(v.p, v.n) & l->mask;

	while (l->slot[i] != 0 && !view_eq(l->piece[l->slot[i] - 1].text, v))
		i = (i + 1) & l->mask;
	return i;
}

/* slot_grow - keep the table at most half full */
static void
slot_grow(struct bpe_learn *l)
{
	if (l->n * 2 < l->mask)
		return;
	mem_free(l->slot);
	l->mask = l->mask * 2 + 1;
	l->slot = mem_alloc((l->mask + 1) * sizeof(*l->slot));
	for (size_t i = 0; i < l->n; i++)
		l->slot[slot_place(l, l->piece[i].text)] = i + 1;
}

void
bpe_learn_add(struct bpe_learn *l, struct view text)
{
	size_t len, i;

	for (size_t at = 0; at < text.n; at += len) {
		struct view v = { text.p + at, 0 };

		v.n = len = bpe_piece(l->pattern, text.p + at,
		    text.n - at);
		i = slot_place(l, v);
		if (l->slot[i] != 0) {
			l->piece[l->slot[i] - 1].count++;
			continue;
		}
		if (l->n == l->cap) {
			l->cap = l->cap == 0 ? 4096 : l->cap * 2;
			l->piece = mem_grow(l->piece,
			    l->cap * sizeof(*l->piece));
		}
		l->piece[l->n] = (struct piece){ view_keep(l->arena, v), 1,
		    NULL, 0 };
		l->slot[i] = ++l->n;
		slot_grow(l);
	}
}

/* pair_place - where a pair is or would be */
static size_t
pair_place(const struct bpe_learn *l, uint64_t key)
{
	size_t i = XXH3_64bits(&key, sizeof(key)) & l->pair_mask;

	while (l->pair[i].key != UINT64_MAX && l->pair[i].key != key)
		i = (i + 1) & l->pair_mask;
	return i;
}

/* pair_grow - the table is doubled; heap entries name keys, not places */
static void
pair_grow(struct bpe_learn *l)
{
	struct pair *old = l->pair;
	size_t size = l->pair == NULL ? 0 : l->pair_mask + 1;

	if (l->npairs * 2 < size)
		return;
	l->pair_mask = size == 0 ? 65535 : size * 2 - 1;
	l->pair = mem_alloc((l->pair_mask + 1) * sizeof(*l->pair));
	for (size_t i = 0; i <= l->pair_mask; i++)
		l->pair[i].key = UINT64_MAX;
	for (size_t i = 0; i < size; i++)
		if (old[i].key != UINT64_MAX)
			l->pair[pair_place(l, old[i].key)] = old[i];
	mem_free(old);
}

/* pair_add - more (or fewer) of a pair, in a word */
static void
pair_add(struct bpe_learn *l, uint32_t left, uint32_t right, int64_t count,
    size_t word)
{
	uint64_t key = (uint64_t)left << 32 | right;
	struct pair *p;

	pair_grow(l);
	p = &l->pair[pair_place(l, key)];
	if (p->key == UINT64_MAX) {
		p->key = key;
		l->npairs++;
	}
	p->count += count;
	if (count < 0 || (p->nwords > 0 && p->word[p->nwords - 1] == word))
		return;
	if (p->nwords == p->cap) {
		p->cap = p->cap == 0 ? 4 : p->cap * 2;
		p->word = mem_grow(p->word, p->cap * sizeof(*p->word));
	}
	p->word[p->nwords++] = (uint32_t)word;
}

/* heap_less - does entry a come before b: more often, then lower ids */
static bool
heap_less(const struct bpe_learn *l, size_t a, size_t b)
{
	if (l->heap_count[a] != l->heap_count[b])
		return l->heap_count[a] > l->heap_count[b];
	return l->heap[a] < l->heap[b];
}

static void
heap_swap(struct bpe_learn *l, size_t a, size_t b)
{
	size_t key = l->heap[a];
	int64_t count = l->heap_count[a];

	l->heap[a] = l->heap[b];
	l->heap_count[a] = l->heap_count[b];
	l->heap[b] = key;
	l->heap_count[b] = count;
}

static void
heap_push(struct bpe_learn *l, uint64_t key, int64_t count)
{
	size_t i = l->nheap++;

	if (l->nheap > l->heap_cap) {
		l->heap_cap = l->heap_cap == 0 ? 65536 : l->heap_cap * 2;
		l->heap = mem_grow(l->heap, l->heap_cap * sizeof(*l->heap));
		l->heap_count = mem_grow(l->heap_count,
		    l->heap_cap * sizeof(*l->heap_count));
	}
	l->heap[i] = key;
	l->heap_count[i] = count;
	for (; i > 0 && heap_less(l, i, (i - 1) / 2); i = (i - 1) / 2)
		heap_swap(l, i, (i - 1) / 2);
}

static uint64_t
heap_pop(struct bpe_learn *l, int64_t *count)
{
	uint64_t key = l->heap[0];
	size_t i = 0, k;

	*count = l->heap_count[0];
	heap_swap(l, 0, --l->nheap);
	while ((k = 2 * i + 1) < l->nheap) {
		if (k + 1 < l->nheap && heap_less(l, k + 1, k))
			k++;
		if (!heap_less(l, k, i))
			break;
		heap_swap(l, i, k);
		i = k;
	}
	return key;
}

/* learn_join - a pair becomes one symbol in a word; its neighbours' counts */
static void
learn_join(struct bpe_learn *l, size_t word, uint32_t left, uint32_t right,
    uint32_t id)
{
	struct piece *w = &l->piece[word];
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		if (i + 1 == w->n || w->sym[i] != left ||
		    w->sym[i + 1] != right) {
			w->sym[n++] = w->sym[i];
			continue;
		}
		if (n > 0) {
			pair_add(l, w->sym[n - 1], left, -w->count, word);
			pair_add(l, w->sym[n - 1], id, w->count, word);
		}
		if (i + 2 < w->n) {
			pair_add(l, right, w->sym[i + 2], -w->count, word);
			pair_add(l, id, w->sym[i + 2], w->count, word);
		}
		w->sym[n++] = id;
		i++;
	}
	w->n = n;
}

/* learn_new - push the pairs that a new symbol has made */
static void
learn_new(struct bpe_learn *l, const uint32_t *word, uint32_t nwords,
    uint32_t id)
{
	for (uint32_t k = 0; k < nwords; k++) {
		const struct piece *w = &l->piece[word[k]];

		for (uint32_t i = 0; i + 1 < w->n; i++) {
			uint64_t key = (uint64_t)w->sym[i] << 32 |
			    w->sym[i + 1];
			const struct pair *p;

			if (w->sym[i] != id && w->sym[i + 1] != id)
				continue;
			p = &l->pair[pair_place(l, key)];
			if (p->count > 0)
				heap_push(l, key, p->count);
		}
	}
}

/* learn_write - a token as characters of the alphabet, in JSON quotes */
static void
learn_write(struct buf *out, struct view bytes, bool quotes)
{
	struct buf b;
	char c[4];

	buf_init(&b, bytes.n * 2 + 8);
	for (size_t i = 0; i < bytes.n; i++)
		buf_add(&b, c, utf8_put(bpe_byte_char(
		    (unsigned char)bytes.p[i]), c));
	if (quotes)
		buf_json(out, buf_get(&b));
	else
		buf_view(out, buf_get(&b));
	buf_free(&b);
}

struct learned {
	struct view *token;		/* bytes, by id */
	uint32_t n, special;
	uint64_t *merge;		/* pairs of ids, in order */
	uint32_t nmerges;
};

/* learn_json - tokenizer.json as Hugging Face's library reads it */
static void
learn_json(const struct learned *t, const char *const *special,
    struct buf *b)
{
	buf_str(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[");
	for (uint32_t i = 0; i < t->special; i++) {
		buf_printf(b, "%s{\"id\":%u,\"content\":", i > 0 ? "," : "",
		    i);
		buf_json_str(b, special[i]);
		buf_str(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":true}");
	}
	buf_str(b, "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":"
	    "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
	    "\"use_regex\":true},\"post_processor\":null,\"decoder\":{\"type\":"
	    "\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
	    "\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,"
	    "\"unk_token\":null,\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":null,\"fuse_unk\":false,"
	    "\"byte_fallback\":false,\"vocab\":{");
	for (uint32_t i = 0; i < t->n; i++) {
		if (i > 0)
			buf_char(b, ',');
		if (i < t->special)
			buf_json_str(b, special[i]);
		else
			learn_write(b, t->token[i], true);
		buf_printf(b, ":%u", i);
	}
	buf_str(b, "},\"merges\":[");
	for (uint32_t i = 0; i < t->nmerges; i++) {
		struct buf one;

		buf_init(&one, (size_t)1 << 20);
		learn_write(&one, t->token[t->merge[i] >> 32], false);
		buf_char(&one, ' ');
		learn_write(&one, t->token[(uint32_t)t->merge[i]], false);
		if (i > 0)
			buf_char(b, ',');
		buf_json(b, buf_get(&one));
		buf_free(&one);
	}
	buf_str(b, "]}}\n");
}

/* learn_alphabet - the 256 bytes, by their characters' order */
static void
learn_alphabet(struct bpe_learn *l, struct learned *t, uint32_t id_of[256])
{
	for (uint32_t c = 0; c < 256 + 68; c++)
		for (int i = 0; i < 256; i++)
			if (bpe_byte_char((unsigned char)i) == c) {
				char byte = (char)i;

				id_of[i] = t->n;
				t->token[t->n++] = view_keep(l->arena,
				    (struct view){ &byte, 1 });
			}
}

/* learn_symbols - each piece as bytes, and the first counts of all pairs */
static void
learn_symbols(struct bpe_learn *l, const uint32_t id_of[256])
{
	for (size_t i = 0; i < l->n; i++) {
		struct piece *w = &l->piece[i];

		w->n = (uint32_t)w->text.n;
		w->sym = arena_array(l->arena, w->n, sizeof(*w->sym));
		for (uint32_t k = 0; k < w->n; k++)
			w->sym[k] = id_of[(unsigned char)w->text.p[k]];
		for (uint32_t k = 0; k + 1 < w->n; k++)
			pair_add(l, w->sym[k], w->sym[k + 1], w->count, i);
	}
	pair_grow(l);
	for (size_t i = 0; i <= l->pair_mask; i++)
		if (l->pair[i].key != UINT64_MAX)
			heap_push(l, l->pair[i].key, l->pair[i].count);
}

/* learn_merge - one more token */
static void
learn_merge(struct bpe_learn *l, struct learned *t, uint64_t key)
{
	struct pair *p = &l->pair[pair_place(l, key)];
	uint32_t left = (uint32_t)(key >> 32), right = (uint32_t)key;
	uint32_t nwords = p->nwords, *word = p->word, id = t->n++;
	char *bytes = arena_alloc(l->arena, t->token[left].n +
	    t->token[right].n + 1);

	memcpy(bytes, t->token[left].p, t->token[left].n);
	memcpy(bytes + t->token[left].n, t->token[right].p,
	    t->token[right].n);
	t->token[id] = (struct view){ bytes, t->token[left].n +
	    t->token[right].n };
	t->merge[t->nmerges++] = key;
	p->word = NULL;			/* the table may move while we join */
	p->nwords = p->cap = 0;
	p->count = 0;
	for (uint32_t k = 0; k < nwords; k++)
		learn_join(l, word[k], left, right, id);
	l->pair[pair_place(l, key)].count = 0;
	learn_new(l, word, nwords, id);
	mem_free(word);
}

int
bpe_learn_end(struct bpe_learn *l, uint32_t size, int64_t min_count,
    const char *const *special, size_t nspecial, struct buf *json,
    struct err *e)
{
	struct learned t = { .special = (uint32_t)nspecial };
	uint32_t id_of[256];
	uint64_t key;
	int64_t count, now;

	if (size < 256 + nspecial)
		return err_set(e, FATE_REJECT, "a vocabulary of %u cannot hold "
		    "256 bytes and %zu special tokens", size, nspecial);
	t.token = arena_array(l->arena, size, sizeof(*t.token));
	t.merge = arena_array(l->arena, size, sizeof(*t.merge));
	t.n = t.special;
	learn_alphabet(l, &t, id_of);
	learn_symbols(l, id_of);
	while (t.n < size && l->nheap > 0) {
		key = heap_pop(l, &count);
		now = l->pair[pair_place(l, key)].count;
		if (now != count) {
			if (now > 0 && now < count)
				heap_push(l, key, now);
			continue;
		}
		if (count < min_count || count < 1)
			break;
		learn_merge(l, &t, key);
	}
	learn_json(&t, special, json);
	return json->full ? err_set(e, FATE_REJECT, "the vocabulary is too "
	    "large to write") : 0;
}
