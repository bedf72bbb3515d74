/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H

#include "appliance/base/hash.h"
#include "appliance/text/json.h"

/*
 * bpe.h - byte-level byte-pair encoding: text is cut by a pattern, each piece
 * begins as its bytes, and the pair of neighbours with the lowest rank (the
 * leftmost of equals) is joined until none is left.  Files are
 *
 *   tokenizer.json  Hugging Face's: a model BPE; ByteLevel with use_regex, or
 *                   Split by one of the patterns below and ByteLevel; no
 *                   normalizer or NFC; ignore_merges
 *   rank files      OpenAI's: r50k, p50k, cl100k, o200k; Kimi's; and any other
 *                   that says its pattern in head lines, see bpe_rank.c
 *   tekken.json     Mistral's, see bpe_tekken.c
 *
 * Other pipelines are refused with the reason.  Ids are those of Hugging Face's
 * tokenizers 0.23 with encode_special_tokens, and of tiktoken's
 * encode_ordinary: a special token is never made from text, only decoded; an
 * added token that is not special is found in text.
 */

#define BPE_NONE	UINT32_MAX	/* no token */

struct bpe;

/* bpe_open - a tokenizer.json; it lives in the arena */
struct bpe *bpe_open(struct arena *, struct view json, struct err *);

/* bpe_open_ranks - a rank file; a wrong line is named by its number */
struct bpe *bpe_open_ranks(struct arena *, struct view file, struct err *);

/* bpe_is_tekken - is a JSON object a tekken.json; bpe_open_tekken - it is */
bool bpe_is_tekken(struct view json);
struct bpe *bpe_open_tekken(struct arena *, struct view json, struct err *);

/*
 * bpe_map, bpe_keep - from and to a directory of compiled vocabularies
 * (compiled.h), by the hash of the file; NULL: it is not there or not good
 */
struct bpe *bpe_map(struct arena *, int dir, const struct hash *);
int bpe_keep(const struct bpe *, int dir, const struct hash *, struct err *);

/*
 * bpe_scratch - what a thread keeps between texts: pieces that it has met and
 * their ids, about 9 MiB, and room to work in.  One thread at a time; what is
 * in it never changes ids.
 */
struct bpe_scratch;
struct bpe_scratch *bpe_scratch(struct arena *, const struct bpe *);

/* bpe_scratch_steps - operations so far other than finding known pieces */
uint64_t bpe_scratch_steps(const struct bpe_scratch *);

/* bpe_encode - ids of a text (valid UTF-8), in the arena; any number of threads
 * at once, each with a scratch of its own, or NULL */
size_t bpe_encode(const struct bpe *, struct bpe_scratch *, struct arena *,
    struct view text, uint32_t **ids);

/* bpe_decode - the bytes of ids; unknown ids are -1 */
int bpe_decode(const struct bpe *, const uint32_t *ids, size_t n,
    struct buf *);

uint32_t bpe_size(const struct bpe *);		/* ids are below it */

/* bpe_special - does the file say that the token is special; BPE_NONE: does it
 * say so of any */
bool bpe_special(const struct bpe *, uint32_t id);

/* bpe_find - the id of a token by its bytes, special ones too; -1 */
int64_t bpe_find(const struct bpe *, const char *);

/*
 * Patterns: gpt2; llama3, which is also cl100k as Hugging Face's files have it;
 * cl100k as tiktoken has it; qwen2; o200k; tekken.  bpe_pattern_of knows them
 * by their regular expressions, bpe_pattern by name; else NULL.  bpe_regex: how
 * Hugging Face's files spell it; NULL: they do not.
 */
struct bpe_pattern;

#define BPE_PATTERNS	"gpt2, llama3, cl100k, qwen2, o200k and tekken"

const struct bpe_pattern *bpe_pattern(const char *name);
const struct bpe_pattern *bpe_pattern_of(struct view regex);
const char *bpe_regex(const struct bpe_pattern *);
const char *bpe_pattern_name(const struct bpe_pattern *);

/* bpe_cut - the pattern that cuts; NULL: the file's own expression, *regex */
const struct bpe_pattern *bpe_cut(const struct bpe *, struct view *regex);

/* bpe_piece - length of the first piece of text, n > 0 and valid UTF-8 */
size_t bpe_piece(const struct bpe_pattern *, const char *text, size_t n);

/* the byte-level alphabet: a byte's character (two bytes of UTF-8 at most) */
uint32_t bpe_byte_char(unsigned char);

#endif
