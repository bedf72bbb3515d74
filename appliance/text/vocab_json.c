/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vocabularies from before tokenizer.json, written as the library that reads
 * them would save them.  What the old files do not say is taken from
 * tokenizer_config.json, or is what published models of that kind have.
 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/bpe.h"
#include "appliance/text/json.h"
#include "appliance/text/vocab.h"

static void
put_head(struct buf *b)
{
	buf_str(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[");
}

/* put_added - one added token that the vocabulary has; lstrip as RoBERTa's
 * mask */
static void
put_added(struct buf *b, const char **comma, size_t id, struct view text,
    bool lstrip)
{
	buf_printf(b, "%s\n{\"id\":%zu,\"content\":", *comma, id);
	buf_json(b, text);
	buf_printf(b, ",\"single_word\":false,\"lstrip\":%s,\"rstrip\":false,"
	    "\"normalized\":false,\"special\":true}",
	    lstrip ? "true" : "false");
	*comma = ",";
}

bool
vocab_uncased(const struct view *token, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < token[i].n && token[i].p[0] != '[';
		    k++)
			if (token[i].p[k] >= 'A' && token[i].p[k] <= 'Z')
				return false;
	return true;
}

/* find_token - its id; -1 */
static int64_t
find_token(const struct view *token, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (view_is(token[i], name))
			return (int64_t)i;
	return -1;
}

/* put_template - [CLS] and [SEP] around a text, if there are both */
static void
put_template(const struct view *token, size_t n, struct buf *b)
{
	long long cls = find_token(token, n, "[CLS]");
	long long sep = find_token(token, n, "[SEP]");

	buf_str(b, "\"post_processor\":");
	if (cls == -1 || sep == -1) {
		buf_str(b, "null,\n");
		return;
	}
	buf_str(b, "{\"type\":\"TemplateProcessing\",\"single\":["
	    "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},"
	    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
	    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],\"pair\":["
	    "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},"
	    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
	    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}},"
	    "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},"
	    "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":1}}],");
	buf_printf(b, "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\","
	    "\"ids\":[%lld],\"tokens\":[\"[CLS]\"]},\"[SEP]\":{\"id\":"
	    "\"[SEP]\",\"ids\":[%lld],\"tokens\":[\"[SEP]\"]}}},\n", cls, sep);
}

void
vocab_wordpiece(const struct view *token, size_t n, bool lower, struct buf *b)
{
	static const char *const special[] = { "[PAD]", "[UNK]", "[CLS]",
	    "[SEP]", "[MASK]" };
	const char *comma = "";

	put_head(b);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < BASE_COUNT(special); k++)
			if (view_is(token[i], special[k]))
				put_added(b, &comma, i, token[i], false);
	buf_printf(b, "],\n\"normalizer\":{\"type\":\"BertNormalizer\","
	    "\"clean_text\":true,\"handle_chinese_chars\":true,"
	    "\"strip_accents\":null,\"lowercase\":%s},\n\"pre_tokenizer\":"
	    "{\"type\":\"BertPreTokenizer\"},\n", lower ? "true" : "false");
	put_template(token, n, b);
	buf_str(b, "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\","
	    "\"cleanup\":true},\n\"model\":{\"type\":\"WordPiece\","
	    "\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
	    "\"max_input_chars_per_word\":100,\"vocab\":{");
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i > 0 ? ",\n" : "\n");
		buf_json(b, token[i]);
		buf_printf(b, ":%zu", i);
	}
	buf_str(b, "}}}\n");
}

/* config_get - a member of tokenizer_config.json, which may be empty */
static int
config_get(struct view config, const char *name, struct view *v,
    struct err *e)
{
	struct view root;

	*v = VIEW("null");
	if (config.n == 0)
		return 0;
	if (utf8_check(config.p, config.n) != config.n)
		return err_set(e, FATE_REJECT, "tokenizer_config.json is no "
		    "UTF-8");
	if (json_value(config, &root, e) == -1)
		return err_prefix(e, "tokenizer_config.json: ");
	if (!json_get(root, name, v))
		*v = VIEW("null");
	return 0;
}

