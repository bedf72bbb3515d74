/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_GGUF_PUT_H
#define TEXT_GGUF_PUT_H

#include "appliance/text/gguf.h"

/*
 * gguf_put.h - the header of a GGUF file of version 3, piece by piece: begin,
 * keys, tensors in the order of their data, end.  The caller counts.
 */

#define GGUF_ALIGN	32

void gguf_put_begin(struct buf *, uint64_t tensors, uint64_t keys);
void gguf_put_text(struct buf *, const char *key, struct view);
void gguf_put_u32(struct buf *, const char *key, uint32_t);
void gguf_put_f32(struct buf *, const char *key, double);
void gguf_put_bool(struct buf *, const char *key, bool);

/* gguf_put_array - then n elements: gguf_put_element texts, or numbers of 4
 * bytes with gguf_put_word */
void gguf_put_array(struct buf *, const char *key, enum gguf_type,
    uint64_t n);
void gguf_put_element(struct buf *, struct view);
void gguf_put_word(struct buf *, const void *four_bytes);

/* gguf_put_tensor - shape: the outermost first; at: a multiple of GGUF_ALIGN */
void gguf_put_tensor(struct buf *, const char *name, unsigned ndims,
    const uint64_t *shape, unsigned form, uint64_t at);

/* gguf_put_end - to where data may begin */
void gguf_put_end(struct buf *);

#endif
