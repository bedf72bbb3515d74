/* SPDX-License-Identifier: Apache-2.0 */
/* the vocabulary in GGUF's keys as files that everyone reads */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/model/gguf_model.h"

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

struct vocabulary {
	const struct gguf *g;
	struct gguf_array tokens, types, scores, merges;
	bool typed, scored;
	struct err *e;
};

static int64_t
type_of(const struct vocabulary *v, uint64_t i)
{
	return v->typed ? gguf_whole_at(&v->types, i) : NORMAL;
}

/* put_added - special tokens, and the users' own */
static void
put_added(const struct vocabulary *v, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	const char *comma = "";

	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		int64_t type = type_of(v, i);

		if (type != CONTROL && type != USER_DEFINED)
			continue;
		buf_printf(b, "%s\n{\"id\":%llu,\"content\":", comma,
		    (unsigned long long)i);
		buf_json(b, text);
		buf_printf(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":%s}",
		    type == CONTROL ? "true" : "false");
		comma = ",";
	}
}

/* put_cut - the pre-tokenizer */
static int
put_cut(const struct vocabulary *v, struct buf *b)
{
	struct view pre = VIEW("default");
	const char *regex;

	gguf_text(v->g, "tokenizer.ggml.pre", &pre);
	regex = gguf_regex(pre);
	if (regex == NULL)
		return err_set(v->e, FATE_REJECT, "its vocabulary is cut by "
		    "'%.*s', a pattern that is not known",
		    (int)(pre.n < 60 ? pre.n : 60), pre.p);
	buf_str(b, "\"normalizer\":");
	buf_str(b, view_is(pre, "qwen2") ? "{\"type\":\"NFC\"}" : "null");
	buf_str(b, ",\n\"pre_tokenizer\":{\"type\":\"Sequence\","
	    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	buf_json_str(b, regex);
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
make_json(const struct vocabulary *v, struct buf *b)
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
		if (type_of(v, i) == UNUSED)
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

/* protocol buffers: a number of seven bits a byte, and what begins with it */
static void
put_varint(struct buf *b, uint64_t x)
{
	for (; x > 127; x >>= 7)
		buf_char(b, (char)(x | 128));
	buf_char(b, (char)x);
}

static void
put_number(struct buf *b, unsigned field, uint64_t x)
{
	put_varint(b, field << 3);
	put_varint(b, x);
}

static void
put_bytes(struct buf *b, unsigned field, struct view v)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, v.n);
	buf_view(b, v);
}

/* make_model - SentencePiece's ModelProto: pieces, trainer, normalizer */
static void
make_model(const struct vocabulary *v, struct buf *b)
{
	static const struct {
		const char *key;
		unsigned field;
		int64_t absent;
	} ids[] = {
		{ "tokenizer.ggml.unknown_token_id", 40, 0 },
		{ "tokenizer.ggml.bos_token_id", 41, 1 },
		{ "tokenizer.ggml.eos_token_id", 42, 2 },
		{ "tokenizer.ggml.padding_token_id", 43, -1 },
	};
	struct view rest = v->tokens.raw, text;
	bool blank = true;
	struct buf one;
	float score;
	int64_t id;

	buf_init(&one, GGUF_HEADER);
	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		one.n = 0;
		score = v->scored ? (float)gguf_at(&v->scores, i) : 0;
		put_bytes(&one, 1, text);
		put_varint(&one, 2 << 3 | 5);
		buf_add(&one, &score, 4);
		put_number(&one, 3, (uint64_t)type_of(v, i));
		put_bytes(b, 1, buf_get(&one));
	}
	one.n = 0;
	put_number(&one, 3, 2);			/* BPE */
	put_number(&one, 4, v->tokens.n);
	put_number(&one, 35, 1);		/* byte_fallback */
	for (size_t i = 0; i < BASE_COUNT(ids); i++) {
		id = ids[i].absent;
		gguf_whole(v->g, ids[i].key, &id);
		put_number(&one, ids[i].field, (uint64_t)id);
	}
	put_bytes(b, 2, buf_get(&one));
	gguf_bool(v->g, "tokenizer.ggml.add_space_prefix", &blank);
	one.n = 0;
	put_bytes(&one, 1, VIEW("identity"));
	put_number(&one, 3, blank);		/* add_dummy_prefix */
	put_number(&one, 4, 0);			/* remove_extra_whitespaces */
	put_number(&one, 5, 1);			/* escape_whitespaces */
	put_bytes(b, 3, buf_get(&one));
	buf_free(&one);
}

