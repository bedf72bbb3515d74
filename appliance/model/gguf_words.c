/* SPDX-License-Identifier: Apache-2.0 */
/* a vocabulary's file as GGUF's keys */
#include "appliance/base/base.h"
#include "appliance/model/gguf_model.h"
#include "appliance/text/bpe.h"
#include "appliance/text/gguf_put.h"
#include "appliance/text/json.h"
#include "appliance/text/spm.h"

#include <stdlib.h>

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

struct word {
	struct view text;
	uint32_t type;
	float score;
};

struct words {
	struct arena *arena;
	struct word *v;
	size_t n;			/* the model's; the rest is unused */
	bool ended;			/* all ids are said */
	struct err *e;
};

/* word_put - a token at its id */
static int
word_put(struct words *w, int64_t id, struct view text, uint32_t type)
{
	if (id < 0 || (uint64_t)id >= w->n)
		return err_set(w->e, FATE_REJECT, "token %lld of the "
		    "tokenizer is beyond the model's %zu: it is not the "
		    "model's tokenizer", (long long)id, w->n);
	w->v[id].text = text;
	w->v[id].type = type;
	return 0;
}

/* take_vocab - model.vocab of a tokenizer.json */
static int
take_vocab(struct words *w, struct view vocab)
{
	struct json_iter it;
	struct view key, value, text;
	int64_t id;

	if (!json_open(&it, vocab, '{'))
		return err_set(w->e, FATE_REJECT, "its vocab is no object");
	while (json_member(&it, &key, &value)) {
		if (!json_string(w->arena, key, &text) ||
		    !json_integer(value, &id))
			return err_set(w->e, FATE_REJECT, "its vocab has no "
			    "ids");
		if (word_put(w, id, text, NORMAL) == -1)
			return -1;
	}
	return 0;
}

/* take_added - added_tokens from an id on: special ones are control, others the
 * users' */
static int
take_added(struct words *w, struct view root, int64_t from)
{
	struct json_iter it;
	struct view list, one, raw, text;
	bool special;
	int64_t id;

	if (!json_get(root, "added_tokens", &list) ||
	    !json_open(&it, list, '['))
		return 0;
	while (json_element(&it, &one)) {
		special = false;
		if (!json_get(one, "id", &raw) || !json_integer(raw, &id) ||
		    !json_get(one, "content", &raw) ||
		    !json_string(w->arena, raw, &text))
			return err_set(w->e, FATE_REJECT, "one of its "
			    "added_tokens has no id and content");
		if (json_get(one, "special", &raw))
			json_bool(raw, &special);
		if (id >= from && word_put(w, id, text, special ? CONTROL :
		    USER_DEFINED) == -1)
			return -1;
	}
	return 0;
}

/* put_merges - "a b" each, whichever way the file has them */
static int
put_merges(struct words *w, struct view model, struct buf *b)
{
	struct buf *all = buf_new(w->arena, GGUF_HEADER);
	struct json_iter it, pair;
	struct view list, one, text, left, right;
	uint64_t n = 0;

	if (!json_get(model, "merges", &list) || !json_open(&it, list, '['))
		return err_set(w->e, FATE_REJECT, "it has no merges");
	while (json_element(&it, &one)) {
		n++;
		if (json_string(w->arena, one, &text)) {
			gguf_put_element(all, text);
			continue;
		}
		if (!json_open(&pair, one, '[') ||
		    !json_element(&pair, &left) ||
		    !json_element(&pair, &right) ||
		    !json_string(w->arena, left, &left) ||
		    !json_string(w->arena, right, &right))
			return err_set(w->e, FATE_REJECT, "a merge is no "
			    "pair");
		text = view_of(arena_printf(w->arena, "%.*s %.*s",
		    (int)left.n, left.p, (int)right.n, right.p));
		gguf_put_element(all, text);
	}
	gguf_put_array(b, "tokenizer.ggml.merges", GGUF_TEXT, n);
	buf_view(b, buf_get(all));
	return all->full ? err_set(w->e, FATE_REJECT, "it has too many "
	    "merges") : 0;
}

/* find_regex - the pattern of a pre-tokenizer or of one in a Sequence */
static bool
find_regex(struct arena *a, struct view pre, struct view *regex)
{
	struct json_iter it;
	struct view list, one, raw;

	if (json_get(pre, "pattern", &raw) && json_get(raw, "Regex", &raw))
		return json_string(a, raw, regex);
	if (json_get(pre, "pretokenizers", &list) && json_open(&it, list, '['))
		while (json_element(&it, &one))
			if (find_regex(a, one, regex))
				return true;
	return false;
}

