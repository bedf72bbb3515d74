/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include "appliance/base/conf.h"
#include "spool/ticket.h"

/*
 * spool.h - the directories of the spool.  A job is a directory; its state is
 * the directory it lies in; rename(2) is the only transition (DESIGN: incoming
 * queue run hold done failed).  A directory whose name begins with a dot is
 * being made or removed and is nobody's.
 */

struct spool {
	const char *path;
	int root, incoming;
	int dir[PLACES];
};

/* spool_migrate - to the format of today; the one that it had, or -1.  No
 * quernd may run */
int spool_migrate(const char *path, struct err *);

/* spool_open - open, and with make create, the directories; a spool of another
 * format (SPOOL/format) is refused with the remedy */
int spool_open(struct spool *, struct arena *, const struct conf *, bool make,
    struct err *);

/* spool_job - open a job's directory */
int spool_job(const struct spool *, enum place, const char *id, struct err *);

/* spool_move - the transition */
int spool_move(const struct spool *, struct job *, enum place to,
    struct err *);

/* spool_find - the one job whose id begins with prefix */
int spool_find(const struct spool *, const char *prefix, char id[ID_LEN + 1],
    enum place *, struct err *);

/* spool_load - its files */
struct job *spool_load(const struct spool *, enum place, const char *id,
    struct err *);

/* spool_ids - ids in a place, oldest first */
int spool_ids(const struct spool *, struct arena *, enum place, char ***,
    size_t *, struct err *);

/* spool_rm - remove a job's directory: out of sight first, then at leisure */
int spool_rm(const struct spool *, enum place, const char *id, struct err *);

/* spool_flush - everything written so far survives a power cut */
void spool_flush(const struct spool *);

/* spool_alive - is a quernd running here */
bool spool_alive(const struct spool *);

/* spool_free - bytes free on a path's file system; -1 if it cannot be told */
int64_t spool_free(const char *path);

#endif
