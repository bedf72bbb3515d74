/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/format.h"

#include <strings.h>

static const struct {
	const char *ending;
	enum format format;
} endings[] = {
	{ "txt", FORMAT_TEXT }, { "text", FORMAT_TEXT },
	{ "md", FORMAT_MARKDOWN }, { "markdown", FORMAT_MARKDOWN },
	{ "jsonl", FORMAT_JSONL }, { "ndjson", FORMAT_JSONL },
	{ "csv", FORMAT_CSV }, { "tsv", FORMAT_TSV },
	{ "html", FORMAT_HTML }, { "htm", FORMAT_HTML },
	{ "xhtml", FORMAT_HTML },
};

/* name_format - what the ending says; FORMAT_AUTO if nothing */
static enum format
name_format(const char *path)
{
	const char *base = strrchr(path, '/'), *dot;
	size_t n;

	base = base == NULL ? path : base + 1;
	n = strlen(base);
	if (n > 3 && strcasecmp(base + n - 3, ".gz") == 0)
		n -= 3;
	else if (n > 4 && strcasecmp(base + n - 4, ".zst") == 0)
		n -= 4;
	for (dot = base + n; dot > base && *dot != '.'; dot--)
		continue;
	if (dot == base)
		return FORMAT_AUTO;
	n -= (size_t)(dot + 1 - base);
	for (size_t i = 0; i < BASE_COUNT(endings); i++)
		if (strlen(endings[i].ending) == n &&
		    strncasecmp(dot + 1, endings[i].ending, n) == 0)
			return endings[i].format;
	/* the sections of the manual: .1 to .9, with a letter or two behind */
	if (n >= 1 && n <= 4 && dot[1] >= '1' && dot[1] <= '9' &&
	    (n == 1 || (dot[2] | 32) >= 'a'))
		return FORMAT_MAN;
	return FORMAT_AUTO;
}

/* head_is - does text begin with a word, whatever its case */
static bool
head_is(struct view head, const char *word)
{
	size_t n = strlen(word);

	return head.n >= n && strncasecmp(head.p, word, n) == 0;
}

/* head_man - are its first lines those of a manual page */
static bool
head_man(struct view v)
{
	for (int line = 0; line < 40 && v.n > 0; line++) {
		const char *nl = memchr(v.p, '\n', v.n);
		size_t n = nl == NULL ? v.n : (size_t)(nl - v.p) + 1;

		if (head_is(v, ".TH ") || head_is(v, ".Dd ") ||
		    head_is(v, ".so man"))
			return true;
		if (v.p[0] != '.' && v.p[0] != '\'' && v.p[0] != '\n')
			return false;
		v.p += n;
		v.n -= n;
	}
	return false;
}

enum format
format_guess(const char *path, struct view head)
{
	enum format f = name_format(path);

	if (memchr(head.p, '\0', head.n) != NULL)
		return FORMAT_BINARY;
	if (f == FORMAT_MAN && !head_man(head))
		f = FORMAT_AUTO;
	if (f != FORMAT_AUTO)
		return f;
	if (head_is(head, "\xef\xbb\xbf")) {
		head.p += 3;
		head.n -= 3;
	}
	if (head_man(head))
		return FORMAT_MAN;
	while (head.n > 0 && strchr(" \t\r\n", *head.p) != NULL) {
		head.p++;
		head.n--;
	}
	if (head_is(head, "<!doctype html") || head_is(head, "<html"))
		return FORMAT_HTML;
	if (head_is(head, "{\""))
		return FORMAT_JSONL;
	return FORMAT_TEXT;
}

