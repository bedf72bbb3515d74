/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/text/hf.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/utf8.h"

/*
 * tokenizer.json, a 0, and a text: what opens encodes it alone and as a pair,
 * twice the same, with offsets within the text, and decodes its ids to UTF-8.
 * Where the first byte is above '~' the rest chooses among parts, so that a
 * file that opens is found sooner than letter by letter.
 */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct in {
	const uint8_t *p, *end;
};

static unsigned
take(struct in *in, unsigned n)
{
	return in->p < in->end ? *in->p++ % n : 0;
}

static const char *
pick(struct in *in, const char *const *list, unsigned n)
{
	return list[take(in, n)];
}
#define PICK(in, ...)	pick(in, (const char *const[]){ __VA_ARGS__ }, \
    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* flag - ,"name":true or false, or nothing */
static void
flag(struct in *in, struct buf *b, const char *name)
{
	unsigned k = take(in, 3);

	if (k < 2)
		buf_printf(b, ",\"%s\":%s", name, k == 0 ? "true" : "false");
}

static void
pattern(struct in *in, struct buf *b)
{
	unsigned n = take(in, 12);

	if (take(in, 3) == 0) {
		buf_printf(b, ",\"pattern\":{\"String\":\"%s\"}", PICK(in, "a",
		    "", " ", "ab", "\xe2\x96\x81"));
		return;
	}
	buf_str(b, ",\"pattern\":{\"Regex\":\"");
	while (n-- > 0)
		buf_str(b, PICK(in, "a", "b", ".", "\\\\s", "\\\\p{L}", "|",
		    "(?:", ")", "*", "+", "?", "{1,2}", "+?", "*+", "(?=",
		    "(?!", "(?<=", "(?<!", "(?>", "^", "$", "\\\\b", "[^a]",
		    "[a-c&&b]", "(?i:", "\xe4\xb8\xad", "{2,}", "\\\\R",
		    "[[:alpha:]]", "("));
	buf_str(b, "\"}");
}

static void
behavior(struct in *in, struct buf *b)
{
	buf_printf(b, ",\"behavior\":\"%s\"", PICK(in, "Isolated", "Removed",
	    "MergedWithPrevious", "MergedWithNext", "Contiguous"));
}

/* part - a part of any kind, with the members that any of them has */
static void
part(struct in *in, struct buf *b, const char *const *types, unsigned n,
    const char *within, int depth)
{
	if (depth < 2 && take(in, 4) == 0) {
		unsigned k = take(in, 5);

		buf_printf(b, "{\"type\":\"Sequence\",\"%s\":[", within);
		for (unsigned i = 0; i < k; i++) {
			buf_str(b, i > 0 ? "," : "");
			part(in, b, types, n, within, depth + 1);
		}
		buf_str(b, "]}");
		return;
	}
	buf_printf(b, "{\"type\":\"%s\"", pick(in, types, n));
	pattern(in, b);
	behavior(in, b);
	flag(in, b, "invert");
	flag(in, b, "add_prefix_space");
	flag(in, b, "trim_offsets");
	flag(in, b, "use_regex");
	flag(in, b, "lowercase");
	flag(in, b, "strip_accents");
	flag(in, b, "individual_digits");
	flag(in, b, "cleanup");
	flag(in, b, "split");
	buf_printf(b, ",\"strip_left\":%s,\"strip_right\":%s,"
	    "\"clean_text\":%s,\"handle_chinese_chars\":true",
	    PICK(in, "true", "false"), PICK(in, "true", "false"),
	    PICK(in, "true", "false"));
	buf_printf(b, ",\"content\":\"%s\",\"prepend\":\"%s\",\"delimiter\":"
	    "\"%s\",\"length\":%u,\"start\":%u,\"stop\":%u", PICK(in, "a", "",
	    "xy", "\xe2\x96\x81"), PICK(in, "\xe2\x96\x81", "", "ab"),
	    PICK(in, "a", " ", ".", "\xc3\xa9"), 1 + take(in, 4), take(in, 3),
	    take(in, 3));
	buf_printf(b, ",\"replacement\":\"%s\",\"prepend_scheme\":\"%s\","
	    "\"prefix\":\"##\",\"suffix\":\"</w>\",\"pad_token\":\"a\","
	    "\"word_delimiter_token\":\"b\",\"sep\":[\"b\",%u],"
	    "\"cls\":[\"a\",%u]", PICK(in, "\xe2\x96\x81", "_"), PICK(in,
	    "first", "always", "never"), take(in, 4), take(in, 4));
	buf_printf(b, ",\"single\":[%s{\"Sequence\":{\"id\":\"A\",\"type_id\":"
	    "%u}}],\"pair\":[{\"Sequence\":{\"id\":\"%s\",\"type_id\":1}},{"
	    "\"Sequence\":{\"id\":\"%s\",\"type_id\":2}}],\"special_tokens\":{"
	    "\"a\":{\"id\":\"a\",\"ids\":[1,2],\"tokens\":[\"a\",\"b\"]}}}",
	    PICK(in, "", "{\"SpecialToken\":{\"id\":\"a\",\"type_id\":1}},"),
	    take(in, 3), PICK(in, "A", "B"), PICK(in, "B", "A"));
}
#define PART(in, b, within, ...)	part(in, b, \
    (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ \
    __VA_ARGS__ }) / sizeof(const char *), within, 0)

