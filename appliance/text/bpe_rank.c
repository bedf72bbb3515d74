/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rank files as OpenAI's tiktoken has them: a line is a token in base64, a
 * blank, its rank, which is its id.  Pattern and special tokens are not in the
 * file; how many lines it has and its last rank say which vocabulary it is.  Of
 * others, lines in front of all say it, which are ours:
 *
 *   # pattern NAME        one of bpe.h, or
 *   # pattern REGEX       as hf_regex_open_rust reads it, to the line's end
 *   # special ID TOKEN    to the line's end
 */
#include "appliance/base/base.h"
#include "appliance/text/base64.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/hf_regex.h"

#define NO_HAN(x)	"[" x "\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
#define SHORT	"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define NEITHER	"|[^\\r\\n\\p{L}\\p{N}]?"

static const char kimi[] = "[\\p{Han}]+" NEITHER NO_HAN("\\p{Lu}\\p{Lt}") "*"
    NO_HAN("\\p{Ll}") "+" SHORT NEITHER NO_HAN("\\p{Lu}\\p{Lt}") "+"
    NO_HAN("\\p{Ll}") "*" SHORT "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

struct special {
	uint32_t id;
	const char *name;
};

static const struct preset {
	const char *name, *pattern;
	uint32_t count, last;
	struct special special[7];
} presets[] = {
	{ "r50k_base", "gpt2", 50256, 50255, {
	    { 50256, "<|endoftext|>" } } },
	{ "p50k_base", "gpt2", 50280, 50280, {
	    { 50256, "<|endoftext|>" } } },
	{ "cl100k_base", "cl100k", 100256, 100255, {
	    { 100257, "<|endoftext|>" }, { 100258, "<|fim_prefix|>" },
	    { 100259, "<|fim_middle|>" }, { 100260, "<|fim_suffix|>" },
	    { 100276, "<|endofprompt|>" } } },
	{ "o200k_base", "o200k", 199998, 199997, {
	    { 199999, "<|endoftext|>" }, { 200018, "<|endofprompt|>" } } },
	{ "kimi_k2", kimi, 163584, 163583, {
	    { 163584, "[BOS]" }, { 163585, "[EOS]" },
	    { 163586, "<|im_end|>" }, { 163838, "[UNK]" },
	    { 163839, "[PAD]" } } },
	/* tokenizer.model of Meta's own directories, Llama 3 and 4 */
	{ "llama3", "llama3", 128000, 127999, {
	    { 128000, "<|begin_of_text|>" }, { 128001, "<|end_of_text|>" },
	    { 128006, "<|start_header_id|>" },
	    { 128007, "<|end_header_id|>" }, { 128008, "<|eom_id|>" },
	    { 128009, "<|eot_id|>" }, { 128010, "<|python_tag|>" } } },
	{ "llama4", "o200k", 200000, 199999, {
	    { 200000, "<|begin_of_text|>" }, { 200001, "<|end_of_text|>" },
	    { 200005, "<|header_start|>" }, { 200006, "<|header_end|>" },
	    { 200007, "<|eom|>" }, { 200008, "<|eot|>" } } },
	{ "qwen", "qwen2", 151643, 151642, {
	    { 151643, "<|endoftext|>" }, { 151644, "<|im_start|>" },
	    { 151645, "<|im_end|>" } } },
	{ "whisper", "gpt2", 50257, 50256, {
	    { 50257, "<|endoftext|>" },
	    { 50258, "<|startoftranscript|>" } } },
};

/* rank_line - one line: its bytes and rank */
static bool
rank_line(struct arena *a, struct view v, struct view *bytes, int64_t *rank)
{
	const char *blank = memchr(v.p, ' ', v.n);
	size_t n = blank == NULL ? 0 : (size_t)(blank - v.p);

	*rank = 0;
	if (blank == NULL || n + 1 == v.n || v.n - n - 1 > 9)
		return false;
	for (size_t i = n + 1; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		*rank = *rank * 10 + (v.p[i] - '0');
	}
	/* Whisper's last one, an id that nothing is made into */
	if (n == 1 && v.p[0] == '=') {
		*bytes = (struct view){ v.p, 0 };
		return true;
	}
	return base64(a, (struct view){ v.p, n }, bytes);
}

/* is_name - no expression is worth writing that says one word alone */
static bool
is_name(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!(v.p[i] >= 'a' && v.p[i] <= 'z') &&
		    !(v.p[i] >= '0' && v.p[i] <= '9') && v.p[i] != '_' &&
		    v.p[i] != '-')
			return false;
	return true;
}

int
bpe_source_pattern(struct bpe_source *b, struct arena *a, struct view v,
    struct err *e)
{
	b->pattern = bpe_pattern(arena_strn(a, v.p, v.n));
	if (b->pattern == NULL)
		b->pattern = bpe_pattern_of(v);
	if (b->pattern != NULL)
		return 0;
	if (is_name(v))
		return err_set(e, FATE_REJECT, "'%.*s' is no expression, and "
		    "no name of one: " BPE_PATTERNS " are", (int)(v.n < 40 ?
		    v.n : 40), v.p);
	b->pattern = bpe_pattern("gpt2");	/* which is not used */
	b->own_text = v;
	return hf_regex_open_rust(a, hf_chars_new(a), v, e) == NULL ? -1 : 0;
}

