/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_UNREAD_H
#define TRAIN_UNREAD_H

#include "appliance/base/err.h"
#include "modules/train/conf.h"

/*
 * unread.h - options that an objective does not look at.  One that is set to
 * what it begins with cannot be told from one that is not set.
 */

/* unread_check - -1 if one of them is set, with its name and the objectives
 * that it is for */
int unread_check(const struct train_conf *, struct err *);

/* unread_owner - the objectives that an option is for, as words with blanks
 * between them; NULL: the one that is asked for looks at it */
const char *unread_owner(const struct train_conf *, const char *option);

#endif
