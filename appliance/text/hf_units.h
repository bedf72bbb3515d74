/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_UNITS_H
#define TEXT_HF_UNITS_H

#include "appliance/text/hf_parts.h"

/*
 * hf_units.h - where a text can be cut before anything else is done with it,
 * so that the ids of all of it are those of its units, one after the other.
 * Two scanners find units, one a character at a time, one 64 bytes at a time.
 */

/* hf_norm_acts - what normalizers do */
#define HF_ACT_CLEAN	1u	/* BERT's clean_text */
#define HF_ACT_CHINESE	2u	/* BERT's handle_chinese_chars, at the start */
#define HF_ACT_FORMS	4u	/* normal forms, accents, lower case */
#define HF_ACT_CHARSMAP	8u	/* one precompiled_charsmap */
#define HF_ACT_LITERAL	16u	/* replace one text by another, neither with
				 * blanks */
#define HF_ACT_SIGN	32u	/* each ' ' becomes LINKS_SIGN */
#define HF_ACT_PREPEND	64u	/* LINKS_SIGN is put in front */
#define HF_ACT_OTHER	128u
unsigned hf_norm_acts(const struct hf_norm *);

/*
 * hf_split_how - at white space, which is left out, and then BERT's, or each
 * word by itself the same wherever it stands; nowhere, or only at blanks, which
 * there may be none of any more; each ' ' becomes LINKS_SIGN, which may be put
 * in front, and nowhere, or before each of these; or otherwise
 */
enum { HF_CUT_BERT, HF_CUT_WORDS, HF_CUT_NONE, HF_CUT_SIGN, HF_CUT_SIGNS,
	HF_CUT_OTHER };
unsigned hf_split_how(const struct hf_split *);

/* hf_split_sign - what HF_CUT_WORDS puts in front of each word that does not
 * begin with it */
struct view hf_split_sign(const struct hf_split *);

/* hf_added_sought - are there tokens that text is always searched for */
bool hf_added_sought(const struct hf_added *);

/* what a character is: of a unit; between units, and nothing comes of it; a
 * unit by itself; for the plain scanner only */
enum { HF_IN_UNIT, HF_GAP, HF_ALONE, HF_OPEN };

struct hf_units {
	const struct hf_chars *chars;
	uint8_t ascii[128];
	char to[128];		/* what is made of it in a unit, among ASCII;
				 * NUL: that depends */
	struct view sign;	/* what is put in front of such a unit */
	bool bert;		/* what is beyond ASCII may be a gap or alone */
	bool clean, chinese;	/* of BERT's */
	bool graphemes;		/* which are not to be cut */
	char odd[2];		/* 0x0b and 0x0c where they are gaps, else
				 * '\n' */
	uint8_t han;		/* U+4E00 to U+9FFF */
	uint8_t page[3][256];	/* U+2000, U+3000 and U+FF00 on */
};

/* hf_units_open - false: such texts are not cut */
bool hf_units_open(const struct hf_chars *, const struct hf_norm *,
    const struct hf_split *, struct hf_units *);

/* hf_unit_next - the first unit at p or after it, where one may begin; its end.
 * *from is the end of the text if there is none */
const char *hf_unit_next(const struct hf_units *, const char *p,
    const char *end, const char **from);

/* hf_units_here - has this machine what hf_units_block needs */
bool hf_units_here(void);

#define HF_BLOCK	64

/*
 * hf_units_block - whole units in the first n bytes at p, where one may begin:
 * a bit where each begins and one where its last byte is; how many bytes are
 * done with, 0: this is for hf_unit_next.  last: the text ends there.
 * HF_BLOCK bytes can be read.
 */
size_t hf_units_block(const struct hf_units *, const char *p, size_t n,
    bool last, uint64_t *first, uint64_t *ends);

/* hf_unit_ascii - the one piece of a unit, at most n + HF_SIGN bytes in `out`,
 * where all of it is ASCII and needs nothing else; how many, 0: it does */
#define HF_SIGN		4u
size_t hf_unit_ascii(const struct hf_units *, const char *p, size_t n,
    char *out);

/* hf_unit_class - what a character beyond ASCII is */
int hf_unit_class(const struct hf_units *, uint32_t);

/* hf_units_three - the code point of three bytes */
static inline uint32_t
hf_units_three(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
}

/* hf_unit_class3 - hf_unit_class of one with three bytes, quickly */
static inline int
hf_unit_class3(const struct hf_units *u, uint32_t c)
{
	if (c - 0x4e00 < 0x5200)
		return u->han;
	if (c >> 8 == 0x30)
		return u->page[1][c & 255];
	if (c >> 8 == 0xff || c >> 8 == 0x20)
		return u->page[c >> 14 & 2][c & 255];
	return hf_unit_class(u, c);
}

#endif
