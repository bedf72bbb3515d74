/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/bpe.h"
#include "appliance/text/compiled.h"
#include "appliance/text/gguf_put.h"
#include "appliance/text/gguf_tokenizer.h"
#include "appliance/text/json.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"
#include "appliance/text/vocab.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define S	"\xe2\x96\x81"

/* ids_are - a text's ids by a vocabulary's bytes */
static void
ids_are(struct arena *a, struct view file, const char *text, const char *want,
    const char *name)
{
	struct buf *b = buf_new(a, 4096);
	struct err e = { 0 };
	struct tokenizer *t = tokenizer_open(a, file, &e);
	uint32_t *ids;
	size_t n;

	if (t == NULL) {
		tap(false, "%s: %s", name, e.text);
		return;
	}
	n = tokenizer_encode(t, a, view_of(text), &ids);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, i > 0 ? " %u" : "%u", ids[i]);
	tap_str(buf_cstr(b), want, name);
}

/* token - a row of a vocabulary in GGUF's keys */
struct token {
	const char *text;
	float score;
	uint32_t type;
};

/* gguf_make - a file of nothing but a vocabulary; more: keys that the caller
 * has put */
static struct view
gguf_make(struct arena *a, const char *model, const struct token *t, size_t n,
    struct view more, uint64_t nmore)
{
	struct buf *b = buf_new(a, 1 << 20);

	gguf_put_begin(b, 0, 4 + nmore);
	gguf_put_text(b, "tokenizer.ggml.model", view_of(model));
	gguf_put_array(b, "tokenizer.ggml.tokens", GGUF_TEXT, n);
	for (size_t i = 0; i < n; i++)
		gguf_put_element(b, view_of(t[i].text));
	gguf_put_array(b, "tokenizer.ggml.scores", GGUF_F32, n);
	for (size_t i = 0; i < n; i++)
		gguf_put_word(b, &t[i].score);
	gguf_put_array(b, "tokenizer.ggml.token_type", GGUF_I32, n);
	for (size_t i = 0; i < n; i++)
		gguf_put_word(b, &t[i].type);
	buf_view(b, more);
	gguf_put_end(b);
	return buf_get(b);
}

/* gguf_files_of - of a file in memory; name NULL: e says why not */
static struct gguf_files
gguf_files_of(struct arena *a, struct view file, struct err *e)
{
	struct gguf_files f = { .name = NULL };
	struct gguf g;

	if (gguf_parse(a, file, file.n, &g, e) == -1 ||
	    gguf_tokenizer(a, &g, false, &f, e) == -1)
		f.name = NULL;
	return f;
}

static const struct token llama[] = {
	{ "<unk>", 0, 3 }, { "<s>", 0, 3 }, { "</e>", 0, 3 },
	{ "ab", -1, 1 }, { "a", -2, 1 }, { "b", -2, 1 }, { S, -3, 1 },
	{ S "a", -1.5f, 1 }, { "[PAD]", -9, 2 }, { "<x>", 0, 4 } };

static void
test_llama(struct arena *a)
{
	static const struct view none = { "", 0 };
	struct buf *more = buf_new(a, 4096);
	struct gguf_files f;
	struct tokenizer *t;
	struct err e = { 0 };

	gguf_put_u32(more, "tokenizer.ggml.unknown_token_id", 0);
	gguf_put_u32(more, "tokenizer.ggml.eos_token_id", 2);
	f = gguf_files_of(a, gguf_make(a, "llama", llama, BASE_COUNT(llama),
	    buf_get(more), 2), &e);
	tap_str(f.name == NULL ? e.text : f.name, "tokenizer.model",
	    "llama is a tokenizer.model");
	ids_are(a, f.file, "ab  a<x>bx[PAD]", "6 3 6 7 9 5 0",
	    "its blanks stay, and its padding is never made");
	t = tokenizer_open(a, f.file, &e);
	tap(t != NULL && t->end == 2 && t->bos == 1, "its ends are known");
	gguf_put_bool(more, "tokenizer.ggml.add_space_prefix", false);
	f = gguf_files_of(a, gguf_make(a, "llama", llama, BASE_COUNT(llama),
	    buf_get(more), 3), &e);
	ids_are(a, f.file, "ab a", "3 7", "without a blank in front");
	f = gguf_files_of(a, gguf_make(a, "llama", llama, BASE_COUNT(llama),
	    none, 0), &e);
	tap(f.name != NULL && tokenizer_open(a, f.file, &e) != NULL,
	    "the type alone says which is unknown");
	f = gguf_files_of(a, gguf_make(a, "rwkv", llama, BASE_COUNT(llama),
	    none, 0), &e);
	tap_str(e.text, "its vocabulary is of the kind 'rwkv': bert, gpt2, "
	    "llama and t5 are read", "another kind is named");
}

