/* SPDX-License-Identifier: Apache-2.0 */
/* the vocabulary in GGUF's keys as files that everyone reads */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/gguf_tokenizer.h"
#include "appliance/text/gguf_vocab.h"
#include "appliance/text/vocab.h"

/* GGUF's names of patterns, and ours; the first of each is written */
static const struct {
	const char *pre, *pattern;
} patterns[] = {
	{ "gpt-2", "gpt2" }, { "llama-bpe", "llama3" }, { "qwen2", "qwen2" },
	{ "gpt-4o", "o200k" }, { "tekken", "tekken" }, { "llama3", "llama3" },
	{ "llama-v3", "llama3" }, { "default", "gpt2" },
};

const struct bpe_pattern *
gguf_pattern(struct view pre)
{
	for (size_t i = 0; i < BASE_COUNT(patterns); i++)
		if (view_is(pre, patterns[i].pre))
			return bpe_pattern(patterns[i].pattern);
	return NULL;
}

const char *
gguf_pre(const struct bpe_pattern *p)
{
	for (size_t i = 0; p != NULL && i < BASE_COUNT(patterns); i++)
		if (bpe_pattern(patterns[i].pattern) == p)
			return patterns[i].pre;
	return NULL;
}

int64_t
gguf_type_of(const struct gguf_vocab *v, uint64_t i)
{
	int64_t type = v->typed ? gguf_whole_at(&v->types, i) : GGUF_NORMAL;

	if (v->unknown == UINT64_MAX)
		return type;
	/* files that say which it is give the type to padding as well */
	return i == v->unknown ? GGUF_UNKNOWN : type == GGUF_UNKNOWN ?
	    GGUF_CONTROL : type;
}

/* put_added - special tokens, and the users' own */
static void
put_added(const struct gguf_vocab *v, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	const char *comma = "";

	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		int64_t type = gguf_type_of(v, i);

		if (type != GGUF_CONTROL && type != GGUF_USER_DEFINED)
			continue;
		buf_printf(b, "%s\n{\"id\":%llu,\"content\":", comma,
		    (unsigned long long)i);
		buf_json(b, text);
		buf_printf(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":%s}",
		    type == GGUF_CONTROL ? "true" : "false");
		comma = ",";
	}
}

/* put_cut - the pre-tokenizer */
static int
put_cut(const struct gguf_vocab *v, struct buf *b)
{
	/* GPT-2's pattern, each digit on its own before it */
	static const char *const digits[] = { "starcoder", "refact",
	    "command-r", "smollm", "codeshell", "exaone" };
	struct view pre = VIEW("default");
	const struct bpe_pattern *p;
	bool alone = false;

	gguf_text(v->g, "tokenizer.ggml.pre", &pre);
	for (size_t i = 0; i < BASE_COUNT(digits); i++)
		alone |= view_is(pre, digits[i]);
	p = alone ? bpe_pattern("gpt2") : gguf_pattern(pre);
	if (p == NULL)
		return err_set(v->e, FATE_REJECT, "its vocabulary is cut by "
		    "'%.*s', a pattern that is not known",
		    (int)(pre.n < 60 ? pre.n : 60), pre.p);
	buf_str(b, "\"normalizer\":");
	buf_str(b, view_is(pre, "qwen2") ? "{\"type\":\"NFC\"}" : "null");
	buf_printf(b, ",\n\"pre_tokenizer\":{\"type\":\"Sequence\","
	    "\"pretokenizers\":[%s{\"type\":\"Split\",\"pattern\":{\"Regex\":",
	    alone ? "{\"type\":\"Digits\",\"individual_digits\":true}," : "");
	buf_json_str(b, bpe_regex(p));
	buf_str(b, "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":"
	    "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
	    "\"use_regex\":false}]},\n\"post_processor\":null,\n\"decoder\":"
	    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
	    "\"trim_offsets\":true,\"use_regex\":true},\n");
	buf_printf(b, "\"model\":{\"type\":\"BPE\",\"dropout\":null,"
	    "\"unk_token\":null,\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":null,\"fuse_unk\":false,"
	    "\"byte_fallback\":false,\"ignore_merges\":%s,\n",
	    view_is(pre, "llama-bpe") ? "true" : "false");
	return 0;
}

