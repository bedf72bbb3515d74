/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_FOLLOW_H
#define TEXT_FOLLOW_H

#include "appliance/text/schema.h"

/*
 * follow.h - JSON by a schema, byte by byte: which may come next, and whether
 * the value is complete.  What is written so is JSON (RFC 8259) in valid UTF-8
 * that the schema holds for.  Between words, but not before a colon, it may
 * have one blank, or a new line and at most 32 blanks; escapes of half a
 * surrogate pair are not written.
 *
 * All ways that a text can be read are followed side by side (as a
 * nondeterministic automaton with a stack), since alternatives may begin alike.
 */

#define FOLLOW_DEPTH	(2 * SCHEMA_DEPTH)
#define FOLLOW_WAYS	(2 * SCHEMA_CHOICES)

struct follow_frame {			/* a value begun */
	uint16_t node, state, at, count;
};

struct follow_way {
	uint16_t n;			/* frames; 0: complete */
	struct follow_frame v[FOLLOW_DEPTH];
};

struct follow {
	const struct schema *s;
	struct follow_way *way, *next;	/* FOLLOW_WAYS of each */
	size_t n;			/* 0: nothing may follow */
};

/* follow_room - its memory; follow_begin - nothing is written yet; again and
 * again */
void follow_room(struct follow *, struct arena *);
void follow_begin(struct follow *, const struct schema *);

/* follow_copy - as it stands, into what has room */
void follow_copy(struct follow *to, const struct follow *from);

/* follow_bytes - go on; false: not with these */
bool follow_bytes(struct follow *, struct view);

/* follow_done - may the text end here; follow_over - must it */
bool follow_done(const struct follow *);
bool follow_over(const struct follow *);

/* follow_plain - is it within a string, where any character but a quote, a
 * backslash and control characters may stand */
bool follow_plain(const struct follow *);

#endif
