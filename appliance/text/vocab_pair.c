/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vocab.json and merges.txt.  They do not say how a text is cut and changed:
 * the class of the tokenizer does, which tokenizer_config.json names, as
 * transformers 5 has it.
 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/bpe.h"
#include "appliance/text/vocab_own.h"

enum how { GPT2, QWEN2, CLIP };

static const struct family {
	const char *class;		/* its name without Tokenizer, Fast */
	enum how how;
	bool blank;			/* add_prefix_space, if it says none */
	const char *begin, *end;	/* around a text; NULL: nothing */
} families[] = {
	{ "GPT2", GPT2, false, NULL, NULL },
	{ "Roberta", GPT2, false, "<s>", "</s>" },
	{ "Bart", GPT2, false, "<s>", "</s>" },
	{ "Longformer", GPT2, false, "<s>", "</s>" },
	{ "LED", GPT2, false, "<s>", "</s>" },
	{ "Mvp", GPT2, false, "<s>", "</s>" },
	{ "LayoutLMv3", GPT2, true, "<s>", "</s>" },
	{ "CodeGen", GPT2, false, NULL, NULL },
	{ "Whisper", GPT2, false, NULL, NULL },
	{ "Qwen2", QWEN2, false, NULL, NULL },
	{ "CLIP", CLIP, false, "<|startoftext|>", "<|endoftext|>" },
};

/* put_listed - the added tokens of tokenizer_config.json: objects by id */
static int
put_listed(struct arena *a, struct view list, struct buf *b, struct err *e)
{
	struct json_iter it;
	struct view key, value, id;
	const char *comma = "";

	json_open(&it, list, '{');
	while (json_member(&it, &key, &value)) {
		if (!json_string(a, key, &id) || id.n == 0 || id.n > 9 ||
		    strspn(id.p, "0123456789") < id.n || value.n < 2 ||
		    value.p[0] != '{')
			return err_set(e, FATE_REJECT, "tokenizer_config.json: "
			    "added_tokens_decoder is not objects by id");
		buf_printf(b, "%s\n{\"id\":%.*s,", comma, (int)id.n, id.p);
		buf_add(b, value.p + 1, value.n - 1);
		comma = ",";
	}
	return 0;
}

/* put_usual - special tokens that published vocabularies of this kind have */
static void
put_usual(struct arena *a, struct view vocab, struct buf *b)
{
	static const char *const usual[] = { "<s>", "<pad>", "</s>", "<unk>",
	    "<mask>", "<|endoftext|>", "<|startoftext|>" };
	struct json_iter it;
	struct view key, value, text;
	const char *comma = "";
	int64_t id;

	json_open(&it, vocab, '{');
	while (json_member(&it, &key, &value))
		for (size_t i = 0; i < BASE_COUNT(usual); i++)
			if (json_string(a, key, &text) && view_is(text,
			    usual[i]) && json_integer(value, &id) && id >= 0)
				vocab_added(b, &comma, (size_t)id, text,
				    strcmp(usual[i], "<mask>") == 0);
}

/* put_merges - a line is two tokens and a blank between */
static int
put_merges(struct view merges, struct buf *b, struct err *e)
{
	struct view line;
	const char *comma = "";
	size_t n = 0;

	while (vocab_line(&merges, &line)) {
		n++;
		if (line.n == 0 || (n == 1 && line.n > 8 &&
		    memcmp(line.p, "#version", 8) == 0))
			continue;
		if (memchr(line.p, ' ', line.n) == NULL)
			return err_set(e, FATE_REJECT, "line %zu of merges.txt "
			    "is not two tokens", n);
		buf_printf(b, "%s\n", comma);
		buf_json(b, line);
		comma = ",";
	}
	return 0;
}

/* words_end - has the vocabulary tokens that end a word, as CLIP's has */
static bool
words_end(struct view vocab)
{
	return memmem(vocab.p, vocab.n, "</w>\"", 5) != NULL;
}

/* family_of - by its class; where none is named, by its tokens */
static int
family_of(struct view class, bool ends, const struct family **f,
    struct err *e)
{
	struct view name = VIEW("PreTrained");

