/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json beside what Hugging Face's library said of it: small files
 * with their answers (tests/golden/hf, written by tests/peer/hf_golden.py) and,
 * where QUERN_TEST_DATA has them, published ids of published files.
 */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/tokenizer.h"
#include "tests/hf_answer.h"

#include <fcntl.h>
#include <unistd.h>

#define FILE_MAX	((size_t)1 << 26)

/* a tokenizer of a golden file, and what came of all before */
struct group {
	const struct hf_chars *chars;
	struct arena *arena;
	struct view about;
	struct hf *hf;
	struct tokenizer *whole;	/* as the appliance opens it; or NULL */
	struct tokenizer_scratch *scratch;
	size_t files, whole_files, good, bad, refused;
};

/* group_begin - {"about":WHAT,"file":TOKENIZER} */
static void
group_begin(struct group *g, struct view line, struct view json)
{
	struct err e = { .text = "" };

	if (g->arena != NULL)
		arena_free(g->arena);
	g->arena = arena_new();
	if (!json_get(line, "about", &g->about))
		g->about = VIEW("");
	g->hf = hf_open_with(g->arena, g->chars, json, &e);
	g->files++;
	if (g->hf == NULL) {
		printf("# %s\n", e.text);
		g->bad++;
	}
	g->whole = tokenizer_open(g->arena, json, &e);
	g->whole_files += g->whole != NULL;
	g->scratch = g->whole == NULL ? NULL : tokenizer_scratch(g->whole,
	    g->arena);
}

/* same_whole - are the ids that the appliance takes, maybe by bpe.h, those
 * without template, limits and special tokens; and once more, of a thread that
 * has met the text before */
static bool
same_whole(const struct group *g, struct arena *a, struct view text)
{
	struct hf_encoding x;
	struct err e;
	uint32_t *ids;
	size_t n;

	if (g->whole == NULL)
		return true;
	if (hf_encode(g->hf, a, text, NULL, 0, &x, &e) == -1)
		return false;
	for (int i = 0; i < 3; i++) {
		n = tokenizer_encode_with(g->whole, i == 0 ? NULL :
		    g->scratch, a, text, &ids);
		if (n != x.n)
			return false;
		for (size_t k = 0; k < n; k++)
			if (ids[k] != x.v[k].id)
				return false;
	}
	return true;
}

/* ask - a question of the file; "want" is its last member, as bytes */
static void
ask(struct group *g, struct arena *a, struct view line)
{
	struct buf *got = buf_new(a, 1 << 26);
	struct view want, v, text, pair;
	bool ok, refused;

	if (!json_get(line, "want", &want)) {
		g->bad++;
		return;
	}
	if (json_get(line, "text", &v) && json_string(a, v, &text)) {
		hf_answer_text(g->hf, a, line, text, got);
		ok = json_get(line, "pair", &pair) || same_whole(g, a, text);
	} else {
		ok = json_get(line, "ids", &v);
		hf_answer_ids(g->hf, a, line, v, got);
	}
	refused = json_get(want, "refused", &v);
	ok = ok && (refused ? json_get(buf_get(got), "refused", &v) :
	    view_eq(buf_get(got), want));
	g->good += ok;
	g->refused += refused;
	if (!ok && g->bad++ < 3)
		printf("# %.*s: %.*s\n# got: %s\n", (int)g->about.n,
		    g->about.p, line.n < 2000 ? (int)line.n : 2000, line.p,
		    buf_cstr(got));
}

/* golden_file - lines: a tokenizer, then questions with their answers */
static void
golden_file(struct arena *a, const struct hf_chars *chars, int dir,
    const char *name)
{
	struct group g = { .chars = chars };
	struct view file, line, root, v;
	struct err e;

	if (file_read(a, dir, name, FILE_MAX, &file, &e) == -1) {
		tap(false, "%s", e.text);
		return;
	}
	for (size_t at = 0, end; at < file.n; at = end + 1) {
		const char *nl = memchr(file.p + at, '\n', file.n - at);
		struct arena *one = arena_new();

		end = nl == NULL ? file.n : (size_t)(nl - file.p);
		line = (struct view){ file.p + at, end - at };
		if (json_value(line, &root, &e) == -1)
			tap(false, "%s: %s", name, e.text);
		else if (json_get(root, "file", &v))
			group_begin(&g, root, v);
		else if (g.hf != NULL)
			ask(&g, one, root);
		arena_free(one);
	}
	if (g.arena != NULL)
		arena_free(g.arena);
	tap(g.bad == 0 && g.good > g.files, "%s: %zu tokenizers, %zu answers "
	    "of which %zu are refusals; %zu in the appliance's own way too",
	    name, g.files, g.good, g.refused, g.whole_files);
}

