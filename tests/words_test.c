/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "appliance/base/buf.h"
#include "appliance/base/words.h"

static const struct {
	const char *name, *in, *want;
} cases[] = {
	{ "words", "a b\tc\n", "0[a][b][c]" },
	{ "indented", " a\n", "1[a]" },
	{ "empty lines and comments", "\n# x\n a # y\n\n", "1[a]" },
	{ "hash inside a word", "a#b\n", "0[a#b]" },
	{ "quotes", "\"a b\" c=\"d e\"\n", "0[a b]q[c=d e]" },
	{ "escapes", "\"\\\"\\\\\\n\\t\"\n", "0[\"\\\n\t]q" },
	{ "empty word", "a \"\"\n", "0[a][]q" },
	{ "continuation", "a \\\n  b\n", "0[a][b]" },
	{ "continuation glued to a word", "a\\\nb\n", "0[a][b]" },
	{ "backslash inside", "a\\b\n", "0[a\\b]" },
	{ "CRLF", "a b\r\nc\r\n", "0[a][b]0[c]" },
	{ "no end of line", "a\nb", "0[a]0[b]" },
	{ "quote open", "a \"b\n", "!1:3: quote is not closed" },
	{ "bad escape", "\"\\x\"\n",
	    "!1:2: only \\\" \\\\ \\n \\t stand between quotes" },
	{ "bad UTF-8", "ab\nc\xff\n", "!2:2: byte 0xff is not UTF-8 text" },
	{ "UTF-8", "\xc3\xa4\n", "0[\xc3\xa4]" },
	{ "surrogate", "\xed\xa0\x80", "!1:1: byte 0xed is not UTF-8 text" },
	{ "overlong", "\xc0\x80", "!1:1: byte 0xc0 is not UTF-8 text" },
};

/* show - all lines as text: indent, words in brackets, q for quoted */
static const char *
show(struct arena *a, const char *in)
{
	struct buf *b = buf_new(a, 4096);
	struct words w;
	struct line l;
	struct err e;

	if (words_open(&w, a, in, strlen(in), &e) == -1)
		return arena_printf(a, "!%s", e.text);
	for (;;) {
		if (words_next(&w, &l, &e) == -1)
			return arena_printf(a, "!%s", e.text);
		if (l.n == 0)
			return buf_cstr(b);
		buf_printf(b, "%d", l.indented);
		for (size_t i = 0; i < l.n; i++)
			buf_printf(b, "[%s]%s", l.word[i].s,
			    l.word[i].quoted ? "q" : "");
	}
}

/* round - what buf_word writes, the lexer reads back */
static void
round_trip(struct arena *a, const char *s)
{
	struct buf *b = buf_new(a, 4096);
	struct words w;
	struct line l;
	struct err e;

	buf_str(b, "x ");
	buf_word(b, s);
	words_open(&w, a, b->p, b->n, &e);
	tap(words_next(&w, &l, &e) == 0 && l.n == 2 &&
	    strcmp(l.word[1].s, s) == 0, "round trip of a word of %zu",
	    strlen(s));
}

int
main(void)
{
	struct arena *a = arena_new();
	struct words w;
	struct line l;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(cases); i++)
		tap_str(show(a, cases[i].in), cases[i].want, cases[i].name);
	round_trip(a, "");
	round_trip(a, "plain");
	round_trip(a, "# a \"quote\" \\ and\nnewline\ttab");
	tap(words_open(&w, a, "a\0b", 3, &e) == -1, "NUL is refused");
	words_open(&w, a, "a\n  bc \\\n d\n", 12, &e);
	words_next(&w, &l, &e);
	words_next(&w, &l, &e);
	tap(l.word[0].line == 2 && l.word[0].col == 3 && l.word[1].line == 3 &&
	    l.word[1].col == 2, "places of words");
	arena_free(a);
	return tap_done();
}
