/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/text/vocab_kept.h"

/*
 * vocab.h - a vocabulary as it lies about, made into the bytes of one file that
 * tokenizer_open reads and that can be kept beside a model:
 *
 *   a directory  with a file that tokenizer_find knows; or vocab.json and
 *                merges.txt (byte-level BPE), or vocab.txt (WordPiece), each
 *                with tokenizer_config.json if that is there
 *   a .gguf file gguf_tokenizer.h; of any size
 *   a vocab.txt  a token a line, [UNK] among them
 *   another file as it is
 */

/* vocab_read - what a path names, its hash included; images: a directory where
 * what was converted is kept (vocab_kept.h), or -1 */
int vocab_read(struct arena *, int at, const char *path, int images,
    struct vocab_made *, struct err *);

/* vocab_dir - what a directory has; name NULL: it has none */
int vocab_dir(struct arena *, int dir, int images, struct vocab_made *,
    struct err *);

/* vocab_wordpiece - tokenizer.json as BERT's are: tokens by id; lower: texts
 * are made lower case and lose their accents */
void vocab_wordpiece(const struct view *token, size_t n, bool lower,
    struct buf *);

/* vocab_uncased - has no token but those in brackets a capital letter of
 * ASCII; then texts are to be made lower case */
bool vocab_uncased(const struct view *token, size_t n);

/* vocab_lines - vocab.txt to tokenizer.json; config: tokenizer_config.json or
 * empty */
int vocab_lines(struct arena *, struct view text, struct view config,
    struct buf *, struct err *);

/* vocab_pair - vocab.json and merges.txt to tokenizer.json */
int vocab_pair(struct arena *, struct view vocab, struct view merges,
    struct view config, struct buf *, struct err *);

#endif
