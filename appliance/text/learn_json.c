/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json as Hugging Face's library 0.23 reads it.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/learn_own.h"

#define LEVEL(prefix, regex)						\
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix		\
	",\"trim_offsets\":true,\"use_regex\":" regex "}"
#define DIGITS	"{\"type\":\"Digits\",\"individual_digits\":true}"

/* what SentencePiece's remove_extra_whitespaces does: \A and \z are the text's
 * ends, ^ and $ would be those of lines */
#define REPLACE(regex, with)						\
	"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"" regex		\
	"\"},\"content\":\"" with "\"}"
#define COLLAPSE							\
	REPLACE("\\\\A +| +\\\\z", "") "," REPLACE(" {2,}", " ")

/* json_special - added_tokens */
static void
json_special(const struct learn_conf *conf, struct buf *b)
{
	buf_str(b, "\"added_tokens\":[");
	for (size_t i = 0; i < conf->nspecial; i++) {
		buf_printf(b, "%s{\"id\":%zu,\"content\":", i > 0 ? "," : "",
		    i);
		buf_json_str(b, conf->special[i]);
		buf_str(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":true}");
	}
	buf_str(b, "]");
}

/* json_normalizer - what is done to a text before it is cut; a Metaspace that
 * puts U+2581 in front would not do so before a blank, nor after one was cut
 * off, where SentencePiece does */
static void
json_normalizer(const struct learn_conf *conf, struct buf *b)
{
	bool mark = conf->kind != LEARN_BPE && conf->prefix;

	buf_str(b, ",\"normalizer\":");
	if (conf->kind == LEARN_WORDPIECE)
		buf_printf(b, "{\"type\":\"BertNormalizer\",\"clean_text\":"
		    "true,\"handle_chinese_chars\":true,\"strip_accents\":"
		    "null,\"lowercase\":%s}", conf->lowercase ? "true" :
		    "false");
	else if (!mark && !conf->collapse)
		buf_str(b, conf->nfc ? "{\"type\":\"NFC\"}" : "null");
	else {
		buf_str(b, "{\"type\":\"Sequence\",\"normalizers\":[");
		if (conf->nfc)
			buf_str(b, "{\"type\":\"NFC\"},");
		if (conf->collapse)
			buf_str(b, mark ? COLLAPSE "," : COLLAPSE);
		if (mark)
			buf_str(b, "{\"type\":\"Prepend\",\"prepend\":\""
			    LEARN_BLANK "\"}");
		buf_str(b, "]}");
	}
}

/* json_level - byte-level BPE's pre-tokenizers */
static void
json_level(const struct learn_conf *conf, struct buf *b)
{
	bool gpt2 = strcmp(conf->pattern, "gpt2") == 0;

	if (gpt2 && !conf->digits) {
		buf_str(b, conf->prefix ? LEVEL("true", "true") :
		    LEVEL("false", "true"));
		return;
	}
	buf_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":[");
	if (conf->digits)
		buf_str(b, DIGITS ",");
	if (gpt2)
		buf_str(b, LEVEL("false", "true"));
	else {
		buf_str(b, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
		buf_json_str(b, bpe_regex(bpe_pattern(conf->pattern)));
		buf_str(b, "},\"behavior\":\"Isolated\",\"invert\":false},"
		    LEVEL("false", "false"));
	}
	buf_str(b, "]}");
}

/* words begin with U+2581 */
#define METASPACE							\
	"{\"type\":\"Metaspace\",\"replacement\":\"" LEARN_BLANK	\
	"\",\"prepend_scheme\":\"never\",\"split\":true}"

/* json_pre - how a text is cut */
static void
json_pre(const struct learn_conf *conf, struct buf *b)
{
	buf_str(b, ",\"pre_tokenizer\":");
	if (conf->kind == LEARN_BPE)
		json_level(conf, b);
	else if (conf->kind == LEARN_WORDPIECE)
		buf_str(b, "{\"type\":\"BertPreTokenizer\"}");
	else if (conf->digits)
		buf_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":["
		    METASPACE "," DIGITS "]}");
	else
		buf_str(b, METASPACE);
}

