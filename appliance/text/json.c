/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/json.h"
#include "appliance/text/utf8.h"

#include <errno.h>
#include <stdlib.h>

static const char *
json_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* plain_run - length of the run of bytes that need no look inside a string */
static size_t
plain_run(const char *p, const char *end)
{
	const char *from = p;
	uint64_t w, q, b, c;

	while (end - p >= 8) {
		memcpy(&w, p, 8);
		q = w ^ 0x2222222222222222u;
		b = w ^ 0x5c5c5c5c5c5c5c5cu;
		/* the classic zero-byte test on quote, backslash, below 0x20 */
		c = (q - 0x0101010101010101u) & ~q;
		c |= (b - 0x0101010101010101u) & ~b;
		c |= (w - 0x2020202020202020u) & ~w;
		if (c & 0x8080808080808080u)
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	return (size_t)(p - from);
}

/* hex4 - four hex digits; -1 */
static int
hex4(const char *p, const char *end)
{
	int x = 0, d;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			d = p[i] - '0';
		else if ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')
			d = (p[i] | 32) - 'a' + 10;
		else
			return -1;
		x = x << 4 | d;
	}
	return x;
}

/* skip_string - p is at the quote */
static const char *
skip_string(const char *p, const char *end, const char **why)
{
	for (p++; p < end; p++) {
		p += plain_run(p, end);
		if (p == end)
			break;
		if (*p == '"')
			return p + 1;
		if (*p != '\\') {
			*why = "control character in a string";
			return NULL;
		}
		if (++p == end)
			break;
		if (*p == 'u') {
			if (hex4(p + 1, end) == -1)
				break;
			p += 4;
		} else if (strchr("\"\\/bfnrt", *p) == NULL || *p == '\0') {
			*why = "unknown escape in a string";
			return NULL;
		}
	}
	*why = "string is not closed";
	return NULL;
}

/* skip_digits - one or more */
static const char *
skip_digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == from ? NULL : p;
}

/* skip_number - as the standard's grammar has it */
static const char *
skip_number(const char *p, const char *end, const char **why)
{
	*why = "bad number";
	if (p < end && *p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else if ((p = skip_digits(p, end)) == NULL)
		return NULL;
	if (p < end && *p == '.' && (p = skip_digits(p + 1, end)) == NULL)
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = skip_digits(p, end);
	}
	return p;
}

/* skip_scalar - string, number or one of the three words */
static const char *
skip_scalar(const char *p, const char *end, const char **why)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t n;

	if (*p == '"')
		return skip_string(p, end, why);
	for (size_t i = 0; i < 3; i++) {
		n = strlen(words[i]);
		if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0)
			return p + n;
	}
	return skip_number(p, end, why);
}

/* skip_key - "key" : and the blanks after it */
static const char *
skip_key(const char *p, const char *end, const char **why)
{
	if (p == end || *p != '"') {
		*why = "a member's name is missing";
		return NULL;
	}
	p = skip_string(p, end, why);
	if (p == NULL)
		return NULL;
	p = json_blank(p, end);
	if (p == end || *p != ':') {
		*why = "':' is missing";
		return NULL;
	}
	return json_blank(p + 1, end);
}

const char *
json_skip(const char *p, const char *end, const char **why)
{
	char open[JSON_DEPTH];
	int depth = 0;

	for (;;) {
		if (p == end) {
			*why = "text ends inside a value";
			return NULL;
		}
		if (*p == '{' || *p == '[') {
			if (depth == JSON_DEPTH) {
				*why = "nested too deeply";
				return NULL;
			}
			open[depth++] = *p == '{' ? '}' : ']';
			p = json_blank(p + 1, end);
			if (p < end && *p == open[depth - 1]) {
				p++;
				depth--;
			} else {
				if (open[depth - 1] == '}' &&
				    (p = skip_key(p, end, why)) == NULL)
					return NULL;
				continue;
			}
		} else if ((p = skip_scalar(p, end, why)) == NULL)
			return NULL;
		while (depth > 0) {
			p = json_blank(p, end);
			if (p < end && *p == open[depth - 1]) {
				p++;
				depth--;
			} else
				break;
		}
		if (depth == 0)
			return p;
		if (p == end || *p != ',') {
			*why = "',' or a closing bracket is missing";
			return NULL;
		}
		p = json_blank(p + 1, end);
		if (open[depth - 1] == '}' &&
		    (p = skip_key(p, end, why)) == NULL)
			return NULL;
	}
}

int
json_value(struct view text, struct view *value, struct err *e)
{
	const char *end = text.p + text.n, *why = "", *p, *after;

	p = json_blank(text.p, end);
	after = json_skip(p, end, &why);
	if (after == NULL)
		return err_set(e, FATE_REJECT, "not JSON: %s", why);
	if (json_blank(after, end) != end)
		return err_set(e, FATE_REJECT, "not JSON: something follows "
		    "the value at byte %zu", (size_t)(after - text.p));
	*value = (struct view){ p, (size_t)(after - p) };
	return 0;
}