static void
test_t5(struct arena *a)
{
	struct buf *more = buf_new(a, 4096);
	struct gguf_files f;
	struct err e = { 0 };

	gguf_put_u32(more, "tokenizer.ggml.unknown_token_id", 0);
	gguf_put_bool(more, "tokenizer.ggml.remove_extra_whitespaces", true);
	f = gguf_files_of(a, gguf_make(a, "t5", llama, BASE_COUNT(llama),
	    buf_get(more), 2), &e);
	tap_str(f.name == NULL ? e.text : f.name, "tokenizer.model",
	    "t5 is a tokenizer.model");
	ids_are(a, f.file, " ab   ba ", "7 5 6 5 4",
	    "which squeezes blanks and looks for the best path");
}

/* json_is - a member of a JSON text, by a path of names with a dot between */
static void
json_is(struct arena *a, struct view text, const char *path,
    const char *want, const char *name)
{
	struct view v, next;
	struct err e = { 0 };
	bool there = json_value(text, &v, &e) == 0;

	for (const char *dot; there && *path != '\0'; path = dot) {
		dot = strchrnul(path, '.');
		there = json_get(v, arena_strn(a, path, (size_t)(dot - path)),
		    &next);
		v = next;
		dot += *dot == '.';
	}
	tap_str(there ? arena_strn(a, v.p, v.n) : "it is not there", want,
	    name);
}

static void
test_bert(struct arena *a)
{
	static const struct token bert[] = { { "[PAD]", 0, 3 },
	    { "[UNK]", 0, 3 }, { "[CLS]", 0, 3 }, { "[SEP]", 0, 3 },
	    { S "the", 0, 1 }, { "s", 0, 1 }, { S "[", 0, 1 } };
	static const struct view none = { "", 0 };
	struct err e = { 0 };
	struct gguf_files f = gguf_files_of(a, gguf_make(a, "bert", bert,
	    BASE_COUNT(bert), none, 0), &e);

	tap_str(f.name == NULL ? e.text : f.name, "tokenizer.json",
	    "bert is a tokenizer.json");
	json_is(a, f.file, "model.vocab", "{\n\"[PAD]\":0,\n\"[UNK]\":1,\n"
	    "\"[CLS]\":2,\n\"[SEP]\":3,\n\"the\":4,\n\"##s\":5,\n\"[\":6}",
	    "its signs become ##");
}

/* lines: vocab.txt and a member of what becomes of it, or why it is refused */
static const struct {
	const char *text, *config, *path, *want;
} lines[] = {
	{ "[PAD]\n[UNK]\nthe\n##s", "", "model.vocab.##s", "3" },
	{ "[PAD]\r\n[UNK]\r\nthe\r\n##s\r\n", "", "model.vocab.##s", "3" },
	{ "[UNK]\nthe\n", "", "normalizer.lowercase", "true" },
	{ "[UNK]\nThe\n", "", "normalizer.lowercase", "false" },
	{ "[UNK]\nThe\n", "{\"do_lower_case\":true}", "normalizer.lowercase",
	    "true" },
	{ "[UNK]\nthe\n", "", "post_processor", "null" },
	{ "[UNK]\n[CLS]\n[SEP]\n", "", "post_processor.special_tokens.[SEP]."
	    "ids", "[2]" },
	{ "the\n", "", NULL, "no line is [UNK]" },
	{ "[UNK]\n\nthe\n", "", NULL, "line 2 is empty" },
	{ "[UNK]\n\xff\n", "", NULL, "it is no UTF-8 at byte 6" },
	{ "[UNK]\n", "{", NULL, "tokenizer_config.json: not JSON: a "
	    "member's name is missing" },
};

static void
test_lines(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(lines); i++) {
		struct buf *b = buf_new(a, 1 << 16);
		struct err e = { 0 };
		int rc = vocab_lines(a, view_of(lines[i].text),
		    view_of(lines[i].config), b, &e);

		if (lines[i].path == NULL)
			tap_str(rc == -1 ? e.text : "it was read",
			    lines[i].want, "a vocab.txt is refused");
		else
			json_is(a, buf_get(b), lines[i].path, lines[i].want,
			    lines[i].path);
	}
}

/* pair_vocab - the bytes, and two joined ones */
static struct view
pair_vocab(struct arena *a, const char *more)
{
	struct buf *b = buf_new(a, 1 << 16);
	char c[4];

	buf_char(b, '{');
	for (unsigned i = 0; i < 256; i++) {
		buf_json(b, (struct view){ c,
		    utf8_put(bpe_byte_char((unsigned char)i), c) });
		buf_printf(b, ":%u,", i);
	}
	buf_printf(b, "\"ab\":256,\"12\":257%s}", more);
	return buf_get(b);
}