static void
test_golden(struct arena *a, const struct hf_chars *chars)
{
	static const char *const names[] = { "normalizers.jsonl",
	    "pre_tokenizers.jsonl", "models.jsonl", "post_processors.jsonl",
	    "decoders.jsonl", "added_tokens.jsonl", "limits.jsonl",
	    "found.jsonl", "random.jsonl" };
	const char *src = getenv("srcdir");
	int dir = open(arena_printf(a, "%s/tests/golden/hf", src == NULL ?
	    "." : src), O_RDONLY | O_DIRECTORY);

	tap(dir != -1, "there are golden files");
	for (size_t i = 0; dir != -1 && i < BASE_COUNT(names); i++)
		golden_file(a, chars, dir, names[i]);
	if (dir != -1)
		close(dir);
}

#define MODEL	"\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}," \
    "\"unk_token\":\"a\"}"
#define SPLIT(regex)	"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\"," \
    "\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\"}}"
#define LONG	"{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}," \
    "\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"

#define AS	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* files that are refused, and why; NULL: they are read */
static const struct {
	const char *file, *err;
} files[] = {
	{ "{" MODEL "}", NULL },
	{ "{" MODEL ",\"version\":\"2.0\"}", "its version \"2.0\" is not "
	    "\"1.0\"" },
	{ "{\"version\":\"1.0\"}", "it has no model" },
	{ "{" MODEL ",\"normalizer\":{\"type\":\"Turn\"}}", "its normalizer "
	    "'Turn' is not read" },
	{ "{" MODEL ",\"pre_tokenizer\":{\"type\":\"Turn\"}}", "its "
	    "pre-tokenizer 'Turn' is not read" },
	{ "{" MODEL ",\"post_processor\":{\"type\":\"Turn\"}}", "its "
	    "post-processor 'Turn' is not read" },
	{ "{" MODEL ",\"decoder\":{\"type\":\"Turn\"}}", "its decoder 'Turn' "
	    "is not read" },
	{ "{" MODEL ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" LONG
	    "," LONG "]}}", NULL },
	{ "{" MODEL ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
	    LONG "," LONG "]}}", NULL },
	{ "{" MODEL ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" LONG
	    "," LONG "," LONG "]}}", "its decoders may make a text more than "
	    "1024 times as long" },
	{ "{" MODEL ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
	    LONG "," LONG "," LONG "]}}", "its normalizers may make a text "
	    "more than 1024 times as long" },
	/* twice, normalized to less than it is without */
	{ "{" MODEL ",\"added_tokens\":[{\"content\":\"" AS "\"},{"
	    "\"content\":\"" AS "\",\"normalized\":false}],\"normalizer\":{"
	    "\"type\":\"Replace\",\"pattern\":{\"String\":\"" AS "\"},"
	    "\"content\":\"b\"}}", NULL },
	{ SPLIT("(a)\\\\1"), "its pattern '(a)\\1': the escape \\1 is not "
	    "read" },
	{ SPLIT("(?:a*)*b"), NULL },
	{ SPLIT("(?:a*b*)*c"), "its pattern '(?:a*b*)*c': a loop whose body "
	    "may be empty is not read" },
	{ SPLIT("(a"), "its pattern '(a': a group is not closed" },
	{ SPLIT("(?=\\\\s*b).+"), "its pattern '(?=\\s*b).+': a lookahead before "
	    "a loop of dots is not read" },
	{ SPLIT("(?:(?=ba*).*|c)"), "its pattern '(?:(?=ba*).*|c)': a "
	    "lookahead before a loop of dots is not read" },
	{ SPLIT("(?=b).+"), "it is read" },
	{ SPLIT("a(?=\\\\s*b).+"), "it is read" },
	{ SPLIT("(?<=a+)b"), "its pattern '(?<=a+)b': a lookbehind of varying "
	    "length is not read" },
	{ SPLIT("(?i:\xc3\xa4)"), "it is read" },
	{ SPLIT("(?i:\xc3\x9f)"), "its pattern '(?i:\xc3\x9f)': a letter that "
	    "is several where case does not count is not read" },
	{ SPLIT("(?i:stop)"), "its pattern '(?i:stop)': letters that are one "
	    "character where case does not count are not read" },
	{ SPLIT("(?i)[^x\\\\p{L}]"), "it is read" },
	{ SPLIT("(?i)[x\\\\p{L}]"), "its pattern '(?i)[x\\p{L}]': a class with a "
	    "letter that is several where case does not count is not read" },
	{ SPLIT("\\\\p{Klingon}"), "its pattern '\\p{Klingon}': the property "
	    "\\p{Klingon} is not known" },
};

