/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting text by the patterns of published byte-level vocabularies.  Each is
 * an ordered choice; what is scanned here is the choice that the expression
 * would make, in one pass and without trying again from each character.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/utf8.h"

#define LETTER	(UTF8_UPPER | UTF8_LOWER | UTF8_LETTER)

/* o200k's words: what may stand in their first part and in their second */
#define HEAD	(UTF8_UPPER | UTF8_LETTER | UTF8_MARK)
#define TAIL	(UTF8_LOWER | UTF8_LETTER | UTF8_MARK)

#define SHORT	"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS	"|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER	"[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER	"[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NEITHER	"[^\\r\\n\\p{L}\\p{N}]?"
#define OTHER	"| ?[^\\s\\p{L}\\p{N}]+"

static const struct bpe_pattern patterns[] = {
	{ "gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+" OTHER
	    "|\\s+(?!\\S)|\\s+", SCAN_GPT2, 0, true, false, false },
	{ "llama3", SHORT "|" NEITHER "\\p{L}+|\\p{N}{1,3}" OTHER "[\\r\\n]*"
	    BLANKS, SCAN_PREFIX, 3, true, false, false },
	{ "qwen2", SHORT "|" NEITHER "\\p{L}+|\\p{N}" OTHER "[\\r\\n]*"
	    BLANKS, SCAN_PREFIX, 1, true, false, false },
	{ "o200k", NEITHER UPPER "*" LOWER "+" SHORT "?|" NEITHER UPPER "+"
	    LOWER "*" SHORT "?|\\p{N}{1,3}" OTHER "[\\r\\n/]*" BLANKS,
	    SCAN_CASE, 3, true, true, false },
	{ "tekken", NEITHER UPPER "*" LOWER "+|" NEITHER UPPER "+" LOWER
	    "*|\\p{N}" OTHER "[\\r\\n/]*" BLANKS,
	    SCAN_CASE, 1, false, true, false },
	{ "cl100k", NULL, SCAN_PREFIX, 3, true, false, true },
};

const struct bpe_pattern *
bpe_pattern(const char *name)
{
	for (size_t i = 0; i < BASE_COUNT(patterns); i++)
		if (strcmp(patterns[i].name, name) == 0)
			return &patterns[i];
	return NULL;
}

const struct bpe_pattern *
bpe_pattern_of(struct view regex)
{
	for (size_t i = 0; i < BASE_COUNT(patterns); i++)
		if (patterns[i].regex != NULL &&
		    view_is(regex, patterns[i].regex))
			return &patterns[i];
	return NULL;
}

const char *
bpe_regex(const struct bpe_pattern *p)
{
	return p->regex;
}

const char *
bpe_pattern_name(const struct bpe_pattern *t)
{
	return t->name;
}

/* kind_at - the character at p: LETTER, UTF8_NUMBER, UTF8_SPACE, 0 */
static unsigned
kind_at(const char *p, size_t *n)
{
	unsigned k = utf8_class(utf8_get(p, n));

	return k & LETTER ? LETTER : k & (UTF8_NUMBER | UTF8_SPACE);
}

/* run_letters - just after the ideographs, Hangul and kana at p that are
 * certainly letters (Lo), as their first two bytes say */
