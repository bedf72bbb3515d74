/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LINKS_H
#define TEXT_LINKS_H

#include "appliance/base/buf.h"

/*
 * links.h - characters that follow one another in some token.  Where two do so
 * in none, no token lies across, and text can be cut; what is between two such
 * places is a unit.  Two scanners find units, one a character at a time, one 64
 * bytes at a time.
 *
 * A link may be claimed that is none (characters beyond ASCII are known by a
 * hash of two; letters, digits and blanks by what their kinds do), never the
 * other way round.
 */

#define LINKS_PAIRS	((uint32_t)1 << 16)
#define LINKS_SIGN	"\xe2\x96\x81"

struct links {
	uint32_t sign;			/* LINKS_SIGN is a blank, too */
	uint64_t byte[128][2];		/* of ASCII: bits of what follows */
	uint8_t pair[LINKS_PAIRS / 8];	/* of others: bits by links_bit */
	uint64_t none[3][3];		/* all ones: letter, digit, blank and
					 * one of these are never linked */
};

/* links_add - a token; links_end - there are no more */
void links_add(struct links *, struct view token);
void links_end(struct links *);

/* links_bytes - of the character at p by its first byte; n > 0 */
static inline size_t
links_bytes(const char *p, size_t n)
{
	static const uint8_t len[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	    2, 2, 3, 4 };
	size_t k = len[(unsigned char)p[0] >> 4];

	return k < n ? k : n;
}

/* links_char - a character's bytes as a number */
static inline uint32_t
links_char(const char *p, size_t len)
{
	uint32_t c = 0;

	memcpy(&c, p, len);
	return c;
}

static inline uint32_t
links_bit(uint32_t a, uint32_t b)
{
	return (a * 0x9e3779b1u ^ b * 0x85ebca77u) * 0xc2b2ae3du >> 16;
}

/* links_pair - may a token have these (links_char) one after the other */
static inline bool
links_pair(const struct links *l, uint32_t a, uint32_t b)
{
	uint32_t bit = links_bit(a, b);

	return a < 128 && b < 128 ? l->byte[a][b >> 6] >> (b & 63) & 1 :
	    l->pair[bit >> 3] >> (bit & 7) & 1;
}

/* links_next - where the unit that begins at p ends */
const char *links_next(const struct links *, const char *p, const char *end);

/* links_here - has this machine what links_block needs */
bool links_here(void);

#define LINKS_BLOCK	64

/*
 * links_block - whole units in the first n bytes at p, where one begins: a bit
 * where each begins and one where its last byte is; how many bytes they are, 0:
 * this is for links_next.  last: the text ends there.  LINKS_BLOCK bytes can be
 * read.
 */
size_t links_block(const struct links *, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends);

#endif
