/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_CLASS_H
#define TEXT_HF_CLASS_H

#include "appliance/base/err.h"
#include "appliance/text/hf_char.h"

/*
 * hf_class.h - sets of characters as regular expressions name them: one bit a
 * character, 136 KiB.
 */

#define HF_SET_WORDS	(HF_CHARS / 32)

struct hf_known {			/* a named set */
	const uint32_t *set;		/* NULL: none yet */
	uint32_t which;			/* categories, or the property */
	bool prop;
};

struct hf_parse {
	struct arena *arena;
	const struct hf_chars *chars;
	const char *p, *end;
	uint32_t sets;			/* made so far */
	bool fold, dot_all, extended;	/* (?i), (?m), (?x) */
	bool rust;			/* the dialect, see hf_regex.h */
	unsigned depth, brackets;	/* of groups; of classes */
	struct hf_known known[16];
	uint32_t *spare[4];
	size_t nspare;
	struct err *err;
};

uint32_t *hf_set_new(struct hf_parse *);	/* NULL: too many */
void hf_set_drop(struct hf_parse *, uint32_t *set);	/* it is new again */
void hf_set_add(uint32_t *set, uint32_t from, uint32_t to);
void hf_set_not(uint32_t *set);

/* hf_set_gc, hf_set_prop - add the characters of some categories, a bit each;
 * with a property */
void hf_set_gc(const struct hf_chars *, uint32_t *set, uint32_t which);
void hf_set_prop(const struct hf_chars *, uint32_t *set, enum hf_prop);

static inline bool
hf_set_has(const uint32_t *set, uint32_t c)
{
	return set[c >> 5] >> (c & 31) & 1;
}

/* hf_class_bracket - p is behind '['; the set, or NULL with the reason */
uint32_t *hf_class_bracket(struct hf_parse *);

/* hf_class_escape - p is behind a backslash at d, s, w, h, p or their
 * opposites; the set is new */
uint32_t *hf_class_escape(struct hf_parse *);

/* hf_class_char - p is behind a backslash: one character; -1 with the reason */
int64_t hf_class_char(struct hf_parse *);

#endif
