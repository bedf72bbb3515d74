/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HF_ANSWER_H
#define TESTS_HF_ANSWER_H

#include "appliance/text/hf.h"

/*
 * hf_answer.h - what hf.h makes of a question, as JSON without blanks, so that
 * a program (hf_side), committed answers (hf_test) and the library that made
 * them (peer/hf.py) can be compared byte for byte.
 */

/* hf_answer_text - {"text":TEXT,"pair":TEXT,"flags":N}:
 * {"units":[[id,type,from,to,special,attended,"token"],..],
 * "over":[[units,over],..]} or {"refused":WHY} */
void hf_answer_text(const struct hf *, struct arena *, struct view question,
    struct view text, struct buf *);

/* hf_answer_ids - {"ids":[N,..],"skip":BOOL}: {"text":TEXT} */
void hf_answer_ids(const struct hf *, struct arena *, struct view question,
    struct view ids, struct buf *);

/* hf_answer_refuse - {"refused":WHY} */
void hf_answer_refuse(struct buf *, const char *why);

#endif
