/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_model.h"
#include "appliance/text/utf8.h"

void
hf_tokens_put(struct hf_tokens *t, struct hf_token one)
{
	if (t->put != NULL) {
		t->put(t->arg, &one);
		return;
	}
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->v = arena_grow(t->arena, t->v, t->n, t->cap, sizeof(*t->v));
	}
	t->v[t->n++] = one;
}

/* type_of - the model's; files of old versions have none, but other members */
static struct view
type_of(struct view json)
{
	struct view type = hf_type(json), v;

	if (type.n > 0)
		return type;
	return view_of(json_get(json, "merges", &v) ? "BPE" :
	    json_get(json, "max_input_chars_per_word", &v) ? "WordPiece" :
	    json_get(json, "unk_id", &v) ? "Unigram" :
	    json_get(json, "unk_token", &v) ? "WordLevel" : "Unigram");
}

int
hf_model_trie(struct arena *a, const struct hf_vocab *v, struct view prefix,
    struct trie *t, struct err *e)
{
	struct view *key = arena_array(a, v->count + 1, sizeof(*key));
	uint32_t *id = arena_array(a, v->count + 1, sizeof(*id)), n = 0;

	for (uint32_t i = 0; i < v->count; i++) {
		struct view text = hf_vocab_view(v, v->text[i]);

		if (memchr(text.p, '\0', text.n) != NULL)
			return 0;
		if (text.n <= prefix.n || memcmp(text.p, prefix.p, prefix.n) !=
		    0)
			continue;
		key[n] = (struct view){ text.p + prefix.n, text.n - prefix.n };
		id[n++] = v->id[i];
	}
	return trie_make(a, key, id, n, t, e);
}

/* open_words - WordPiece or WordLevel */
static int
open_words(struct hf_open *o, struct hf_model *m, struct view json,
    struct err *e)
{
	struct view v;

	if (!json_get(json, "vocab", &v) ||
	    !hf_text_of(o, json, "unk_token", &m->unk))
		return err_set(e, FATE_REJECT, "the model has no vocab or no "
		    "unk_token");
	m->vocab = hf_vocab_open(o->arena, v, e);
	if (m->vocab == NULL)
		return -1;
	m->size = m->vocab->count;
	m->unk_id = hf_vocab_find(m->vocab, m->unk);
	if (m->kind == HF_WORDLEVEL)
		return 0;
	m->prefix = VIEW("##");
	m->most = 100;
	hf_text_of(o, json, "continuing_subword_prefix", &m->prefix);
	if (json_get(json, "max_input_chars_per_word", &v) &&
	    (!json_integer(v, &m->most) || m->most < 0))
		return err_set(e, FATE_REJECT, "its max_input_chars_per_word "
		    "is no number");
	return hf_model_trie(o->arena, m->vocab, VIEW(""), &m->tokens, e) ==
	    -1 || hf_model_trie(o->arena, m->vocab, m->prefix, &m->after, e) ==
	    -1 ? -1 : 0;
}

struct hf_model *
hf_model_open(struct hf_open *o, struct view json, struct err *e)
{
	static const struct {
		const char *name;
		int (*open)(struct hf_open *, struct hf_model *, struct view,
		    struct err *);
	} kinds[] = { { "BPE", hf_bpe_open }, { "WordPiece", open_words },
		{ "WordLevel", open_words }, { "Unigram", hf_unigram_open } };
	struct hf_model *m = arena_alloc(o->arena, sizeof(*m));
	struct view type = type_of(json);

	for (int i = 0; i < (int)BASE_COUNT(kinds); i++) {
		if (!view_is(type, kinds[i].name))
			continue;
		m->kind = (enum hf_model_kind)i;
		m->unk_id = HF_NONE;
		m->prefix = m->suffix = VIEW("");
		return kinds[i].open(o, m, json, e) == -1 ? NULL : m;
	}
	hf_unknown("model", type, e);
	return NULL;
}

/* put_unk - the whole piece is unknown */
static int
put_unk(const struct hf_model *m, struct view piece, struct hf_tokens *out,
    struct err *e)
{
	if (m->unk_id == HF_NONE)
		return err_set(e, FATE_REJECT, "a word is unknown, and the "
		    "unknown token '%.*s' is not in the vocabulary",
		    (int)(m->unk.n < 40 ? m->unk.n : 40), m->unk.p);
	hf_tokens_put(out, (struct hf_token){ m->unk_id, 0, (uint32_t)piece.n,
	    m->unk });
	return 0;
}

