/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting text by GPT-2's pattern:
 * 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

/* classes of GPT-2's pattern: \p{L}, \p{N}, \s, anything else */
enum { IS_LETTER, IS_NUMBER, IS_SPACE, IS_OTHER };

static int
class_of(uint32_t c)
{
	utf8proc_category_t k;

	if (c < 0x80) {
		if ((c | 32) >= 'a' && (c | 32) <= 'z')
			return IS_LETTER;
		if (c >= '0' && c <= '9')
			return IS_NUMBER;
		return c == ' ' || (c >= 9 && c <= 13) ? IS_SPACE : IS_OTHER;
	}
	if (utf8_space(c))
		return IS_SPACE;
	k = utf8proc_category((utf8proc_int32_t)c);
	if (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO)
		return IS_LETTER;
	if (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO)
		return IS_NUMBER;
	return IS_OTHER;
}

/* run_of - length of the run of one class at p */
static size_t
run_of(const char *p, const char *end, int class)
{
	const char *from = p;
	size_t n;

	while (p < end && class_of(utf8_get(p, &n)) == class)
		p += n;
	return (size_t)(p - from);
}

/* contraction - 's 't 're 've 'm 'll 'd */
static size_t
contraction(const char *p, size_t n)
{
	if (n < 2 || p[0] != '\'')
		return 0;
	if (strchr("stmd", p[1]) != NULL && p[1] != '\0')
		return 2;
	if (n >= 3 && ((p[1] == 'r' && p[2] == 'e') || (p[1] == 'v' &&
	    p[2] == 'e') || (p[1] == 'l' && p[2] == 'l')))
		return 3;
	return 0;
}

size_t
bpe_piece(const char *p, size_t size)
{
	const char *end = p + size, *q;
	size_t n, len = contraction(p, size), last = 0;
	int class;

	if (len > 0)
		return len;
	q = p + (*p == ' ' && size > 1);
	class = class_of(utf8_get(q, &n));
	if (class != IS_SPACE)
		return (size_t)(q - p) + run_of(q, end, class);
	/* white space: all but the last character before something else, which
	 * belongs to that if it is a blank, else stands alone */
	for (q = p; q < end && class_of(utf8_get(q, &n)) == IS_SPACE; q += n)
		last = n;
	len = (size_t)(q - p);
	return q == end || len == last ? len : len - last;
}