/* rank_special - '# special ID TOKEN'; false if a line is not that */
static bool
rank_special(struct view v, uint32_t *id, struct view *text)
{
	static const char head[] = "# special ";
	size_t n = sizeof(head) - 1, i;

	if (v.n <= n || memcmp(v.p, head, n) != 0)
		return false;
	*id = 0;
	for (i = n; i < v.n && v.p[i] >= '0' && v.p[i] <= '9'; i++)
		if (*id < BPE_TOKENS)
			*id = *id * 10 + (uint32_t)(v.p[i] - '0');
	if (i == n || i + 1 >= v.n || v.p[i] != ' ')
		return false;
	*text = (struct view){ v.p + i + 1, v.n - i - 1 };
	return true;
}

/* rank_head - a line in front of the tokens */
static int
rank_head(struct bpe_source *b, struct arena *a, struct view v,
    struct err *e)
{
	static const char pattern[] = "# pattern ";
	size_t n = sizeof(pattern) - 1;
	struct view text;
	uint32_t id;

	if (v.n > n && memcmp(v.p, pattern, n) == 0)
		return bpe_source_pattern(b, a, (struct view){ v.p + n,
		    v.n - n }, e);
	return rank_special(v, &id, &text) ? 0 : err_set(e, FATE_REJECT,
	    "neither '# pattern REGEX' nor '# special ID TOKEN'");
}

/* line_at - the line at *at, without its end; *at is behind it then */
static struct view
line_at(struct view file, size_t *at)
{
	const char *p = file.p + *at, *end = memchr(p, '\n', file.n - *at);
	size_t n = end == NULL ? file.n - *at : (size_t)(end - p);

	*at += n + 1;
	return (struct view){ p, n - (n > 0 && p[n - 1] == '\r') };
}

/* rank_specials - of the head, once text is made into no more tokens */
static int
rank_specials(struct bpe_source *b, struct arena *a, struct view file,
    struct err *e)
{
	struct view v, text;
	uint32_t id;

	for (size_t at = 0; at < file.n;) {
		v = line_at(file, &at);
		if (v.n > 0 && v.p[0] != '#')
			break;
		if (rank_special(v, &id, &text) &&
		    !bpe_source_put(b, a, id, text))
			return err_set(e, FATE_REJECT, "special token %u has "
			    "an id that is taken or too large", id);
	}
	return 0;
}

/* rank_preset - which vocabulary it is */
static int
rank_preset(struct bpe_source *b, struct arena *a, uint32_t count,
    struct err *e)
{
	const struct preset *p = presets;
	const struct special *s;

	while (p < presets + BASE_COUNT(presets) &&
	    (p->count != count || p->last + 1 != b->size))
		p++;
	if (p == presets + BASE_COUNT(presets))
		return err_set(e, FATE_REJECT, "a rank file of %u tokens up to "
		    "%u: no published one that is known, and it has no line "
		    "'# pattern REGEX'", count, b->size - 1);
	if (bpe_source_pattern(b, a, view_of(p->pattern), e) == -1)
		return -1;
	for (s = p->special; s < p->special + BASE_COUNT(p->special) &&
	    s->name != NULL; s++)
		if (!bpe_source_put(b, a, s->id, view_of(s->name)))
			return err_set(e, FATE_REJECT, "rank %u is that of "
			    "'%s' in %s", s->id, s->name, p->name);
	return 0;
}

/* rank_lines - all of the file; how many tokens, -1 if a line is wrong */
static int
rank_lines(struct bpe_source *b, struct arena *a, struct view file,
    struct err *e)
{
	struct view v, bytes;
	int count = 0;
	size_t line = 0;
	int64_t rank;

	for (size_t at = 0; at < file.n;) {
		v = line_at(file, &at);
		line++;
		if (v.n == 0)
			continue;
		if (v.p[0] == '#' && count == 0) {
			if (rank_head(b, a, v, e) == -1)
				return err_prefix(e, "line %zu: ", line);
			continue;
		}
		if (!rank_line(a, v, &bytes, &rank))
			return err_set(e, FATE_REJECT, "line %zu: no token in "
			    "base64 and its rank", line);
		if (bytes.n > BPE_RANKED)
			return err_set(e, FATE_REJECT, "line %zu: a token of "
			    "%zu bytes; up to %zu are read", line, bytes.n,
			    BPE_RANKED);
		if (!bpe_source_put(b, a, rank, bytes))
			return err_set(e, FATE_REJECT, "line %zu: rank %lld is "
			    "taken or too large", line, (long long)rank);
		count++;
	}
	return count;
}

struct bpe *
bpe_open_ranks(struct arena *a, struct view file, struct err *e)
{
	struct bpe_source *b = arena_alloc(a, sizeof(*b));
	int count = rank_lines(b, a, file, e);

	b->whole = true;
	if (count == 0)
		err_set(e, FATE_REJECT, "a rank file without a token");
	if (count < 1 || bpe_source_name(b, a, NULL, e) == -1 ||
	    (b->pattern == NULL && rank_preset(b, a, (uint32_t)count, e) ==
	    -1) || rank_specials(b, a, file, e) == -1)
		return NULL;
	return bpe_attach(a, bpe_compile(a, b), e);
}
