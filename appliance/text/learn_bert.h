/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_BERT_H
#define TEXT_LEARN_BERT_H

#include "appliance/text/learn_own.h"

/*
 * learn_bert.h - words as BERT cuts them: BertNormalizer and BertPreTokenizer
 * of Hugging Face's library, by its tables (hf_char.h).
 */

/* learn_bert - the words of a text, counted */
int learn_bert(const struct learn_way *, struct learn_count *,
    struct arena *, struct view text, struct err *);

#endif
