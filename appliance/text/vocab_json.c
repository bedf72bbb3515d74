/* SPDX-License-Identifier: Apache-2.0 */
/* vocab.txt, and what it shares with vocab.json and merges.txt */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/vocab_own.h"

void
vocab_head(struct buf *b)
{
	buf_str(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
	    "\"added_tokens\":[");
}

void
vocab_added(struct buf *b, const char **comma, size_t id, struct view text,
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

	vocab_head(b);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < BASE_COUNT(special); k++)
			if (view_is(token[i], special[k]))
				vocab_added(b, &comma, i, token[i], false);
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

int
vocab_config(struct view config, const char *name, struct view *v,
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

bool
vocab_line(struct view *rest, struct view *line)
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
	while (vocab_line(&rest, &line))
		lines++;
	token = arena_array(a, lines + 1, sizeof(*token));
	for (rest = text; vocab_line(&rest, &token[n]); n++)
		if (token[n].n == 0 && rest.n > 0)
			return err_set(e, FATE_REJECT, "line %zu is empty",
			    n + 1);
	if (n > 0 && token[n - 1].n == 0)
		n--;
	if (find_token(token, n, "[UNK]") == -1)
		return err_set(e, FATE_REJECT, "no line is [UNK]");
	if (vocab_config(config, "do_lower_case", &value, e) == -1)
		return -1;
	if (!json_bool(value, &lower))
		lower = vocab_uncased(token, n);
	vocab_wordpiece(token, n, lower, b);
	return 0;
}
