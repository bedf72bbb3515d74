/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_H
#define TEXT_HF_H

#include "appliance/base/hash.h"
#include "appliance/text/json.h"

/*
 * hf.h - Hugging Face's tokenizer.json, version 1.0, with every normalizer,
 * pre-tokenizer, model, post-processor and decoder of tokenizers 0.23, and the
 * same ids, offsets and text as that library gives.  Byte-level vocabularies of
 * the common kinds are read faster by bpe.h.
 *
 * Refused, each by name: random BPE (dropout), parts of unknown types, what
 * hf_regex.h does not read in patterns, and normalizers or decoders that may
 * make a text more than HF_GROWTH times as long.
 */

#define HF_GROWTH	1024u

struct hf;

struct hf *hf_open(struct arena *, struct view json, struct err *);

/* hf_open_with - with tables of hf_char.h that outlive it, for many files */
struct hf_chars;
struct hf *hf_open_with(struct arena *, const struct hf_chars *,
    struct view json, struct err *);

/*
 * hf_compile - the image (compiled.h) of a file that was opened, empty if it
 * has none; hf_attach - from an image that is at least as large as it says, and
 * tables of hf_char.h, which must outlive it; all is checked; hf_map - from a
 * directory of images, by the hash of the file; NULL: it is not there or not
 * good
 */
struct view hf_compile(struct arena *, const struct hf *, struct view json);
struct hf *hf_attach(struct arena *, const struct hf_chars *,
    struct view image);
struct hf *hf_map(struct arena *, int dir, const struct hash *source);

#define HF_TEMPLATE	1u	/* special tokens around, as the file has it */
#define HF_LIMITS	2u	/* truncation and padding, as the file has it */
#define HF_SPECIAL	4u	/* special tokens are found in text */
#define HF_POINTS	8u	/* offsets in code points, not bytes */
#define HF_OVERFLOW	16u	/* keep what truncation cuts off */
#define HF_TEXTS	32u	/* keep the texts of units */

struct hf_unit {			/* one id of an encoding */
	uint32_t id, type;
	uint32_t from, to;		/* of the text that it stands for */
	bool special, attended;		/* of the template; not padding */
	struct view text;		/* as the token has it; HF_TEXTS */
};

struct hf_encoding {
	struct hf_unit *v;
	size_t n;
	struct hf_encoding *over;	/* windows on what was cut off */
	size_t nover;
};

/* hf_encode - valid UTF-8, below 4 GiB; pair may be NULL; any number of threads
 * at once */
int hf_encode(const struct hf *, struct arena *, struct view text,
    const struct view *pair, unsigned flags, struct hf_encoding *,
    struct err *);

/* hf_encode_ids - the ids of that alone, in the arena, with HF_SPECIAL or
 * without: up to 72 bytes of memory for each byte of text */
int hf_encode_ids(const struct hf *, struct arena *, struct view text,
    unsigned flags, uint32_t **ids, size_t *n, struct err *);

/*
 * hf_scratch, hf_ids - the ids of hf_encode without flags, in the arena, and
 * faster for words (BERT's and SentencePiece's pipelines): a scratch has one
 * thread at a time and keeps what was met, up to 11 MiB.  NULL: none is of use
 */
struct hf_scratch;
struct hf_scratch *hf_scratch(struct arena *, const struct hf *);
int hf_ids(const struct hf *, struct hf_scratch *, struct arena *,
    struct view text, uint32_t **ids, size_t *n, struct err *);

#define HF_SKIP		1u	/* without special tokens */
#define HF_BYTES	2u	/* bytes that are no UTF-8 as they are */

/* hf_decode - the text of ids; -1 if an id is unknown */
int hf_decode(const struct hf *, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *);

uint32_t hf_size(const struct hf *);		/* ids are below it */
int64_t hf_find(const struct hf *, const char *token);		/* -1 */
bool hf_special(const struct hf *, const char *token);	/* NULL: is any */

/* hf_may_fail - the reason why some texts cannot be encoded; NULL */
const char *hf_may_fail(const struct hf *);

#endif
