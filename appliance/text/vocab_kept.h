/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_VOCAB_KEPT_H
#define TEXT_VOCAB_KEPT_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/base/hash.h"

/*
 * vocab_kept.h - what a vocabulary was converted to, kept in a directory of
 * compiled vocabularies (compiled.h), so that GGUF keys, vocab.json with
 * merges.txt, or vocab.txt are not converted again at each opening.  What it
 * was made from lies in it and is compared byte by byte: the name, which is
 * XXH3 of that, is only where to look.
 */

struct vocab_made {
	const char *name;		/* of a file beside a model */
	struct view file, config;	/* config: tokenizer_config.json */
	struct hash hash;		/* BLAKE2b-256 of the file */
};

struct vocab_from {
	const char *how;		/* the conversion */
	const struct view *part;	/* all that it reads, in order */
	size_t n;
};

/* vocab_kept_find - what was made of this before, mapped for the arena's life;
 * false: it is not there.  dir -1: there is no directory */
bool vocab_kept_find(struct arena *, int dir, const struct vocab_from *,
    struct vocab_made *);

/* vocab_kept_put - the hash is set, and what was made is kept; that it cannot
 * be is no fault */
void vocab_kept_put(int dir, const struct vocab_from *, struct vocab_made *);

/* vocab_kept_hash - BLAKE2b-256 of a file that stays as it is; of a large one
 * it is kept beside a copy of the file, since to compare takes a quarter of the
 * time */
struct hash vocab_kept_hash(int dir, struct view file);

#endif
