/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_VOCAB_OWN_H
#define TEXT_VOCAB_OWN_H

#include "appliance/text/json.h"
#include "appliance/text/vocab.h"

/*
 * vocab_own.h - vocabularies from before tokenizer.json, written as the library
 * that reads them would save them.  What the old files do not say is taken from
 * tokenizer_config.json, or is what published models of that kind have.
 */

/* vocab_head - all up to the list of added tokens */
void vocab_head(struct buf *);

/* vocab_added - one of these, which the vocabulary has; lstrip as RoBERTa's
 * mask */
void vocab_added(struct buf *, const char **comma, size_t id, struct view,
    bool lstrip);

/* vocab_config - a member of tokenizer_config.json, which may be empty; null
 * if it is not there */
int vocab_config(struct view config, const char *name, struct view *,
    struct err *);

/* vocab_line - the next line without its end, which may be that of DOS */
bool vocab_line(struct view *rest, struct view *line);

#endif
