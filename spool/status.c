/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/quern.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_RECENT	86400		/* failures younger than a day count */

struct status {
	bool alive, draining;
	size_t count[PLACES], waiting;	/* waiting: drops in incoming */
	size_t failed_lately;
	int64_t free_spool, free_store;
	int landlock;			/* ABI, 0 if the kernel has none */
	bool seccomp;
};

/* status_failed - jobs that failed within a day */
static size_t
status_failed(struct quern *q, char **ids, size_t n)
{
	struct err e;
	struct job *j;
	size_t lately = 0;

	/* ids sort by age; those of the last day stand at the end */
	for (size_t i = n; i-- > 0 && n - i < 1000; ) {
		j = spool_load(&q->spool, PLACE_FAILED, ids[i], &e);
		if (j == NULL)
			continue;
		lately += time(NULL) - j->ended < STATUS_RECENT;
		ticket_free(j);
	}
	return lately;
}

/* status_take - look at everything */
static int
status_take(struct quern *q, struct status *s, struct err *e)
{
	char **ids;
	long abi;

	memset(s, 0, sizeof(*s));
	s->alive = spool_alive(&q->spool);
	s->draining = file_exists(q->spool.root, "drain");
	for (enum place p = PLACE_QUEUE; p < PLACES; p++) {
		if (spool_ids(&q->spool, q->arena, p, &ids, &s->count[p],
		    e) == -1)
			return -1;
		if (p == PLACE_FAILED)
			s->failed_lately = status_failed(q, ids, s->count[p]);
	}
	s->free_spool = spool_free(q->conf.spool);
	s->free_store = spool_free(q->conf.store);
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	s->landlock = abi < 0 ? 0 : (int)abi;
	s->seccomp = prctl(PR_GET_SECCOMP) != -1;
	return 0;
}

/* status_low - is space short */
static bool
status_low(const struct quern *q, const struct status *s)
{
	return (s->free_spool >= 0 && s->free_spool < q->conf.min_free) ||
	    (s->free_store >= 0 && s->free_store < q->conf.min_free);
}

/* status_code - 2 broken, 1 look, 0 well */
static int
status_code(const struct quern *q, const struct status *s)
{
	if (!s->alive || status_low(q, s))
		return 2;
	return s->failed_lately > 0 || s->draining || s->landlock == 0 ||
	    !s->seccomp;
}

/* status_metrics - a Prometheus text file, replaced by rename */
static int
status_metrics(struct quern *q, const struct status *s, const char *path,
    struct err *e)
{
	struct buf *b = buf_new(q->arena, WORDS_MAX);

	buf_printf(b, "# HELP quern_up Whether quernd is running.\n"
	    "# TYPE quern_up gauge\nquern_up %d\n", s->alive);
	buf_str(b, "# HELP quern_jobs Jobs by place.\n"
	    "# TYPE quern_jobs gauge\n");
	for (int p = 0; p < PLACES; p++)
		buf_printf(b, "quern_jobs{place=\"%s\"} %zu\n", place_names[p],
		    s->count[p]);
	buf_printf(b, "# HELP quern_failed_lately Jobs failed within a day.\n"
	    "# TYPE quern_failed_lately gauge\nquern_failed_lately %zu\n",
	    s->failed_lately);
	buf_printf(b, "# HELP quern_free_bytes Free space.\n"
	    "# TYPE quern_free_bytes gauge\n"
	    "quern_free_bytes{of=\"spool\"} %lld\n"
	    "quern_free_bytes{of=\"store\"} %lld\n",
	    (long long)s->free_spool, (long long)s->free_store);
	buf_printf(b, "# HELP quern_draining Whether nothing new is started.\n"
	    "# TYPE quern_draining gauge\nquern_draining %d\n", s->draining);
	return file_replace(AT_FDCWD, path, buf_get(b), 0644, false, e);
}

/* status_print - for people */
static void
status_print(const struct quern *q, const struct status *s)
{
	char a[32], b[32];

	printf("quernd     %s%s\n", s->alive ? "running" : "NOT RUNNING",
	    s->draining ? ", draining" : "");
	printf("jobs       %zu queued, %zu running, %zu held, %zu done, "
	    "%zu failed (%zu within a day)\n", s->count[PLACE_QUEUE],
	    s->count[PLACE_RUN], s->count[PLACE_HOLD], s->count[PLACE_DONE],
	    s->count[PLACE_FAILED], s->failed_lately);
	printf("spool      %s, %s free\n", q->conf.spool,
	    s->free_spool < 0 ? "?" :
	    when_show_size((double)s->free_spool, a));
	printf("store      %s, %s free%s\n", q->conf.store,
	    s->free_store < 0 ? "not there, ?" :
	    when_show_size((double)s->free_store, b),
	    status_low(q, s) ? " (LOW: nothing is started)" : "");
	printf("machine    %d cores shared out, %s\n", conf_threads(&q->conf),
	    q->conf.gpus == NULL || strcmp(q->conf.gpus, "none") == 0 ?
	    "no GPU: everything runs on the CPU" : q->conf.gpus);
	printf("sandbox    %s, %s, sockets %s\n", s->landlock > 0 ?
	    "Landlock" : "NO LANDLOCK in this kernel", s->seccomp ?
	    "seccomp" : "NO SECCOMP in this kernel", q->conf.ranks ?
	    "allowed to ranks" : "refused");
}

int
verb_status(struct quern *q, int argc, char **argv, struct err *e)
{
	const char *metrics = NULL;
	struct status s;

	if (argc == 3 && strcmp(argv[1], "--metrics") == 0)
		metrics = argv[2];
	else if (argc != 1)
		return quern_usage("status", e);
	if (status_take(q, &s, e) == -1)
		return -1;
	if (metrics != NULL && status_metrics(q, &s, metrics, e) == -1)
		return -1;
	if (q->json)
		printf("{\"running\":%s,\"draining\":%s,\"queue\":%zu,\"run\":"
		    "%zu,\"hold\":%zu,\"done\":%zu,\"failed\":%zu,"
		    "\"failed_lately\":%zu,\"free_spool\":%lld,\"free_store\":"
		    "%lld,\"landlock\":%d,\"seccomp\":%s,\"code\":%d}\n",
		    s.alive ? "true" : "false", s.draining ? "true" : "false",
		    s.count[0], s.count[1], s.count[2], s.count[3], s.count[4],
		    s.failed_lately, (long long)s.free_spool,
		    (long long)s.free_store, s.landlock,
		    s.seccomp ? "true" : "false", status_code(q, &s));
	else if (!q->quiet)
		status_print(q, &s);
	return status_code(q, &s);
}
