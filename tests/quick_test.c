/* SPDX-License-Identifier: Apache-2.0 */
/* The quick ways of tokenizer.json's words beside the plain ones: units of a
 * block beside those of one character at a time, ids beside hf_encode's */
#include "tests/charsmap.h"
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/hf.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/trie.h"
#include "appliance/text/utf8.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ROUNDS	40
#define STRIDE	17u
#else
#define ROUNDS	400
#define STRIDE	1u
#endif

/* what texts are made of: each class, what is changed, what is not to be cut */
static const uint32_t letters[] = { ' ', ' ', ' ', ' ', '\n', '\r', '\t',
    0x0b, 0x0c, 0x01, 0x1f, 0x7f, '\'', '`', '.', ',', '(', '_', '-', '+', '<',
    'a', 'b', 'c', 'd', 'a', 'b', 'c', 'A', 'B', 'C', '0', '1', 0xe9, 0xc9,
    0x301, 0x308, 0x200d, 0x600, 0x110bd, 0x4e2d, 0x6587, 0xf900, 0x2b820,
    0x20000, 0x3042, 0x3000, 0xa0, 0x85, 0xad, 0x200b, 0x2028, 0x2019, 0x201c,
    0x2581, 0x1f600, 0x1f1e6, 0x1f468, 0xac00, 0x1100, 0x1161, 0x11a8, 0xfb01,
    0x130, 0x1e9e, 0x37e, 0x2e43, 0x94d, 0x915, 0xfffd, 0xe000, 0x10ffff };

/* what some texts are made of nearly alone: tokens lie across most of them */
static const uint32_t dense[] = { 0x4e2d, 0x6587, 0x4e2d, 0x3042, 0x3042,
    0x3042, 0x3042, 0x3000, 0x5b57, '.' };

/* text_make - kind 0: ASCII mostly; 1: anything; 2: runs of one; 3: one or two
 * that are not ASCII in long text that is; 5: ideographs and kana, few others */
static size_t
text_make(char *out, size_t n, int kind)
{
	size_t at = 0, len, times;
	char c[4];

	while (at + 4 <= n) {
		uint32_t i = random_below(kind == 0 || (kind == 3 &&
		    random_below(40) > 0) ? 33 :
		    (uint32_t)BASE_COUNT(letters));

		len = utf8_put(kind == 5 && random_below(16) > 0 ?
		    dense[i % BASE_COUNT(dense)] : letters[i], c);
		times = kind == 2 ? 1 + random_below(random_below(4) == 0 ?
		    90 : 6) : 1;
		for (; times > 0 && at + len <= n; times--, at += len)
			memcpy(out + at, c, len);
	}
	return at;
}

/* text_again - one piece of text over and over: all but its first unit is known,
 * and nothing is learnt that would ask for room */
static size_t
text_again(char *out, size_t n)
{
	size_t one = text_make(out, 5 + random_below(60), (int)random_below(3));
	size_t at = one;

	for (out[at++] = ' '; at + one + 1 <= n; at += one + 1)
		memcpy(out + at, out, one + 1);
	return at;
}

