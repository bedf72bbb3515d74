/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_MODEL_H
#define TEXT_HF_MODEL_H

#include "appliance/text/hf_parts.h"
#include "appliance/text/hf_vocab.h"
#include "appliance/text/links.h"
#include "appliance/text/trie.h"

/*
 * hf_model.h - the four models behind hf_model_run.
 */

struct hf_rule {
	uint64_t pair;			/* left << 32 | right; ~0 is free */
	uint32_t rank, id;
};

struct hf_merges {			/* rules of BPE, by their pair */
	struct hf_rule *rule;
	size_t mask;
};

struct hf_scores {			/* of Unigram */
	double *score;			/* by id */
	double unk;
	/* without a trie: ids in the order of their bytes, and where those of a
	 * first byte begin */
	uint32_t *order, n, first[257];
};

enum hf_model_kind { HF_BPE, HF_WORDPIECE, HF_WORDLEVEL, HF_UNIGRAM };

struct hf_model {
	enum hf_model_kind kind;
	struct hf_vocab *vocab;
	struct view unk, prefix, suffix;	/* unk.p NULL: none */
	uint32_t unk_id;			/* HF_NONE: not in vocab */
	bool fuse, bytes;		/* fuse_unk, byte_fallback */
	bool whole;			/* ignore_merges */
	uint32_t byte[256];		/* <0xNN>, or HF_NONE */
	int64_t most;			/* characters of a WordPiece word */
	/* tokens by their bytes: Unigram's, or what begins a WordPiece word;
	 * what goes on with one, prefix off.  Empty if one holds a NUL */
	struct trie tokens, after;
	uint32_t size;			/* of the vocabulary, as counted */
	struct hf_merges *merges;
	const struct links *links;	/* of what BPE makes; NULL: neighbours
					 * may change one another without */
	struct hf_scores *scores;
};

/* hf_model_trie - of the tokens with a prefix, which is taken off; no trie if
 * one holds a NUL */
int hf_model_trie(struct arena *, const struct hf_vocab *, struct view prefix,
    struct trie *, struct err *);

int hf_bpe_open(struct hf_open *, struct hf_model *, struct view json,
    struct err *);
int hf_bpe_run(const struct hf_model *, struct view, struct hf_tokens *,
    struct err *);

int hf_unigram_open(struct hf_open *, struct hf_model *, struct view json,
    struct err *);
int hf_unigram_run(const struct hf_model *, struct view, struct hf_tokens *,
    struct err *);
/* hf_unigram_unknown - of a stretch of text that was found unknown: its own
 * token, its bytes', or the unknown */
int hf_unigram_unknown(const struct hf_model *, struct view, uint32_t from,
    uint32_t to, struct hf_tokens *, struct err *);

#endif