/* pre_of - GGUF's name for how a tokenizer.json cuts; NULL: it has none */
static const char *
pre_of(struct arena *a, struct view root)
{
	const struct bpe_pattern *p = bpe_pattern("gpt2");
	struct view pre, regex;

	if (json_get(root, "pre_tokenizer", &pre) && find_regex(a, pre, &regex))
		p = bpe_pattern_of(regex);
	return gguf_pre(p);
}

/* put_words - tokens, types and, for SentencePiece's, scores */
static void
put_words(struct words *w, bool scores, struct buf *b)
{
	gguf_put_array(b, "tokenizer.ggml.tokens", GGUF_TEXT, w->n);
	for (size_t i = 0; i < w->n; i++)
		gguf_put_element(b, w->v[i].text);
	gguf_put_array(b, "tokenizer.ggml.token_type", GGUF_I32, w->n);
	for (size_t i = 0; i < w->n; i++)
		gguf_put_word(b, &w->v[i].type);
	if (!scores)
		return;
	gguf_put_array(b, "tokenizer.ggml.scores", GGUF_F32, w->n);
	for (size_t i = 0; i < w->n; i++)
		gguf_put_word(b, &w->v[i].score);
}

/* is_bytes - does a pre-tokenizer, or one in a Sequence, go by bytes */
static bool
is_bytes(struct view pre)
{
	struct json_iter it;
	struct view list, one, type;

	if (json_get(pre, "type", &type) && view_is(type, "\"ByteLevel\""))
		return true;
	if (json_get(pre, "pretokenizers", &list) && json_open(&it, list, '['))
		while (json_element(&it, &one))
			if (is_bytes(one))
				return true;
	return false;
}

/* is_cased - does a tokenizer.json keep capital letters */
static bool
is_cased(struct view root)
{
	struct view normal, raw;
	bool lower = false;

	if (json_get(root, "normalizer", &normal) &&
	    json_get(normal, "lowercase", &raw))
		json_bool(raw, &lower);
	return !lower;
}

/* word_turned - a token that goes on without its ##, one that begins a word
 * behind a sign, one in brackets as it is */
static struct view
word_turned(struct arena *a, struct view t)
{
	if (t.n > 2 && t.p[0] == '[' && t.p[t.n - 1] == ']')
		return t;
	if (t.n > 2 && memcmp(t.p, "##", 2) == 0)
		return (struct view){ t.p + 2, t.n - 2 };
	return view_of(arena_printf(a, "\xe2\x96\x81%.*s", (int)t.n, t.p));
}

/* words_pieces - BERT's WordPiece */
static int
words_pieces(struct words *w, struct view root, struct view vocab,
    struct buf *b, uint64_t *n)
{
	static const char *const ends[][2] = {
		{ "[CLS]", "bos" }, { "[SEP]", "eos" },
		{ "[SEP]", "seperator" },	/* so it is spelt there */
		{ "[UNK]", "unknown" }, { "[PAD]", "padding" },
		{ "[CLS]", "cls" }, { "[MASK]", "mask" },
	};

	if (is_cased(root))
		return err_set(w->e, FATE_REJECT, "it keeps capital letters, "
		    "and WordPiece in GGUF has none");
	if (take_vocab(w, vocab) == -1 || take_added(w, root, 0) == -1)
		return -1;
	gguf_put_text(b, "tokenizer.ggml.model", VIEW("bert"));
	for (size_t k = 0; k < BASE_COUNT(ends); k++)
		for (size_t i = 0; i < w->n; i++)
			if (view_is(w->v[i].text, ends[k][0])) {
				gguf_put_u32(b, arena_printf(w->arena,
				    "tokenizer.ggml.%s_token_id", ends[k][1]),
				    (uint32_t)i);
				++*n;
				break;
			}
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].type != UNUSED)
			w->v[i].text = word_turned(w->arena, w->v[i].text);
	put_words(w, false, b);
	*n += 3;
	w->ended = true;
	return 0;
}

