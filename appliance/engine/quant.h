/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_QUANT_H
#define ENGINE_QUANT_H

#include "appliance/text/gguf.h"

/*
 * quant.h - numbers as files hold them: halves, and blocks of quantised ones
 * as GGUF lays them out (little-endian).  To decode is exact: every decoded
 * number is what the format says, in float.  To encode is the same on every
 * machine: no fused or reordered arithmetic.
 *
 * F16 and BF16 are rounded to the nearest, ties to even.  Q8_0 and Q4_0 are the
 * reference's rounding, byte for byte: the number of largest magnitude fixes
 * the scale.  Q4_K minimises the sum of squared errors by search.
 */

#define QUANT_BLOCK	256			/* no block is longer */
#define QUANT_BYTES	256			/* nor has more bytes */

struct quant {
	unsigned form;				/* enum gguf_form */
	const char *name;			/* as options spell it */
	unsigned block, bytes;			/* numbers, bytes of a block */
	void (*decode)(const unsigned char *, float *, size_t blocks);
	/* NULL: is only read; numbers must be finite */
	void (*encode)(const float *, unsigned char *, size_t blocks);
};

/* quant_form - of GGUF's id; quant_named - of its name; NULL: neither read nor
 * written */
const struct quant *quant_form(unsigned form);
const struct quant *quant_named(const char *name);

/* quant_of - what rows of `row` numbers are written in when `wanted` is asked
 * for: itself, or Q8_0 or F16 where the row is no whole number of blocks */
const struct quant *quant_of(const struct quant *wanted, uint64_t row);

/* quant_k.c: blocks of 256 */
void quant_q4_k(const unsigned char *, float *, size_t);
void quant_q5_k(const unsigned char *, float *, size_t);
void quant_q6_k(const unsigned char *, float *, size_t);
void quant_to_q4_k(const float *, unsigned char *, size_t);

/* quant_few.c: those that are only read */
void quant_q2_k(const unsigned char *, float *, size_t);
void quant_q3_k(const unsigned char *, float *, size_t);
void quant_iq4_nl(const unsigned char *, float *, size_t);
void quant_iq4_xs(const unsigned char *, float *, size_t);
void quant_mxfp4(const unsigned char *, float *, size_t);

#endif
