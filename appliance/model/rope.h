/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include "appliance/base/buf.h"
#include "appliance/engine/device.h"

/*
 * rope.h - rotary positions (Su et al. 2021) and the ways to stretch them, as
 * config.json names them: linear, dynamic, yarn (Peng et al. 2023), longrope
 * (Ding et al. 2024) and llama3.
 */

#define ROPE_PAIRS	256

enum rope_kind {
	ROPE_PLAIN, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_YARN, ROPE_LONG,
	ROPE_LLAMA3
};

struct rope {
	enum rope_kind kind;
	double theta, factor;
	size_t original;		/* longest sequence before stretching */
	double attention;		/* times cosine and sine; 0: by rule */
	double low, high;		/* llama3 */
	double fast, slow;		/* yarn */
	bool exact;			/* yarn: the ramp's ends not rounded */
	double stretch[2][ROPE_PAIRS];	/* longrope: short, long */
};

/*
 * rope_parse - a 'rope_scaling' or 'rope_parameters' of a model of T places
 * that turns N channels of a head; r has theta and original already
 */
int rope_parse(struct view object, size_t T, size_t N, struct rope *,
    struct err *);

/* rope_print - the members of a 'rope_scaling'; N as above */
void rope_print(const struct rope *, size_t N, struct buf *);

/*
 * rope_table - cosines and sines for places 0 to n - 1, [n][N].  n also is the
 * longest sequence there will be: longrope chooses its list by it
 */
void rope_table(const struct rope *, size_t N, size_t n, real *out);

#endif