/* make_json - tokenizer.json of a byte-level BPE; added tokens are in the vocab
 * too, since those that are not are counted on behind it */
static int
make_json(const struct gguf_vocab *v, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	const char *comma = "";

	buf_str(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[");
	put_added(v, b);
	buf_str(b, "],\n");
	if (put_cut(v, b) == -1)
		return -1;
	buf_str(b, "\"vocab\":{");
	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		if (gguf_type_of(v, i) == GGUF_UNUSED)
			continue;
		buf_printf(b, "%s\n", comma);
		buf_json(b, text);
		buf_printf(b, ":%llu", (unsigned long long)i);
		comma = ",";
	}
	buf_str(b, "},\n\"merges\":[");
	rest = v->merges.raw;
	for (comma = ""; gguf_next(&rest, &text); comma = ",") {
		buf_printf(b, "%s\n", comma);
		buf_json(b, text);
	}
	buf_str(b, "]}}\n");
	return 0;
}

/* all_text - is an array of texts UTF-8, as files of text must be */
static bool
all_text(const struct gguf_array *v)
{
	struct view rest = v->raw, text;

	while (gguf_next(&rest, &text))
		if (utf8_check(text.p, text.n) != text.n)
			return false;
	return true;
}

/* token_at - by its id */
bool
gguf_token(const struct gguf_vocab *v, int64_t id, struct view *text)
{
	struct view rest = v->tokens.raw;

	while (id >= 0 && gguf_next(&rest, text))
		if (id-- == 0)
			return true;
	return false;
}

/* make_config - tokenizer_config.json: ends, and the chat template */
static void
make_config(const struct gguf_vocab *v, struct buf *b)
{
	static const char *const ends[] = { "bos", "eos", "unknown",
	    "padding" };
	static const char *const names[] = { "bos", "eos", "unk", "pad" };
	char key[64];
	struct view text;
	int64_t id;
	bool add;

	buf_str(b, "{\n \"clean_up_tokenization_spaces\": false");
	for (size_t i = 0; i < BASE_COUNT(ends); i++) {
		snprintf(key, sizeof(key), "tokenizer.ggml.%s_token_id",
		    ends[i]);
		if (!gguf_whole(v->g, key, &id) || !gguf_token(v, id, &text))
			continue;
		buf_printf(b, ",\n \"%s_token\": ", names[i]);
		buf_json(b, text);
	}
	if (gguf_bool(v->g, "tokenizer.ggml.add_bos_token", &add))
		buf_printf(b, ",\n \"add_bos_token\": %s", add ? "true" :
		    "false");
	if (gguf_text(v->g, "tokenizer.chat_template", &text) &&
	    utf8_check(text.p, text.n) == text.n) {
		buf_str(b, ",\n \"chat_template\": ");
		buf_json(b, text);
	}
	buf_str(b, "\n}\n");
}

/* make_bert - WordPiece: a token that begins a word has a sign before it there,
 * one that goes on has ## here */
static void
make_bert(struct arena *a, const struct gguf_vocab *v, struct buf *b)
{
	struct view rest = v->tokens.raw, t;
	struct view *token = arena_array(a, v->tokens.n, sizeof(*token));

	for (uint64_t i = 0; gguf_next(&rest, &t); i++) {
		if (t.n > 3 && memcmp(t.p, "\xe2\x96\x81", 3) == 0)
			token[i] = (struct view){ t.p + 3, t.n - 3 };
		else if (t.n > 1 && t.p[0] == '[' && t.p[t.n - 1] == ']')
			token[i] = t;
		else
			token[i] = view_of(arena_printf(a, "##%.*s", (int)t.n,
			    t.p));
	}
	vocab_wordpiece(token, v->tokens.n, vocab_uncased(token,
	    v->tokens.n), b);
}

/* vocab_arrays - as many of each as tokens */
static int
vocab_arrays(const struct gguf *g, struct gguf_vocab *v)
{
	int64_t id;

	if (!gguf_array(g, "tokenizer.ggml.tokens", GGUF_TEXT, &v->tokens))
		return err_set(v->e, FATE_REJECT, "key "
		    "'tokenizer.ggml.tokens' is missing");
	v->typed = gguf_array(g, "tokenizer.ggml.token_type", GGUF_I64,
	    &v->types);
	v->scored = gguf_array(g, "tokenizer.ggml.scores", GGUF_F64,
	    &v->scores);
	if ((v->typed && v->types.n != v->tokens.n) ||
	    (v->scored && v->scores.n != v->tokens.n))
		return err_set(v->e, FATE_REJECT, "its vocabulary's tokens, "
		    "types and scores differ in number");
	if (!all_text(&v->tokens))
		return err_set(v->e, FATE_REJECT, "a token of its vocabulary "
		    "is no UTF-8");
	if (gguf_whole(g, "tokenizer.ggml.unknown_token_id", &id) && id >= 0)
		v->unknown = (uint64_t)id;
	return 0;
}

int
gguf_tokenizer(struct arena *a, const struct gguf *g, bool bin,
    struct gguf_files *f, struct err *e)
{
	struct gguf_vocab v = { .g = g, .e = e, .unknown = UINT64_MAX };
	struct buf *b = buf_new(a, GGUF_HEADER), *more;
	struct view model;

	*f = (struct gguf_files){ .name = "tokenizer.json" };
	if (!gguf_text(g, "tokenizer.ggml.model", &model) ||
	    view_is(model, "no_vocab")) {
		f->name = NULL;
		return 0;
	}
	if (vocab_arrays(g, &v) == -1)
		return -1;
	if (view_is(model, "gpt2")) {
		v.unknown = UINT64_MAX;
		if (!gguf_array(g, "tokenizer.ggml.merges", GGUF_TEXT,
		    &v.merges))
			return err_set(e, FATE_REJECT, "key "
			    "'tokenizer.ggml.merges' is missing");
		if (!all_text(&v.merges))
			return err_set(e, FATE_REJECT, "a merge of its "
			    "vocabulary is no UTF-8");
		if (make_json(&v, b) == -1)
			return -1;
	} else if (view_is(model, "llama") || view_is(model, "t5"))
		f->name = gguf_spm(&v, view_is(model, "t5"), bin, b);
	else if (view_is(model, "bert"))
		make_bert(a, &v, b);
	else
		return err_set(e, FATE_REJECT, "its vocabulary is of the kind "
		    "'%.*s': bert, gpt2, llama and t5 are read",
		    (int)(model.n < 60 ? model.n : 60), model.p);
	f->file = buf_get(b);
	more = buf_new(a, GGUF_HEADER);
	make_config(&v, more);
	f->config = buf_get(more);
	return b->full || more->full ? err_set(e, FATE_REJECT, "its "
	    "vocabulary is too long") : 0;
}

/* is_ours - a key that the vocabulary is made from */
static bool
is_ours(const struct gguf_key *k)
{
	return k->name.n > 10 && memcmp(k->name.p, "tokenizer.", 10) == 0;
}

int
gguf_tokenizer_kept(struct arena *a, const struct gguf *g, bool bin,
    int images, struct vocab_made *made, struct err *e)
{
	struct vocab_from from = { .how = bin ? "gguf, bin" : "gguf" };
	struct view *part = arena_array(a, g->nkeys * 4 + 1, sizeof(*part));
	struct gguf_files f;

	for (size_t i = 0; i < g->nkeys; i++) {
		const struct gguf_key *k = &g->key[i];

		if (!is_ours(k))
			continue;
		part[from.n++] = k->name;
		part[from.n++] = (struct view){ (const char *)&k->type,
		    sizeof(k->type) };
		part[from.n++] = (struct view){ (const char *)&k->array.type,
		    k->type == GGUF_ARRAY ? sizeof(k->array.type) : 0 };
		part[from.n++] = k->type == GGUF_ARRAY ? k->array.raw : k->raw;
	}
	from.part = part;
	if (vocab_kept_find(a, images, &from, made))
		return 0;
	if (gguf_tokenizer(a, g, bin, &f, e) == -1)
		return -1;
	*made = (struct vocab_made){ .name = f.name, .file = f.file,
	    .config = f.config };
	if (f.name != NULL)
		vocab_kept_put(images, &from, made);
	return 0;
}
