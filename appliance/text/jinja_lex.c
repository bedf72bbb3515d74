/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_own.h"
#include "appliance/text/utf8.h"

#include <errno.h>
#include <stdlib.h>

struct lexer {
	struct arena *arena;
	const char *from, *p, *end;	/* newlines are \n already */
	struct jtoken *t;
	size_t n, cap;
	unsigned line;
	bool fresh;			/* what was read last ended a line */
	struct err *e;
};

size_t
jinja_space(const char *p, const char *end)
{
	unsigned char c;
	uint32_t u;
	size_t n;

	if (p == end)
		return 0;
	c = (unsigned char)*p;
	if (c < 0x80)
		return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
	u = utf8_get(p, &n);
	return u == 0x85 || u == 0xa0 || u == 0x1680 || (u >= 0x2000 &&
	    u <= 0x200a) || u == 0x2028 || u == 0x2029 || u == 0x202f ||
	    u == 0x205f || u == 0x3000 ? n : 0;
}

/* lex_put - one more token */
static struct jtoken *
lex_put(struct lexer *x, enum token kind, const char *p, size_t n)
{
	if (x->n == x->cap) {
		x->t = arena_grow(x->arena, x->t, x->n, x->cap * 2 + 64,
		    sizeof(*x->t));
		x->cap = x->cap * 2 + 64;
	}
	x->t[x->n] = (struct jtoken){ .kind = kind, .line = x->line,
	    .s = { p, n } };
	return &x->t[x->n++];
}

/* lex_to - go on to a place, counting lines */
static void
lex_to(struct lexer *x, const char *p)
{
	if (p > x->p)
		x->fresh = p[-1] == '\n';
	for (; x->p < p; x->p++)
		x->line += *x->p == '\n';
}

/* lex_blanks - over white space */
static void
lex_blanks(struct lexer *x)
{
	size_t n;

	while ((n = jinja_space(x->p, x->end)) > 0)
		lex_to(x, x->p + n);
}

static bool
lex_at(const struct lexer *x, const char *p, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(x->end - p) >= n && memcmp(p, what, n) == 0;
}

/*
 * lex_close - the end of a tag or comment: what "%}", "#}", with a sign in
 * front; -: white space after it goes; else with trim_blocks a newline does
 */
static bool
lex_close(struct lexer *x, const char *what, bool trim)
{
	char sign = x->p < x->end ? *x->p : '\0';

	if (lex_at(x, x->p, what))
		sign = '\0';
	else if ((sign != '-' && (sign != '+' || !trim)) ||
	    !lex_at(x, x->p + 1, what))
		return false;
	lex_to(x, x->p + strlen(what) + (sign != '\0'));
	if (sign == '-')
		lex_blanks(x);
	else if (sign == '\0' && trim && x->p < x->end && *x->p == '\n')
		lex_to(x, x->p + 1);
	return true;
}

/*
 * lex_data - text up to a place, where sign stands behind the opening braces;
 * -: white space before it goes; else with lstrip_blocks that of its line does,
 * if nothing else is there and it is no {{
 */
static void
lex_data(struct lexer *x, const char *to, char sign, bool strip)
{
	const char *p = x->p, *q = to, *line;
	bool fresh = x->fresh;

	if (sign == '-') {
		while (q > p) {
			const char *c = q - 1;

			while (c > p && ((unsigned char)*c & 0xc0) == 0x80)
				c--;
			if (jinja_space(c, q) == 0)
				break;
			q = c;
		}
	} else if (sign != '+' && strip) {
		for (line = to; line > p && line[-1] != '\n'; line--)
			;
		if (line > p || fresh) {
			const char *c = line;
			size_t n;

			while (c < to && (n = jinja_space(c, to)) > 0)
				c += n;
			if (c == to)
				q = line;
		}
	}
	if (q > p)
		lex_put(x, T_DATA, p, (size_t)(q - p));
	lex_to(x, to);
}

/* lex_word - is a tag at p that word alone; where it ends, else NULL */
static const char *
lex_word(const struct lexer *x, const char *p, const char *word)
{
	size_t n;

	p += 2;
	if (p < x->end && (*p == '-' || *p == '+'))
		p++;
	while ((n = jinja_space(p, x->end)) > 0)
		p += n;
	if (!lex_at(x, p, word))
		return NULL;
	p += strlen(word);
	while ((n = jinja_space(p, x->end)) > 0)
		p += n;
	return lex_at(x, p, "%}") || lex_at(x, p, "-%}") ||
	    lex_at(x, p, "+%}") ? p : NULL;
}

