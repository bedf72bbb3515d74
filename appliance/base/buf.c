/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/buf.h"
#include "appliance/base/msg.h"

#include <math.h>
#include <stdlib.h>

struct view
view_of(const char *s)
{
	return (struct view){ s, strlen(s) };
}

bool
view_eq(struct view a, struct view b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
view_is(struct view v, const char *s)
{
	return view_eq(v, view_of(s));
}

int
view_cmp(struct view a, struct view b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

struct view
view_keep(struct arena *a, struct view v)
{
	return (struct view){ arena_strn(a, v.p, v.n), v.n };
}

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_free(void *arg)
{
	struct buf *b = arg;

	mem_free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
}

struct buf *
buf_new(struct arena *a, size_t max)
{
	struct buf *b = arena_alloc(a, sizeof(*b));

	buf_init(b, max);
	arena_defer(a, buf_free, b);
	return b;
}

int
buf_reserve(struct buf *b, size_t more)
{
	size_t cap;

	if (more <= b->cap - b->n)
		return 0;
	if (more > b->max - b->n) {
		b->full = true;
		return -1;
	}
	cap = b->cap < 256 ? 256 : b->cap;
	while (cap - b->n < more)
		cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
	if (cap > b->max)
		cap = b->max;
	b->p = mem_grow(b->p, cap + 1);		/* room for buf_cstr's NUL */
	b->cap = cap;
	return 0;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || buf_reserve(b, n) == -1)
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void
buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_view(struct buf *b, struct view v)
{
	buf_add(b, v.p, v.n);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		panic("bad format '%s'", fmt);
	if (buf_reserve(b, (size_t)n) == 0 && n > 0) {
		vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

const char *
buf_cstr(struct buf *b)
{
	if (b->p == NULL)
		return "";
	b->p[b->n] = '\0';
	return b->p;
}

struct view
buf_get(const struct buf *b)
{
	return (struct view){ b->p == NULL ? "" : b->p, b->n };
}

/*
 * buf_json - runs without anything to escape are added whole; bytes above 0x7f
 * pass, since text in the house is valid UTF-8
 */
void
buf_json(struct buf *b, struct view v)
{
	size_t from = 0, i;
	unsigned char c;

	buf_char(b, '"');
	for (i = 0; i < v.n; i++) {
		c = (unsigned char)v.p[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, v.p + from, i - from);
		from = i + 1;
		switch (c) {
		case '"':
			buf_str(b, "\\\"");
			break;
		case '\\':
			buf_str(b, "\\\\");
			break;
		case '\n':
			buf_str(b, "\\n");
			break;
		case '\t':
			buf_str(b, "\\t");
			break;
		case '\r':
			buf_str(b, "\\r");
			break;
		case '\b':
			buf_str(b, "\\b");
			break;
		case '\f':
			buf_str(b, "\\f");
			break;
		default:
			buf_printf(b, "\\u%04x", c);
		}
	}
	buf_add(b, v.p + from, v.n - from);
	buf_char(b, '"');
}

void
buf_json_str(struct buf *b, const char *s)
{
	buf_json(b, view_of(s));
}

/* buf_json_num - the shortest of 15 to 17 digits that reads back the same */
void
buf_json_num(struct buf *b, double x)
{
	char s[40];

	if (!isfinite(x)) {
		buf_str(b, "null");
		return;
	}
	if (x == floor(x) && fabs(x) < 1e15) {
		buf_printf(b, "%.0f", x == 0 ? 0.0 : x);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, x);
		if (strtod(s, NULL) == x)
			break;
	}
	buf_str(b, s);
}

void
buf_word(struct buf *b, const char *s)
{
	if (*s != '\0' && *s != '#' && strpbrk(s, " \t\r\n\"\\") == NULL) {
		buf_str(b, s);
		return;
	}
	buf_char(b, '"');
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '\n':
			buf_str(b, "\\n");
			break;
		case '\t':
			buf_str(b, "\\t");
			break;
		case '"':
		case '\\':
			buf_char(b, '\\');
			/* FALLTHROUGH */
		default:
			buf_char(b, *s);
		}
	}
	buf_char(b, '"');
}
