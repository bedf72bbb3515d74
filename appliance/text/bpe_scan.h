/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_SCAN_H
#define TEXT_BPE_SCAN_H

#include "appliance/text/bpe.h"

/*
 * bpe_scan.h - what a pattern is, for the two scanners: bpe_piece, which takes
 * a character at a time, and bpe_block, which takes 64 bytes.
 */

enum { SCAN_GPT2, SCAN_PREFIX, SCAN_CASE };

struct bpe_pattern {
	const char *name, *regex;	/* regex NULL: rank files only */
	int scan;
	unsigned digits;		/* the longest piece of numbers */
	bool short_forms;		/* 's 't 're ... */
	bool slash;			/* belongs to what ends a line */
	bool rest;			/* blanks at the end are one piece */
};

#define BPE_BLOCK	64

/* bpe_block_here - has this machine what bpe_block needs */
bool bpe_block_here(void);

/*
 * bpe_block - where pieces begin in the first n bytes (at most BPE_BLOCK) of
 * text, which begins with a piece and ends at end, all of it valid UTF-8: bit i
 * for p + i.  Bit 0 is not set; what is set is certain, whatever follows; what
 * is behind the last one is not.  BPE_BLOCK bytes can be read at p.
 */
uint64_t bpe_block(const struct bpe_pattern *, const char *p, size_t n,
    const char *end);

/* bpe_short_form - length of 's 't 're 've 'm 'll 'd at p, or 0; any: in any
 * case, where U+017F is an s too */
size_t bpe_short_form(const char *p, const char *end, bool any);

#endif
