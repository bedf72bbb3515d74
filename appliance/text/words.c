/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "appliance/text/words.h"

/* spans_add - one more; the array doubles */
static void
spans_add(struct arena *a, struct spans *s, const char *p, const char *end)
{
	if ((s->n & (s->n - 1)) == 0)
		s->v = arena_grow(a, s->v, s->n, s->n == 0 ? 1 : s->n * 2,
		    sizeof(*s->v));
	s->v[s->n++] = (struct view){ p, (size_t)(end - p) };
}

/* space_at - is there white space at p; *n its length */
static bool
space_at(const char *p, size_t *n)
{
	unsigned char c = (unsigned char)*p;

	*n = 1;
	if (c < 0x80)
		return c == ' ' || (c >= 9 && c <= 13);
	return utf8_space(utf8_get(p, n));
}

void
text_words(struct arena *a, struct view v, struct spans *s)
{
	const char *p = v.p, *end = v.p + v.n, *from = NULL;
	size_t n;

	*s = (struct spans){ NULL, 0 };
	for (; p < end; p += n) {
		if (space_at(p, &n)) {
			if (from != NULL)
				spans_add(a, s, from, p);
			from = NULL;
		} else if (from == NULL)
			from = p;
	}
	if (from != NULL)
		spans_add(a, s, from, end);
}

void
text_lines(struct arena *a, struct view v, struct spans *s)
{
	const char *p = v.p, *end = v.p + v.n, *nl;

	*s = (struct spans){ NULL, 0 };
	while (end > p && end[-1] == '\n')
		end--;
	while (p < end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		spans_add(a, s, p, nl);
		p = nl + 1;
	}
}

void
text_paragraphs(struct arena *a, struct view v, struct spans *s)
{
	const char *p = v.p, *end = v.p + v.n, *q;

	*s = (struct spans){ NULL, 0 };
	while (p < end) {
		while (p < end && *p == '\n')
			p++;
		for (q = p; q < end && !(*q == '\n' && q + 1 < end &&
		    q[1] == '\n'); q++)
			continue;
		while (q > p && q[-1] == '\n')
			q--;
		if (q > p)
			spans_add(a, s, p, q);
		p = q + (q < end);
		if (q == end)
			break;
	}
}

struct view
text_shingle(struct arena *a, struct view v)
{
	char *out = arena_alloc(a, v.n * 2 + 4);
	const char *p = v.p, *end = v.p + v.n;
	size_t n, len = 0;
	uint32_t c;

	for (; p < end; p += n) {
		c = utf8_get(p, &n);
		if (utf8_digit(c))
			out[len++] = '0';
		else if (utf8_letter(c))
			len += utf8_put(utf8_fold(c), out + len);
		else if (len > 0 && out[len - 1] != ' ')
			out[len++] = ' ';
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	return (struct view){ out, len };
}