/* man_escape - one \-escape at p; text to b; how many bytes it took */
static size_t
man_escape(struct buf *b, const char *p, const char *end)
{
	static const struct {
		const char *name, *text;
	} special[] = {
		{ "aq", "'" }, { "dq", "\"" }, { "bu", "*" }, { "em", "-" },
		{ "en", "-" }, { "lq", "\"" }, { "rq", "\"" }, { "oq", "'" },
		{ "cq", "'" }, { "co", "(C)" }, { "rs", "\\" }, { "ti", "~" },
		{ "ha", "^" }, { "<=", "<=" }, { ">=", ">=" }, { "->", "->" },
		{ "lt", "<" }, { "gt", ">" }, { "ga", "`" }, { "hy", "-" },
		{ "mi", "-" }, { "mu", "x" }, { "ss", "ss" }, { "tm", "(TM)" },
	};
	const char *name, *close;
	size_t n = (size_t)(end - p), len;

	if (n < 2)
		return n;
	switch (p[1]) {
	case '-':
	case ' ':
	case '~':
	case '0':
	case '.':
	case '\'':
	case '`':
		buf_char(b, p[1] == '~' || p[1] == '0' ? ' ' : p[1]);
		return 2;
	case 'e':
	case '\\':
		buf_char(b, '\\');
		return 2;
	case 'f':
	case '*':
	case '(':
	case '[':
	case 'n':
	case 's':
	case 'm':
	case 'F':
		break;
	case '"':
	case '#':
		return n;
	default:
		return 2;
	}
	name = p + (p[1] == '(' || p[1] == '[' ? 1 : 2);
	if (name >= end)
		return n;
	if (*name == '[') {
		close = memchr(name, ']', (size_t)(end - name));
		if (close == NULL)
			return n;
		name++;
		len = (size_t)(close - name);
		n = (size_t)(close + 1 - p);
	} else if (*name == '(') {
		name++;
		len = end - name < 2 ? (size_t)(end - name) : 2;
		n = (size_t)(name + len - p);
	} else {
		if (p[1] == 's' && (*name == '+' || *name == '-') &&
		    name + 1 < end)
			name++;
		return (size_t)(name + 1 - p);
	}
	for (size_t i = 0; i < BASE_COUNT(special); i++)
		if ((p[1] == '(' || p[1] == '[' || p[1] == '*') &&
		    strlen(special[i].name) == len &&
		    memcmp(special[i].name, name, len) == 0)
			buf_str(b, special[i].text);
	return n;
}

/* man_text - the text of a line, escapes resolved */
static void
man_text(struct buf *b, const char *p, const char *end)
{
	while (p < end) {
		if (*p == '\\')
			p += man_escape(b, p, end);
		else
			buf_char(b, *p++);
	}
}

/* man_args - a macro's arguments, quotes taken off, blanks between */
static void
man_args(struct buf *b, const char *p, const char *end, bool skip_macros)
{
	while (p < end) {
		const char *from = p;
		bool quoted = *p == '"';

		if (quoted)
			for (from = ++p; p < end && *p != '"'; p++)
				continue;
		else
			while (p < end && *p != ' ' && *p != '\t')
				p++;
		/* mdoc words such as Fl Ar Op Ns inside a line are macros */
		if (!(skip_macros && p - from == 2 && from[0] >= 'A' &&
		    from[0] <= 'Z' && from[1] >= 'a' && from[1] <= 'z')) {
			if (b->n > 0 && b->p[b->n - 1] != '\n')
				buf_char(b, ' ');
			man_text(b, from, p);
		}
		p += p < end;
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
	}
}

/* man_macro - a line that begins with a dot */
static void
man_macro(struct buf *b, const char *p, const char *end)
{
	static const char *const silent[] = {
		"TH", "Dd", "Dt", "Os", "so", "ds", "de", "if", "ie", "el",
		"nr", "ft", "ad", "hy", "nh", "in", "ta", "ll", "na", "ne",
		"rm", "rr", "tr", "am", "ig", "ps", "fam", "Bl", "It", "El",
		"Bd", "Ed", "lf", "mso", "do", "cp", "warn", "RS", "RE",
	};
	const char *name = ++p;
	size_t n;

	while (p < end && *p != ' ' && *p != '\t')
		p++;
	n = (size_t)(p - name);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (n == 2 && (memcmp(name, "SH", 2) == 0 || memcmp(name, "SS", 2) == 0
	    || memcmp(name, "Sh", 2) == 0 || memcmp(name, "Ss", 2) == 0)) {
		buf_str(b, "\n\n");
		man_args(b, p, end, false);
		buf_char(b, '\n');
		return;
	}
	if (n == 2 && (memcmp(name, "PP", 2) == 0 || memcmp(name, "TP", 2) == 0
	    || memcmp(name, "LP", 2) == 0 || memcmp(name, "Pp", 2) == 0 ||
	    memcmp(name, "IP", 2) == 0 || memcmp(name, "It", 2) == 0))
		buf_str(b, "\n");
	if (n == 2 && memcmp(name, "It", 2) == 0) {
		man_args(b, p, end, true);
		buf_char(b, '\n');
		return;
	}
	for (size_t i = 0; i < BASE_COUNT(silent); i++)
		if (strlen(silent[i]) == n && memcmp(silent[i], name, n) == 0)
			return;
	if (n == 0 || name[0] == '\\' || name[0] == '.')
		return;
	man_args(b, p, end, name[0] >= 'A' && name[0] <= 'Z' && n == 2 &&
	    name[1] >= 'a');
	buf_char(b, '\n');
}

struct view
format_man(struct arena *a, struct view v)
{
	struct buf *b = buf_new(a, v.n * 4 + 64);
	const char *p = v.p, *end = v.p + v.n, *nl;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		if (p < nl && (*p == '.' || *p == '\''))
			man_macro(b, p, nl);
		else {
			man_text(b, p, nl);
			buf_char(b, '\n');
		}
		if (nl == end)
			break;
	}
	return buf_get(b);
}
