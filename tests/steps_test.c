/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No text is slow: for every family of vocabularies, texts that are made to be
 * hard take as many operations for each byte when they are twice as long, and
 * no more than a few times those of plain text; and so with memory.  Operations
 * are basic blocks of appliance/text, which the compiler makes report, and
 * bytes that are copied, filled or sought in by the C library; nothing depends
 * on the machine's load.
 */
#include "tests/tap.h"

#include "appliance/text/bpe.h"
#include "appliance/text/spm.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"

#include <malloc.h>

#define SIZE	((size_t)32 << 10)	/* bytes of the shorter texts */

#if defined(__clang__)
#define UNCOUNTED	__attribute__((no_sanitize("coverage")))
#else
#define UNCOUNTED	__attribute__((no_sanitize_coverage))
#endif

static uint64_t steps, held, most;	/* bytes that are allocated, at most */

void __sanitizer_cov_trace_pc(void);
UNCOUNTED void
__sanitizer_cov_trace_pc(void)
{
	steps++;
}

/* the C library's own loops, by 16 bytes (-Wl,--wrap) */
#define WRAP(result, name, args, call, n)				\
	result __real_ ## name args;					\
	result __wrap_ ## name args;					\
	UNCOUNTED result						\
	__wrap_ ## name args						\
	{								\
		steps += (n) / 16;					\
		return __real_ ## name call;				\
	}
WRAP(void *, memcpy, (void *a, const void *b, size_t n), (a, b, n), n)
WRAP(void *, memmove, (void *a, const void *b, size_t n), (a, b, n), n)
WRAP(void *, memset, (void *a, int c, size_t n), (a, c, n), n)
WRAP(int, memcmp, (const void *a, const void *b, size_t n), (a, b, n), n)

/* of these the end is what they find */
void *__real_memchr(const void *, int, size_t);
void *__wrap_memchr(const void *, int, size_t);
UNCOUNTED void *
__wrap_memchr(const void *p, int c, size_t n)
{
	char *at = __real_memchr(p, c, n);

	steps += (at == NULL ? n : (size_t)(at - (const char *)p)) / 16;
	return at;
}

void *__real_memmem(const void *, size_t, const void *, size_t);
void *__wrap_memmem(const void *, size_t, const void *, size_t);
UNCOUNTED void *
__wrap_memmem(const void *p, size_t n, const void *q, size_t m)
{
	char *at = __real_memmem(p, n, q, m);

	steps += (at == NULL ? n : (size_t)(at - (const char *)p)) / 4;
	return at;
}

UNCOUNTED static void *
hold(void *p)
{
	held += malloc_usable_size(p);
	if (held > most)
		most = held;
	return p;
}

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
UNCOUNTED void *
__wrap_calloc(size_t n, size_t size)
{
	return hold(__real_calloc(n, size));
}

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
UNCOUNTED void *
__wrap_realloc(void *p, size_t n)
{
	held -= p == NULL ? 0 : malloc_usable_size(p);
	return hold(__real_realloc(p, n));
}

void __real_free(void *);
void __wrap_free(void *);
UNCOUNTED void
__wrap_free(void *p)
{
	held -= p == NULL ? 0 : malloc_usable_size(p);
	__real_free(p);
}

/* families: parts of a tokenizer.json around a model; NULL: see spm_family */
#define CUT(regex)	"\"pre_tokenizer\":{\"type\":\"Sequence\"," \
    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex \
    "\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\"," \
    "\"add_prefix_space\":false,\"use_regex\":false}]}"
#define SHORT	"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS	"|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define UPPER	"[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER	"[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define NEITHER	"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
#define OTHER	"| ?[^\\\\s\\\\p{L}\\\\p{N}]+"
#define META	"{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\"," \
    "\"prepend_scheme\":\"first\",\"split\":true}"
#define BERT	"\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":" \
    "true,\"handle_chinese_chars\":true,\"strip_accents\":null," \
    "\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"

/* ENDLESS: WORDS, however long they are */
enum model { BYTES, CHARS, PIECES, WORDS, ENDLESS, SPM };