	if (class.n > 2 && class.p[0] == '"')
		name = (struct view){ class.p + 1, class.n - 2 };
	if (name.n > 4 && memcmp(name.p + name.n - 4, "Fast", 4) == 0)
		name.n -= 4;
	if (name.n > 9 && memcmp(name.p + name.n - 9, "Tokenizer", 9) == 0)
		name.n -= 9;
	*f = ends ? &families[BASE_COUNT(families) - 1] : families;
	if (view_is(name, "PreTrained"))
		return 0;
	for (size_t i = 0; i < BASE_COUNT(families); i++)
		if (view_is(name, families[i].class)) {
			*f = &families[i];
			if (ends == (families[i].how == CLIP))
				return 0;
			return err_set(e, FATE_REJECT, "tokens %s with </w>, "
			    "which those of a %.*s do%s", ends ? "end" :
			    "do not end", (int)class.n, class.p,
			    ends ? " not" : "");
		}
	return err_set(e, FATE_REJECT, "its tokenizer_class %.*s is not read "
	    "from these", (int)(class.n < 60 ? class.n : 60), class.p);
}

/* special_id - of a special token, which tokenizer_config.json may name; -1: it
 * is not in the vocabulary */
static int
special_id(struct arena *a, struct view vocab, struct view config,
    const char *member, const char *usual, struct view *text, int64_t *id,
    struct err *e)
{
	struct json_iter it;
	struct view v, key, value, one;

	*text = view_of(usual);
	*id = -1;
	if (vocab_config(config, member, &v, e) == -1)
		return -1;
	if (v.p[0] == '{')
		(void)json_get(v, "content", &v);
	if (v.p[0] == '"')
		(void)json_string(a, v, text);
	json_open(&it, vocab, '{');
	while (json_member(&it, &key, &value))
		if (json_string(a, key, &one) && view_eq(one, *text) &&
		    json_integer(value, id))
			return 0;
	return 0;
}

/* put_around - what stands before a text and behind it */
static int
put_around(struct arena *a, struct view vocab, struct view config,
    const struct family *f, struct buf *b, struct err *e)
{
	struct view begin, end;
	int64_t first, last;
	bool clip = f->how == CLIP;

	buf_str(b, ",\n\"post_processor\":");
	if (f->begin == NULL) {
		buf_str(b, "null");
		return 0;
	}
	if (special_id(a, vocab, config, clip ? "bos_token" : "cls_token",
	    f->begin, &begin, &first, e) == -1 || special_id(a, vocab, config,
	    clip ? "eos_token" : "sep_token", f->end, &end, &last, e) == -1)
		return -1;
	if (first == -1 || last == -1) {
		buf_str(b, "null");
		return 0;
	}
	buf_str(b, "{\"type\":\"RobertaProcessing\",\"sep\":[");
	buf_json(b, end);
	buf_printf(b, ",%lld],\"cls\":[", (long long)last);
	buf_json(b, begin);
	buf_printf(b, ",%lld],\"trim_offsets\":%s,\"add_prefix_space\":"
	    "false}", (long long)first, clip ? "false" : "true");
	return 0;
}

/* put_known - normalizer and pre-tokenizer of GPT-2's kind, or Qwen 2's */
static void
put_known(enum how how, bool blank, struct buf *b)
{
	bool qwen = how == QWEN2;

	buf_printf(b, "\"normalizer\":%s,\n\"pre_tokenizer\":",
	    qwen ? "{\"type\":\"NFC\"}" : "null");
	if (blank && !qwen) {
		buf_str(b, "{\"type\":\"ByteLevel\",\"add_prefix_space\":"
		    "true,\"trim_offsets\":true,\"use_regex\":true}");
		return;
	}
	buf_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
	    "\"Split\",\"pattern\":{\"Regex\":");
	buf_json_str(b, bpe_regex(bpe_pattern(qwen ? "qwen2" : "gpt2")));
	buf_printf(b, "},\"behavior\":\"Isolated\",\"invert\":false},{"
	    "\"type\":\"ByteLevel\",\"add_prefix_space\":%s,"
	    "\"trim_offsets\":true,\"use_regex\":false}]}",
	    blank ? "true" : "false");
}

