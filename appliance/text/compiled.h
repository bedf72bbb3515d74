/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_COMPILED_H
#define TEXT_COMPILED_H

#include "appliance/base/err.h"
#include "appliance/base/hash.h"

/*
 * compiled.h - a vocabulary in the form in which it is used, so that it can be
 * mapped from a file instead of being read again: a head and sections of plain
 * arrays, made by an engine, which alone knows what they mean.
 *
 *   head      128 bytes: "QUERNVOC", u32 version 1, u32 0x01020304 as the
 *             machine has it, u32 engine, u32 engine's revision, u64 bytes in
 *             all, 32 bytes BLAKE2b-256 of the file it was made from (in
 *             vocab_kept.h another key), u64 XXH3 of all that follows the
 *             head, u32 sections, zeros
 *   table     a section each: u32 tag, u32 bytes of an element, u64 offset,
 *             u64 elements
 *   sections  each begins at a multiple of 64
 *
 * An image is of one machine's byte order and is made anew rather than
 * converted.  What lies in one is checked by its engine before it is used.
 */

enum { COMPILED_BPE = 1, COMPILED_HF, COMPILED_SPM, COMPILED_FILE };

#define COMPILED_SECTIONS	32

struct compiling;

/* compiled_begin, compiled_add, compiled_end - an image in the arena; what is
 * added must live until the end */
struct compiling *compiled_begin(struct arena *, uint32_t engine,
    uint32_t revision);
void compiled_add(struct compiling *, uint32_t tag, const void *,
    size_t width, size_t count);
struct view compiled_end(struct compiling *);

/* compiled_is - is it a whole image of this engine, and, if source is not NULL,
 * of that file and undamaged */
bool compiled_is(struct view image, uint32_t engine, uint32_t revision,
    const struct hash *source);

/* compiled_get - a section's elements; NULL: none with that tag and width */
const void *compiled_get(struct view image, uint32_t tag, size_t width,
    size_t *count);

/* compiled_name - the file's name in a directory of images: of the hash */
#define COMPILED_NAME	(HASH_HEX + sizeof(".quernvoc"))
void compiled_name(const struct hash *source, char out[COMPILED_NAME]);

/*
 * compiled_map - the image of a source in a directory, mapped for the arena's
 * life; an empty view if it is not there, not whole, or could have been written
 * by another user
 */
struct view compiled_map(struct arena *, int dir, uint32_t engine,
    uint32_t revision, const struct hash *source);

/* compiled_keep - write an image that compiled_end made there, through a
 * temporary; -1: it was not written */
int compiled_keep(int dir, struct view image, const struct hash *source,
    struct err *);

#endif
