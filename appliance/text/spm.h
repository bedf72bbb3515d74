/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SPM_H
#define TEXT_SPM_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/base/hash.h"

/*
 * spm.h - vocabularies of SentencePiece: pieces with scores, a normalizer, and
 * one of four ways to cut.  Files are
 *
 *   .model         ModelProto (sentencepiece_model.proto) of SentencePiece 0.2
 *   tokenizer.bin  llama2.c's: i32 length of the longest piece, then for each
 *                  id a float score, an i32 length and the bytes (little-
 *                  endian); ids 0 to 2: unknown, begin, end; 3 to 258: bytes
 *
 * Ids are those of SentencePiece 0.2.3, whose arithmetic is kept: BPE joins the
 * pair whose piece has the highest score (the leftmost of equals) first;
 * Unigram takes the best path by sums of 32-bit floats.
 */

struct spm;

enum spm_kind { SPM_UNIGRAM = 1, SPM_BPE, SPM_WORD, SPM_CHAR };

enum spm_type { SPM_NORMAL = 1, SPM_UNKNOWN, SPM_CONTROL, SPM_USER_DEFINED,
	SPM_UNUSED, SPM_BYTE };

struct spm_piece {
	struct view text;
	float score;
	enum spm_type type;
};

struct spm_rules {			/* NormalizerSpec */
	struct view charsmap;		/* n 0: none */
	bool dummy_prefix, squeeze, escape;	/* add_dummy_prefix,
					 * remove_extra_whitespaces,
					 * escape_whitespaces */
};

/* what a file says; spm_open is spm_read and spm_make */
struct spm_spec {
	enum spm_kind kind;
	struct spm_piece *piece;
	size_t n;
	struct spm_rules rules, back;	/* back: for decoded text */
	bool byte_fallback, suffix;	/* treat_whitespace_as_suffix */
	bool plain;			/* tokenizer.bin: blanks are blanks,
					 * one after begin is left out */
	struct view unknown;		/* what unknown is decoded to */
	const char *bos, *eos;		/* pieces */
};

/* spm_read - a .model; views point into the file */
int spm_read(struct arena *, struct view file, struct spm_spec *,
    struct err *);

/* spm_read_bin - a tokenizer.bin */
int spm_read_bin(struct arena *, struct view file, struct spm_spec *,
    struct err *);

/* spm_make - tables for a spec, whose views must outlive them */
struct spm *spm_make(struct arena *, const struct spm_spec *, struct err *);

struct spm *spm_open(struct arena *, struct view file, struct err *);

/*
 * spm_compile - the image (compiled.h) of one that was made; spm_attach - from
 * an image that is at least as large as it says, which must outlive it; all is
 * checked; spm_map - from a directory of images, by the hash of the file; NULL:
 * it is not there or not good
 */
struct view spm_compile(struct arena *, const struct spm *);
struct spm *spm_attach(struct arena *, struct view image);
struct spm *spm_map(struct arena *, int dir, const struct hash *source);

uint32_t spm_size(const struct spm *);		/* ids are below it */
int32_t spm_bos(const struct spm *);		/* -1: no such piece */
int32_t spm_eos(const struct spm *);
enum spm_kind spm_kind(const struct spm *);

/* spm_encode - ids of a text, in the arena; any number of threads at once */
size_t spm_encode(struct spm *, struct arena *, struct view text,
    uint32_t **ids);

/* spm_decode - the text of ids; -1: an id is unknown */
int spm_decode(const struct spm *, const uint32_t *ids, size_t n,
    struct buf *);

#endif
