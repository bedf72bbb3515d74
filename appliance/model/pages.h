/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PAGES_H
#define MODEL_PAGES_H

#include "appliance/engine/device.h"

/*
 * pages.h - who has which page of a cache of keys and values (Kwon et al.
 * 2023).  A sequence takes a page when it grows into it and gives back what it
 * has when it ends.  A page full of a prompt's tokens can be made known: a
 * sequence that begins with the same tokens has it too, and need not compute
 * it.  What no sequence has any more stays known for a while.
 *
 * A sequence is let in when the pages that it can need at most are there,
 * beside those that the others can still need.  So who is in never waits for a
 * page, whoever is in ends, and the next one's turn comes.
 */

struct pages;

/* pages_new - n pages, at least `per`, for `slots` sequences of at most per */
struct pages *pages_new(struct arena *, size_t n, size_t slots, size_t per);

/* pages_enter - a free slot gets a sequence of at most so many tokens; only
 * those of one family share.  False: there are too few pages, it must wait */
bool pages_enter(struct pages *, size_t slot, size_t tokens, uint32_t family);

/* At a place that is a multiple of KERNEL_PAGE, of the slot's next page:
 * pages_share - true: with these tokens it is known, and now the slot's;
 * pages_grow - it is a new one.  pages_know - others may have it */
bool pages_share(struct pages *, size_t slot, size_t at, const int32_t *id);
void pages_grow(struct pages *, size_t slot, size_t at);
void pages_know(struct pages *, size_t slot, size_t at, const int32_t *id);

/* pages_leave - its sequence has ended */
void pages_leave(struct pages *, size_t slot);

/* pages_table - table[slots][per] as kernels read it; NULL: as it was when it
 * was asked for last */
const int32_t *pages_table(struct pages *);

/* pages_unused - those that no sequence has */
size_t pages_unused(const struct pages *);

#endif