static const struct family {
	const char *name;
	enum model model;
	enum spm_kind kind;
	const char *pipe;
} families[] = {
	{ "GPT-2", BYTES, 0, "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}" },
	{ "Llama 3", BYTES, 0, CUT(SHORT "|" NEITHER "\\\\p{L}+|\\\\p{N}{1,3}"
	    OTHER "[\\\\r\\\\n]*" BLANKS) },
	{ "Qwen 2", BYTES, 0, "\"normalizer\":{\"type\":\"NFC\"}," CUT(SHORT "|"
	    NEITHER "\\\\p{L}+|\\\\p{N}" OTHER "[\\\\r\\\\n]*" BLANKS) },
	{ "o200k", BYTES, 0, CUT(NEITHER UPPER "*" LOWER "+" SHORT "?|" NEITHER
	    UPPER "+" LOWER "*" SHORT "?|\\\\p{N}{1,3}" OTHER "[\\\\r\\\\n/]*"
	    BLANKS) },
	{ "a pattern of no scanner", BYTES, 0, CUT("\\\\p{N}{1,3}|[^\\\\r\\\\n"
	    "\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}"
	    "\\\\p{S}]+[\\\\r\\\\n]*" BLANKS) },
	{ "BPE of characters", CHARS, 0, "\"normalizer\":{\"type\":"
	    "\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81"
	    "\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
	    "\"content\":\"\xe2\x96\x81\"}]}" },
	{ "WordPiece of BERT", WORDS, 0, BERT },
	{ "WordPiece without a limit", ENDLESS, 0, "\"pre_tokenizer\":"
	    "{\"type\":\"WhitespaceSplit\"}" },
	{ "Unigram by words", PIECES, 0, "\"pre_tokenizer\":" META },
	{ "Unigram of a whole text", PIECES, 0, "\"normalizer\":{\"type\":"
	    "\"NFKC\"}" },
	{ "normal forms and classes", PIECES, 0, "\"normalizer\":{\"type\":"
	    "\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":"
	    "\"StripAccents\"},{\"type\":\"Lowercase\"},{\"type\":\"Strip\","
	    "\"strip_left\":true,\"strip_right\":true},{\"type\":\"Replace\","
	    "\"pattern\":{\"Regex\":\" {2,}|a*?b\"},\"content\":\" \"}]},"
	    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
	    "\"type\":\"Digits\",\"individual_digits\":true},{\"type\":"
	    "\"UnicodeScripts\"},{\"type\":\"Punctuation\"}]}" },
	{ "added tokens", PIECES, 0, "\"added_tokens\":[{\"id\":0,\"content\":"
	    "\"aab\",\"normalized\":false},{\"id\":1,\"content\":\"  x\","
	    "\"lstrip\":true,\"rstrip\":true,\"normalized\":true},{\"id\":2,"
	    "\"content\":\"11\",\"single_word\":true,\"normalized\":false}]" },
	{ "SentencePiece's BPE", SPM, SPM_BPE, NULL },
	{ "SentencePiece's Unigram", SPM, SPM_UNIGRAM, NULL },
	{ "SentencePiece's words", SPM, SPM_WORD, NULL },
	{ "SentencePiece's characters", SPM, SPM_CHAR, NULL },
};

/* what is repeated; "": random letters */
static const struct {
	const char *name, *unit;
} hard[] = {
	{ "plain text", "The miller grinds corn, and 12 wheels turn; the water "
	    "runs over stones.\n" },
	{ "one letter", "a" }, { "blanks", " " }, { "digits", "1" },
	{ "one ideograph", "\xe4\xb8\xad" }, { "marks", "\xcc\x81" },
	{ "two marks", "\xcc\x81\xcc\xa3" }, { "Hangul", "\xe1\x84\x80" },
	{ "letters without a blank", "" }, { "ends of lines", "\n" },
	{ "blanks and ends of lines", " \n\t" }, { "capitals", "A" },
	{ "signs", "." }, { "marks for blanks", "\xe2\x96\x81" },
	{ "joined faces", "\xf0\x9f\x91\xa8\xe2\x80\x8d" }, { "ab", "ab" },
};

static struct view
text_of(struct arena *a, size_t which, size_t n)
{
	const char *unit = hard[which].unit;
	size_t len = strlen(unit), k = 0;
	char *p = arena_alloc(a, n + 80);
	uint32_t seed = 7;

	while (k < n)
		if (len > 0) {
			memcpy(p + k, unit, len);
			k += len;
		} else {
			seed = seed * 1664525 + 1013904223;
			p[k++] = (char)('a' + (seed >> 24) % 26);
		}
	return (struct view){ p, k };
}

/* runs are tokens up to this length, each made of two halves; where each place
 * of a text is tried with every token that begins there, as long as words
 * are */
