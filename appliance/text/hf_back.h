/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_BACK_H
#define TEXT_HF_BACK_H

#include "appliance/base/buf.h"

/*
 * hf_back.h - ids to text quickly, with decoders that look at each token by
 * itself once a text has begun: what each becomes is found out once, by asking
 * the decoders for it behind a token that is a word.
 */

struct hf_back;

/* hf_back_plain - ids to text by the decoders (hf_decode) */
typedef int hf_back_plain(const void *hf, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *);

#define HF_BACK_TOKEN	-1
#define HF_BACK_OTHER	-2		/* unknown, or for the decoders */

/*
 * hf_back_make - for ids below size: the byte that each is, runs of which are
 * text or U+FFFD a byte, or one of these; NULL: no token is a word.  It is
 * freed by hf_back_free
 */
struct hf_back *hf_back_make(const void *hf, hf_back_plain *, uint32_t size,
    const int16_t *bytes);
void hf_back_free(struct hf_back *);	/* NULL is fine */

/* hf_back_run - as hf_decode */
int hf_back_run(const struct hf_back *, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *);

#endif
