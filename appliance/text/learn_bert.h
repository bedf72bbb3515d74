/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_BERT_H
#define TEXT_LEARN_BERT_H

#include "appliance/text/learn_own.h"

/*
 * learn_bert.h - words as BERT cuts them: BertNormalizer and BertPreTokenizer
 * of Hugging Face's library.  Characters that Unicode got after version 8.0 may
 * be of another class there.
 */

/* learn_bert - the words of a text, counted */
int learn_bert(const struct learn_conf *, struct learn_count *,
    struct arena *, struct view text, struct err *);

#endif
