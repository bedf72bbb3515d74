/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TOKENS_H
#define TRAIN_TOKENS_H

#include "modules/train/train.h"

/*
 * tokens.h - what is learnt from, as tokens (rows.h): of records (tokens.c), by
 * the model's own chat template where they are chats (chat.c), and shown before
 * the first step (example.c).
 */

/* train_chat - how records become texts; the template, if there is one */
int train_chat(struct train *, struct err *);

/* tokens_put - a text behind others; how many tokens */
size_t tokens_put(const struct lesson *, struct buf *ids);

/* tokens_add - a record's tokens, and those that begin and end it; NULL, or why
 * there are none */
const char *tokens_add(struct train *, struct arena *, struct rec *,
    struct texts *);

/* tokens_shard - a file of 'tokenize shard'; tokens_valid - the dataset that is
 * held back */
int tokens_shard(struct train *, struct err *);
int tokens_valid(struct train *, struct err *);

/* train_example - the first example to its file, and what is learnt last in
 * texts, told */
int train_example(struct train *, struct err *);

#endif
