/* SPDX-License-Identifier: Apache-2.0 */
/* Mistral's tekken.json: the ids of the same tokens in a rank file, behind the
 * special ones; what is wrong in such a file */
#include "tests/tap.h"

#include "appliance/base/buf.h"
#include "appliance/text/bpe.h"
#include "appliance/text/tokenizer.h"

#define FIRST	22		/* ids of special tokens */
#define PATTERN	" ?\\\\p{L}+|\\\\s+|[^\\\\s\\\\p{L}]+"

/* base64 of up to three bytes, which is all that is needed here */
static const char *
base64_of(struct arena *a, const char *p, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
	    "klmnopqrstuvwxyz0123456789+/";
	uint32_t x = (uint32_t)(unsigned char)p[0] << 16 | (n > 1 ?
	    (uint32_t)(unsigned char)p[1] << 8 : 0) | (n > 2 ?
	    (unsigned char)p[2] : 0);
	char *out = arena_strn(a, "====", 4);

	for (size_t i = 0; i < n + 1; i++)
		out[i] = digit[x >> (18 - 6 * i) & 63];
	return out;
}

/* file_of - bytes and some tokens more, as a rank file or a tekken.json */
static struct view
file_of(struct arena *a, bool tekken, const char *more)
{
	static const char *const words[] = { "th", "the", " th", "\xc3\xa4",
	    "in" };
	struct buf *b = buf_new(a, 1 << 16);

	if (tekken)
		buf_printf(b, "{\"config\":{\"pattern\":\"%s\","
		    "\"num_vocab_tokens\":261,\"default_vocab_size\":%d,"
		    "\"default_num_special_tokens\":%d,\"version\":\"v3\"},"
		    "%s\"vocab\":[", PATTERN, 260 + FIRST, FIRST, more);
	else
		buf_str(b, "# pattern  ?\\p{L}+|\\s+|[^\\s\\p{L}]+\n");
	for (int i = 0; i < 261; i++) {
		char c = (char)i;
		const char *p = i < 256 ? &c : words[i - 256];
		const char *bytes = base64_of(a, p, i < 256 ? 1 : strlen(p));

		if (tekken)
			buf_printf(b, "%s{\"rank\":%d,\"token_bytes\":\"%s\","
			    "\"token_str\":null}", i > 0 ? "," : "", i,
			    bytes);
		else if (i < 260)	/* the last one does not count */
			buf_printf(b, "%s %d\n", bytes, i);
	}
	buf_str(b, tekken ? "]}" : "");
	return buf_get(b);
}

static void
test_ids(struct arena *a)
{
	static const struct view texts[] = { VIEW("the thin \xc3\xa4 end\n"),
	    VIEW(""), VIEW("<s>[INST] in"), VIEW("\xe4\xb8\xad\xe6\x96\x87") };
	struct err e = { .text = "" };
	struct tokenizer *t = tokenizer_open(a, file_of(a, true, ""), &e);
	struct tokenizer *r = tokenizer_open(a, file_of(a, false, ""), &e);
	struct buf *b = buf_new(a, 4096);
	uint32_t *x, *y, two[] = { 1, FIRST + 257 };
	size_t n, m;
	bool same;

	tap(t != NULL && r != NULL && strcmp(t->name, "tekken.json") == 0,
	    "both are read %s", e.text);
	if (t == NULL || r == NULL)
		return;
	tap(t->size == 260 + FIRST && t->bos == 1 && t->end == 2,
	    "as many as the configuration says, <s> and </s>");
	for (size_t i = 0; i < BASE_COUNT(texts); i++) {
		n = tokenizer_encode(t, a, texts[i], &x);
		m = tokenizer_encode(r, a, texts[i], &y);
		same = n == m;
		for (size_t k = 0; same && k < n; k++)
			same = x[k] == y[k] + FIRST;
		b->n = 0;
		tap(same && tokenizer_decode(t, x, n, b) == 0 &&
		    view_eq(buf_get(b), texts[i]), "text %zu, both ways", i);
	}
	b->n = 0;
	tap(tokenizer_decode(t, two, 2, b) == 0 &&
	    view_is(buf_get(b), "<s>the"), "special tokens are decoded");
	two[0] = 21;
	b->n = 0;
	tap(tokenizer_decode(t, two, 1, b) == 0 &&
	    view_is(buf_get(b), "<SPECIAL_21>"), "one without a name");
	t = tokenizer_open(a, file_of(a, true, "\"special_tokens\":[{\"rank\":"
	    "7,\"token_str\":\"</s>\",\"is_control\":true}],"), &e);
	tap(t != NULL && t->end == 7 && t->bos == -1,
	    "the file's own special tokens");
}

static const struct {
	const char *name, *file, *says;
} bad[] = {
	{ "no pattern", "{\"config\":{\"default_num_special_tokens\":3},"
	    "\"vocab\":[]}", "config has no pattern" },
	{ "no size", "{\"config\":{\"pattern\":\"a\","
	    "\"default_num_special_tokens\":3},\"vocab\":[]}",
	    "config.default_vocab_size is no number of tokens" },
	{ "too few tokens", "{\"config\":{\"pattern\":\"a+\","
	    "\"default_num_special_tokens\":1,\"default_vocab_size\":3},"
	    "\"vocab\":[{\"rank\":0,\"token_bytes\":\"YQ==\"}]}",
	    "vocab has 1 of the 2 tokens that config.default_vocab_size "
	    "wants" },
	{ "no base64", "{\"config\":{\"pattern\":\"a+\","
	    "\"default_num_special_tokens\":1,\"default_vocab_size\":2},"
	    "\"vocab\":[{\"rank\":0,\"token_bytes\":\"Y\"}]}",
	    "vocab[0] has no rank, or no token_bytes in base64" },
	{ "a rank twice", "{\"config\":{\"pattern\":\"a+\","
	    "\"default_num_special_tokens\":1,\"default_vocab_size\":3},"
	    "\"vocab\":[{\"rank\":0,\"token_bytes\":\"YQ==\"},"
	    "{\"rank\":0,\"token_bytes\":\"Yg==\"}]}",
	    "vocab[1]: rank 0 is taken or too large" },
	{ "a special token beyond them", "{\"config\":{\"pattern\":\"a+\","
	    "\"default_num_special_tokens\":1,\"default_vocab_size\":2},"
	    "\"special_tokens\":[{\"rank\":1,\"token_str\":\"<x>\"}],"
	    "\"vocab\":[]}", "special token '<x>' has an id that is taken or "
	    "not below 1" },
	{ "not every byte", "{\"config\":{\"pattern\":\"a+\","
	    "\"default_num_special_tokens\":1,\"default_vocab_size\":2},"
	    "\"vocab\":[{\"rank\":0,\"token_bytes\":\"YQ==\"}]}",
	    "the vocabulary lacks byte 0: no byte-level vocabulary" },
};

int
main(void)
{
	struct arena *a = arena_new();
	struct err e;

	test_ids(a);
	for (size_t i = 0; i < BASE_COUNT(bad); i++) {
		e.text[0] = '\0';
		tap(tokenizer_open(a, view_of(bad[i].file), &e) == NULL,
		    "refused: %s", bad[i].name);
		tap_str(e.text, bad[i].says, "with the reason");
	}
	arena_free(a);
	return tap_done();
}
