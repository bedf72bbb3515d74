/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "appliance/base/opt.h"

/*
 * conf.h - quern.conf(5): where things lie and what the machine may be used
 * for.  One table serves the daemon, the worker and the page.
 *
 * QUERN_ROOT=DIR moves everything below DIR (DIR/quern.conf, DIR/spool,
 * DIR/store), which is a whole private appliance.
 */

struct conf {
	const char *spool, *store, *user;
	int64_t jobs, threads, min_free, keep_done, keep_failed;
	int64_t max_queue_per_owner, backoff, checkers, grace;
	const char *gpus;		/* none, or a list of device numbers */
	const char *on_done, *on_fail;
	struct opt_list readable, writable, seal;
	bool ranks;
	const char *path;		/* of the file that was read, or NULL */
};

extern const struct opt conf_opts[];

/*
 * conf_load - defaults, then the file; path NULL: QUERN_CONF (how quern and
 * quernd tell their workers), else the usual place
 */
int conf_load(struct conf *, struct arena *, const char *path, struct err *);

/* conf_print - the effective configuration as a file */
void conf_print(const struct conf *, struct buf *);

/* conf_threads - cores to share out: `threads`, or those of the machine */
int conf_threads(const struct conf *);

/* conf_launched - has mpirun or srun started this process as one of several */
bool conf_launched(void);

#endif
