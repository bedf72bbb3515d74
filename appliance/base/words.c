/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/buf.h"
#include "appliance/base/words.h"

#include <stdlib.h>

/* utf8_len - length of the well-formed sequence at p (Unicode table 3-7) */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	unsigned char c = p[0], lo = 0x80, hi = 0xbf;
	size_t len;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t
utf8_check(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, len;
	uint64_t w;

	while (i < n) {
		while (n - i >= 8) {
			memcpy(&w, p + i, 8);
			if (w & 0x8080808080808080u)
				break;
			i += 8;
		}
		if (i == n)
			break;
		len = utf8_len(p + i, n - i);
		if (len == 0)
			return i;
		i += len;
	}
	return n;
}

int
words_open(struct words *w, struct arena *a, const char *text, size_t n,
    struct err *e)
{
	size_t bad;
	unsigned line = 1;

	if (n > WORDS_MAX)
		return err_set(e, FATE_REJECT, "1:1: longer than 1 MiB");
	bad = utf8_check(text, n);
	if (bad == n && memchr(text, '\0', n) != NULL)
		bad = (size_t)((const char *)memchr(text, '\0', n) - text);
	if (bad != n) {
		size_t bol = 0;

		for (size_t i = 0; i < bad; i++)
			if (text[i] == '\n') {
				line++;
				bol = i + 1;
			}
		return err_set(e, FATE_REJECT,
		    "%u:%zu: byte 0x%02x is not UTF-8 text", line,
		    bad - bol + 1, (unsigned char)text[bad]);
	}
	*w = (struct words){ .arena = a, .p = text, .end = text + n,
	    .bol = text, .line = 1 };
	return 0;
}

/* words_eol - length of the line end at p: 0 if there is none */
static size_t
words_eol(const struct words *w, const char *p)
{
	if (p == w->end)
		return 0;
	if (*p == '\n')
		return 1;
	if (*p == '\r' && p + 1 < w->end && p[1] == '\n')
		return 2;
	return 0;
}

/* words_newline - step over a line end */
static void
words_newline(struct words *w, size_t n)
{
	w->p += n;
	w->bol = w->p;
	w->line++;
}

/* words_blank - skip blanks, continuations and a comment */
static void
words_blank(struct words *w)
{
	size_t n;

	for (;;) {
		if (w->p < w->end && (*w->p == ' ' || *w->p == '\t')) {
			w->p++;
		} else if (w->p < w->end && *w->p == '\\' &&
		    (n = words_eol(w, w->p + 1)) > 0) {
			w->p++;
			words_newline(w, n);
		} else
			break;
	}
	if (w->p < w->end && *w->p == '#')
		while (w->p < w->end && words_eol(w, w->p) == 0)
			w->p++;
}

/* words_quote - the part of a word between quotes */
static int
words_quote(struct words *w, struct buf *b, struct err *e)
{
	unsigned line = w->line, col = (unsigned)(w->p - w->bol) + 1;
	char c;

	for (w->p++; w->p < w->end && *w->p != '"'; w->p++) {
		c = *w->p;
		if (c == '\n')
			break;
		if (c == '\\') {
			if (++w->p == w->end)
				break;
			c = *w->p;
			if (c == 'n')
				c = '\n';
			else if (c == 't')
				c = '\t';
			else if (c != '"' && c != '\\')
				return err_set(e, FATE_REJECT, "%u:%u: only "
				    "\\\" \\\\ \\n \\t stand between quotes",
				    w->line, (unsigned)(w->p - w->bol));
		}
		buf_char(b, c);
	}
	if (w->p == w->end || *w->p != '"')
		return err_set(e, FATE_REJECT, "%u:%u: quote is not closed",
		    line, col);
	w->p++;
	return 0;
}

/* words_word - one word, whose first byte is at w->p */
static int
words_word(struct words *w, struct word *out, struct err *e)
{
	struct buf *b = buf_new(w->arena, WORDS_MAX);

	out->line = w->line;
	out->col = (unsigned)(w->p - w->bol) + 1;
	out->quoted = *w->p == '"';
	while (w->p < w->end && *w->p != ' ' && *w->p != '\t' &&
	    words_eol(w, w->p) == 0) {
		if (*w->p == '"') {
			if (words_quote(w, b, e) == -1)
				return -1;
		} else if (*w->p == '\\' && words_eol(w, w->p + 1) > 0) {
			break;
		} else
			buf_char(b, *w->p++);
	}
	out->s = arena_strn(w->arena, b->p, b->n);
	return 0;
}

int
words_next(struct words *w, struct line *out, struct err *e)
{
	struct word *word = NULL;
	size_t n = 0, cap = 0, eol;

	while (n == 0 && w->p < w->end) {
		out->indented = *w->p == ' ' || *w->p == '\t';
		for (;;) {
			words_blank(w);
			if (w->p == w->end)
				break;
			if ((eol = words_eol(w, w->p)) > 0) {
				words_newline(w, eol);
				break;
			}
			if (n == cap) {
				cap = cap == 0 ? 8 : cap * 2;
				word = arena_grow(w->arena, word, n, cap,
				    sizeof(*word));
			}
			if (words_word(w, &word[n], e) == -1)
				return -1;
			n++;
		}
	}
	out->word = word;
	out->n = n;
	return 0;
}

int64_t
line_num(const struct line *l, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 1; i < l->n; i++)
		if (strncmp(l->word[i].s, name, n) == 0 &&
		    l->word[i].s[n] == '=')
			return strtoll(l->word[i].s + n + 1, NULL, 10);
	return 0;
}