/* lex_raw - from behind {% raw %} to {% endraw %}: all is text */
static int
lex_raw(struct lexer *x)
{
	const char *p, *q;

	for (p = x->p; p + 1 < x->end; p++) {
		if (p[0] != '{' || p[1] != '%')
			continue;
		q = lex_word(x, p, "endraw");
		if (q == NULL)
			continue;
		lex_data(x, p, p[2], true);
		lex_to(x, q);
		lex_close(x, "%}", true);
		return 0;
	}
	return err_set(x->e, FATE_REJECT, "line %u of the template: '{%% raw "
	    "%%}' has no '{%% endraw %%}'", x->line);
}

/* lex_comment - over {# to #} */
static int
lex_comment(struct lexer *x)
{
	unsigned line = x->line;

	lex_to(x, x->p + 2);
	if (x->p < x->end && (*x->p == '-' || *x->p == '+'))
		lex_to(x, x->p + 1);
	for (; x->p < x->end; lex_to(x, x->p + 1))
		if (lex_close(x, "#}", true))
			return 0;
	return err_set(x->e, FATE_REJECT, "line %u of the template: '{#' has "
	    "no '#}'", line);
}

/* lex_escape - one escape of a string, as Python has them; how much is read */
static size_t
lex_escape(const char *p, const char *end, char **out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *k = *p == '\0' ? NULL : strchr(from, *p);
	size_t n = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
	uint32_t u = 0;
	int d;

	if (k != NULL) {
		*(*out)++ = to[k - from];
		return 1;
	}
	if (*p == '\n')
		return 1;
	if (*p >= '0' && *p <= '7') {
		for (n = 0; n < 3 && p + n < end && p[n] >= '0' &&
		    p[n] <= '7'; n++)
			u = u * 8 + (uint32_t)(p[n] - '0');
		*out += utf8_put(u, *out);
		return n;
	}
	if (n == 0) {				/* no escape: both stay */
		*(*out)++ = '\\';
		return 0;
	}
	for (size_t i = 1; i <= n; i++) {
		if (p + i >= end)
			return SIZE_MAX;
		d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' :
		    (p[i] | 32) >= 'a' && (p[i] | 32) <= 'f' ?
		    (p[i] | 32) - 'a' + 10 : -1;
		if (d == -1 || u >> 28 != 0)
			return SIZE_MAX;
		u = u << 4 | (uint32_t)d;
	}
	if (u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff))
		return SIZE_MAX;
	*out += utf8_put(u, *out);
	return n + 1;
}

/* lex_string - a string with its quotes at p */
static int
lex_string(struct lexer *x)
{
	const char *p = x->p + 1;
	char quote = *x->p, *out, *from;
	struct jtoken *t;
	size_t n;

	while (p < x->end && *p != quote)
		p += *p == '\\' && p + 1 < x->end ? 2 : 1;
	if (p >= x->end)
		return err_set(x->e, FATE_REJECT, "line %u of the template: a "
		    "string is not closed", x->line);
	t = lex_put(x, T_STRING, NULL, 0);
	from = out = arena_alloc(x->arena, (size_t)(p - x->p) + 1);
	for (const char *q = x->p + 1; q < p; ) {
		if (*q != '\\') {
			*out++ = *q++;
			continue;
		}
		n = lex_escape(q + 1, p, &out);
		if (n == SIZE_MAX)
			return err_set(x->e, FATE_REJECT, "line %u of the "
			    "template: bad escape in a string", x->line);
		q += 1 + n;
	}
	t->s = (struct view){ from, (size_t)(out - from) };
	lex_to(x, p + 1);
	return 0;
}

static bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* lex_digits - digits with single underscores between them */
static const char *
lex_digits(const char *p, const char *end)
{
	while (is_digit(p, end) || (p < end && *p == '_' &&
	    is_digit(p + 1, end)))
		p++;
	return p;
}

/* lex_number - decimal, or a fraction; after a dot it is an index */
static int
lex_number(struct lexer *x)
{
	const char *p = lex_digits(x->p, x->end), *q;
	bool dotted = x->n > 0 && x->t[x->n - 1].kind == T_OP &&
	    view_is(x->t[x->n - 1].s, "."), real = false;
	struct jtoken *t;
	char s[64];
	size_t n = 0;

	if (!dotted && p < x->end && *p == '.' && is_digit(p + 1, x->end)) {
		p = lex_digits(p + 1, x->end);
		real = true;
	}
	q = p;
	if (!dotted && q < x->end && (*q | 32) == 'e') {
		q++;
		q += q < x->end && (*q == '+' || *q == '-');
		if (is_digit(q, x->end)) {
			p = lex_digits(q, x->end);
			real = true;
		}
	}
	for (q = x->p; q < p && n < sizeof(s) - 1; q++)
		if (*q != '_')
			s[n++] = *q;
	s[n] = '\0';
	t = lex_put(x, real ? T_FLOAT : T_INT, x->p, (size_t)(p - x->p));
	errno = 0;
	t->f = strtod(s, NULL);
	t->i = real ? 0 : strtoll(s, NULL, 10);
	if (n == sizeof(s) - 1 || (!real && errno != 0) || (p < x->end &&
	    ((*p | 32) == 'x' || (*p | 32) == 'o' || (*p | 32) == 'b')))
		return err_set(x->e, FATE_REJECT, "line %u of the template: "
		    "'%.*s' is a number of a kind that is not read", x->line,
		    (int)n + 1, x->p);
	lex_to(x, p);
	return 0;
}