/* line_next - without its end, which may be that of DOS */
static bool
line_next(struct view *rest, struct view *line)
{
	const char *end = memchr(rest->p, '\n', rest->n);

	if (rest->n == 0)
		return false;
	line->p = rest->p;
	line->n = end == NULL ? rest->n : (size_t)(end - rest->p);
	rest->p += line->n + (end != NULL);
	rest->n -= line->n + (end != NULL);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

int
vocab_lines(struct arena *a, struct view text, struct view config,
    struct buf *b, struct err *e)
{
	struct view line, rest = text, value;
	struct view *token;
	size_t n = 0, lines = 0;
	bool lower;

	if (utf8_check(text.p, text.n) != text.n)
		return err_set(e, FATE_REJECT, "it is no UTF-8 at byte %zu",
		    utf8_check(text.p, text.n));
	while (line_next(&rest, &line))
		lines++;
	token = arena_array(a, lines + 1, sizeof(*token));
	for (rest = text; line_next(&rest, &token[n]); n++)
		if (token[n].n == 0 && rest.n > 0)
			return err_set(e, FATE_REJECT, "line %zu is empty",
			    n + 1);
	if (n > 0 && token[n - 1].n == 0)
		n--;
	if (find_token(token, n, "[UNK]") == -1)
		return err_set(e, FATE_REJECT, "no line is [UNK]");
	if (config_get(config, "do_lower_case", &value, e) == -1)
		return -1;
	if (!json_bool(value, &lower))
		lower = vocab_uncased(token, n);
	vocab_wordpiece(token, n, lower, b);
	return 0;
}

/* put_decoder - the added tokens of tokenizer_config.json: objects by id */
static int
put_decoder(struct arena *a, struct view list, struct buf *b, struct err *e)
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
				put_added(b, &comma, (size_t)id, text,
				    strcmp(usual[i], "<mask>") == 0);
}

/* put_merges - a line is two tokens and a blank between */
static int
put_merges(struct view merges, struct buf *b, struct err *e)
{
	struct view line;
	const char *comma = "";
	size_t n = 0;

	while (line_next(&merges, &line)) {
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

int
vocab_pair(struct arena *a, struct view vocab, struct view merges,
    struct view config, struct buf *b, struct err *e)
{
	struct view root, class, added;
	struct json_iter it;
	bool qwen;

	if (utf8_check(vocab.p, vocab.n) != vocab.n ||
	    utf8_check(merges.p, merges.n) != merges.n)
		return err_set(e, FATE_REJECT, "they are no UTF-8");
	if (json_value(vocab, &root, e) == -1)
		return -1;
	if (!json_open(&it, root, '{'))
		return err_set(e, FATE_REJECT, "vocab.json is no object");
	if (words_end(root))
		return err_set(e, FATE_REJECT, "tokens end with </w>, which "
		    "is read from a tokenizer.json only");
	if (config_get(config, "tokenizer_class", &class, e) == -1 ||
	    config_get(config, "added_tokens_decoder", &added, e) == -1)
		return -1;
	qwen = memmem(class.p, class.n, "Qwen2", 5) != NULL;
	put_head(b);
	if (added.p[0] != '{')
		put_usual(a, root, b);
	else if (put_decoder(a, added, b, e) == -1)
		return -1;
	buf_printf(b, "],\n\"normalizer\":%s,\n\"pre_tokenizer\":",
	    qwen ? "{\"type\":\"NFC\"}" : "null");
	buf_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
	    "\"Split\",\"pattern\":{\"Regex\":");
	buf_json_str(b, bpe_regex(bpe_pattern(qwen ? "qwen2" : "gpt2")));
	buf_str(b, "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":"
	    "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
	    "\"use_regex\":false}]},\n\"post_processor\":null,\n\"decoder\":"
	    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
	    "\"trim_offsets\":true,\"use_regex\":true},\n\"model\":{\"type\":"
	    "\"BPE\",\"dropout\":null,\"unk_token\":null,"
	    "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
	    "\"fuse_unk\":false,\"byte_fallback\":false,\"vocab\":");
	buf_view(b, root);
	buf_str(b, ",\n\"merges\":[");
	if (put_merges(merges, b, e) == -1)
		return -1;
	buf_str(b, "]}}\n");
	return 0;
}
