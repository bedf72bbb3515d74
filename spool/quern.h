/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_QUERN_H
#define SPOOL_QUERN_H

#include "spool/spool.h"

/*
 * quern.h - the verbs of the command `quern` that speak to the spool.  Each
 * gets its own words (argv[0] is the verb), prints for people, or with json for
 * programs, and returns an exit status; errors come back as -1 and err.
 */

struct quern {
	struct arena *arena;
	struct conf conf;
	struct spool spool;
	bool json, quiet;
};

struct verb {
	const char *name;
	int (*run)(struct quern *, int argc, char **argv, struct err *);
	const char *args, *help;
	bool spool;			/* needs the spool opened */
};

extern const struct verb verbs[];		/* ends with name NULL */

/* submit.c */
int verb_submit(struct quern *, int, char **, struct err *);
int verb_check(struct quern *, int, char **, struct err *);
/* show.c */
int verb_list(struct quern *, int, char **, struct err *);
int verb_show(struct quern *, int, char **, struct err *);
/* follow.c */
int verb_log(struct quern *, int, char **, struct err *);
int verb_wait(struct quern *, int, char **, struct err *);
/* ask.c */
int verb_ask(struct quern *, int, char **, struct err *);
int verb_rerun(struct quern *, int, char **, struct err *);
int verb_prune(struct quern *, int, char **, struct err *);
int verb_migrate(struct quern *, int, char **, struct err *);
int verb_drain(struct quern *, int, char **, struct err *);
/* status.c */
int verb_status(struct quern *, int, char **, struct err *);

/* quern_usage - err for a verb that was called wrongly */
int quern_usage(const char *verb, struct err *);

/* quern_worker - path of quern-worker */
const char *quern_worker(const struct quern *);

/* quern_options - take -x words of `letters` from the front; the index of the
 * first other word, or -1; each letter found is set in *set ('f' - 'a' etc.) */
int quern_options(int argc, char **argv, const char *letters, unsigned *set,
    struct err *);
#define QUERN_OPT(set, c)	((set) & 1u << ((c) - 'a'))

#endif
