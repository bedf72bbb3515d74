/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_PARTS_H
#define TEXT_HF_PARTS_H

#include "appliance/text/hf.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/hf_text.h"

/*
 * hf_parts.h - the parts of a tokenizer.json, each read from its own JSON value
 * and then the same for any number of threads.  A text goes through them in the
 * order of this page.
 */

struct hf_open {
	struct arena *arena;
	const struct hf_chars *chars;
	unsigned depth;			/* of sequences in sequences */
};

/* hf_type - the type of a part, its quotes off; "" if it has none */
struct view hf_type(struct view json);

/* hf_flag - a member that is true or false, else what is given */
bool hf_flag(struct view json, const char *name, bool otherwise);

/* hf_text_of - a member that is a string; false if it is none */
bool hf_text_of(struct hf_open *, struct view json, const char *name,
    struct view *);

/* hf_unknown - "its WHAT 'TYPE' is not read"; -1 */
int hf_unknown(const char *what, struct view type, struct err *);

/*
 * hf_grow - a step makes a text up to so many times as long; -1: together with
 * those before it more than HF_GROWTH times.  *all is 1 at first.
 */
int hf_grow(uint64_t *all, size_t times, const char *what, struct err *);

/* normalizers: change a text */
struct hf_norm;

struct hf_norm *hf_norm_open(struct hf_open *, struct view json, struct err *);
void hf_norm_run(const struct hf_norm *, struct hf_text *);

/* hf_bytes - each byte becomes its character of the byte-level alphabet */
void hf_bytes(struct hf_text *);

/* pre-tokenizers are in hf_split.h */
struct hf_split;
struct hf_pieces;

/* added tokens, sought in the text as it is and again when normalized */
struct hf_added;
struct hf_model;

struct hf_added *hf_added_open(struct hf_open *, struct view list,
    const struct hf_model *, const struct hf_norm *, struct err *);
/* hf_added_cut - to tokens, and the text between them, normalized; out takes
 * each (put), for its memory goes then */
void hf_added_cut(const struct hf_added *, const struct hf_norm *,
    const struct hf_text *, bool special, struct hf_pieces *out);
bool hf_added_token(const struct hf_added *, uint32_t id, struct view *text);
bool hf_added_special(const struct hf_added *, struct view text);
bool hf_added_specials(const struct hf_added *);	/* are there any */
int64_t hf_added_find(const struct hf_added *, struct view text);
uint32_t hf_added_end(const struct hf_added *);	/* ids are below it */

/* models: a piece to tokens; from and to are bytes of the piece */
struct hf_token {
	uint32_t id, from, to;
	struct view text;
};

struct hf_tokens {			/* a list; or put, that takes each */
	struct hf_token *v;
	size_t n, cap;
	struct arena *arena, *scratch;
	void (*put)(void *arg, const struct hf_token *);
	void *arg;
};

void hf_tokens_put(struct hf_tokens *, struct hf_token);

struct hf_model *hf_model_open(struct hf_open *, struct view json,
    struct err *);
int hf_model_run(const struct hf_model *, struct view piece,
    struct hf_tokens *, struct err *);
int64_t hf_model_find(const struct hf_model *, struct view text);
bool hf_model_token(const struct hf_model *, uint32_t id, struct view *text);
uint32_t hf_model_count(const struct hf_model *);
uint32_t hf_model_end(const struct hf_model *);	/* ids are below it */

/* hf_model_may_fail - the reason why some texts cannot be encoded; NULL */
const char *hf_model_may_fail(const struct hf_model *);

/* decoders: tokens to text */
struct hf_decode;

struct hf_decode *hf_decode_open(struct hf_open *, struct view json,
    struct err *);

void hf_decode_run(const struct hf_decode *, struct arena *, struct view *,
    size_t n, bool raw, struct buf *);

#endif