static void
test_bad(struct arena *a, const struct hf_chars *chars)
{
	for (size_t i = 0; i < BASE_COUNT(files); i++) {
		struct err e = { .text = "" };

		tap_str(hf_open_with(a, chars, view_of(files[i].file), &e) ==
		    NULL ? e.text : "it is read", files[i].err == NULL ?
		    "it is read" : files[i].err, "a file is refused, or not");
	}
}

/* published ids: the model's name in the collection, the file that it has */
static const struct {
	const char *model, *file;
} published[] = {
	{ "BAAI/bge-large-en-v1.5", "baai-bge-small-en" },
	{ "EleutherAI/gpt-j-6b", "gpt2" },
	{ "EleutherAI/gpt-neo-1.3B", "gpt2" },
	{ "EleutherAI/gpt-neox-20b", "gpt_neox" },
	{ "EleutherAI/pythia-1.4b", "gpt_neox" },
	{ "EleutherAI/pythia-6.9b", "gpt_neox" },
	{ "FacebookAI/roberta-base", "roberta-base" },
	{ "FacebookAI/roberta-large", "roberta-base" },
	{ "FacebookAI/xlm-roberta-base", "xlm-roberta-like" },
	{ "NousResearch/Meta-Llama-3-8B", "llama-3.2" },
	{ "NousResearch/Meta-Llama-3.1-8B", "llama-3.2" },
	{ "ProsusAI/finbert", "bert-base-uncased" },
	{ "Qwen/Qwen2-7B", "qwen2.5" },
	{ "Qwen/Qwen2.5-3B-Instruct", "qwen2.5" },
	{ "Qwen/Qwen2.5-7B", "qwen2.5" },
	{ "Salesforce/codegen2-1B", "phi-2" },
	{ "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama2" },
	{ "allenai/biomed_roberta_base", "roberta-base" },
	{ "allenai/longformer-base-4096", "roberta-base" },
	{ "codellama/CodeLlama-7b-hf", "llama2" },
	{ "distilbert/distilbert-base-multilingual-cased",
	    "bert-base-multilingual-cased" },
	{ "distilbert/distilgpt2", "gpt2" },
	{ "dmis-lab/biobert-v1.1", "bert_base_cased" },
	{ "emilyalsentzer/Bio_ClinicalBERT", "bert_base_cased" },
	{ "funnel-transformer/small", "bert-base-uncased" },
	{ "google-bert/bert-base-cased", "bert_base_cased" },
	{ "google-bert/bert-base-chinese", "bert-base-chinese" },
	{ "google-t5/t5-large", "t5-small" },
	{ "google-t5/t5-small", "t5-small" },
	{ "google/mobilebert-uncased", "bert-base-uncased" },
	{ "google/ul2", "t5-small" },
	{ "intfloat/e5-base-v2", "bert-base-uncased" },
	{ "intfloat/e5-large", "bert-base-uncased" },
	{ "intfloat/multilingual-e5-large", "xlm-roberta-like" },
	{ "jinaai/jina-embeddings-v2-base-en", "bert-base-uncased" },
	{ "llava-hf/llava-1.5-7b-hf", "llama2" },
	{ "microsoft/codebert-base", "roberta-base" },
	{ "mistralai/Mistral-7B-Instruct-v0.2", "mistral01" },
	{ "mistralai/Mistral-7B-v0.3", "mistral03" },
	{ "openai/clip-vit-large-patch14", "clip_base" },
	{ "openai/clip-vit-large-patch14-336", "clip_base" },
	{ "openai/whisper-base", "whisper.tiny" },
	{ "openai/whisper-large", "whisper.tiny" },
	{ "openai/whisper-large-v2", "whisper.tiny" },
	{ "openai/whisper-tiny", "whisper.tiny" },
	{ "sentence-transformers/multi-qa-MiniLM-L6-cos-v1",
	    "bert-base-uncased" },
	{ "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
	    "xlm-roberta-like" },
	{ "sentence-transformers/stsb-roberta-base-v2", "roberta-base" },
	{ "squeezebert/squeezebert-uncased", "bert-base-uncased" },
	{ "thenlper/gte-small", "gte" },
	{ "unsloth/Llama-3.2-3B", "llama-3.2" },
	{ "xlnet-base-cased", "xlnet_base_cased" },
	{ "tiktoken/r50k_base", "gpt2" },
};

