/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_JOINT_H
#define TEXT_BPE_JOINT_H

#include "appliance/text/bpe_table.h"

/*
 * bpe_joint.h - where a piece can be cut because no token lies across: bits in
 * tables of the image, which bpe_compile sets.
 */

/*
 * bpe_joint - the bit of a border within tokens.  A token that holds a border
 * between two characters of three bytes or more, and is to be made of text that
 * has x before the border and y behind it, sets the bit of x and y; of a
 * character that it holds in part only the last byte of x or the first of y
 * counts.  If it holds all of both and all of another one beyond ASCII before
 * them, or else behind them, it sets the bit of the three instead.  Where no
 * bit is set, no token can lie across, and each side is encoded alone.
 */
enum { JOINT_BOTH, JOINT_RIGHT, JOINT_LEFT, JOINT_NEITHER, JOINT_BEFORE,
	JOINT_BEHIND };

#define BPE_JOINTS	((size_t)1 << 21)
#define BPE_CLOSE	((size_t)1 << 16)

static inline size_t
bpe_joint(unsigned kind, uint32_t x, uint32_t y)
{
	return ((((uint64_t)x << 32 | y) + kind) * 0x9e3779b97f4a7c15u ^
	    (uint64_t)x * 0xd6e8feb86659fd93u) >> 43;
}

/* of two whole characters, and with another one: in one line of the cache */
static inline size_t
bpe_joint_both(uint32_t x, uint32_t y)
{
	return bpe_joint(JOINT_BOTH, x, y);
}

static inline size_t
bpe_joint_three(unsigned kind, uint32_t beside, uint32_t x, uint32_t y)
{
	size_t both = bpe_joint_both(x, y);

	return (both & ~(size_t)511) | ((((uint64_t)beside << 32 | kind) ^
	    both * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u) >> 55;
}

static inline bool
bpe_joint_bit(const struct bpe *b, size_t at)
{
	return b->joint[at / 64] >> at % 64 & 1;
}

/* bpe_joint_close - is there any bit but JOINT_BOTH for such bytes beside the
 * border */
static inline bool
bpe_joint_close(const struct bpe *b, unsigned char last, unsigned char first)
{
	size_t at = (size_t)last << 8 | first;

	return b->close[at / 64] >> at % 64 & 1;
}

#endif