static void
model(struct in *in, struct buf *b)
{
	static const char *const word[] = { "a", "b", "ab", "ba", "aba", " ",
	    "\xe2\x96\x81", ("\xe2\x96\x81" "a"), "##a", "##b", "b</w>",
	    "ab</w>", "\xc4\xa0", "\xc3\xa9", "<0x61>", "<0xC3>", "<0xA9>",
	    "x", "ax" };
	const char *kind = PICK(in, "BPE", "WordPiece", "WordLevel",
	    "Unigram");
	bool list = strcmp(kind, "Unigram") == 0;

	buf_printf(b, "{\"type\":\"%s\",\"vocab\":%s", kind, list ? "[" : "{");
	for (unsigned i = 0; i < BASE_COUNT(word); i++)
		buf_printf(b, list ? "%s[\"%s\",-%u.5]" : "%s\"%s\":%u",
		    i > 0 ? "," : "", word[i], list ? take(in, 9) : i);
	buf_printf(b, "%s,\"merges\":[[\"a\",\"b\"]", list ? "]" : "}");
	for (unsigned n = take(in, 4); n > 0; n--)
		buf_str(b, PICK(in, ",[\"b\",\"a\"]", ",[\"ab\",\"a\"]",
		    ",[\"a\",\"ba\"]", ",[\"a\",\"b</w>\"]", ",[\"a\",\"##b\"]",
		    ",[\"a\",\"x\"]"));
	buf_printf(b, "],\"unk_id\":%u,\"max_input_chars_per_word\":%u",
	    take(in, 19), 1 + take(in, 100));
	buf_str(b, PICK(in, "", ",\"unk_token\":\"x\"", ",\"unk_token\":\"a\"",
	    ",\"unk_token\":null"));
	buf_str(b, PICK(in, "", ",\"continuing_subword_prefix\":\"##\""));
	buf_str(b, PICK(in, "", ",\"end_of_word_suffix\":\"</w>\""));
	flag(in, b, "fuse_unk");
	flag(in, b, "byte_fallback");
	flag(in, b, "ignore_merges");
	buf_char(b, '}');
}

static void
added(struct in *in, struct buf *b)
{
	buf_str(b, ",\"added_tokens\":[");
	for (unsigned i = 0, n = take(in, 4); i < n; i++) {
		buf_printf(b, "%s{\"id\":%u,\"content\":\"%s\"", i > 0 ? "," :
		    "", i, PICK(in, "<m>", "ab", " ", "  ", "A b", "x",
		    "\xe2\x96\x81", "", "b\xcc\x81"));
		flag(in, b, "single_word");
		flag(in, b, "lstrip");
		flag(in, b, "rstrip");
		flag(in, b, "normalized");
		flag(in, b, "special");
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

/* choose - a file of parts that the input chooses; what is left is the text */
static void
choose(struct in *in, struct buf *b)
{
	buf_str(b, "{\"model\":");
	model(in, b);
	if (take(in, 3) > 0) {
		buf_str(b, ",\"normalizer\":");
		PART(in, b, "normalizers", "BertNormalizer", "Strip", "NFC",
		    "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase", "Nmt",
		    "Replace", "Prepend", "ByteLevel", "Replace");
	}
	if (take(in, 4) > 0) {
		buf_str(b, ",\"pre_tokenizer\":");
		PART(in, b, "pretokenizers", "Split", "BertPreTokenizer",
		    "ByteLevel", "CharDelimiterSplit", "Metaspace",
		    "Whitespace", "WhitespaceSplit", "Punctuation", "Digits",
		    "UnicodeScripts", "FixedLength", "Split", "Split");
	}
	if (take(in, 3) > 0) {
		buf_str(b, ",\"post_processor\":");
		PART(in, b, "processors", "TemplateProcessing",
		    "BertProcessing", "RobertaProcessing", "ByteLevel");
	}
	if (take(in, 3) > 0) {
		buf_str(b, ",\"decoder\":");
		PART(in, b, "decoders", "ByteLevel", "WordPiece", "Metaspace",
		    "BPEDecoder", "CTC", "Replace", "Fuse", "Strip",
		    "ByteFallback");
	}
	added(in, b);
	if (take(in, 3) == 0)
		buf_printf(b, ",\"truncation\":{\"direction\":\"%s\","
		    "\"max_length\":%u,\"strategy\":\"%s\",\"stride\":%u}",
		    PICK(in, "Left", "Right"), take(in, 12), PICK(in,
		    "LongestFirst", "OnlyFirst", "OnlySecond"), take(in, 4));
	if (take(in, 3) == 0)
		buf_printf(b, ",\"padding\":{\"strategy\":%s,\"direction\":"
		    "\"%s\",\"pad_to_multiple_of\":%u,\"pad_id\":0,"
		    "\"pad_type_id\":1,\"pad_token\":\"a\"}", PICK(in,
		    "\"BatchLongest\"", "{\"Fixed\":9}"), PICK(in, "Left",
		    "Right"), take(in, 9));
	buf_char(b, '}');
}

/* check - of an encoding: its ids are known, its offsets lie in the text */
static void
check(const struct hf *t, struct arena *a, const struct hf_encoding *x,
    size_t points)
{
	uint32_t *ids = arena_array(a, x->n + 1, sizeof(*ids));
	struct buf *b = buf_new(a, (size_t)1 << 30);
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++) {
		/* from may lie behind to where the library panics */
		if (x->v[i].from > points || x->v[i].to > points)
			panic("offsets %u to %u of %zu", x->v[i].from,
			    x->v[i].to, points);
		if (!x->v[i].special && x->v[i].attended)
			ids[n++] = x->v[i].id;
	}
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= hf_size(t))
			panic("an id outside the vocabulary");
	if (hf_decode(t, ids, n, 0, b) == -1)
		panic("its own ids are unknown");
	if (utf8_check(b->p, b->n) != b->n)
		panic("decoded text is not UTF-8");
	for (size_t i = 0; i < x->nover; i++)
		check(t, a, &x->over[i], points);
}

