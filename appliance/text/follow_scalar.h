/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_FOLLOW_SCALAR_H
#define TEXT_FOLLOW_SCALAR_H

#include "appliance/text/follow.h"

/* follow_scalar.h - for follow.c: strings and numbers, a byte at a time */

enum { FOLLOW_START };			/* nothing of the value is there */

/* what a byte is to a value: wrong, part of it, its last, or behind it */
enum follow_verdict { FOLLOW_DEAD, FOLLOW_STAY, FOLLOW_DONE, FOLLOW_PASS };

enum follow_verdict follow_string(struct follow_frame *, unsigned char);
enum follow_verdict follow_number(struct follow_frame *, unsigned char,
    bool whole);

/* follow_number_ends - is it one as it stands; follow_string_within - is it
 * between two characters of a string */
bool follow_number_ends(const struct follow_frame *);
bool follow_string_within(const struct follow_frame *);

#endif