/* published_one - one text with all its ids, special ones too */
static bool
published_one(struct arena *a, const struct hf *t, struct view test)
{
	struct view raw, text, v;
	struct json_iter it;
	struct hf_encoding x;
	struct err e;
	size_t k = 0;
	int64_t id;
	bool around = true;

	if (!json_get(test, "input", &raw) || !json_string(a, raw, &text) ||
	    !json_get(test, "golden_ids", &raw) || !json_open(&it, raw, '['))
		return false;
	if (json_get(test, "add_special_tokens", &v))
		json_bool(v, &around);
	if (hf_encode(t, a, text, NULL, HF_SPECIAL | (around ? HF_TEMPLATE :
	    0), &x, &e) == -1)
		return false;
	while (json_element(&it, &v))
		if (!json_integer(v, &id) || k >= x.n || x.v[k++].id != id)
			return false;
	return k == x.n;
}

/* published_model - all texts of a model; how many, 0: no file */
static size_t
published_model(struct arena *a, int dir, struct view name, struct view tests)
{
	const char *path = NULL;
	struct view file, test;
	struct json_iter it;
	struct hf *t;
	struct err e;
	size_t good = 0, bad = 0;

	for (size_t i = 0; i < BASE_COUNT(published); i++)
		if (view_is(name, arena_printf(a, "\"%s\"",
		    published[i].model)))
			path = arena_printf(a, "hf/%s.json",
			    published[i].file);
	if (path == NULL || !file_exists(dir, path))
		return 0;
	if (file_read(a, dir, path, TOKENIZER_MAX, &file, &e) == -1 ||
	    (t = hf_open(a, file, &e)) == NULL ||
	    !json_open(&it, tests, '[')) {
		tap(false, "%s: %s", path, e.text);
		return 1;
	}
	while (json_element(&it, &test)) {
		if (published_one(a, t, test)) {
			good++;
			continue;
		}
		printf("# %.*s\n", test.n < 300 ? (int)test.n : 300, test.p);
		bad++;
	}
	tap(bad == 0 && good > 0, "%.*s: %zu published texts", (int)name.n,
	    name.p, good);
	return good + bad;
}

static void
test_published(struct arena *a)
{
	const char *data = getenv("QUERN_TEST_DATA");
	size_t ran = 0, texts = 0, absent = 0, n;
	struct view json, root, models, name, one, tests;
	struct json_iter it;
	struct err e;
	int dir = data == NULL ? -1 : open(arena_printf(a, "%s/tokenizers",
	    data), O_RDONLY | O_DIRECTORY);

	if (dir == -1 || file_read(a, dir, "vectors/golden_ids.json",
	    FILE_MAX, &json, &e) == -1 || json_value(json, &root, &e) == -1 ||
	    !json_get(root, "models", &models) ||
	    !json_open(&it, models, '{')) {
		tap(true, "published ids # SKIP QUERN_TEST_DATA does not name "
		    "a folder with test data");
		return;
	}
	while (json_member(&it, &name, &one)) {
		struct arena *tmp = arena_new();

		n = json_get(one, "tests", &tests) ? published_model(tmp, dir,
		    name, tests) : 0;
		ran += n > 0;
		texts += n;
		absent += n == 0;
		if (n == 0)
			printf("# no tokenizer.json in the data: %.*s\n",
			    (int)name.n, name.p);
		arena_free(tmp);
	}
	close(dir);
	tap(ran >= BASE_COUNT(published) - 1, "%zu texts of %zu published "
	    "models ran, %zu models have no file there", texts, ran,
	    absent);
}

int
main(void)
{
	struct arena *a = arena_new();
	const struct hf_chars *chars = hf_chars_new(a);

	test_golden(a, chars);
	test_bad(a, chars);
	test_published(a);
	arena_free(a);
	return tap_done();
}
