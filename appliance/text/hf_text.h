/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_TEXT_H
#define TEXT_HF_TEXT_H

#include "appliance/base/buf.h"

/*
 * hf_text.h - text that is being changed, with the place in the original that
 * each of its bytes comes from.  The rules are those of tokenizers 0.23, its
 * oddities included, since offsets and sometimes ids depend on them.
 */

struct hf_span {
	uint32_t from, to;		/* bytes of the original */
};

struct hf_text {
	char *p;
	struct hf_span *span;		/* one a byte */
	uint32_t n, head;		/* bytes that are free before p */
	uint32_t at, len;		/* the part of the original it is of */
	struct arena *arena;
};

/*
 * A change yields characters in order.  step 0: it stands for the next one of
 * the old text; above: it is new, and of the place of the byte before; below:
 * it stands for the next one, and so many after that are gone.
 */
struct hf_dest {
	uint32_t c;
	int32_t step;
};

struct hf_change {			/* born of zeros; see hf_change_free */
	struct hf_dest *v;
	size_t n, cap;
};

#define HF_TEXT_MAX	((size_t)1 << 31)	/* more ends the process, as
						 * if there were no memory */

/* hf_text_new - a copy of valid UTF-8, in the arena */
struct hf_text hf_text_new(struct arena *, struct view);

/* hf_text_slice - bytes [from, to) of a text; copied when it is changed */
struct hf_text hf_text_slice(struct arena *, const struct hf_text *,
    uint32_t from, uint32_t to);

struct view hf_text_get(const struct hf_text *);

/* hf_put - one more character of a change; hf_change_free - of one that is not
 * applied */
void hf_put(struct hf_change *, uint32_t c, int32_t step);
void hf_change_free(struct hf_change *);

/* hf_text_apply - bytes [from, to) become the change, which is used up; `gone`
 * characters at their start are gone first.  The text has new memory */
void hf_text_apply(struct hf_text *, uint32_t from, uint32_t to,
    struct hf_change *, size_t gone);

/* hf_text_change - all of the text becomes the change, which is used up */
void hf_text_change(struct hf_text *, struct hf_change *, size_t gone);

/* hf_text_prepend - put text in front, if there is any text */
void hf_text_prepend(struct hf_text *, struct view);

/* hf_text_starts - does it begin with this character */
bool hf_text_starts(const struct hf_text *, uint32_t c);

struct hf_match {
	uint32_t from, to;
	bool is;			/* else what lies between */
};

struct hf_matches {			/* born of zeros */
	struct hf_match *v;
	size_t n, cap;
};

void hf_matches_free(struct hf_matches *);

/* hf_found - one more match, and the text between it and the last one */
void hf_found(struct hf_matches *, size_t *done, size_t from, size_t to);

/* hf_found_end - the text after the last match */
void hf_found_end(struct hf_matches *, size_t done, size_t n);

/* hf_text_replace - each match becomes the same text */
void hf_text_replace(struct hf_text *, const struct hf_matches *,
    struct view content);

#endif
