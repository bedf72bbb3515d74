/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_QUICK_H
#define TEXT_HF_QUICK_H

#include "appliance/text/hf_parts.h"
#include "appliance/text/hf_units.h"

/*
 * hf_quick.h - ids alone, and quickly, with the pipelines that hf_units.h
 * knows.
 */

struct hf_path {			/* the parts that make ids of text */
	const struct hf_chars *chars;
	const struct hf_norm *norm;
	const struct hf_split *split;
	const struct hf_model *model;
	const struct hf_added *added;
};

struct hf_quick;
struct hf_scratch;

/* hf_quick_open - NULL: it is none of these pipelines, some texts have no ids,
 * or added tokens are sought in all texts */
const struct hf_quick *hf_quick_open(struct arena *, const struct hf_path *);

/* hf_quick_scratch - for one thread at a time; worth while for so many
 * pieces */
struct hf_scratch *hf_quick_scratch(struct arena *, const struct hf_quick *,
    size_t pieces);

/* hf_quick_run - those of hf_encode without flags, in the arena */
int hf_quick_run(struct hf_scratch *, struct arena *, struct view text,
    uint32_t **ids, size_t *n, struct err *);

#endif
