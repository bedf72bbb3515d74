/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_TRIE_H
#define TEXT_TRIE_H

#include "appliance/base/err.h"
#include "appliance/base/buf.h"

/*
 * trie.h - a set of byte strings with a number each, as a double array of
 * 32-bit units in the form of Darts-clone, which SentencePiece's files hold:
 *
 *   bits 0-7    label: the byte that leads here; in a value, bit 31 is set and
 *   bit 31      bits 0-30 are the value
 *   bit 8       a key ends here: its value is the child of label 0
 *   bits 9-31   offset, times 256 if bit 9 is set: child = place ^ offset ^
 *               byte
 *
 * Keys hold no NUL.
 */

struct trie {
	const uint32_t *unit;
	uint32_t n;			/* 0: no keys */
};

#define TRIE_KEYS_MAX	((uint32_t)1 << 24)

/* trie_make - of n distinct keys with values below 2^31, in any order; -1 if
 * they need more units than the form can address */
int trie_make(struct arena *, const struct view *key, const uint32_t *value,
    size_t n, struct trie *, struct err *);

static inline uint32_t
trie_offset(uint32_t unit)
{
	return (unit >> 10) << ((unit & 0x200) >> 6);
}

/* trie_step - from a place (the root is 0) by a byte; false: nowhere */
static inline bool
trie_step(const struct trie *t, uint32_t *place, unsigned char c)
{
	uint32_t to = *place ^ trie_offset(t->unit[*place]) ^ c;

	if (to >= t->n || (t->unit[to] & 0x800000ff) != c)
		return false;
	*place = to;
	return true;
}

/* trie_value - of the key that ends at a place; false: none does */
static inline bool
trie_value(const struct trie *t, uint32_t place, uint32_t *value)
{
	uint32_t unit = t->unit[place], at = place ^ trie_offset(unit);

	if ((unit & 0x100) == 0 || at >= t->n)
		return false;
	*value = t->unit[at] & 0x7fffffff;
	return true;
}

/* trie_longest - bytes of the longest key that p begins with, 0: none; only the
 * `most` shortest are looked at */
size_t trie_longest(const struct trie *, const char *p, size_t n,
    unsigned most, uint32_t *value);

#endif
