/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_FORMAT_H
#define INFER_FORMAT_H

#include "appliance/model/model.h"
#include "appliance/text/follow.h"

/*
 * format.h - answers of a form (response_format): of every token it is known
 * which bytes it writes, and those that cannot go on are never chosen.
 */

struct format;				/* a vocabulary's bytes */

struct format *format_open(struct arena *, const struct model *);

/* format_read - a line's response_format as a schema; *to NULL: any text.
 * NULL, or why it cannot be done */
const char *format_read(struct arena *, struct view json, struct schema **to);

/* format_begin - an answer that is being written, until format_end */
struct follow *format_begin(struct format *, const struct schema *);
void format_end(struct format *, struct follow *);

/* format_mask - logits of what cannot follow become -INFINITY; false: nothing
 * can */
bool format_mask(struct format *, const struct follow *, real *logits);

#endif
