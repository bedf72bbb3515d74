/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include "appliance/base/buf.h"

/*
 * utf8.h - UTF-8 (Unicode 15, chapter 3.9, table 3-7) beyond utf8_check.
 */

/* utf8_put - encode a scalar value; how many bytes, 1 to 4 */
size_t utf8_put(uint32_t c, char *out);

/* utf8_get - the scalar at p of valid text; *n bytes long */
uint32_t utf8_get(const char *p, size_t *n);

/* utf8_count - code points in valid text */
size_t utf8_count(struct view);

/*
 * utf8_repair - valid text: the input itself if it is valid, else a copy in
 * which each maximal ill-formed part is U+FFFD (the standard's recommended
 * practice, as browsers do); *repairs counts them
 */
struct view utf8_repair(struct arena *, struct view, size_t *repairs);

/* utf8_nfc - Unicode normal form C; the input itself if nothing changes */
struct view utf8_nfc(struct arena *, struct view);

/* utf8_nfc9 - the same by Unicode 9.0, as Hugging Face's library has it */
struct view utf8_nfc9(struct arena *, struct view);

/* utf8_fold - lower case by simple mapping */
uint32_t utf8_fold(uint32_t);

/* classes of a code point (Unicode general categories) */
bool utf8_letter(uint32_t);	/* L* and M* */
bool utf8_digit(uint32_t);	/* N* */
bool utf8_space(uint32_t);	/* Z* and the C0 blanks */
bool utf8_upper(uint32_t);	/* Lu, Lt */

/* utf8_class - what \p{..} and \s of tokenizers' patterns know (16.0), or 0 */
#define UTF8_UPPER	1u	/* Lu, Lt */
#define UTF8_LOWER	2u	/* Ll */
#define UTF8_LETTER	4u	/* Lm, Lo */
#define UTF8_MARK	8u	/* M* */
#define UTF8_NUMBER	16u	/* N* */
#define UTF8_SPACE	32u	/* White_Space: Z*, U+0085 and the C0 blanks */

unsigned utf8_class(uint32_t);

#endif
