/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_DROP_H
#define SPOOL_DROP_H

#include "spool/sched.h"

/*
 * drop.h - from a file in incoming/ to a copy in queue/.ID, nobody's yet.
 *
 * A drop is opened without following links, must be a regular file with one
 * link and at most 1 MiB, and its owner is what fstat says.  It stays where it
 * is until the job made of it is durable, and is unlinked then.  One that was
 * admitted but not unlinked when the power went is recognised by its id, or by
 * device, inode and change time.  What cannot be a job goes to failed/ID with
 * the reason in `error`.
 */

enum drop_state {
	DROP_WAIT,		/* copied, waits for its check */
	DROP_CHECK,		/* a worker checks it */
	DROP_LAND,		/* decided; unlink after the next flush */
};

struct drop {
	struct drop *next;
	char id[ID_LEN + 1];
	enum drop_state state;
	bool alone;		/* crashed a check in company: check it alone;
				 * when landing: its unlink has failed once */
	unsigned kills;		/* of its checks, from outside */
	char name[];
};

/* drop_scan - everything in incoming/, requests too; name: that one has just
 * been closed or moved in; NULL: all.  Returns how many were left for later */
size_t drop_scan(struct sched *, const char *name);

/* drop_find - a drop in hand by its id; NULL */
struct drop *drop_find(const struct sched *, const char *id);

/* drop_pending - is a drop of that id in hand or still in incoming/ */
bool drop_pending(const struct sched *, const char *id);

/* drop_forget - no longer in hand; the file stays */
void drop_forget(struct sched *, struct drop *);

/* drop_landed - after a flush: unlink those that are decided */
void drop_landed(struct sched *);

#endif