#define RUNS	512
#define WORD	16
static const char *const runs[] = { "a", " ", "1", "\n", "A", ".", "b" };

/* put_run - a unit as often, as its model has it */
static void
put_run(struct buf *b, enum model model, const char *unit, size_t n)
{
	char c[4];

	for (size_t i = 0; i < n; i++)
		if (model == BYTES)
			buf_add(b, c, utf8_put(bpe_byte_char((unsigned char)
			    unit[0]), c));
		else if (unit[0] == '\n')
			buf_str(b, "\\n");
		else
			buf_str(b, unit);
}

/* put_vocab - characters or bytes, and runs; "id" counts */
static void
put_vocab(struct buf *b, enum model model)
{
	unsigned id = 0;
	char c[4];

	for (unsigned i = 0; model == BYTES && i < 256; i++) {
		buf_str(b, id > 0 ? "," : "");
		buf_json(b, (struct view){ c, utf8_put(bpe_byte_char(
		    (unsigned char)i), c) });
		buf_printf(b, ":%u", id++);
	}
	for (size_t i = 0; i < BASE_COUNT(runs); i++)
		for (size_t n = model == BYTES ? 2 : 1; n <= (model < PIECES ?
		    RUNS : WORD); n *= 2)
			for (int more = 0; more <= (model >= WORDS); more++) {
				buf_str(b, id > 0 ? "," : "");
				buf_str(b, model == PIECES ? "[" : "");
				buf_str(b, more ? "\"##" : "\"");
				put_run(b, model, runs[i], n);
				if (model == PIECES)
					buf_printf(b, "\",-%u.25]", 9 + id % 5);
				else
					buf_printf(b, "\":%u", id);
				id++;
			}
	buf_printf(b, model == PIECES ? ",[\"<unk>\",0]" : ",\"<unk>\":%u", id);
}

static struct view
file_of(struct arena *a, const struct family *f)
{
	static const char *const kind[] = { "BPE", "BPE", "Unigram",
	    "WordPiece", "WordPiece" };
	struct buf *b = buf_new(a, 1 << 24);
	bool first = true;

	buf_printf(b, "{%s,\"model\":{\"type\":\"%s\",\"unk_token\":%s,"
	    "\"continuing_subword_prefix\":%s,\"max_input_chars_per_word\":"
	    "%d,\"fuse_unk\":true,\"vocab\":", f->pipe,
	    kind[f->model], f->model == BYTES ? "null" : "\"<unk>\"",
	    f->model >= WORDS ? "\"##\"" : "null",
	    f->model == ENDLESS ? 1 << 30 : 100);
	buf_char(b, f->model == PIECES ? '[' : '{');
	put_vocab(b, f->model);
	buf_str(b, f->model == PIECES ? "],\"unk_id\":35" : "},\"merges\":[");
	for (size_t i = 0; f->model < PIECES && i < BASE_COUNT(runs); i++)
		for (size_t n = 1; n < RUNS; n *= 2, first = false) {
			buf_str(b, first ? "[\"" : ",[\"");
			put_run(b, f->model, runs[i], n);
			buf_str(b, "\",\"");
			put_run(b, f->model, runs[i], n);
			buf_str(b, "\"]");
		}
	buf_str(b, f->model == PIECES ? "}}" : "]}}");
	return buf_get(b);
}

/* spm_family - pieces of runs, all of them below one unknown */
static struct spm *
spm_family(struct arena *a, enum spm_kind kind, struct err *e)
{
	struct spm_piece *p = arena_array(a, 100, sizeof(*p));
	struct spm_spec *s = arena_alloc(a, sizeof(*s));
	struct buf *b;

	s->kind = kind;
	s->piece = p;
	s->unknown = VIEW("?");
	p[s->n++] = (struct spm_piece){ VIEW("<unk>"), 0, SPM_UNKNOWN };
	p[s->n++] = (struct spm_piece){ VIEW("\xe2\x96\x81"), -9, SPM_NORMAL };
	for (size_t i = 0; i < BASE_COUNT(runs); i++)
		for (size_t n = 1; n <= (kind == SPM_BPE ? RUNS : WORD) &&
		    runs[i][0] > ' '; n *= 2) {
			b = buf_new(a, 1 << 12);
			put_run(b, CHARS, runs[i], n);
			p[s->n++] = (struct spm_piece){ buf_get(b), -(float)n,
			    SPM_NORMAL };
		}
	s->rules.dummy_prefix = s->rules.escape = true;
	return spm_make(a, s, e);
}