bool
json_open(struct json_iter *it, struct view value, char kind)
{
	if (value.n < 2 || value.p[0] != kind)
		return false;
	*it = (struct json_iter){ value.p + 1, value.p + value.n - 1, true,
	    false };
	return true;
}

bool
json_element(struct json_iter *it, struct view *value)
{
	const char *why, *p = json_blank(it->p, it->end), *after;

	if (p == it->end)
		return false;
	if (!it->first)
		p = json_blank(p + 1, it->end);		/* the comma */
	it->first = false;
	after = json_skip(p, it->end, &why);
	if (after == NULL) {
		it->p = it->end;
		it->bad = true;
		return false;
	}
	*value = (struct view){ p, (size_t)(after - p) };
	it->p = after;
	return true;
}

bool
json_member(struct json_iter *it, struct view *key, struct view *value)
{
	const char *why, *p;

	if (!json_element(it, key))
		return false;
	p = json_blank(it->p, it->end);
	if (p == it->end)
		return false;
	it->p = json_blank(p + 1, it->end);		/* the colon */
	p = json_skip(it->p, it->end, &why);
	if (p == NULL)
		return false;
	*value = (struct view){ it->p, (size_t)(p - it->p) };
	it->p = p;
	return true;
}

bool
json_get(struct view object, const char *name, struct view *value)
{
	struct json_iter it;
	struct view key;
	size_t n = strlen(name);

	if (!json_open(&it, object, '{'))
		return false;
	while (json_member(&it, &key, value))
		if (key.n == n + 2 && memcmp(key.p + 1, name, n) == 0)
			return true;
	return false;
}

/* unescape - one escape at p (after the backslash) to out; how much was read */
static size_t
unescape(const char *p, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int hi, lo;

	if (*p != 'u') {
		*(*out)++ = to[strchr(from, *p) - from];
		return 1;
	}
	hi = hex4(p + 1, end);
	if (hi >= 0xd800 && hi < 0xdc00) {
		if (end - p < 11 || p[5] != '\\' || p[6] != 'u')
			return 0;
		lo = hex4(p + 7, end);
		if (lo < 0xdc00 || lo > 0xdfff)
			return 0;
		*out += utf8_put(0x10000 + ((uint32_t)(hi - 0xd800) << 10) +
		    (uint32_t)(lo - 0xdc00), *out);
		return 11;
	}
	if (hi < 0 || (hi >= 0xdc00 && hi <= 0xdfff))
		return 0;
	*out += utf8_put((uint32_t)hi, *out);
	return 5;
}

bool
json_string(struct arena *a, struct view raw, struct view *text)
{
	const char *p = raw.p + 1, *end = raw.p + raw.n - 1, *bs;
	char *out, *from;
	size_t n;

	if (raw.n < 2 || raw.p[0] != '"' || end[0] != '"')
		return false;
	bs = memchr(p, '\\', (size_t)(end - p));
	if (bs == NULL) {
		*text = (struct view){ p, (size_t)(end - p) };
		return true;
	}
	from = out = arena_alloc(a, (size_t)(end - p) + 1);
	for (; bs != NULL; bs = memchr(p, '\\', (size_t)(end - p))) {
		memcpy(out, p, (size_t)(bs - p));
		out += bs - p;
		n = unescape(bs + 1, end, &out);
		if (n == 0)
			return false;
		p = bs + 1 + n;
	}
	memcpy(out, p, (size_t)(end - p));
	out += end - p;
	*text = (struct view){ from, (size_t)(out - from) };
	return true;
}

bool
json_number(struct view raw, double *x)
{
	char s[64], *end;

	if (raw.n == 0 || raw.n >= sizeof(s) ||
	    (raw.p[0] != '-' && (raw.p[0] < '0' || raw.p[0] > '9')))
		return false;
	memcpy(s, raw.p, raw.n);
	s[raw.n] = '\0';
	*x = strtod(s, &end);
	return *end == '\0';
}

bool
json_integer(struct view raw, int64_t *x)
{
	char s[32], *end;

	if (raw.n == 0 || raw.n >= sizeof(s) ||
	    (raw.p[0] != '-' && (raw.p[0] < '0' || raw.p[0] > '9')))
		return false;
	memcpy(s, raw.p, raw.n);
	s[raw.n] = '\0';
	errno = 0;
	*x = strtoll(s, &end, 10);
	return *end == '\0' && errno == 0;
}

bool
json_bool(struct view raw, bool *x)
{
	*x = view_is(raw, "true");
	return *x || view_is(raw, "false");
}

bool
json_is_null(struct view raw)
{
	return view_is(raw, "null");
}