/* json_post - what is put around a text: BERT's [CLS] and [SEP] */
static void
json_post(const struct learned *t, struct buf *b)
{
	uint32_t cls, sep;

	buf_str(b, ",\"post_processor\":");
	cls = learn_vocab_find(t->vocab, VIEW("[CLS]"));
	sep = learn_vocab_find(t->vocab, VIEW("[SEP]"));
	if (t->conf->kind != LEARN_WORDPIECE ||
	    cls >= t->conf->nspecial || sep >= t->conf->nspecial) {
		buf_str(b, "null");
		return;
	}
	buf_printf(b, "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",%u],"
	    "\"cls\":[\"[CLS]\",%u]}", sep, cls);
}

/* json_decoder - tokens to text */
static void
json_decoder(const struct learn_conf *conf, struct buf *b)
{
	buf_str(b, ",\"decoder\":");
	if (conf->kind == LEARN_BPE)
		buf_str(b, LEVEL("true", "true"));
	else if (conf->kind == LEARN_WORDPIECE)
		buf_str(b, "{\"type\":\"WordPiece\",\"prefix\":\"##\","
		    "\"cleanup\":true}");
	else {
		buf_str(b, "{\"type\":\"Sequence\",\"decoders\":[{\"type\":"
		    "\"Replace\",\"pattern\":{\"String\":\"" LEARN_BLANK
		    "\"},\"content\":\" \"},");
		if (conf->byte_fallback)
			buf_str(b, "{\"type\":\"ByteFallback\"},");
		buf_str(b, "{\"type\":\"Fuse\"}");
		if (conf->prefix)
			buf_str(b, ",{\"type\":\"Strip\",\"content\":\" \","
			    "\"start\":1,\"stop\":0}");
		buf_str(b, "]}");
	}
}

/* json_vocab - tokens and their ids */
static void
json_vocab(const struct learned *t, struct buf *b)
{
	buf_str(b, "\"vocab\":{");
	for (uint32_t i = 0; i < t->vocab->n; i++) {
		if (i > 0)
			buf_char(b, ',');
		buf_json(b, t->vocab->token[i]);
		buf_printf(b, ":%u", i);
	}
	buf_char(b, '}');
}

/* json_bpe - tokens, and merges in order; no token holds a blank */
static void
json_bpe(const struct learned *t, struct buf *b)
{
	bool level = t->conf->kind == LEARN_BPE;
	struct buf one;

	buf_printf(b, "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":%s,"
	    "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
	    "\"fuse_unk\":%s,\"byte_fallback\":%s,", level ? "null" :
	    "\"<unk>\"", level ? "false" : "true",
	    !level && t->conf->byte_fallback ? "true" : "false");
	json_vocab(t, b);
	buf_str(b, ",\"merges\":[");
	buf_init(&one, (size_t)1 << 30);
	for (size_t i = 0; i < t->merges->n; i++) {
		one.n = 0;
		buf_view(&one, t->vocab->token[t->merges->v[i].left]);
		buf_char(&one, ' ');
		buf_view(&one, t->vocab->token[t->merges->v[i].right]);
		if (i > 0)
			buf_char(b, ',');
		buf_json(b, buf_get(&one));
	}
	buf_free(&one);
	buf_str(b, "]}");
}

/* json_unigram - pieces with the logarithms of their probabilities */
static void
json_unigram(const struct learned *t, struct buf *b)
{
	buf_printf(b, "{\"type\":\"Unigram\",\"unk_id\":%u,\"vocab\":[",
	    learn_vocab_find(t->vocab, VIEW("<unk>")));
	for (uint32_t i = 0; i < t->vocab->n; i++) {
		buf_str(b, i > 0 ? ",[" : "[");
		buf_json(b, t->vocab->token[i]);
		buf_char(b, ',');
		buf_json_num(b, t->score[i]);
		buf_char(b, ']');
	}
	buf_printf(b, "],\"byte_fallback\":%s}", t->conf->byte_fallback ?
	    "true" : "false");
}

void
learn_json(const struct learned *t, struct buf *b)
{
	buf_str(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,");
	json_special(t->conf, b);
	json_normalizer(t->conf, b);
	json_pre(t->conf, b);
	json_post(t, b);
	json_decoder(t->conf, b);
	buf_str(b, ",\"model\":");
	if (t->conf->kind == LEARN_UNIGRAM)
		json_unigram(t, b);
	else if (t->conf->kind == LEARN_WORDPIECE) {
		buf_str(b, "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
		    "\"continuing_subword_prefix\":\"##\","
		    "\"max_input_chars_per_word\":100,");
		json_vocab(t, b);
		buf_char(b, '}');
	} else
		json_bpe(t, b);
	buf_str(b, "}\n");
}