struct cost {
	uint64_t steps, bytes;
};

/* cost_of - of a text of n bytes, as a thread would take it first */
static struct cost
cost_of(const struct tokenizer *t, size_t which, size_t n)
{
	struct arena *a = arena_new();
	struct view text = text_of(a, which, n);
	struct tokenizer_scratch *s = t->bpe == NULL ? NULL :
	    tokenizer_scratch(t, a);
	struct cost c;
	uint32_t *ids;

	steps = 0;
	most = held;
	c.bytes = held;
	tokenizer_encode_with(t, s, a, text, &ids);
	c.steps = steps;
	c.bytes = most - c.bytes;
	arena_free(a);
	return c;
}

static void
test_family(const struct family *f)
{
	struct arena *a = arena_new();
	struct tokenizer spm = { .name = "" }, *t = &spm;
	struct cost plain, one, two, worst = { 0, 0 };
	struct err e = { .text = "" };
	const char *slow = "", *large = "";
	bool linear = true;

	if (f->pipe != NULL)
		t = tokenizer_open(a, file_of(a, f), &e);
	else
		spm.spm = spm_family(a, f->kind, &e);
	if (t == NULL || (t == &spm && spm.spm == NULL)) {
		tap(false, "%s: %s", f->name, e.text);
		arena_free(a);
		return;
	}
	plain = cost_of(t, 0, 2 * SIZE);
	for (size_t i = 1; i < BASE_COUNT(hard); i++) {
		one = cost_of(t, i, SIZE);
		two = cost_of(t, i, 2 * SIZE);
		if (two.steps > 2 * one.steps + one.steps / 4 + 10000 ||
		    two.bytes > 2 * one.bytes + one.bytes / 4 + (1 << 20)) {
			printf("# %s: %llu steps, %llu of twice as much; %llu "
			    "bytes, %llu\n", hard[i].name,
			    (unsigned long long)one.steps,
			    (unsigned long long)two.steps,
			    (unsigned long long)one.bytes,
			    (unsigned long long)two.bytes);
			linear = false;
		}
		if (two.steps > worst.steps) {
			worst.steps = two.steps;
			slow = hard[i].name;
		}
		if (two.bytes > worst.bytes) {
			worst.bytes = two.bytes;
			large = hard[i].name;
		}
	}
	tap(linear, "%s: twice the text takes twice the steps and memory",
	    f->name);
	/* plain text is mostly known pieces, which some families look up */
	tap(worst.steps < (plain.steps < 80 * SIZE ? 800 * SIZE : 10 *
	    plain.steps) && worst.bytes < 2000 * SIZE,
	    "%s: %.0f steps a byte of plain text, %.0f of %s; %.0f bytes a "
	    "byte of %s", f->name, (double)plain.steps / (2 * SIZE),
	    (double)worst.steps / (2 * SIZE), slow, (double)worst.bytes /
	    (2 * SIZE), large);
	arena_free(a);
}

/* test_general - the same by the general reader, which keeps where each byte
 * comes from: memory, in bytes for each byte of text */
static void
test_general(const struct family *f)
{
	struct arena *a = arena_new(), *own;
	struct err e = { .text = "" };
	struct tokenizer *t = tokenizer_open_all(a, file_of(a, f), &e);
	uint64_t bytes, worst = 0;
	const char *large = "";
	uint32_t *ids;
	size_t n;

	/* every other one: what is joined and what is not is among them */
	for (size_t i = 0; t != NULL && i < BASE_COUNT(hard); i += 2) {
		struct view text = text_of(a, i, 4 * SIZE);

		own = arena_new();
		most = bytes = held;
		if (tokenizer_encode_all(t, own, text, false, false, &ids, &n,
		    &e) == -1)
			printf("# %s: %s\n", hard[i].name, e.text);
		bytes = (most - bytes) / (4 * SIZE);
		if (bytes > worst) {
			worst = bytes;
			large = hard[i].name;
		}
		arena_free(own);
	}
	tap(t != NULL && worst < 72, "%s, by the general reader: %llu bytes a "
	    "byte of %s%s", f->name, (unsigned long long)worst, large, e.text);
	arena_free(a);
}

int
main(void)
{
	for (size_t i = 0; i < BASE_COUNT(families); i++) {
		test_family(&families[i]);
		if (families[i].pipe != NULL)
			test_general(&families[i]);
	}
	return tap_done();
}
