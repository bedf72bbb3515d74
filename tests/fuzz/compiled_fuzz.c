/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/hf.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/spm.h"
#include "appliance/text/utf8.h"

/* an image of a vocabulary: each five bytes say where a byte of a good one is
 * written over, and with what; whatever is taken encodes and decodes */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define PIPE	"{\"added_tokens\":[{\"id\":260,\"content\":\"<x>\"," \
    "\"special\":false},{\"id\":261,\"content\":\"<y>\",\"special\":true}]," \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\"," \
    "\"ignore_merges\":true,\"vocab\":{"

/* good - an image of the bytes and four tokens, two of them of rules */
static struct view
good(struct arena *a)
{
	struct buf *b = buf_new(a, 1 << 20);
	struct bpe *t;
	struct err e;
	char c[4];

	buf_str(b, PIPE);
	for (unsigned i = 0; i < 256; i++) {
		buf_json(b, (struct view){ c,
		    utf8_put(bpe_byte_char((unsigned char)i), c) });
		buf_printf(b, ":%u,", i);
	}
	buf_str(b, "\"ab\":256,\"abc\":257,\"ABC\":258,\"abcdefghijklmnopqr\":"
	    "259},\"merges\":[[\"a\",\"b\"],[\"ab\",\"c\"]]}}");
	t = bpe_open(a, buf_get(b), &e);
	if (t == NULL)
		panic("%s", e.text);
	return t->image;
}

/* both_ways - a text to ids and back; ids of a changed image may be any */
static void
both_ways(struct arena *a, const struct bpe *t, struct view text)
{
	struct buf *b = buf_new(a, 1 << 20);
	uint32_t *ids;
	size_t n = bpe_encode(t, NULL, a, text, &ids);

	(void)bpe_decode(t, ids, n, b);
	(void)bpe_find(t, "<y>");
}

/* one kind of each of the other models */
static const char *const others[] = {
	"{\"added_tokens\":[{\"id\":7,\"content\":\"<x>\",\"special\":true}],"
	    "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":"
	    "{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":"
	    "\"WordPiece\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":"
	    "\"?\",\"vocab\":{\"?\":0,\"a\":1,\"##b\":2,\"abc\":3,"
	    "\"##bc\":4}}}",
	"{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"model\":{"
	    "\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"a\","
	    "-1],[\"b\",-2],[\"ab\",-2.5],[\"abc\",-3]]}}",
	"{\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"model\":{\"type\":"
	    "\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,"
	    "\"c\":3,\"ab\":4,\"abc\":5},\"merges\":[\"a b\",\"ab c\"]}}",
};

/* other - an image of one of these */
static struct view
other(struct arena *a, size_t i)
{
	struct view json = view_of(others[i]), image;
	struct err e;
	struct hf *t = hf_open(a, json, &e);

	if (t == NULL || (image = hf_compile(a, t, json)).p == NULL)
		panic("%s", e.text);
	return image;
}

/* other_ways - the same as both_ways */
static void
other_ways(struct arena *a, const struct hf *t, struct view text)
{
	struct buf *b = buf_new(a, 1 << 20);
	struct err e;
	uint32_t *ids;
	size_t n;

	if (hf_ids(t, NULL, a, text, &ids, &n, &e) == 0)
		(void)hf_decode(t, ids, n, HF_BYTES, b);
	(void)hf_find(t, "<x>");
}

/* model - an image of a SentencePiece vocabulary of a kind */
static struct view
model(struct arena *a, enum spm_kind kind)
{
	struct spm_piece piece[] = { { VIEW("<unk>"), 0, SPM_UNKNOWN },
	    { VIEW("<s>"), 0, SPM_CONTROL }, { VIEW("a"), -1, SPM_NORMAL },
	    { VIEW("\xe2\x96\x81" "b"), -2, SPM_NORMAL },
	    { VIEW("bc"), -1, SPM_UNUSED }, { VIEW("b"), -3, SPM_NORMAL },
	    { VIEW("c"), -3, SPM_NORMAL }, { VIEW("x"), 0, SPM_USER_DEFINED },
	    { VIEW("abc"), -2, SPM_NORMAL } };
	struct spm_spec spec = { .kind = kind, .piece = piece,
	    .n = BASE_COUNT(piece), .unknown = VIEW("?"), .bos = "<s>",
	    .rules = { .dummy_prefix = true, .squeeze = true,
	    .escape = true } };
	struct err e;
	struct spm *s = spm_make(a, &spec, &e);

	if (s == NULL)
		panic("%s", e.text);
	return spm_compile(a, s);
}

/* changed - a copy of an image, written over */
static char *
changed(struct view image, const uint8_t *p, size_t n)
{
	char *copy = mem_alloc(image.n);
	uint32_t at;

	memcpy(copy, image.p, image.n);
	for (; n >= 5; p += 5, n -= 5) {
		memcpy(&at, p, 4);
		copy[at % image.n] = (char)p[4];
	}
	return copy;
}

/* others_run - the images of hf.h, which are small beside the other one */
static void
others_run(const uint8_t *p, size_t n)
{
	static struct view image[BASE_COUNT(others)];
	static const struct hf_chars *chars;
	static struct arena *kept;
	struct arena *a;
	struct hf *t;
	char *copy;

	if (kept == NULL)
		chars = hf_chars_new(kept = arena_new());
	for (size_t i = 0; i < BASE_COUNT(others); i++) {
		if (image[i].p == NULL)
			image[i] = other(kept, i);
		a = arena_new();
		copy = changed(image[i], p, n);
		t = hf_attach(a, chars, (struct view){ copy, image[i].n });
		if (t != NULL)
			other_ways(a, t, VIEW("abc abcab. <x>\xe4\xb8\xad x"));
		arena_free(a);
		mem_free(copy);
	}
}

static void
both_ids(struct spm *s, struct arena *a, struct view text, struct buf *b)
{
	uint32_t *ids;
	size_t n = spm_encode(s, a, text, &ids);

	(void)spm_decode(s, ids, n, b);
}

/* models_run - the same of spm.h */
static void
models_run(const uint8_t *p, size_t n)
{
	static struct view image[SPM_CHAR + 1];
	struct view text = VIEW("abc  abcab. <s>\xe4\xb8\xad xbc");

	for (enum spm_kind k = SPM_UNIGRAM; k <= SPM_CHAR; k++) {
		struct arena *a = arena_new();
		struct buf *b = buf_new(a, 1 << 20);
		struct spm *s;
		char *copy;

		if (image[k].p == NULL)
			image[k] = model(arena_new(), k);
		copy = changed(image[k], p, n);
		s = spm_attach(a, (struct view){ copy, image[k].n });
		if (s != NULL)
			both_ids(s, a, text, b);
		arena_free(a);
		mem_free(copy);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct view image;	/* made once: it is most of a run */
	struct arena *a = arena_new();
	char *copy;
	struct bpe *t;
	struct err e;

	if (image.p == NULL)
		image = good(arena_new());
	others_run(p, n);
	models_run(p, n);
	copy = changed(image, p, n);
	t = bpe_attach(a, (struct view){ copy, image.n }, &e);
	if (t != NULL) {
		both_ways(a, t, VIEW("abc ABC <x> ab\n  It's 12 \xe4\xb8\xad"
		    "\xe6\x96\x87\xe4\xb8\xad" "abcdefghijklmnopqr"));
		both_ways(a, t, VIEW("aaaabbbbccccaaaabbbbccccaaaabbbbccccaaaa"
		    "bbbbccccabababababababababcabcabcabcabcabcabcabc"));
	}
	arena_free(a);
	mem_free(copy);
	return 0;
}
