/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies of every kind compiled, kept in a directory and mapped: ids and
 * text are those of the file; what is damaged is made anew */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/bpe.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf.h"
#include "appliance/text/spm.h"
#include "appliance/text/tokenizer.h"

#include <fcntl.h>
#include <unistd.h>

#define SIGN	"\xe2\x96\x81"

#define TO_BLANK "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SIGN \
    "\"},\"content\":\" \"}"
#define BACK	"{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":" \
    "\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"

static const struct {
	const char *name, *json;
} files[] = {
	{ "WordPiece", "{\"added_tokens\":[{\"id\":9,\"content\":\"[SEP]\","
	    "\"special\":true},{\"id\":10,\"content\":\"b c\",\"special\":"
	    "false}],\"normalizer\":{\"type\":\"BertNormalizer\","
	    "\"lowercase\":true},\"pre_tokenizer\":{\"type\":"
	    "\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece\"},"
	    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
	    "\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\"ab\":3,\"abc\":4,"
	    "\".\":5,\"##c\":6,\"x\":7,\"[SEP]\":8}}}" },
	{ "a gap in ids", "{\"pre_tokenizer\":{\"type\":\"Whitespace\"},"
	    "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{"
	    "\"?\":7,\"a\":3,\"ab\":20}}}" },
	{ "Unigram", "{\"pre_tokenizer\":{\"type\":\"Sequence\","
	    "\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":"
	    "\"Metaspace\",\"replacement\":\"" SIGN "\"}]},\"decoder\":{"
	    "\"type\":\"Metaspace\",\"replacement\":\"" SIGN "\"},\"model\":{"
	    "\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"" SIGN
	    "\",-2.5],[\"a\",-3],[\"ab\",-4.25],[\"" SIGN "a\",-3.5],[\"b\","
	    "-3],[\"c\",-9],[\".\",-2]]}}" },
	{ "BPE", "{\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":"
	    "{\"type\":\"Whitespace\"},\"model\":{\"type\":\"BPE\","
	    "\"unk_token\":\"?\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{"
	    "\"?\":0,\"a\":1,\"b\":2,\"c</w>\":3,\"ab\":4,\"abc</w>\":5,"
	    "\"b</w>\":6,\"a</w>\":7},\"merges\":[\"a b\",\"ab c</w>\"]}}" },
};

static const char *const texts[] = { "", "a", "abc ab. abcabc x b c [SEP]",
    "AB  ab\tc\n\xc3\xa9 ?", "\xe4\xb8\xad" "a b ab abab" SIGN "ab <0x41>" };

/* alike - have both the same ids of a text, and the same text of these */
static bool
alike(const struct tokenizer *t, const struct tokenizer *u, struct view text)
{
	struct arena *a = arena_new();
	struct tokenizer_scratch *s = tokenizer_scratch(u, a);
	struct buf *one = buf_new(a, 1 << 24), *two = buf_new(a, 1 << 24);
	uint32_t *x, *y;
	size_t n = tokenizer_encode(t, a, text, &x), m;
	bool same;

	m = tokenizer_encode_with(u, s, a, text, &y);
	same = n == m && memcmp(x, y, n * sizeof(*x)) == 0 &&
	    tokenizer_decode(t, x, n, one) == tokenizer_decode(u, x, n, two) &&
	    view_eq(buf_get(one), buf_get(two)) && t->size == u->size &&
	    t->end == u->end && t->bos == u->bos && t->begins == u->begins;
	arena_free(a);
	return same;
}

/*
 * test_back - many ids to text: beside the decoders one after the other, which
 * HF_SKIP asks for, with no special tokens.  ids: random ones, and many bytes
 */
static void
test_back(struct arena *a, const char *name, struct view json)
{
	struct buf *one = buf_new(a, 1 << 24), *two = buf_new(a, 1 << 24);
	struct err e = { 0 };
	struct hf *t = hf_open(a, json, &e);
	uint64_t seed = 88172645463325252u;
	size_t bad = 0, n;
	uint32_t id[900], known[512], count = 0, below;

	for (uint32_t i = 0; t != NULL && i < hf_size(t) && count < 512; i++)
		if (hf_decode(t, &i, 1, 0, one) == 0)
			known[count++] = i;
	one->n = 0;
	for (int round = 0; t != NULL && round < 200; round++) {
		n = 256 + (size_t)round * 3;
		for (size_t i = 0; i < n; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			below = round % 2 == 0 && count > 300 ? 300 : count;
			id[i] = known[(seed >> 33) % below];
		}
		for (unsigned raw = 0; raw <= HF_BYTES; raw += HF_BYTES) {
			bad += hf_decode(t, id, n, raw, one) == -1 ||
			    hf_decode(t, id, n, raw | HF_SKIP, two) == -1 ||
			    !view_eq(buf_get(one), buf_get(two));
			one->n = two->n = 0;
		}
	}
	id[300] = 99999;
	bad += t != NULL && hf_decode(t, id, 400, 0, one) != -1;
	tap(t != NULL && bad == 0, "%s: many ids to text", name);
}

