/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/quern.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* nap - sleep a little, and longer each time up to a fifth of a second */
static void
nap(long *ms)
{
	struct timespec ts = { 0, *ms * 1000000 };

	nanosleep(&ts, NULL);
	if (*ms < 200)
		*ms += *ms / 2 + 1;
}

/* log_copy - what is new in a log */
static int
log_copy(int fd, struct err *e)
{
	char buf[8192];
	ssize_t n;

	while ((n = file_get(fd, buf, sizeof(buf))) > 0)
		if (file_put(STDOUT_FILENO, buf, (size_t)n) == -1)
			return err_errno(e, "cannot write");
	return n == -1 ? err_errno(e, "cannot read the log") : 0;
}

/* log_open - the log in the job's place, error if the job was rejected */
static int
log_open(struct quern *q, const char *id, enum place place, struct err *e)
{
	int dir = spool_job(&q->spool, place, id, e), fd;

	if (dir == -1)
		return -1;
	fd = openat(dir, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1 && errno == ENOENT)
		fd = openat(dir, "error", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	return fd;
}

int
verb_log(struct quern *q, int argc, char **argv, struct err *e)
{
	char id[ID_LEN + 1];
	enum place place;
	unsigned set;
	int i, fd = -1;
	long ms = 20;

	i = quern_options(argc, argv, "f", &set, e);
	if (i == -1)
		return -1;
	if (argc - i != 1)
		return quern_usage("log", e);
	for (;;) {
		if (spool_find(&q->spool, argv[i], id, &place, e) == -1)
			return -1;
		if (fd == -1)
			fd = log_open(q, id, place, e);
		if (fd != -1 && log_copy(fd, e) == -1)
			return -1;
		if (!QUERN_OPT(set, 'f') || place >= PLACE_DONE)
			break;
		nap(&ms);
	}
	if (fd != -1)
		close(fd);
	return 0;
}

/* wait_pending - is its drop still in incoming/ */
static bool
wait_pending(struct quern *q, const char *id)
{
	char name[ID_LEN + 5];

	snprintf(name, sizeof(name), "%.*s.job", ID_LEN, id);
	return id_valid(id) && file_exists(q->spool.incoming, name);
}

/* wait_again - is it to be run again; asked for before looking where it is, for
 * the request goes after the job has come back to the queue */
static bool
wait_again(struct quern *q, const char *prefix)
{
	char id[ID_LEN + 1], name[ID_LEN + 8];
	enum place place;
	struct err ignored;

	if (spool_find(&q->spool, prefix, id, &place, &ignored) == -1)
		return false;
	snprintf(name, sizeof(name), "%s.rerun", id);
	return file_exists(q->spool.incoming, name);
}

/* wait_one - the exit status that a job ended with */
static int
wait_one(struct quern *q, const char *prefix, struct err *e)
{
	char id[ID_LEN + 1];
	enum place place = PLACE_QUEUE;
	struct job *j;
	long ms = 2;
	bool again;
	int fate;

	for (;; nap(&ms)) {
		again = wait_again(q, prefix);
		if (spool_find(&q->spool, prefix, id, &place, e) == -1) {
			if (wait_pending(q, prefix))
				continue;
			/* admitted between the two looks? */
			if (spool_find(&q->spool, prefix, id, &place, e) == -1)
				return -1;
		}
		if (place >= PLACE_DONE && !again)
			break;
	}
	j = spool_load(&q->spool, place, id, e);
	if (j == NULL)
		return -1;
	fate = place == PLACE_DONE ? 0 : j->fate == 0 ? 65 : j->fate;
	if (fate != 0 && !q->quiet)
		msg_info("%s: %s", id, j->why == NULL ? "failed" : j->why);
	ticket_free(j);
	return fate;
}

int
verb_wait(struct quern *q, int argc, char **argv, struct err *e)
{
	int rc = 0, one;

	if (argc < 2)
		return quern_usage("wait", e);
	for (int i = 1; i < argc; i++) {
		one = wait_one(q, argv[i], e);
		if (one == -1)
			return -1;
		if (one != 0)
			rc = one;
	}
	return rc;
}
