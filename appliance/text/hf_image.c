/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf_image.h"

enum { TAG_META = 1, TAG_WORDS, TAG_POOL, TAG_TOKENS, TAG_TEXTS, TAG_IDS,
	TAG_PLACES, TAG_RULES, TAG_SCORES, TAG_TRIE, TAG_AFTER, TAG_LINKS,
	TAG_REST };

struct meta {
	uint32_t kind, unk_id, size, fuse, bytes, whole;
	uint32_t byte[256];
	int64_t most;
	double unk_score;
	struct hf_ref unk, prefix, suffix;	/* of the words */
};

/* word_add - one of the model's texts; p NULL is kept apart from "" */
static struct hf_ref
word_add(struct buf *b, struct view v)
{
	struct hf_ref r = { (uint32_t)b->n, v.p == NULL ? HF_NONE :
	    (uint32_t)v.n };

	buf_view(b, v);
	return r;
}

/* rest_of - the file without its model; the normalizer last, which may be
 * large */
static struct view
rest_of(struct arena *a, struct view root)
{
	static const char *const names[] = { "version", "truncation",
	    "padding", "pre_tokenizer", "post_processor", "decoder",
	    "added_tokens", "normalizer" };
	struct buf *b = buf_new(a, root.n + 1024);
	struct view v;

	buf_str(b, "{\"\":0");
	for (size_t i = 0; i < BASE_COUNT(names); i++)
		if (json_get(root, names[i], &v)) {
			buf_printf(b, ",\"%s\":", names[i]);
			buf_view(b, v);
		}
	buf_char(b, '}');
	return buf_get(b);
}

/* add_model - sections that only some kinds have */
static void
add_model(struct compiling *c, const struct hf_model *m)
{
	if (m->merges != NULL)
		compiled_add(c, TAG_RULES, m->merges->rule,
		    sizeof(*m->merges->rule), m->merges->mask + 1);
	if (m->scores != NULL)
		compiled_add(c, TAG_SCORES, m->scores->score, sizeof(double),
		    m->vocab->end);
	if (m->links != NULL)
		compiled_add(c, TAG_LINKS, m->links, sizeof(*m->links), 1);
	if (m->tokens.n > 0)
		compiled_add(c, TAG_TRIE, m->tokens.unit, 4, m->tokens.n);
	if (m->after.n > 0)
		compiled_add(c, TAG_AFTER, m->after.unit, 4, m->after.n);
}

struct view
hf_image_make(struct arena *a, const struct hf_model *m, struct view root)
{
	struct compiling *c = compiled_begin(a, COMPILED_HF,
	    HF_IMAGE_REVISION);
	const struct hf_vocab *v = m->vocab;
	struct meta *t = arena_alloc(a, sizeof(*t));
	struct buf *words = buf_new(a, (size_t)1 << 30);
	struct view rest = rest_of(a, root);

	if (v->end == 0 || (m->tokens.n == 0 && (m->kind == HF_WORDPIECE ||
	    m->kind == HF_UNIGRAM)))
		return (struct view){ NULL, 0 };
	*t = (struct meta){ .kind = m->kind, .unk_id = m->unk_id,
	    .size = m->size, .fuse = m->fuse, .bytes = m->bytes,
	    .whole = m->whole, .most = m->most,
	    .unk_score = m->scores == NULL ? 0 : m->scores->unk,
	    .unk = word_add(words, m->unk), .prefix = word_add(words,
	    m->prefix), .suffix = word_add(words, m->suffix) };
	memcpy(t->byte, m->byte, sizeof(t->byte));
	compiled_add(c, TAG_META, t, sizeof(*t), 1);
	compiled_add(c, TAG_WORDS, words->p, 1, words->n);
	compiled_add(c, TAG_POOL, v->pool, 1, v->used);
	compiled_add(c, TAG_TOKENS, v->token, sizeof(*v->token), v->end);
	compiled_add(c, TAG_TEXTS, v->text, sizeof(*v->text), v->count);
	compiled_add(c, TAG_IDS, v->id, sizeof(*v->id), v->count);
	compiled_add(c, TAG_PLACES, v->place, sizeof(*v->place), v->mask + 1);
	compiled_add(c, TAG_REST, rest.p, 1, rest.n);
	add_model(c, m);
	return compiled_end(c);
}

/* section - which the engine reads only, though some structs could write */
static void *
section(struct view image, uint32_t tag, size_t width, size_t *n)
{
	return (void *)(uintptr_t)compiled_get(image, tag, width, n);
}

/* refs_good - do they lie in the pool; *longest of them */
static bool
refs_good(const struct hf_ref *r, size_t n, size_t pool, bool none,
    size_t *longest)
{
	for (size_t i = 0; i < n; i++) {
		if (r[i].n == HF_NONE && none)
			continue;
		if (r[i].at > pool || r[i].n > pool - r[i].at)
			return false;
		*longest = r[i].n > *longest ? r[i].n : *longest;
	}
	return true;
}

/* below - are all of some numbers below an end */
static bool
below(const uint32_t *v, size_t n, uint32_t end)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] >= end)
			return false;
	return true;
}