/* bytes_file - with a decoder like Llama's, or one that takes off more */
static const char *
bytes_file(struct arena *a, const char *decoders)
{
	static const char *const more[] = { SIGN, "a", "bc", SIGN "d",
	    "longer than fifteen bytes", "\xc3\xa9", SIGN SIGN };
	struct buf *b = buf_new(a, 1 << 16);

	buf_printf(b, "{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[%s]},"
	    "\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"?\":0",
	    decoders);
	for (unsigned i = 0; i < 256; i++)
		buf_printf(b, ",\"<0x%02X>\":%u", i, i + 1);
	for (unsigned i = 0; i < 60; i++)
		buf_printf(b, ",\"%s%u\":%u", more[i % BASE_COUNT(more)], i,
		    i + 257);
	buf_str(b, ",\"word\":400}}}");
	return buf_cstr(b);
}

/* rank_file - with an expression of its own, and a special token */
static struct view
rank_file(struct arena *a)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
	    "pqrstuvwxyz0123456789+/";
	struct buf *b = buf_new(a, 1 << 16);

	buf_str(b, "# pattern [a-c]{1,3}+|\\s+(?!x)|.\n"
	    "# special 300 [SEP]\n");
	for (unsigned i = 0; i < 256; i++)
		buf_printf(b, "%c%c== %u\n", digit[i >> 2],
		    digit[(i & 3) << 4], i);
	buf_str(b, "YWI= 256\nYWJj 257\nYWJjYWJj 258\n");
	return buf_get(b);
}

/* put_piece - of a SentencePiece model */
static void
put_piece(struct buf *b, const char *text, float score, enum spm_type type)
{
	char n = (char)strlen(text);
	char head[] = { 1 << 3 | 2, (char)(n + 9), 1 << 3 | 2, n };
	char tail[] = { 2 << 3 | 5, 0, 0, 0, 0, 3 << 3, (char)type };

	memcpy(tail + 1, &score, sizeof(score));
	buf_add(b, head, sizeof(head));
	buf_str(b, text);
	buf_add(b, tail, sizeof(tail));
}

/* model_file - a small model of a kind, with pieces of all types */
static struct view
model_file(struct arena *a, enum spm_kind kind)
{
	struct buf *b = buf_new(a, 1 << 16);
	/* its kind, byte fallback, what unknown is decoded to */
	char trainer[] = { 2 << 3 | 2, 12, 3 << 3, (char)kind, '\x98', 2, 1,
	    '\xe2', 2, 4, ' ', '?', '!', ' ' };

	put_piece(b, "<unk>", 0, SPM_UNKNOWN);
	put_piece(b, "<s>", 0, SPM_CONTROL);
	put_piece(b, "</s>", 0, SPM_CONTROL);
	for (unsigned i = 0; i < 256; i++)
		put_piece(b, arena_printf(a, "<0x%02X>", i), 0, SPM_BYTE);
	put_piece(b, SIGN, -2.5f, SPM_NORMAL);
	put_piece(b, "a", -3, SPM_NORMAL);
	put_piece(b, "b", -3.5f, SPM_NORMAL);
	put_piece(b, "ab", -1, kind == SPM_BPE ? SPM_UNUSED : SPM_NORMAL);
	put_piece(b, SIGN "ab", -2, SPM_NORMAL);
	put_piece(b, "x b", 0, SPM_USER_DEFINED);
	put_piece(b, "a piece of more than fifteen", -9, SPM_NORMAL);
	buf_add(b, trainer, sizeof(trainer));
	return buf_get(b);
}

/* is_mapped - is there an image of this file in the directory that opens */
static bool
is_mapped(struct arena *a, int dir, const struct hash *h)
{
	return hf_map(a, dir, h) != NULL || spm_map(a, dir, h) != NULL ||
	    bpe_map(a, dir, h) != NULL;
}