#define CLIP ",\"ab</w>\":258,\"b</w>\":259,\"a</w>\":260,\"<u>\":261"

static const struct {
	const char *vocab, *merges, *config, *text, *want;
} pairs[] = {
	{ "", "#version: 0.2\na b\n1 2\n", "", "abab 12", "256 256 32 257" },
	{ "", "a b\r\n1 2\r\n", "{\"tokenizer_class\":\"Qwen2Tokenizer\"}",
	    "ab 12e\xcc\x81", "256 32 49 50 195 169" },
	{ ",\"<s>\":258", "a b\n1 2\n", "", "<s>", "60 115 62" },
	{ "", "a b\n1 2\n", "{\"added_tokens_decoder\":{\"258\":{\"content\":"
	    "\"<x>\",\"lstrip\":false,\"normalized\":false,\"rstrip\":false,"
	    "\"single_word\":false,\"special\":false}}}", "a<x>ab",
	    "97 258 256" },
	{ "", "a b\nab\n", "", NULL, "line 2 of merges.txt is not two "
	    "tokens" },
	/* CLIP: lower case, ends of words; what has no token is unknown */
	{ CLIP, "a b</w>\n", "", "AB a \t b", "258 260 259" },
	{ CLIP, "a b</w>\n", "{\"tokenizer_class\":\"CLIPTokenizerFast\","
	    "\"unk_token\":{\"content\":\"<u>\"}}", "ab1<u>",
	    "258 261 261 261 261" },
	{ CLIP, "a b</w>\n", "{\"tokenizer_class\":\"OpenAIGPTTokenizer\"}",
	    NULL, "its tokenizer_class \"OpenAIGPTTokenizer\" is not read from "
	    "these" },
	{ CLIP, "a b</w>\n", "{\"tokenizer_class\":\"GPT2Tokenizer\"}", NULL,
	    "tokens end with </w>, which those of a \"GPT2Tokenizer\" do not" },
	{ "", "a b\n", "{\"tokenizer_class\":\"CLIPTokenizer\"}", NULL,
	    "tokens do not end with </w>, which those of a \"CLIPTokenizer\" "
	    "do" },
	{ "", "a b\n", "{\"tokenizer_class\":\"RobertaTokenizer\","
	    "\"add_prefix_space\":true}", "ab", "32 256" },
	{ "", "a b\n", "{\"added_tokens_decoder\":{\"x\":{}}}", NULL,
	    "tokenizer_config.json: added_tokens_decoder is not objects by "
	    "id" },
};

static void
test_pairs(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(pairs); i++) {
		struct buf *b = buf_new(a, 1 << 16);
		struct err e = { 0 };
		int rc = vocab_pair(a, pair_vocab(a, pairs[i].vocab),
		    view_of(pairs[i].merges), view_of(pairs[i].config), b, &e);

		if (pairs[i].text == NULL)
			tap_str(rc == -1 ? e.text : "it was read",
			    pairs[i].want, "two files are refused");
		else
			ids_are(a, buf_get(b), pairs[i].text, pairs[i].want,
			    "vocab.json and merges.txt");
	}
}

/* what a path names: a directory of old files, a GGUF file, nothing */
static void
test_paths(struct arena *a)
{
	static const struct view merges = VIEW("a b\n1 2\n");
	const char *name = tap_dir();
	struct vocab_made made;
	struct err e = { 0 };
	const char *why;
	int dir;

	if (file_replace(AT_FDCWD, arena_printf(a, "%s/vocab.json", name),
	    pair_vocab(a, ""), 0600, false, &e) == -1) {
		tap(false, "no directory for tests");
		return;
	}
	dir = open(name, O_RDONLY | O_DIRECTORY);
	why = vocab_read(a, AT_FDCWD, name, -1, &made, &e) == -1 ? e.text :
	    "read";
	tap(strstr(why, "no vocabulary in") == why, "one of two is none");
	file_replace(dir, "merges.txt", merges, 0600, false, &e);
	if (vocab_read(a, AT_FDCWD, name, -1, &made, &e) == 0)
		ids_are(a, made.file, "ab", "256", "a directory with both");
	else
		tap(false, "%s", e.text);
	file_replace(dir, "x.gguf", gguf_make(a, "llama", llama,
	    BASE_COUNT(llama), VIEW(""), 0), 0600, false, &e);
	if (vocab_read(a, dir, "x.gguf", -1, &made, &e) == 0)
		ids_are(a, made.file, "ab", "6 3", "a GGUF file");
	else
		tap(false, "%s", e.text);
	tap(vocab_read(a, dir, "absent", -1, &made, &e) == -1, "nothing");
	close(dir);
	file_remove(AT_FDCWD, name, &e);
}