static inline const char *
run_letters(const char *p, const char *end)
{
	unsigned x, y;

	for (; end - p >= 3; p += 3) {
		x = (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
		y = (unsigned char)p[2];
		if (!(x - 0xe4b8 <= 0xe9bf - 0xe4b8 ||	/* 4e00 to 9fff */
		    x - 0xeab0 <= 0xed9d - 0xeab0 ||	/* ac00 to d77f */
		    (x == 0xe381 && y > 0x80) ||	/* 3041 to 307f */
		    (x == 0xe382 && (y <= 0x96 || y > 0xa0)) ||
		    (x == 0xe383 && y <= 0xba)))	/* 30c0 to 30fa */
			break;
	}
	return p;
}

/* run_kind - just after the run of one kind at p */
static const char *
run_kind(const char *p, const char *end, unsigned kind)
{
	size_t n;

	for (; p < end; p += n) {
		if (kind == LETTER && (p = run_letters(p, end)) == end)
			break;
		if (kind_at(p, &n) != kind)
			break;
	}
	return p;
}

/* run_class - just after the run of some classes at p */
static const char *
run_class(const char *p, const char *end, unsigned classes)
{
	size_t n;

	for (; p < end; p += n) {
		if (classes & UTF8_LETTER && (p = run_letters(p, end)) == end)
			break;
		if ((utf8_class(utf8_get(p, &n)) & classes) == 0)
			break;
	}
	return p;
}

size_t
bpe_short_form(const char *p, const char *end, bool any)
{
	size_t n = (size_t)(end - p);
	char c, d;

	if (n < 2 || p[0] != '\'')
		return 0;
	if (any && n >= 3 && p[1] == '\xc5' && p[2] == '\xbf')
		return 3;
	c = any && p[1] >= 'A' && p[1] <= 'Z' ? (char)(p[1] + 32) : p[1];
	if (c == 's' || c == 't' || c == 'm' || c == 'd')
		return 2;
	if (n < 3)
		return 0;
	d = any && p[2] >= 'A' && p[2] <= 'Z' ? (char)(p[2] + 32) : p[2];
	return (c == 'r' && d == 'e') || (c == 'v' && d == 'e') ||
	    (c == 'l' && d == 'l') ? 3 : 0;
}

/* piece_blanks - white space at p: to the last end of a line if it counts
 * (lines), else all but the last character before something else, which belongs
 * to that if it is a blank, else stands alone */
static size_t
piece_blanks(const char *p, const char *end, bool lines, bool rest)
{
	const char *q = p, *line = NULL;
	size_t n, last = 0, len;

	for (; q < end && kind_at(q, &n) == UTF8_SPACE; q += n) {
		last = n;
		if (*q == '\r' || *q == '\n')
			line = q + 1;
	}
	len = (size_t)(q - p);
	if (q == end && rest)
		return len;
	if (lines && line != NULL)
		return (size_t)(line - p);
	return q == end || len == last ? len : len - last;
}

/* piece_gpt2 - words, numbers and others, a blank in front */
static size_t
piece_gpt2(const char *p, const char *end)
{
	const char *q = p + (*p == ' ' && end - p > 1);
	size_t n, len = bpe_short_form(p, end, false);
	unsigned kind = kind_at(q, &n);

	if (len > 0)
		return len;
	if (kind != UTF8_SPACE)
		return (size_t)(run_kind(q, end, kind) - p);
	return piece_blanks(p, end, false, false);
}

/* word_mixed - head* tail+: where it ends, NULL if it is not there */
static const char *
word_mixed(const char *p, const char *end)
{
	const char *back = NULL;
	unsigned k;
	size_t n;

	for (; p < end; p += n) {
		k = utf8_class(utf8_get(p, &n));
		if ((k & HEAD) == 0)
			break;
		if (k & TAIL)
			back = p + n;
	}
	if (p < end && (utf8_class(utf8_get(p, &n)) & TAIL) != 0)
		return run_class(p, end, TAIL);
	return back;
}

/* piece_case - a word whose capitals begin it; first: its other character in
 * front, 0 if that cannot be one */
static size_t
piece_case(const struct bpe_pattern *t, const char *p, const char *end,
    size_t first)
{
	const char *q = first > 0 ? word_mixed(p + first, end) : NULL;

	if (q == NULL)
		q = word_mixed(p, end);
	if (q == NULL && first > 0) {
		q = run_class(p + first, end, HEAD);
		if (q == p + first)
			q = NULL;
	}
	if (q == NULL)
		q = run_class(p, end, HEAD);
	if (q > p && t->short_forms)
		q += bpe_short_form(q, end, true);
	return (size_t)(q - p);
}

/* piece_prefix - a word with any one other character in front */
static size_t
piece_prefix(const struct bpe_pattern *t, const char *p, const char *end,
    size_t first)
{
	size_t len = t->short_forms ? bpe_short_form(p, end, true) : 0, n;

	if (len > 0)
		return len;
	if (kind_at(p, &n) == LETTER)
		return (size_t)(run_kind(p, end, LETTER) - p);
	if (first == 0)
		return 0;
	len = (size_t)(run_kind(p + first, end, LETTER) - p);
	return len > first ? len : 0;
}

size_t
bpe_piece(const struct bpe_pattern *t, const char *p, size_t size)
{
	const char *end = p + size, *q = p;
	size_t n, len;
	unsigned kind;

	if (t->scan == SCAN_GPT2)
		return piece_gpt2(p, end);
	kind = kind_at(p, &n);
	if (kind == LETTER || kind == UTF8_NUMBER || *p == '\r' || *p == '\n')
		len = 0;
	else
		len = n;
	len = t->scan == SCAN_CASE ? piece_case(t, p, end, len) :
	    piece_prefix(t, p, end, len);
	if (len > 0)
		return len;
	if (kind == UTF8_NUMBER) {
		for (unsigned i = 0; i < t->digits && q < end &&
		    kind_at(q, &n) == UTF8_NUMBER; i++)
			q += n;
		return (size_t)(q - p);
	}
	q = p + (*p == ' ' && size > 1);
	if (kind_at(q, &n) != 0)
		return piece_blanks(p, end, true, t->rest);
	q = run_kind(q, end, 0);
	while (q < end && (*q == '\r' || *q == '\n' || (t->slash &&
	    *q == '/')))
		q++;
	return (size_t)(q - p);
}
