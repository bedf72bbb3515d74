/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_IMAGE_H
#define TEXT_BPE_IMAGE_H

#include "appliance/text/bpe_table.h"

/*
 * bpe_image.h - what lies in the sections of a compiled byte-level vocabulary:
 * bpe_compile.c writes them, bpe_attach.c reads them where they lie.
 */

#define BPE_REVISION	2		/* of what lies in the sections */

enum { TAG_SETTINGS = 1, TAG_SLOTS, TAG_POOL, TAG_NAMES, TAG_PAIRS, TAG_MADE,
    TAG_FIRST, TAG_JOINTS, TAG_CLOSE, TAG_OTHERS, TAG_ADDED, TAG_ADDED_POOL,
    TAG_OWN };

struct bpe_settings {
	uint32_t byte[256], longest;
	char pattern[16];
	uint8_t nfc, blank, whole, zero[1];
};

struct bpe_added_image {
	uint32_t id, at, n;
	uint8_t normalized, special, lstrip, rstrip;
};

#endif