/* words_json - byte-level BPE, or WordPiece */
static int
words_json(struct words *w, struct view file, struct buf *b, uint64_t *n)
{
	struct view root, model, vocab, type, cut;
	const char *pre;

	if (json_value(file, &root, w->e) == -1)
		return -1;
	if (!json_get(root, "model", &model) ||
	    !json_get(model, "vocab", &vocab) ||
	    !json_get(model, "type", &type))
		return err_set(w->e, FATE_REJECT, "it has no vocabulary");
	if (view_is(type, "\"WordPiece\""))
		return words_pieces(w, root, vocab, b, n);
	if (!view_is(type, "\"BPE\"") ||
	    !json_get(root, "pre_tokenizer", &cut) || !is_bytes(cut))
		return err_set(w->e, FATE_REJECT, "it is no byte-level BPE, "
		    "and there is no tokenizer.model beside it: GGUF is not "
		    "written from it");
	pre = pre_of(w->arena, root);
	if (pre == NULL)
		return err_set(w->e, FATE_REJECT, "GGUF has no name for its "
		    "pattern");
	if (take_vocab(w, vocab) == -1 || take_added(w, root, 0) == -1)
		return -1;
	gguf_put_text(b, "tokenizer.ggml.model", VIEW("gpt2"));
	gguf_put_text(b, "tokenizer.ggml.pre", view_of(pre));
	put_words(w, false, b);
	*n += 5;
	return put_merges(w, model, b);
}

/* escaped - a piece with U+2581 for its blanks, as SentencePiece has it */
static struct view
escaped(struct arena *a, struct view v)
{
	char *p = arena_alloc(a, 3 * v.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] == ' ') {
			memcpy(p + n, "\xe2\x96\x81", 3);
			n += 3;
		} else
			p[n++] = v.p[i];
	return (struct view){ p, n };
}

/* words_bin - llama2.c's tokenizer.bin: score, length, bytes of each; unknown,
 * begin, end, then the 256 bytes, then pieces */
static int
words_bin(struct words *w, struct view file, struct buf *b, uint64_t *n)
{
	struct view text;
	size_t at = 4;
	uint32_t len;

	for (size_t id = 0; at < file.n; id++, at += 8 + len) {
		if (file.n - at < 8)
			len = UINT32_MAX;
		else
			memcpy(&len, file.p + at + 4, 4);
		if (file.n - at < 8 || len > file.n - at - 8)
			return err_set(w->e, FATE_REJECT, "token %zu at byte "
			    "%zu does not fit the file", id, at);
		text = id == 1 ? VIEW("<s>") : id == 2 ? VIEW("</s>") :
		    escaped(w->arena, (struct view){ file.p + at + 8, len });
		if (word_put(w, (int64_t)id, text, id == 0 ? UNKNOWN :
		    id < 3 ? CONTROL : id < 259 ? BYTE : NORMAL) == -1)
			return -1;
		memcpy(&w->v[id].score, file.p + at, 4);
	}
	gguf_put_text(b, "tokenizer.ggml.model", VIEW("llama"));
	gguf_put_u32(b, "tokenizer.ggml.unknown_token_id", 0);
	put_words(w, true, b);
	*n += 5;
	return 0;
}

/* words_spm - SentencePiece's BPE; tokenizer.json may add to its pieces */
static int
words_spm(struct words *w, struct view file, struct view json, struct buf *b,
    uint64_t *n)
{
	struct spm_spec spec;
	struct view root;

	if (spm_read(w->arena, file, &spec, w->e) == -1)
		return -1;
	if (spec.kind != SPM_BPE)
		return err_set(w->e, FATE_REJECT, "it is no BPE, which alone "
		    "of SentencePiece's kinds is written to GGUF");
	for (size_t i = 0; i < spec.n; i++) {
		if (word_put(w, (int64_t)i, spec.piece[i].text,
		    (uint32_t)spec.piece[i].type) == -1)
			return -1;
		w->v[i].score = spec.piece[i].score;
		if (spec.piece[i].type != SPM_UNKNOWN)
			continue;
		gguf_put_u32(b, "tokenizer.ggml.unknown_token_id",
		    (uint32_t)i);
		++*n;
	}
	if (json.n > 0 && (json_value(json, &root, w->e) == -1 ||
	    take_added(w, root, (int64_t)spec.n) == -1))
		return -1;
	gguf_put_text(b, "tokenizer.ggml.model", VIEW("llama"));
	gguf_put_bool(b, "tokenizer.ggml.add_space_prefix",
	    spec.rules.dummy_prefix);
	put_words(w, true, b);
	*n += 5;
	return 0;
}

/* is_bpe - is a tokenizer.json byte-level */
static bool
is_bpe(struct view file)
{
	struct view root, cut;
	struct err e;

	return json_value(file, &root, &e) == 0 &&
	    json_get(root, "pre_tokenizer", &cut) && is_bytes(cut);
}