static void
test_one(int dir, const char *name, struct view file)
{
	struct arena *a = arena_new();
	struct hash h = hash_of(NULL, file.p, file.n), other = h;
	char at[COMPILED_NAME];
	struct tokenizer *t, *u, *v;
	struct view image;
	struct err e = { 0 };
	size_t taken = 0, tried = 0, bad = 0;
	char *p;

	t = tokenizer_open(a, file, &e);
	u = tokenizer_open_kept(a, file, &h, dir, &e);
	tap(t != NULL && u != NULL && is_mapped(a, dir, &h), "%s: is kept",
	    name);
	v = tokenizer_open_kept(a, file, &h, dir, &e);
	for (size_t i = 0; v != NULL && i < BASE_COUNT(texts); i++)
		bad += !alike(t, v, view_of(texts[i]));
	tap(v != NULL && bad == 0, "%s: mapped, it has the same ids and text",
	    name);
	other.b[3] ^= 1;
	tap(!is_mapped(a, dir, &other), "%s: not for another file", name);
	compiled_name(&h, at);
	file_read(a, dir, at, (size_t)1 << 28, &image, &e);
	p = arena_copy(a, image.p, image.n);
	for (size_t i = 0; i < image.n; i += image.n / 61 + 1, tried++) {
		p[i] ^= 0x10;
		file_replace(dir, at, (struct view){ p, image.n }, 0600,
		    false, &e);
		taken += is_mapped(a, dir, &h);
		p[i] ^= 0x10;
	}
	for (size_t n = 0; n < image.n; n += image.n / 31 + 1, tried++) {
		file_replace(dir, at, (struct view){ p, n }, 0600, false, &e);
		taken += is_mapped(a, dir, &h);
	}
	tap(taken == 0, "%s: %zu damaged images are not taken", name, tried);
	v = tokenizer_open_kept(a, file, &h, dir, &e);
	tap(v != NULL && is_mapped(a, dir, &h), "%s: and then made anew", name);
	arena_free(a);
}

/* test_files - published vocabularies, with some text */
static void
test_files(struct arena *a, int dir)
{
	static const char *const names[] = { "hf/bert-base-uncased.json",
	    "hf/t5-small.json", "hf/llama2.json", "hf/clip_base.json",
	    "sentencepiece/llama2.model", "sentencepiece/t5_base.model" };
	const char *data = getenv("QUERN_TEST_DATA");
	struct view text, file;
	struct err e;

	if (data == NULL || file_read(a, AT_FDCWD, arena_printf(a,
	    "%s/tokenizers/text/wagahai.txt", data), 1 << 24, &text, &e) ==
	    -1) {
		tap(true, "published vocabularies # SKIP no QUERN_TEST_DATA");
		return;
	}
	text.n = text.n < 20000 ? text.n : 20000;
	while (((unsigned char)text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		struct arena *own = arena_new();
		struct tokenizer *t, *u;
		struct hash h;

		file_read(own, AT_FDCWD, arena_printf(own, "%s/tokenizers/%s",
		    data, names[i]), 1 << 28, &file, &e);
		h = hash_of(NULL, file.p, file.n);
		t = tokenizer_open_kept(own, file, &h, dir, &e);
		u = tokenizer_open_kept(own, file, &h, dir, &e);
		tap(t != NULL && u != NULL && is_mapped(own, dir, &h) &&
		    alike(t, u, text), "%s: mapped", names[i]);
		arena_free(own);
	}
}

int
main(void)
{
	const char *path = tap_dir();
	struct arena *a = arena_new();
	struct err e;
	char *word;
	int dir;

	if ((dir = file_dir(AT_FDCWD, path, &e)) == -1) {
		tap(false, "no directory");
		return tap_done();
	}
	for (size_t i = 0; i < BASE_COUNT(files); i++)
		test_one(dir, files[i].name, view_of(files[i].json));
	test_one(dir, "ranks with an expression", rank_file(a));
	for (enum spm_kind k = SPM_UNIGRAM; k <= SPM_CHAR; k++)
		test_one(dir, arena_printf(a, "a model of kind %d", k),
		    model_file(a, k));
	test_back(a, "bytes", view_of(bytes_file(a, TO_BLANK "," BACK)));
	test_back(a, "bytes first", view_of(bytes_file(a, BACK "," TO_BLANK)));
	test_back(a, "no bytes", view_of(bytes_file(a, TO_BLANK)));
	word = arena_printf(a, "%.*s%s", (int)strlen(files[0].json) - 3,
	    files[0].json, ",\"word\":70}}}");
	memcpy(strstr(word, "true},{\"id\":10"), "null", 4);
	test_back(a, "WordPiece", view_of(word));
	test_back(a, "Unigram", view_of(arena_printf(a, "%.*s%s",
	    (int)strlen(files[2].json) - 3, files[2].json,
	    ",[\"word\",-9]]}}")));
	test_files(a, dir);
	file_remove(AT_FDCWD, path, &e);
	close(dir);
	arena_free(a);
	return tap_done();
}
