/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_TICKET_H
#define SPOOL_TICKET_H

#include "appliance/base/arena.h"
#include "appliance/base/err.h"
#include "appliance/base/id.h"

#include <sys/types.h>
#include <time.h>

/*
 * ticket.h - one job as the spool sees it, gathered from three small files of
 * its directory (quern-ticket.5), all of them lines of words:
 *
 *   entry   who dropped what when; written once by quernd, never changed
 *   ticket  what admission found in the job file; written once by the worker
 *   state   what has happened since; replaced by quernd at each change
 *
 * The directory that the job's directory lies in is its place, and is told.
 */

enum place {
	PLACE_QUEUE, PLACE_RUN, PLACE_HOLD, PLACE_DONE, PLACE_FAILED, PLACES
};

enum held { HELD_NOT, HELD_USER, HELD_SPACE, HELD_TEMPLATE };

enum pipe_state { PIPE_WAIT, PIPE_RUN, PIPE_DONE, PIPE_FAILED };

#define PIPES_MAX	64

struct pipe {
	const char *name;
	int64_t cores, memory, disk, seconds;	/* 0: no limit or no wish */
	int gpus;			/* GPUS_AUTO: what is free */
	uint64_t after;			/* bit i: waits for pipeline i */
	/* state */
	enum pipe_state state;
	int tries, crashes;
	time_t not_before;
	const char *why;		/* the last fate's words, or NULL */
	struct child *child;		/* quernd's: its running worker */
};

#define GPUS_AUTO	(-1)

struct job {
	struct arena *arena;
	char id[ID_LEN + 1];
	enum place place;
	/* entry */
	uid_t owner;
	time_t submitted;
	const char *drop;		/* the name it was dropped under */
	uint64_t drop_dev, drop_ino;
	int64_t drop_ctime;		/* in ns */
	const char *template;		/* id of the one it is a clone of */
	/* ticket */
	int priority, attempts;
	time_t not_before;
	const char *every;
	bool catch_up;
	const char **after;		/* ids */
	size_t nafter;
	struct pipe *pipe;
	size_t npipes;
	/* state */
	enum held held;
	bool hold_wanted, cancelled;
	time_t fired;			/* a template's last firing */
	time_t ended;
	int fate;			/* exit status, when ended */
	const char *why;
	int finishes;			/* failed attempts to finish it */
	time_t again;			/* a rename failed: step again then */
};

extern const char *const place_names[PLACES];
extern const char *const pipe_state_names[];

/* ticket_load - read a job's files in directory dir; missing state is fine */
struct job *ticket_load(int dir, const char *id, enum place, struct err *);
void ticket_free(struct job *);

/* ticket_save - replace the state file; flushed by the caller if need be */
int ticket_save(const struct job *, int dir, struct err *);

/* ticket_entry - write the entry file */
int ticket_entry(const struct job *, const char *hash, int dir, struct err *);

#endif