/* kept_name - the one image in a directory; an empty hash: there is none, or
 * more */
static struct hash
kept_name(struct arena *a, int dir)
{
	struct hash h = { { 0 } };
	struct err e;
	char **name;
	size_t n;

	if (file_list(a, dir, ".", &name, &n, &e) == 0 && n == 1)
		(void)hash_parse((struct view){ name[0], HASH_HEX }, &h);
	return h;
}

/* made_is - does what is read say what a conversion without images says */
static bool
made_is(struct arena *a, int at, const char *path, int images,
    const struct vocab_made *want)
{
	struct vocab_made made;
	struct err e;

	return vocab_read(a, at, path, images, &made, &e) == 0 &&
	    view_eq(made.file, want->file) &&
	    view_eq(made.config, want->config) &&
	    strcmp(made.name, want->name) == 0 &&
	    memcmp(&made.hash, &want->hash, sizeof(made.hash)) == 0;
}

/* test_kept_one - a path's conversion is kept, taken from there when it is
 * read again, and not when it is damaged, or another's lies under its name */
static void
test_kept_one(struct arena *a, int at, const char *path, struct view other)
{
	const char *name = tap_dir();
	struct vocab_from from = { "another", &other, 1 };
	struct vocab_made want, lie = { .name = "x", .file = VIEW("a lie"),
	    .config = VIEW("") };
	struct hash key, theirs;
	char image[COMPILED_NAME];
	struct view bytes;
	struct err e = { 0 };
	int dir;

	if ((dir = open(name, O_RDONLY | O_DIRECTORY)) == -1 ||
	    vocab_read(a, at, path, -1, &want, &e) == -1) {
		tap(false, "%s: %s", path, e.text);
		return;
	}
	tap(made_is(a, at, path, dir, &want), "%s: while it is kept", path);
	key = kept_name(a, dir);
	compiled_name(&key, image);
	tap(file_exists(dir, image) && made_is(a, at, path, dir, &want),
	    "%s: as it was kept", path);
	/* an image that says something else is what is read */
	file_read(a, dir, image, 1 << 24, &bytes, &e);
	bytes = (struct view){ arena_copy(a, bytes.p, bytes.n), bytes.n };
	*(char *)(uintptr_t)memmem(bytes.p, bytes.n, want.file.p,
	    want.file.n) ^= 1;
	compiled_keep(dir, bytes, &key, &e);
	tap(!made_is(a, at, path, dir, &want), "%s: is taken from there",
	    path);
	((char *)(uintptr_t)bytes.p)[bytes.n - 1] ^= 1;
	file_replace(dir, image, bytes, 0600, false, &e);
	tap(made_is(a, at, path, dir, &want), "%s: not if it is damaged",
	    path);
	file_remove(dir, image, &e);
	vocab_kept_put(dir, &from, &lie);
	theirs = kept_name(a, dir);
	compiled_name(&theirs, image);
	file_read(a, dir, image, 1 << 24, &bytes, &e);
	bytes = (struct view){ arena_copy(a, bytes.p, bytes.n), bytes.n };
	file_remove(dir, image, &e);
	compiled_keep(dir, bytes, &key, &e);
	tap(made_is(a, at, path, dir, &want), "%s: not if it was made from "
	    "something else", path);
	close(dir);
	file_remove(AT_FDCWD, name, &e);
}

/* test_kept - each kind that is converted */
static void
test_kept(struct arena *a)
{
	const char *name = tap_dir();
	struct err e = { 0 };
	int dir = open(name, O_RDONLY | O_DIRECTORY);

	if (dir == -1) {
		tap(false, "no directory for tests");
		return;
	}
	file_replace(dir, "llama.gguf", gguf_make(a, "llama", llama,
	    BASE_COUNT(llama), VIEW(""), 0), 0600, false, &e);
	file_replace(dir, "words", VIEW("[UNK]\na\n##b\n"), 0600, false, &e);
	(void)mkdirat(dir, "pair", 0700);
	file_replace(dir, "pair/vocab.json", pair_vocab(a, ""), 0600, false,
	    &e);
	file_replace(dir, "pair/merges.txt", VIEW("a b\n1 2\n"), 0600, false,
	    &e);
	test_kept_one(a, dir, "llama.gguf", VIEW("x"));
	test_kept_one(a, dir, "words", VIEW(""));
	test_kept_one(a, dir, "pair", VIEW("y"));
	close(dir);
	file_remove(AT_FDCWD, name, &e);
}

int
main(void)
{
	struct arena *a = arena_new();

	test_llama(a);
	test_t5(a);
	test_bert(a);
	test_lines(a);
	test_pairs(a);
	test_paths(a);
	test_kept(a);
	arena_free(a);
	return tap_done();
}