static struct hf_vocab *
attach_vocab(struct arena *a, struct view image)
{
	struct hf_vocab *v = arena_alloc(a, sizeof(*v));
	size_t end, count, ids, places, unused = 0;

	v->pool = section(image, TAG_POOL, 1, &v->used);
	v->token = section(image, TAG_TOKENS, sizeof(*v->token), &end);
	v->text = section(image, TAG_TEXTS, sizeof(*v->text), &count);
	v->id = section(image, TAG_IDS, sizeof(*v->id), &ids);
	v->place = section(image, TAG_PLACES, sizeof(*v->place), &places);
	if (v->pool == NULL || v->token == NULL || v->text == NULL ||
	    v->id == NULL || v->place == NULL || end == 0 || end > HF_TOKENS ||
	    count > end || ids != count || places <= count ||
	    (places & (places - 1)) != 0 || !below(v->place, places,
	    (uint32_t)count + 1) || !below(v->id, count, (uint32_t)end) ||
	    !refs_good(v->token, end, v->used, true, &unused) ||
	    !refs_good(v->text, count, v->used, false, &v->longest))
		return NULL;
	v->end = (uint32_t)end;
	v->count = (uint32_t)count;
	v->mask = places - 1;
	/* there are more places than texts, but a search must come to an end */
	for (size_t i = 0; i < places; i++)
		if (v->place[i] == 0)
			return v;
	return NULL;
}

/* word_of - false: it is not within the words */
static bool
word_of(struct view words, struct hf_ref r, struct view *v)
{
	*v = (struct view){ NULL, 0 };
	if (r.n == HF_NONE)
		return true;
	if (r.at > words.n || r.n > words.n - r.at)
		return false;
	*v = (struct view){ words.p + r.at, r.n };
	return true;
}

static bool
attach_meta(struct hf_model *m, struct view image)
{
	const struct meta *t;
	struct view words;
	size_t n;

	t = compiled_get(image, TAG_META, sizeof(*t), &n);
	words.p = compiled_get(image, TAG_WORDS, 1, &words.n);
	if (t == NULL || n != 1 || words.p == NULL || t->kind > HF_UNIGRAM ||
	    !word_of(words, t->unk, &m->unk) ||
	    !word_of(words, t->prefix, &m->prefix) ||
	    !word_of(words, t->suffix, &m->suffix))
		return false;
	m->kind = (enum hf_model_kind)t->kind;
	m->unk_id = t->unk_id;
	m->size = t->size;
	m->fuse = t->fuse & 1;
	m->bytes = t->bytes & 1;
	m->whole = t->whole & 1;
	m->most = t->most;
	memcpy(m->byte, t->byte, sizeof(m->byte));
	for (unsigned i = 0; i < 256; i++)
		if (m->byte[i] != HF_NONE && m->byte[i] >= m->vocab->end)
			return false;
	return m->unk_id == HF_NONE || m->unk_id < m->vocab->end;
}

/* attach_rules - of BPE; some place must be free, so that a search ends */
static bool
attach_rules(struct arena *a, struct hf_model *m, struct view image)
{
	struct hf_merges *t = arena_alloc(a, sizeof(*t));
	bool open = false;
	size_t n, links;

	t->rule = section(image, TAG_RULES, sizeof(*t->rule), &n);
	m->merges = t;
	m->links = compiled_get(image, TAG_LINKS, sizeof(*m->links), &links);
	if (t->rule == NULL || n == 0 || (n & (n - 1)) != 0 ||
	    (m->links != NULL && links != 1))
		return false;
	t->mask = n - 1;
	for (size_t i = 0; i < n; i++) {
		open = open || t->rule[i].pair == UINT64_MAX;
		if (t->rule[i].pair != UINT64_MAX && t->rule[i].id >=
		    m->vocab->end)
			return false;
	}
	return open;
}

/* attach_trie - its values are checked where they are used: to look at all of
 * it would be most of the time that an opening takes */
static bool
attach_trie(struct view image, uint32_t tag, struct trie *t)
{
	size_t n;

	t->unit = compiled_get(image, tag, sizeof(*t->unit), &n);
	t->n = (uint32_t)n;
	return n <= UINT32_MAX;
}

static bool
attach_scores(struct arena *a, struct hf_model *m, struct view image)
{
	struct hf_scores *s = arena_alloc(a, sizeof(*s));
	const struct meta *t;
	size_t n;

	t = compiled_get(image, TAG_META, sizeof(*t), &n);
	s->unk = t->unk_score;
	s->score = section(image, TAG_SCORES, sizeof(double), &n);
	m->scores = s;
	return s->score != NULL && n == m->vocab->end && m->tokens.n > 0;
}

struct hf_model *
hf_image_attach(struct arena *a, struct view image, struct view *rest)
{
	struct hf_model *m = arena_alloc(a, sizeof(*m));

	if (!compiled_is(image, COMPILED_HF, HF_IMAGE_REVISION, NULL))
		return NULL;
	rest->p = compiled_get(image, TAG_REST, 1, &rest->n);
	m->vocab = attach_vocab(a, image);
	if (rest->p == NULL || m->vocab == NULL || !attach_meta(m, image) ||
	    !attach_trie(image, TAG_TRIE, &m->tokens) ||
	    !attach_trie(image, TAG_AFTER, &m->after) ||
	    (m->kind == HF_BPE && !attach_rules(a, m, image)) ||
	    (m->kind == HF_UNIGRAM && !attach_scores(a, m, image)) ||
	    (m->kind == HF_WORDPIECE && m->tokens.n == 0))
		return NULL;
	return m;
}