/* template_of - chat_template: a text, or of a list the one named default */
static bool
template_of(struct arena *a, struct view root, struct view *text)
{
	struct view raw, one, name;
	struct json_iter it;

	if (!json_get(root, "chat_template", &raw))
		return false;
	if (json_string(a, raw, text))
		return true;
	if (!json_open(&it, raw, '['))
		return false;
	while (json_element(&it, &one))
		if (json_get(one, "name", &name) &&
		    view_is(name, "\"default\"") &&
		    json_get(one, "template", &raw))
			return json_string(a, raw, text);
	return false;
}

/* put_chat - what tokenizer_config.json and chat_template.jinja say; the file
 * of its own goes first, as transformers has it */
static int
put_chat(struct words *w, const struct source *s, bool began, struct buf *b,
    uint64_t *n)
{
	struct view root, raw, text = s->chat_template;
	bool add;

	if (s->tokenizer_config.n > 0) {
		if (json_value(s->tokenizer_config, &root, w->e) == -1)
			return err_prefix(w->e, "tokenizer_config.json: ");
		if (!began && json_get(root, "add_bos_token", &raw) &&
		    json_bool(raw, &add)) {
			gguf_put_bool(b, "tokenizer.ggml.add_bos_token", add);
			++*n;
		}
		if (text.n == 0)
			template_of(w->arena, root, &text);
	}
	if (text.n > 0) {
		gguf_put_text(b, "tokenizer.chat_template", text);
		++*n;
	}
	return 0;
}

/* put_ends - ids of the first and the last token and of what fills rows, and
 * what belongs to chats */
static int
put_ends(struct words *w, const struct source *s, struct buf *b, uint64_t *n)
{
	static const char *const ids[][2] = {
		{ "bos_token_id", "tokenizer.ggml.bos_token_id" },
		{ "eos_token_id", "tokenizer.ggml.eos_token_id" },
		{ "pad_token_id", "tokenizer.ggml.padding_token_id" },
	};
	struct view root, raw;
	struct json_iter it;
	int64_t id;
	bool began = false;

	if (json_value(s->config, &root, w->e) == -1)
		return -1;
	for (size_t i = 0; i < BASE_COUNT(ids); i++) {
		if (!json_get(root, ids[i][0], &raw))
			continue;
		if (json_open(&it, raw, '['))
			json_element(&it, &raw);
		if (!json_integer(raw, &id) || id < 0 || (size_t)id >= w->n)
			continue;
		gguf_put_u32(b, ids[i][1], (uint32_t)id);
		++*n;
	}
	if (!json_get(root, "bos_token_id", &raw) || json_is_null(raw)) {
		/* else readers put one of their own before every text */
		gguf_put_bool(b, "tokenizer.ggml.add_bos_token", false);
		++*n;
		began = true;
	}
	return put_chat(w, s, began, b, n);
}

int
gguf_words(struct arena *a, const struct source *s, struct buf *b,
    uint64_t *n, struct err *e)
{
	const char *name = s->tokenizer_name;
	struct words w = { .arena = a, .e = e };
	struct view root, raw;
	int64_t V;

	if (json_value(s->config, &root, e) == -1 ||
	    !json_get(root, "vocab_size", &raw) || !json_integer(raw, &V) ||
	    V < 1 || V > 1 << 24)
		return err_set(e, FATE_REJECT, "config.json has no "
		    "'vocab_size'");
	w.n = (size_t)V;
	w.v = arena_array(a, w.n, sizeof(*w.v));
	for (size_t i = 0; i < w.n; i++)
		w.v[i] = (struct word){ view_of(arena_printf(a, "[PAD%zu]",
		    i)), UNUSED, 0 };
	*n = 0;
	if (strcmp(name, "tokenizer.model") == 0 || (s->spm.n > 0 &&
	    strcmp(name, "tokenizer.json") == 0 &&
	    !is_bpe(s->tokenizer_file))) {
		bool model = strcmp(name, "tokenizer.model") == 0;

		if (words_spm(&w, model ? s->tokenizer_file : s->spm, model ?
		    (struct view){ "", 0 } : s->tokenizer_file, b, n) == -1)
			return err_prefix(e, "tokenizer.model: ");
	} else if (strcmp(name, "tokenizer.json") == 0) {
		if (words_json(&w, s->tokenizer_file, b, n) == -1)
			return err_prefix(e, "tokenizer.json: ");
	} else if (strcmp(name, "tokenizer.bin") == 0) {
		if (words_bin(&w, s->tokenizer_file, b, n) == -1)
			return err_prefix(e, "tokenizer.bin: ");
	} else
		return err_set(e, FATE_REJECT, "%s is not written to GGUF",
		    name);
	return w.ended ? 0 : put_ends(&w, s, b, n);
}
