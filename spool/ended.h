/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_ENDED_H
#define SPOOL_ENDED_H

#include "spool/spool.h"

#include <sys/stat.h>

/*
 * ended.h - drops that were made into jobs which have ended already: one that
 * could not be unlinked before the power went must not be admitted again.  A
 * table of identities, filled when a drop asks, from the jobs that can be it:
 * an id begins with the time of its admission, so only younger ones.
 */

struct ended_drop {
	uint64_t dev, ino;
	int64_t ctime;			/* ns */
};

struct ended {
	struct ended_drop *v;		/* sorted */
	size_t n, cap;
	char from[ID_LEN + 1];		/* jobs from here on were read */
	bool any;
};

/* ended_has - has a job that was made of this file ended in done/ or failed/ */
bool ended_has(struct ended *, const struct spool *, const struct stat *);

/* ended_ctime - a file's change time in ns */
int64_t ended_ctime(const struct stat *);

#endif
