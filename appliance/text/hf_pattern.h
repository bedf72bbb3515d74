/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_PATTERN_H
#define TEXT_HF_PATTERN_H

#include "appliance/text/bpe.h"
#include "appliance/text/hf_regex.h"
#include "appliance/text/hf_text.h"

/*
 * hf_pattern.h - {"String": ...} or {"Regex": ...}: a literal, one of the
 * patterns that bpe_piece scans by hand, or an expression.
 */

struct hf_pattern {
	struct view literal;		/* p NULL: none */
	const struct bpe_pattern *known;
	const struct hf_regex *regex;
};

/* hf_pattern_open - from its JSON */
int hf_pattern_open(struct arena *, const struct hf_chars *, struct view json,
    struct hf_pattern *, struct err *);

/* hf_pattern_find - the matches in a text, and what lies between */
void hf_pattern_find(const struct hf_pattern *, struct view,
    struct hf_matches *);

/* hf_pattern_times - how many times as long a text may be when each match has
 * become n bytes */
size_t hf_pattern_times(const struct hf_pattern *, size_t n);

#endif