static bool
same(const struct hf_encoding *x, const struct hf_encoding *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].id != y->v[i].id || x->v[i].from != y->v[i].from ||
		    x->v[i].to != y->v[i].to)
			return false;
	return true;
}

/* quickly - the ids alone, by what is kept of words and afresh: with what was
 * kept they are those of the first time */
static void
quickly(const struct hf *t, struct arena *a, struct view text,
    const struct hf_encoding *x)
{
	struct hf_scratch *s = hf_scratch(a, t);
	uint32_t *id;
	size_t n;
	struct err e;

	for (int i = 0; i < 3; i++) {
		if (hf_ids(t, i < 2 ? s : NULL, a, text, &id, &n, &e) == -1)
			panic("hf_ids fails: %s", e.text);
		if (n != x->n)
			panic("%zu ids, not %zu", n, x->n);
		for (size_t k = 0; k < n; k++)
			if (id[k] != x->v[k].id)
				panic("id %zu is another", k);
	}
}

static void
encode(const struct hf *t, struct arena *a, struct view text, bool two)
{
	const unsigned flags = HF_TEMPLATE | HF_LIMITS | HF_SPECIAL | HF_POINTS;
	struct hf_encoding x, y;
	struct err e;

	if (hf_encode(t, a, text, two ? &text : NULL, flags | HF_OVERFLOW |
	    HF_TEXTS, &x, &e) == -1)
		return;
	if (hf_encode(t, a, text, two ? &text : NULL, flags, &y, &e) == -1 ||
	    !same(&x, &y))
		panic("other ids the second time");
	check(t, a, &x, utf8_count(text));
	if (hf_encode(t, a, text, NULL, 0, &x, &e) == 0)
		quickly(t, a, text, &x);
	else if (hf_may_fail(t) == NULL)
		panic("what may not fail failed: %s", e.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct hf_chars *chars;	/* for all runs, in kept */
	static struct arena *kept;
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 1 << 20);
	struct in in = { p, p + n };
	struct view file, text;
	struct hf *t;
	struct err e;
	size_t repairs;

	if (n > 0 && p[0] > '~') {
		take(&in, 1);
		choose(&in, b);
		file = buf_get(b);
	} else {
		file = (struct view){ (const char *)p, strnlen((const char *)p,
		    n) };
		in.p += file.n + (file.n < n);
	}
	text = (struct view){ (const char *)in.p, (size_t)(in.end - in.p) };
	if (text.n > 4096)
		text.n = 4096;
	text = utf8_repair(a, text, &repairs);
	if (kept == NULL)
		chars = hf_chars_new(kept = arena_new());
	t = hf_open_with(a, chars, file, &e);
	if (t != NULL) {
		encode(t, a, text, false);
		encode(t, a, text, true);
	}
	arena_free(a);
	return 0;
}
