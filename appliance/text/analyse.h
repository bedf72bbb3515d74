/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_ANALYSE_H
#define TEXT_ANALYSE_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * analyse.h - text as search sees it: words in lower case, and their stems.
 *
 * A word is a run of letters, marks, digits and '_'; an apostrophe between
 * letters and a point or comma between digits belong to it.  Han, kana, Thai,
 * Lao, Khmer and Burmese are written without blanks: each pair of characters
 * next to one another is a word there (one that stands alone is one too).
 * Words longer than ANALYSE_WORD bytes are cut into pieces of it.
 */

#define ANALYSE_WORD	255

struct analyse {
	const char *p, *end, *text;
	char word[ANALYSE_WORD + 1];	/* folded, not stemmed */
	size_t n;			/* its bytes */
	size_t begin, stop;		/* where it stands in the text */
};

/* analyse_begin - valid UTF-8; analyse_next - false at the end */
void analyse_begin(struct analyse *, struct view text);
bool analyse_next(struct analyse *);

/*
 * A stemmer (Snowball, libstemmer 2.2) belongs to one thread.  NULL for "none";
 * it goes with the arena.  A possessive 's is cut off before English stems.
 */
struct stemmer;

#define STEMMERS	"none|arabic|basque|catalan|danish|dutch|english|" \
	"finnish|french|german|greek|hindi|hungarian|indonesian|irish|" \
	"italian|lithuanian|nepali|norwegian|porter|portuguese|romanian|" \
	"russian|serbian|spanish|swedish|tamil|turkish|yiddish"

int stemmer_open(struct arena *, const char *name, struct stemmer **,
    struct err *);

/* stemmer_word - good until the next call; the word itself without a stemmer */
struct view stemmer_word(struct stemmer *, struct view word);

#endif
