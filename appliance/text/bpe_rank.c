/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rank files as OpenAI's tiktoken has them: a line is a token in base64, a
 * blank, its rank, which is its id.  Pattern and special tokens are not in the
 * file; how many lines it has and its last rank say which vocabulary it is.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_table.h"

struct special {
	uint32_t id;
	const char *name;
};

static const struct preset {
	const char *name, *pattern;
	uint32_t count, last;
	struct special special[6];
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
};

/* digit64 - the value of a base64 digit; -1 */
static int
digit64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* rank_bytes - base64 (RFC 4648, padded) to bytes; false if it is not that */
static bool
rank_bytes(struct arena *a, struct view v, struct view *bytes)
{
	char *out = arena_alloc(a, v.n / 4 * 3 + 1);
	size_t n = 0, pad = 0;
	uint32_t bits = 0;
	int d;

	if (v.n == 0 || v.n % 4 != 0)
		return false;
	while (pad < 2 && v.p[v.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < v.n; i++) {
		d = i < v.n - pad ? digit64(v.p[i]) : 0;
		if (d == -1)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 == 3) {
			out[n++] = (char)(bits >> 16);
			out[n++] = (char)(bits >> 8);
			out[n++] = (char)bits;
		}
	}
	*bytes = (struct view){ out, n - pad };
	return (pad == 0 || out[n - 1] == 0) && (pad < 2 || out[n - 2] == 0);
}

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
	return rank_bytes(a, (struct view){ v.p, n }, bytes);
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
		    "%u: none of r50k, p50k, cl100k, o200k, and its pattern "
		    "is not known", count, b->size - 1);
	b->pattern = bpe_pattern(p->pattern);
	for (s = p->special; s < p->special + BASE_COUNT(p->special) &&
	    s->name != NULL; s++)
		if (!bpe_source_put(b, a, s->id, view_of(s->name)))
			return err_set(e, FATE_REJECT, "rank %u is that of "
			    "'%s' in %s", s->id, s->name, p->name);
	return 0;
}

struct bpe *
bpe_open_ranks(struct arena *a, struct view file, struct err *e)
{
	struct bpe_source *b = arena_alloc(a, sizeof(*b));
	struct view v, bytes;
	uint32_t count = 0;
	size_t line = 0, n;
	const char *end;
	int64_t rank;

	for (size_t at = 0; at < file.n; at += n + 1) {
		end = memchr(file.p + at, '\n', file.n - at);
		n = end == NULL ? file.n - at : (size_t)(end - file.p) - at;
		v = (struct view){ file.p + at, n };
		line++;
		if (v.n > 0 && v.p[v.n - 1] == '\r')
			v.n--;
		if (v.n == 0)
			continue;
		if (!rank_line(a, v, &bytes, &rank)) {
			err_set(e, FATE_REJECT, "line %zu: no token in base64 "
			    "and its rank", line);
			return NULL;
		}
		if (bytes.n > BPE_RANKED) {
			err_set(e, FATE_REJECT, "line %zu: a token of %zu "
			    "bytes; up to %zu are read", line, bytes.n,
			    BPE_RANKED);
			return NULL;
		}
		if (!bpe_source_put(b, a, rank, bytes)) {
			err_set(e, FATE_REJECT, "line %zu: rank %lld is taken "
			    "or too large", line, (long long)rank);
			return NULL;
		}
		count++;
	}
	b->whole = true;
	if (bpe_source_name(b, a, NULL, e) == -1 ||
	    rank_preset(b, a, count, e) == -1)
		return NULL;
	return bpe_attach(a, bpe_compile(a, b), e);
}