/* longest_tried - the longest token at a place of a word, all lengths tried;
 * HF_NONE */
static uint32_t
longest_tried(const struct hf_model *m, struct view piece, size_t at,
    char *room, struct hf_token *t)
{
	size_t head = at > 0 ? m->prefix.n : 0, end = piece.n;
	uint32_t id;

	if (m->vocab->longest < head)
		return HF_NONE;
	if (end - at > m->vocab->longest - head)
		end = at + m->vocab->longest - head;
	while (end < piece.n && ((unsigned char)piece.p[end] & 0xc0) == 0x80)
		end--;
	memcpy(room, m->prefix.p, head);
	memcpy(room + head, piece.p + at, end > at ? end - at : 0);
	while (end > at) {
		id = hf_vocab_find(m->vocab, (struct view){ room,
		    head + end - at });
		if (id != HF_NONE) {
			*t = (struct hf_token){ id, (uint32_t)at,
			    (uint32_t)end, { NULL, 0 } };
			return id;
		}
		do
			end--;
		while (end > at &&
		    ((unsigned char)piece.p[end] & 0xc0) == 0x80);
	}
	return HF_NONE;
}

/* longest_at - the same by the tries, where there are any */
static uint32_t
longest_at(const struct hf_model *m, struct view piece, size_t at, char *room,
    struct hf_token *t)
{
	const struct trie *trie = at == 0 ? &m->tokens : &m->after;
	uint32_t id = HF_NONE;
	size_t n;

	if (m->tokens.n == 0)
		return longest_tried(m, piece, at, room, t);
	n = trie_longest(trie, piece.p + at, piece.n - at, UINT32_MAX, &id);
	if (n == 0 || id >= m->vocab->end)
		return HF_NONE;
	*t = (struct hf_token){ id, (uint32_t)at, (uint32_t)(at + n),
	    { NULL, 0 } };
	return id;
}

/* run_wordpiece - longest match first; one that fails fails the word */
static int
run_wordpiece(const struct hf_model *m, struct view piece,
    struct hf_tokens *out, struct err *e)
{
	/* they count when the last one is known */
	struct hf_tokens list = { .arena = out->scratch };
	struct hf_token t;
	char *room;

	if (piece.n > (size_t)m->most &&
	    utf8_count(piece) > (size_t)m->most)
		return put_unk(m, piece, out, e);
	room = arena_alloc(out->scratch, m->vocab->longest + m->prefix.n + 8);
	for (size_t at = 0; at < piece.n; at = t.to) {
		if (longest_at(m, piece, at, room, &t) == HF_NONE)
			return put_unk(m, piece, out, e);
		hf_vocab_token(m->vocab, t.id, &t.text);
		hf_tokens_put(&list, t);
	}
	for (size_t i = 0; i < list.n; i++)
		hf_tokens_put(out, list.v[i]);
	return 0;
}

static int
run_wordlevel(const struct hf_model *m, struct view piece,
    struct hf_tokens *out, struct err *e)
{
	uint32_t id = hf_vocab_find(m->vocab, piece);

	if (id == HF_NONE)
		return put_unk(m, piece, out, e);
	hf_tokens_put(out, (struct hf_token){ id, 0, (uint32_t)piece.n,
	    piece });
	return 0;
}

int
hf_model_run(const struct hf_model *m, struct view piece,
    struct hf_tokens *out, struct err *e)
{
	switch (m->kind) {
	case HF_BPE:
		return hf_bpe_run(m, piece, out, e);
	case HF_WORDPIECE:
		return run_wordpiece(m, piece, out, e);
	case HF_WORDLEVEL:
		return run_wordlevel(m, piece, out, e);
	default:
		return hf_unigram_run(m, piece, out, e);
	}
}

int64_t
hf_model_find(const struct hf_model *m, struct view text)
{
	uint32_t id = hf_vocab_find(m->vocab, text);

	return id == HF_NONE ? -1 : (int64_t)id;
}

bool
hf_model_token(const struct hf_model *m, uint32_t id, struct view *text)
{
	return hf_vocab_token(m->vocab, id, text);
}

uint32_t
hf_model_count(const struct hf_model *m)
{
	return m->size;
}

uint32_t
hf_model_end(const struct hf_model *m)
{
	return m->vocab->end;
}

const char *
hf_model_may_fail(const struct hf_model *m)
{
	if (m->unk_id != HF_NONE || (m->kind == HF_BPE && m->unk.p == NULL))
		return NULL;
	return "its unknown token is not in its vocabulary, so that some texts "
	    "have no ids";
}
