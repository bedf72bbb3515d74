/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/links.h"

enum { LETTER, DIGIT, BLANK, OTHER };

/* kind_of - of a character in ASCII, or OTHER */
static unsigned
kind_of(uint32_t c)
{
	uint32_t low = c | 0x20;

	return c >= 128 ? OTHER : low >= 'a' && low <= 'z' ? LETTER :
	    c >= '0' && c <= '9' ? DIGIT : c == ' ' ? BLANK : OTHER;
}

/* char_at - the character at p, the sign as a blank */
static uint32_t
char_at(const struct links *l, const char *p, size_t n, size_t *len)
{
	*len = links_bytes(p, n);
	if (l->sign && *len == 3 && memcmp(p, LINKS_SIGN, 3) == 0)
		return ' ';
	return links_char(p, *len);
}

void
links_add(struct links *l, struct view v)
{
	uint32_t a = 0, b, bit;
	size_t len;

	for (size_t at = 0; at < v.n; at += len, a = b) {
		b = char_at(l, v.p + at, v.n - at, &len);
		if (at == 0)
			continue;
		if (a < 128 && b < 128)
			l->byte[a][b >> 6] |= (uint64_t)1 << (b & 63);
		bit = links_bit(a, b);
		l->pair[bit >> 3] |= (uint8_t)(1u << (bit & 7));
	}
}

void
links_end(struct links *l)
{
	memset(l->none, 0xff, sizeof(l->none));
	for (uint32_t a = 0; a < 128; a++)
		for (uint32_t b = 0; b < 128; b++)
			if (kind_of(a) != OTHER && kind_of(b) != OTHER &&
			    links_pair(l, a, b))
				l->none[kind_of(a)][kind_of(b)] = 0;
}

const char *
links_next(const struct links *l, const char *p, const char *end)
{
	size_t len;
	uint32_t a = char_at(l, p, (size_t)(end - p), &len), b;

	for (p += len; p < end; p += len, a = b) {
		unsigned x = kind_of(a), y;

		b = char_at(l, p, (size_t)(end - p), &len);
		y = kind_of(b);
		if (x != OTHER && y != OTHER ? l->none[x][y] != 0 :
		    !links_pair(l, a, b))
			break;
	}
	return p;
}