/* name_byte - letters, digits, _ and all beyond ASCII */
static bool
name_byte(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	    c == '_' || (unsigned char)c >= 0x80;
}

/* lex_code - one token inside braces; close counts the open brackets */
static int
lex_code(struct lexer *x, char *open, int *depth)
{
	static const char *const ops[] = { "//", "**", "==", "!=", "<=", ">=",
	    "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",",
	    ";", "(", ")", "[", "]", "{", "}" };
	const char *p = x->p;
	size_t i = 0;

	if (*p == '\'' || *p == '"')
		return lex_string(x);
	if (is_digit(p, x->end))
		return lex_number(x);
	if (name_byte(*p)) {
		while (p < x->end && name_byte(*p))
			p++;
		lex_put(x, T_NAME, x->p, (size_t)(p - x->p));
		lex_to(x, p);
		return 0;
	}
	while (i < BASE_COUNT(ops) && !lex_at(x, p, ops[i]))
		i++;
	if (i == BASE_COUNT(ops))
		return err_set(x->e, FATE_REJECT, "line %u of the template: "
		    "unexpected '%c'", x->line, *p >= ' ' ? *p : '?');
	if (strchr("([{", *p) != NULL) {
		if (*depth == 128)
			return err_set(x->e, FATE_REJECT, "line %u of the "
			    "template: brackets nested too deeply", x->line);
		open[(*depth)++] = *p == '(' ? ')' : *p == '[' ? ']' : '}';
	} else if (strchr(")]}", *p) != NULL && (*depth == 0 ||
	    open[--*depth] != *p))
		return err_set(x->e, FATE_REJECT, "line %u of the template: "
		    "'%c' closes nothing", x->line, *p);
	lex_put(x, T_OP, ops[i], strlen(ops[i]));
	lex_to(x, x->p + strlen(ops[i]));
	return 0;
}

/* lex_inside - what stands between {{ and }}, or {% and %} */
static int
lex_inside(struct lexer *x, bool tag)
{
	unsigned line = x->line;
	char open[128];
	int depth = 0;

	lex_put(x, tag ? T_TAG : T_PRINT, x->p, 2);
	lex_to(x, x->p + 2);
	if (x->p < x->end && (*x->p == '-' || *x->p == '+'))
		lex_to(x, x->p + 1);
	for (;;) {
		lex_blanks(x);
		if (x->p == x->end)
			return err_set(x->e, FATE_REJECT, "line %u of the "
			    "template: '%s' is not closed", line,
			    tag ? "{%" : "{{");
		line = x->line;
		if (depth == 0 && lex_close(x, tag ? "%}" : "}}", tag)) {
			lex_put(x, tag ? T_TAG_END : T_PRINT_END, NULL, 0);
			x->t[x->n - 1].line = line;
			return 0;
		}
		if (lex_code(x, open, &depth) == -1)
			return -1;
	}
}

/* lex_lines - newlines as \n, one at the end taken away */
static struct view
lex_lines(struct arena *a, struct view text)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r') {
			out[n++] = '\n';
			i += i + 1 < text.n && text.p[i + 1] == '\n';
		} else
			out[n++] = text.p[i];
	}
	n -= n > 0 && out[n - 1] == '\n';
	return (struct view){ out, n };
}

struct jtoken *
jinja_lex(struct arena *a, struct view text, struct err *e)
{
	struct view v = lex_lines(a, text);
	struct lexer x = { .arena = a, .from = v.p, .p = v.p,
	    .end = v.p + v.n, .line = 1, .fresh = true, .e = e };
	const char *p = x.p, *raw;
	char kind;
	int rc;

	while (p < x.end) {
		kind = p + 1 < x.end && *p == '{' ? p[1] : '\0';
		if (kind != '{' && kind != '%' && kind != '#') {
			p++;
			continue;
		}
		lex_data(&x, p, p + 2 < x.end ? p[2] : '\0', kind != '{');
		raw = kind == '%' ? lex_word(&x, p, "raw") : NULL;
		if (raw != NULL) {
			lex_to(&x, raw);
			lex_close(&x, "%}", false);
			rc = lex_raw(&x);
		} else
			rc = kind == '#' ? lex_comment(&x) :
			    lex_inside(&x, kind == '%');
		if (rc == -1)
			return NULL;
		p = x.p;
	}
	lex_data(&x, x.end, '\0', false);
	lex_put(&x, T_END, NULL, 0);
	return x.t;
}