/* is_bin - has it the order of ids that llama2.c's tokenizer.bin has */
static bool
is_bin(const struct vocabulary *v)
{
	bool blank = true;

	gguf_bool(v->g, "tokenizer.ggml.add_space_prefix", &blank);
	for (uint64_t i = 0; i < v->tokens.n; i++)
		if (type_of(v, i) != (i == 0 ? UNKNOWN : i < 3 ? CONTROL :
		    i < 259 ? BYTE : NORMAL))
			return false;
	return blank && v->scored && v->tokens.n > 259;
}

/* put_piece - blanks as they are */
static void
put_piece(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.n - i > 2 && memcmp(v.p + i, "\xe2\x96\x81", 3) == 0) {
			buf_char(b, ' ');
			i += 2;
		} else
			buf_char(b, v.p[i]);
}

/* make_bin - tokenizer.bin: the longest piece, then score, length and bytes */
static void
make_bin(const struct vocabulary *v, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	uint32_t most = 0, len;
	float score;
	struct buf one;

	buf_init(&one, GGUF_HEADER);
	buf_add(b, &most, 4);
	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		one.n = 0;
		if (i == 1 || i == 2)	/* as that program spells them */
			text = i == 1 ? VIEW("\n<s>\n") : VIEW("\n</s>\n");
		put_piece(&one, text);
		len = (uint32_t)one.n;
		most = len > most ? len : most;
		score = (float)gguf_at(&v->scores, i);
		buf_add(b, &score, 4);
		buf_add(b, &len, 4);
		buf_view(b, buf_get(&one));
	}
	buf_free(&one);
	if (!b->full)
		memcpy(b->p, &most, 4);
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
static bool
token_at(const struct vocabulary *v, int64_t id, struct view *text)
{
	struct view rest = v->tokens.raw;

	while (id >= 0 && gguf_next(&rest, text))
		if (id-- == 0)
			return true;
	return false;
}

/* make_config - tokenizer_config.json: ends, and the chat template */
static void
make_config(const struct vocabulary *v, struct buf *b)
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
		if (!gguf_whole(v->g, key, &id) || !token_at(v, id, &text))
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

int
gguf_tokenizer(struct arena *a, const struct gguf *g, struct gguf_files *f,
    struct err *e)
{
	struct vocabulary v = { .g = g, .e = e };
	struct buf *b = buf_new(a, GGUF_HEADER), *more;
	struct view model;

	*f = (struct gguf_files){ .name = NULL };
	if (!gguf_text(g, "tokenizer.ggml.model", &model) ||
	    view_is(model, "no_vocab"))
		return 0;
	if (!gguf_array(g, "tokenizer.ggml.tokens", GGUF_TEXT, &v.tokens))
		return err_set(e, FATE_REJECT, "key 'tokenizer.ggml.tokens' "
		    "is missing");
	v.typed = gguf_array(g, "tokenizer.ggml.token_type", GGUF_I64,
	    &v.types);
	v.scored = gguf_array(g, "tokenizer.ggml.scores", GGUF_F64,
	    &v.scores);
	if ((v.typed && v.types.n != v.tokens.n) ||
	    (v.scored && v.scores.n != v.tokens.n))
		return err_set(e, FATE_REJECT, "its vocabulary's tokens, "
		    "types and scores differ in number");
	if (!all_text(&v.tokens))
		return err_set(e, FATE_REJECT, "a token of its vocabulary is "
		    "no UTF-8");
	if (view_is(model, "gpt2")) {
		if (!gguf_array(g, "tokenizer.ggml.merges", GGUF_TEXT,
		    &v.merges))
			return err_set(e, FATE_REJECT, "key "
			    "'tokenizer.ggml.merges' is missing");
		if (!all_text(&v.merges))
			return err_set(e, FATE_REJECT, "a merge of its "
			    "vocabulary is no UTF-8");
		f->name = "tokenizer.json";
		if (make_json(&v, b) == -1)
			return -1;
	} else if (view_is(model, "llama")) {
		f->name = is_bin(&v) ? "tokenizer.bin" : "tokenizer.model";
		if (is_bin(&v))
			make_bin(&v, b);
		else
			make_model(&v, b);
	} else
		return err_set(e, FATE_REJECT, "its vocabulary is of the kind "
		    "'%.*s': gpt2 and llama are read", (int)(model.n < 60 ?
		    model.n : 60), model.p);
	f->file = buf_get(b);
	more = buf_new(a, GGUF_HEADER);
	make_config(&v, more);
	f->config = buf_get(more);
	return b->full || more->full ? err_set(e, FATE_REJECT, "its "
	    "vocabulary is too long") : 0;
}
