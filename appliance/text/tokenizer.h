/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/base/hash.h"

/*
 * tokenizer.h - text to ids and back, whatever file the vocabulary came in:
 * Hugging Face's tokenizer.json (bpe.h if it is byte-level BPE of a common
 * kind, which is faster, else hf.h), OpenAI's rank file and Mistral's
 * tekken.json (bpe.h), SentencePiece's .model or llama2.c's tokenizer.bin
 * (spm.h).  Which it is, its bytes say.
 */

#define TOKENIZER_MAX	((size_t)256 << 20)	/* bytes of a file */

struct bpe;
struct hf;
struct spm;

struct tokenizer {
	const struct bpe *bpe;		/* one of the three */
	const struct hf *hf;
	struct spm *spm;
	const char *name;		/* of its file beside a model */
	uint32_t size;			/* ids are below it */
	int32_t bos, end;		/* begins a text, ends one; -1 */
	bool begins;			/* texts are to begin with bos */
};

/* tokenizer_open - file: its bytes, which must outlive the tokenizer */
struct tokenizer *tokenizer_open(struct arena *, struct view file,
    struct err *);

/*
 * tokenizer_open_kept - the same by way of a directory of compiled vocabularies
 * (compiled.h), where this one is looked for and put: what was compiled once
 * opens in a few milliseconds.  hash: of the file; dir -1: there is none
 */
struct tokenizer *tokenizer_open_kept(struct arena *, struct view file,
    const struct hash *, int dir, struct err *);

/* tokenizer_find - the tokenizer's file in a model's directory, by name */
const char *tokenizer_find(int dir);

/* tokenizer_encode - ids without special ones, of valid UTF-8; any number of
 * threads */
size_t tokenizer_encode(const struct tokenizer *, struct arena *,
    struct view text, uint32_t **ids);

/*
 * tokenizer_scratch - what a thread keeps from text to text so that many short
 * ones go faster; it has one thread at a time.  The ids are the same.
 */
struct tokenizer_scratch;
struct tokenizer_scratch *tokenizer_scratch(const struct tokenizer *,
    struct arena *);
size_t tokenizer_encode_with(const struct tokenizer *,
    struct tokenizer_scratch *, struct arena *, struct view text,
    uint32_t **ids);

/*
 * tokenizer_open_all - a tokenizer.json, by hf.h whatever its kind, for
 * tokenizer_encode_all: as the file has it for a text by itself, with special
 * tokens around it, truncation and padding (all), and special tokens made of
 * text that looks like them (find).  -1 with the reason
 */
struct tokenizer *tokenizer_open_all(struct arena *, struct view file,
    struct err *);
int tokenizer_encode_all(const struct tokenizer *, struct arena *,
    struct view text, bool all, bool find, uint32_t **ids, size_t *n,
    struct err *);

/* tokenizer_decode - the bytes of ids; -1: an id is unknown */
int tokenizer_decode(const struct tokenizer *, const uint32_t *ids, size_t n,
    struct buf *);

#endif
