/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_CHAR_H
#define TEXT_HF_CHAR_H

#include "appliance/base/buf.h"

/*
 * hf_char.h - what tokenizers 0.23 knows of a character.  It goes by several
 * Unicode versions at once: categories, words and lower case by 16.0, normal
 * forms and accents by 9.0, BERT's punctuation, controls and accents by 8.0.
 */

/* general categories, in the order of hf_gc.c */
enum hf_gc {
	GC_LU, GC_LL, GC_LT, GC_LM, GC_LO, GC_MN, GC_MC, GC_ME, GC_ND, GC_NL,
	GC_NO, GC_PC, GC_PD, GC_PS, GC_PE, GC_PI, GC_PF, GC_PO, GC_SM, GC_SC,
	GC_SK, GC_SO, GC_ZS, GC_ZL, GC_ZP, GC_CC, GC_CF, GC_CO, GC_CN, GC_CS
};

/* properties, in the order of hf_gc.c */
enum hf_prop {
	HF_WORD,		/* \w of Rust: alphabetic, marks, digits, _ */
	HF_ONIG_WORD,		/* \w of Oniguruma */
	HF_PUNCT,		/* ASCII's, or P* of 8.0 */
	HF_OTHER,		/* Cc, Cf, Co of 8.0; not tab, CR, LF */
	HF_MN,			/* Mn of 8.0 */
	HF_MARK,		/* M* of 9.0 */
	HF_NUMERIC,		/* N* */
	HF_NEW,			/* not in 9.0, so inert in normal forms */
	HF_JOINS, HF_LEADS,	/* no grapheme ends before it; after it */
	HF_APART,		/* a grapheme ends around it */
	HF_ALPHA, HF_UPPER, HF_LOWER, HF_ONIG_PUNCT,
	HF_HAN, HF_HIRAGANA, HF_KATAKANA, HF_HANGUL, HF_LATIN, HF_GREEK,
	HF_CYRILLIC, HF_ARABIC, HF_HEBREW, HF_THAI, HF_DEVANAGARI,
	HF_PROPS
};

#define HF_CHARS	0x110000u

struct hf_chars {
	uint8_t gc[HF_CHARS];		/* enum hf_gc */
	uint32_t prop[HF_CHARS];	/* 1 << enum hf_prop */
};

/* hf_chars_new - the tables laid out, 5.5 MB */
const struct hf_chars *hf_chars_new(struct arena *);

/* hf_lower - lower case, simple mapping */
uint32_t hf_lower(uint32_t);

/* hf_white - White_Space, the same in all these versions */
bool hf_white(uint32_t);

/* how hf_gc.c lays them down */
struct hf_range {
	uint32_t prop, from, n;
};

struct hf_lower {
	uint32_t from, n, step;
	int32_t delta;
};

extern const uint16_t hf_gc_runs[];
extern const struct hf_range hf_props[];
extern const struct hf_lower hf_lowers[];
extern const size_t hf_gc_count, hf_props_count, hf_lowers_count;

#endif