/* base64 - RFC 4648 */
static const char *
base64(struct arena *a, const unsigned char *p, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij"
	    "klmnopqrstuvwxyz0123456789+/";
	struct buf *b = buf_new(a, 4 * n + 8);

	for (size_t i = 0; i < n; i += 3) {
		uint32_t x = (uint32_t)p[i] << 16 | (i + 1 < n ?
		    (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		for (int k = 0; k < 4; k++)
			buf_char(b, i + (size_t)k > n ? '=' :
			    digit[x >> (18 - 6 * k) & 63]);
	}
	return buf_cstr(b);
}

/* charsmap - one whose keys are whole graphemes, parts of them, blanks, and
 * characters that lead on */
static const char *
charsmap(struct arena *a)
{
	static const char *const map[][2] = {
		{ "\t", " " }, { "\n", " " }, { "\r", " " }, { "\xc2\xa0",
		" " }, { "\xe3\x80\x80", " " }, { "\x01", "" },
		{ "\xef\xac\x81", "fi" }, { "e\xcc\x81", "\xc3\xa9" },
		{ " \xcc\x81", "x" }, { "\xd8\x80", "N" },
		{ "\xcc\x88", " \xcc\x88" }, { "\xe2\x80\x8b", " " },
		{ "A", "a" }, { "a\xcc\x81", "" },
	};
	struct view v = charsmap_of(a, map, BASE_COUNT(map));

	return base64(a, (const unsigned char *)v.p, v.n);
}

#define BERT(options)	"{\"type\":\"BertNormalizer\"," options "}"
#define WORDPIECE "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\"," \
    "\"max_input_chars_per_word\":20,\"vocab\":{\"[UNK]\":0,\"a\":1," \
    "\"##a\":2,\"b\":3,\"##b\":4,\"ab\":5,\"##bc\":6,\"abc\":7,\"##c\":8," \
    "\".\":9,\",\":10,\"(\":11,\"_\":12,\"A\":13,\"##B\":14,\"\xe4\xb8\xad\":15," \
    "\"\xc3\xa9\":16,\"##\xc3\xa9\":17,\"e\":18,\"##e\":19,\"'\":20," \
    "\"\xe2\x80\x99\":21,\"cab\":22,\"##\xcc\x81\":23,\"\xe3\x81\x82\":24," \
    "\"##\xe3\x81\x82\":25,\"0\":26,\"##1\":27,\"ba\":28,\"##0\":29," \
    "\"c\":30,\"d\":31,\"##d\":32,\"\xe1\x84\x80\":33}}"
#define UNIGRAM	"{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]," \
    "[\"\xe2\x96\x81\",-2],[\"a\",-3],[\"b\",-3.5],[\"ab\",-4]," \
    "[\"\xe2\x96\x81""a\",-3.25],[\"\xe2\x96\x81""ab\",-5],[\"abc\",-6]," \
    "[\"c\",-4],[\"bc\",-5.5],[\"d\",-5],[\".\",-3],[\",\",-3]," \
    "[\"\xe2\x96\x81(\",-4],[\"(\",-6],[\"\xc3\xa9\",-6],[\"cab\",-7]," \
    "[\"\xe4\xb8\xad\",-8],[\"0\",-6],[\"1\",-6],[\"01\",-6.5],[\"N\",-7]," \
    "[\"x\",-7],[\"fi\",-7],[\"aa\",-5.75],[\"\xe3\x81\x82\",-6.1]," \
    "[\"\xe3\x81\x82\xe3\x81\x82\",-12.2],[\"\xe4\xb8\xad" \
    "\xe3\x81\x82\",-13],[\"\xe6\x96\x87\xe4\xb8\xad\xe4\xb8\xad\"," \
    "-20.3],[\"\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82\xe4\xb8\xad\"," \
    "-26.300000000000001],[\"\xe4\xb8\xad""a\",-11]," \
    "[\"\xe2\x96\x81\xe3\x81\x82\",-8.1],[\"\xe6\x96\x87.\",-9]]}"
#define FALLBACK "{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true," \
    "\"vocab\":[[\"<unk>\",-2],[\"a\",-3],[\"ab\",-4],[\"<0xE4>\",-9]," \
    "[\"<0xB8>\",-9],[\"<0xAD>\",-9],[\"\xe6\x96\x87\",-6],[\"\xe4\xb8\xad" \
    "\xe6\x96\x87\",-5],[\"\xe5\xad\x97\xe5\xad\x97\",-99]]}"
#define SIGN	"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\"," \
    "\"prepend_scheme\":\"always\"}"
#define WORDS	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":" \
    "\"WhitespaceSplit\"}," SIGN "]}"

#define TO_SIGN	"{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"}," \
    "\"content\":\"\xe2\x96\x81\"}"
#define LLAMA	"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":" \
    "\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}," TO_SIGN "]}"
#define FIRST(split) "{\"type\":\"Metaspace\",\"replacement\":" \
    "\"\xe2\x96\x81\",\"prepend_scheme\":\"first\",\"split\":" split "}"
#define BPE	"BPE"			/* bpe_model */
#define RULES	"BPE of bytes"		/* with a rule of two bytes */

/* pipelines: normalizer (%s: a charsmap), pre-tokenizer, model */
static const struct {
	const char *name, *norm, *split, *model;
	bool quick;
} pipes[] = {
	{ "uncased", BERT("\"lowercase\":true"),
	    "{\"type\":\"BertPreTokenizer\"}", WORDPIECE, true },
	{ "cased", BERT("\"lowercase\":false,\"strip_accents\":null"),
	    "{\"type\":\"BertPreTokenizer\"}", WORDPIECE, true },
	{ "bare", BERT("\"lowercase\":false,\"strip_accents\":false,"
	    "\"clean_text\":false,\"handle_chinese_chars\":false"),
	    "{\"type\":\"BertPreTokenizer\"}", WORDPIECE, true },
	{ "accents", BERT("\"lowercase\":false,\"strip_accents\":true,"
	    "\"clean_text\":false"),
	    "{\"type\":\"BertPreTokenizer\"}", WORDPIECE, true },
	{ "charsmap", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
	    "\"%s\"}", WORDS, UNIGRAM, true },
	{ "several", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
	    "\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"a\"},"
	    "{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"},{\"type\":"
	    "\"Lowercase\"},{\"type\":\"Precompiled\","
	    "\"precompiled_charsmap\":\"%s\"}]}", WORDS, UNIGRAM, true },
	{ "composed", "{\"type\":\"NFKC\"}", WORDS, UNIGRAM, true },
	{ "bytes", "null", "{\"type\":\"WhitespaceSplit\"}", FALLBACK, true },
	{ "plain words", "null", "{\"type\":\"WhitespaceSplit\"}",
	    "{\"type\":\"WordLevel\",\"unk_token\":\"a\",\"vocab\":{"
	    "\"a\":0,\"b\":1,\"ab\":2,\"A\":3,\".\":4}}", true },
	{ "Llama", LLAMA, "null", BPE, true },
	{ "Mistral", "null", FIRST("false"), BPE, true },
	{ "split", "null", FIRST("true"), BPE, true },
	{ "signs", "null", SIGN, BPE, true },
	{ "Gemma", TO_SIGN, "{\"type\":\"Split\",\"pattern\":{\"String\":"
	    "\" \"},\"behavior\":\"MergedWithPrevious\"}", BPE, true },
	{ "rules of bytes", LLAMA, "null", RULES, false },
	{ "first", "null", "{\"type\":\"Sequence\",\"pretokenizers\":["
	    "{\"type\":\"WhitespaceSplit\"},{\"type\":\"Metaspace\","
	    "\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"first\"}"
	    "]}", UNIGRAM, false },
	{ "stripped", "{\"type\":\"Strip\",\"strip_left\":true,"
	    "\"strip_right\":true}", WORDS, UNIGRAM, false },
};

/* bpe_model - bytes, and rules of which some reach over a sign */
static const char *
bpe_model(struct arena *a, bool bytes)
{
	static const char *const chars[] = { "\xe2\x96\x81", "a", "b", "c",
	    "d", ".", ",", "0", "1", "\xe4\xb8\xad", "\xe6\x96\x87", "A" };
	static const char *const rules[][2] = { { "\xe2\x96\x81", "a" },
	    { "a", "b" }, { "\xe2\x96\x81", "\xe2\x96\x81" },
	    { "ab", "c" }, { "c", "\xe2\x96\x81" },
	    { "c\xe2\x96\x81", "a" }, { ".", "." }, { "0", "." },
	    { "\xe4\xb8\xad", "\xe6\x96\x87" },
	    { "\xe2\x96\x81\xe2\x96\x81", "\xe2\x96\x81\xe2\x96\x81" },
	    { "\xe2\x96\x81", "ab" }, { "d", "\xe4\xb8\xad" },
	    { "a", "a" }, { "aa", "aa" }, { "b", "A" } };
	struct buf *b = buf_new(a, 1 << 16);

	buf_str(b, "{\"type\":\"BPE\",\"unk_token\":\"<unk>\","
	    "\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{"
	    "\"<unk>\":0");
	for (unsigned i = 0; i < 256; i++)
		buf_printf(b, ",\"<0x%02X>\":%u", i, i + 1);
	for (size_t i = 0; i < BASE_COUNT(chars); i++)
		buf_printf(b, ",\"%s\":%zu", chars[i], 300 + i);
	for (size_t i = 0; i < BASE_COUNT(rules); i++)
		buf_printf(b, ",\"%s%s\":%zu", rules[i][0], rules[i][1],
		    400 + i);
	buf_printf(b, ",\"<0xC3><0xA9>\":500},\"merges\":[%s", bytes ?
	    "[\"<0xC3>\",\"<0xA9>\"]," : "");
	for (size_t i = 0; i < BASE_COUNT(rules); i++)
		buf_printf(b, "%s[\"%s\",\"%s\"]", i == 0 ? "" : ",",
		    rules[i][0], rules[i][1]);
	buf_str(b, "]}");
	return buf_cstr(b);
}

static struct hf *
pipe_open(struct arena *a, size_t i, const char *model, const char *added,
    struct err *e)
{
	return hf_open(a, view_of(arena_printf(a, "{\"version\":\"1.0\","
	    "\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,"
	    "\"model\":%s}", added, strstr(pipes[i].norm, "%s") == NULL ?
	    pipes[i].norm : arena_printf(a, "%.*s%s%s",
	    (int)(strstr(pipes[i].norm, "%s") - pipes[i].norm), pipes[i].norm,
	    charsmap(a), strstr(pipes[i].norm, "%s") + 2), pipes[i].split,
	    strncmp(model, BPE, 3) == 0 ? bpe_model(a, strcmp(model, RULES) ==
	    0) : model)), e);
}

/* same - hf_ids with a scratch and without one, and hf_encode */
static bool
same(const struct hf *t, struct hf_scratch *s, struct arena *a, struct view v)
{
	struct hf_encoding x;
	uint32_t *one, *two;
	size_t n, m;
	struct err e;

	if (hf_encode(t, a, v, NULL, 0, &x, &e) == -1 ||
	    hf_ids(t, s, a, v, &one, &n, &e) == -1 ||
	    hf_ids(t, NULL, a, v, &two, &m, &e) == -1 || n != x.n || m != x.n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (x.v[i].id != one[i] || x.v[i].id != two[i])
			return false;
	return true;
}

static void
show(struct view v)
{
	printf("# ");
	for (size_t i = 0; i < v.n; i++)
		printf((unsigned char)v.p[i] < 33 ||
		    (unsigned char)v.p[i] > 126 ? "\\x%02x" : "%c",
		    (unsigned char)v.p[i]);
	printf("\n");
}

static void
test_random(struct hf *t, struct hf_scratch *s, const char *name)
{
	struct arena *a = arena_new();
	size_t bad = 0, cases = 0, n;
	char text[4096];

	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < 6; kind++, cases++) {
			n = kind != 4 ? text_make(text, random_below(round %
			    8 == 0 ? 1024 : 120) + 4, kind) :
			    text_again(text, round % 8 == 0 ? sizeof(text) :
			    200);
			arena_reset(a);
			if (same(t, s, a, (struct view){ text, n }))
				continue;
			if (bad++ == 0)
				show((struct view){ text, n });
		}
	tap(bad == 0, "%s: %zu texts have the plain ids", name, cases);
	arena_free(a);
}

/* test_scalars - every scalar among others, some to a text */
static void
test_scalars(struct hf *t, struct hf_scratch *s, const char *name)
{
	static const char *const around[] = { "ab", "c ", " b", ".", " " };
	struct arena *a = arena_new();
	size_t bad = 0, n = 0, k = 0;
	char text[4096];

	for (uint32_t c = 0; c < 0x110000; c += STRIDE) {
		if (c >= 0xd800 && c < 0xe000)
			continue;
		/* planes without characters are alike */
		if (c >= 0x32000 && c < 0xe0000)
			c += 96;
		n += utf8_put(c, text + n);
		memcpy(text + n, around[k % 5], strlen(around[k % 5]));
		n += strlen(around[k++ % 5]);
		if (n < 200)
			continue;
		arena_reset(a);
		if (!same(t, s, a, (struct view){ text, n }) && bad++ == 0)
			show((struct view){ text, n });
		n = 0;
	}
	tap(bad == 0, "%s: %zu scalars", name, k);
	arena_free(a);
}

static void
test_pipes(struct arena *a)
{
	struct err e = { 0 };

	for (size_t i = 0; i < BASE_COUNT(pipes); i++) {
		struct hf *t = pipe_open(a, i, pipes[i].model, "", &e);
		struct hf_scratch *s;

		if (t == NULL) {
			tap(false, "%s: %s", pipes[i].name, e.text);
			continue;
		}
		s = hf_scratch(a, t);
		tap((s != NULL) == pipes[i].quick, "%s: %s", pipes[i].name,
		    pipes[i].quick ? "by units" : "not by units");
		test_random(t, s, pipes[i].name);
		if (s != NULL && i % 2 == 0)
			test_scalars(t, s, pipes[i].name);
	}
}

/* test_added - special tokens are not sought, others are */
static void
test_added(struct arena *a)
{
	struct err e = { 0 };
	struct hf *t = pipe_open(a, 0, WORDPIECE, "{\"id\":40,\"content\":\"ab\","
	    "\"special\":true,\"normalized\":false}", &e);

	tap(t != NULL && hf_scratch(a, t) != NULL, "special tokens: by units");
	if (t != NULL)
		test_random(t, hf_scratch(a, t), "special tokens");
	t = pipe_open(a, 0, WORDPIECE, "{\"id\":40,\"content\":\"b c\","
	    "\"special\":false,\"normalized\":true}", &e);
	tap(t != NULL && hf_scratch(a, t) == NULL, "others: not by units");
	if (t != NULL)
		test_random(t, NULL, "others");
}

/* test_tries - a token with a NUL, which no trie holds, changes nothing else */
static void
test_tries(struct arena *a)
{
	static const size_t which[] = { 0, 4 };
	static const char *const more[] = { ",\"\\u0000z\":60}}",
	    ",[\"\\u0000z\",-3]]}" };
	struct arena *own = arena_new();
	struct hf_encoding x, y;
	char text[200];
	size_t n, bad = 0;
	struct err e = { 0 };

	for (size_t i = 0; i < 2; i++) {
		const char *model = pipes[which[i]].model;
		struct hf *t = pipe_open(a, which[i], model, "", &e), *u =
		    pipe_open(a, which[i], arena_printf(a, "%.*s%s",
		    (int)strlen(model) - 2, model, more[i]), "", &e);

		for (int r = 0; r < 4 * ROUNDS && u != NULL; r++) {
			arena_reset(own);
			n = text_make(text, sizeof(text), r % 4);
			hf_encode(t, own, (struct view){ text, n }, NULL, 0, &x,
			    &e);
			hf_encode(u, own, (struct view){ text, n }, NULL, 0, &y,
			    &e);
			bad += x.n != y.n;
			for (size_t k = 0; k < x.n && k < y.n; k++)
				bad += x.v[k].id != y.v[k].id;
		}
		tap(u != NULL && bad == 0, "%s: by tries and without",
		    pipes[which[i]].name);
	}
	arena_free(own);
}

struct job {
	pthread_t id;
	const struct hf *t;
	struct view text;
	uint64_t sum;
};

static void *
job_run(void *arg)
{
	struct job *j = arg;
	struct arena *a = arena_new();
	struct hf_scratch *s = hf_scratch(a, j->t);
	uint32_t *ids;
	struct err e;
	size_t n;

	for (int round = 0; round < 3; round++) {
		j->sum = 0;
		hf_ids(j->t, s, a, j->text, &ids, &n, &e);
		for (size_t i = 0; i < n; i++)
			j->sum = j->sum * 31 + ids[i];
	}
	arena_free(a);
	return NULL;
}

static void
test_threads(struct arena *a)
{
	struct job job[4];
	size_t n = (size_t)1 << 16;
	char *text = arena_alloc(a, n);
	struct err e = { 0 };
	const struct hf *t = pipe_open(a, 4, pipes[4].model, "", &e);
	bool alike = t != NULL;

	n = text_make(text, n, 1);
	for (size_t i = 0; t != NULL && i < BASE_COUNT(job); i++) {
		job[i] = (struct job){ .t = t, .text = { text, n } };
		pthread_create(&job[i].id, NULL, job_run, &job[i]);
	}
	for (size_t i = 0; t != NULL && i < BASE_COUNT(job); i++) {
		pthread_join(job[i].id, NULL);
		alike = alike && job[i].sum == job[0].sum;
	}
	tap(alike, "four threads at once have the same ids");
}

/* test_files - published vocabularies over a published text */
static void
test_files(struct arena *a)
{
	static const char *const names[] = { "bert-base-uncased.json",
	    "bert-base-multilingual-cased.json", "t5-small.json",
	    "xlnet_base_cased.json", "llama2.json", "mistral03.json" };
	const char *dir = getenv("QUERN_TEST_DATA");
	struct view file, text;
	struct err e = { 0 };

	if (dir == NULL || file_read(a, AT_FDCWD, arena_printf(a,
	    "%s/tokenizers/text/wagahai.txt", dir), 1 << 24, &text, &e) == -1) {
		tap(true, "published vocabularies # SKIP no QUERN_TEST_DATA");
		return;
	}
	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		struct arena *own = arena_new();
		struct hf *t = file_read(own, AT_FDCWD, arena_printf(own,
		    "%s/tokenizers/hf/%s", dir, names[i]), 1 << 28, &file,
		    &e) == -1 ? NULL : hf_open(own, file, &e);

		text.n = text.n < 40000 ? text.n : 40000;
		while (((unsigned char)text.p[text.n] & 0xc0) == 0x80)
			text.n--;
		tap(t != NULL && same(t, hf_scratch(own, t), own, text),
		    "%s: Japanese", names[i]);
		if (t != NULL)
			test_random(t, hf_scratch(own, t), names[i]);
		arena_free(own);
	}
}

int
main(void)
{
	struct arena *a = arena_new();

	test_pipes(a);
	test_added(a);
	test_tries(a);
	test_threads(a);
	test_files(a);
	arena_free(a);
	return tap_done();
}
