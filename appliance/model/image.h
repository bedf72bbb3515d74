/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_IMAGE_H
#define MODEL_IMAGE_H

#include "appliance/base/hash.h"
#include "appliance/engine/tensors.h"
#include "appliance/model/packed.h"

/*
 * image.h - a model's packed weights in a file that is mapped instead of being
 * made again: predict.c's block of weights as a device keeps it in memory.
 *
 *   head   4096 bytes: "QUERNPAK", u32 version 1, u32 0x01020304 as the machine
 *          has it, u64 bytes of the body, 32 bytes key, u64 XXH3 of the body,
 *          zeros
 *   body
 *
 * The key is a hash of what the weights are made from, known by path-free marks
 * (device, inode, size and time of change of each file of tensors), of
 * config.json, of the form and of the device's layout.  A file is taken only if
 * its user or root owns it and nobody else may write to it; its body is not
 * read through before it is used.
 */

#define IMAGE_NAME	(HASH_HEX + sizeof(".quernpak"))

/* image_key - false: a tensor is in no file, so there is nothing to know it
 * by */
bool image_key(const struct tensors *, struct view config, const char *device,
    enum packed_form, struct hash *);

struct image {
	void *body;			/* NULL: there is none */
	uint64_t check;			/* XXH3 of it */
	size_t bytes, moved;		/* moved: image_large */
	int fd;				/* while it is made */
	struct hash key;
};

/* image_map - the image with this key and size, for the arena's life */
bool image_map(struct image *, struct arena *, int dir, const struct hash *,
    size_t bytes);

/*
 * image_begin - a new one's body, zeroed, for the arena's life; false: it
 * cannot be made there, for want of space or right.  image_end - it is filled
 * and gets its name; -1: it could not get it, and the body is still good
 */
bool image_begin(struct image *, struct arena *, int dir, const struct hash *,
    size_t bytes);
int image_end(struct image *, int dir, struct err *);

/*
 * image_large - some more of the body, which nobody writes to any more, becomes
 * this process's own memory, in large pages: it is read faster, but no longer
 * shared.  Its address and bytes stay what they are, also while it is read.
 * False: all of it has become so, or no more can
 */
bool image_large(struct image *);

/* image_drop - it will not be filled */
void image_drop(struct image *, int dir);

#endif