/* put_clip - the same of CLIP; its decoder writes blanks for ends of words, as
 * transformers does after the library's */
static void
put_clip(struct buf *b)
{
	buf_str(b, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
	    "{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{"
	    "\"Regex\":\"\\\\s+\"},\"content\":\" \"},{\"type\":"
	    "\"Lowercase\"}]},\n\"pre_tokenizer\":{\"type\":\"Sequence\","
	    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{"
	    "\"Regex\":");
	buf_json_str(b, "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|"
	    "'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+");
	buf_str(b, "},\"behavior\":\"Removed\",\"invert\":true},{\"type\":"
	    "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":"
	    "true,\"use_regex\":true}]}");
}

/* put_decoder - ids to text */
static void
put_decoder(enum how how, struct buf *b)
{
	static const char bytes[] = "{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,"
	    "\"use_regex\":true}";

	buf_str(b, ",\n\"decoder\":");
	if (how == CLIP)
		buf_printf(b, "{\"type\":\"Sequence\",\"decoders\":[%s,{"
		    "\"type\":\"Replace\",\"pattern\":{\"String\":"
		    "\"</w>\"},\"content\":\" \"},{\"type\":\"Strip\","
		    "\"content\":\" \",\"start\":1,\"stop\":1}]}",
		    bytes);
	else
		buf_str(b, bytes);
}

/* put_model - all of it; what is unknown to CLIP has a token */
static int
put_model(struct arena *a, struct view vocab, struct view merges,
    struct view config, enum how how, struct buf *b, struct err *e)
{
	struct view unk;
	int64_t id = -1;

	if (how == CLIP && special_id(a, vocab, config, "unk_token",
	    "<|endoftext|>", &unk, &id, e) == -1)
		return -1;
	buf_str(b, ",\n\"model\":{\"type\":\"BPE\",\"dropout\":null,"
	    "\"unk_token\":");
	if (id == -1)
		buf_str(b, "null");
	else
		buf_json(b, unk);
	buf_printf(b, ",\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":%s,\"fuse_unk\":false,"
	    "\"byte_fallback\":false,\"vocab\":",
	    how == CLIP ? "\"</w>\"" : "null");
	buf_view(b, vocab);
	buf_str(b, ",\n\"merges\":[");
	if (put_merges(merges, b, e) == -1)
		return -1;
	buf_str(b, "]}}\n");
	return 0;
}

int
vocab_pair(struct arena *a, struct view vocab, struct view merges,
    struct view config, struct buf *b, struct err *e)
{
	struct view root, class, added, v;
	const struct family *f;
	struct json_iter it;
	bool blank;

	if (utf8_check(vocab.p, vocab.n) != vocab.n ||
	    utf8_check(merges.p, merges.n) != merges.n)
		return err_set(e, FATE_REJECT, "they are no UTF-8");
	if (json_value(vocab, &root, e) == -1)
		return -1;
	if (!json_open(&it, root, '{'))
		return err_set(e, FATE_REJECT, "vocab.json is no object");
	if (vocab_config(config, "tokenizer_class", &class, e) == -1 ||
	    vocab_config(config, "added_tokens_decoder", &added, e) == -1 ||
	    vocab_config(config, "add_prefix_space", &v, e) == -1 ||
	    family_of(class, words_end(root), &f, e) == -1)
		return -1;
	if (!json_bool(v, &blank))
		blank = f->blank;
	vocab_head(b);
	if (added.p[0] != '{')
		put_usual(a, root, b);
	else if (put_listed(a, added, b, e) == -1)
		return -1;
	buf_str(b, "],\n");
	if (f->how == CLIP)
		put_clip(b);
	else
		put_known(f->how, blank, b);
	if (put_around(a, root, config, f, b, e) == -1)
		return -1;
	put_decoder(f->how, b);
	return put_model(a, root, merges, config, f->how, b, e);
}
