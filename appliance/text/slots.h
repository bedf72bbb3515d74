/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SLOTS_H
#define TEXT_SLOTS_H

#include "appliance/base/buf.h"

/*
 * slots.h - what ids become as text, 16 bytes for each: most tokens are short,
 * and are written without asking how long they are.
 */

#define SLOT_TEXT	15
#define SLOT_OTHER	255		/* not here */

struct slot {
	char text[SLOT_TEXT];
	unsigned char n;		/* bytes; above SLOT_TEXT: not here */
};

/* slot_of - SLOT_OTHER for what is longer */
struct slot slot_of(struct view);

/* slots_put - the text of ids up to the first that is not here or not below
 * size; how many */
size_t slots_put(const struct slot *, uint32_t size, const uint32_t *ids,
    size_t n, struct buf *);

#endif
