/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_CHARSMAP_H
#define TEXT_HF_CHARSMAP_H

#include "appliance/base/err.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/hf_text.h"

/*
 * hf_charsmap.h - SentencePiece's precompiled_charsmap: u32 the bytes of a
 * double array (Darts), the array, and texts that end with NUL.  As tokenizers
 * applies it: to whole graphemes of less than six bytes, else to characters,
 * and of several keys that fit the shortest counts.
 */

struct hf_charsmap;

/* hf_charsmap_open - the text of its base64 */
struct hf_charsmap *hf_charsmap_open(struct arena *, struct view base64,
    struct err *);

/* hf_charsmap_times - how many times as long it may make a text */
size_t hf_charsmap_times(const struct hf_charsmap *);

/* hf_charsmap_alone - is a character a grapheme by itself wherever it stands
 * among others of that kind */
bool hf_charsmap_alone(const struct hf_chars *, uint32_t);

void hf_charsmap_run(const struct hf_charsmap *, const struct hf_chars *,
    struct hf_text *);

#endif
