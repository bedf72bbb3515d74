/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* watch_rss - resident bytes of a process */
static int64_t
watch_rss(pid_t pid)
{
	char path[64], text[128] = "";
	long long pages = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	if (file_get(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%*s %lld", &pages);
	close(fd);
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* watch_limit - the limit that a worker breaks, or NULL */
static const char *
watch_limit(struct sched *s, struct child *c, double now)
{
	const struct pipe *p = c->pipe;
	char path[PATH_MAX];
	int64_t used;

	if (p->seconds > 0 && now - c->started > (double)p->seconds)
		return "time";
	if (p->memory > 0 && watch_rss(c->pid) > p->memory)
		return "memory";
	if (p->disk > 0 && now - c->disk_checked > 2) {
		c->disk_checked = now;
		used = file_usage(s->spool.dir[PLACE_RUN], c->job->id);
		snprintf(path, sizeof(path), "%s/work/%s", s->conf.store,
		    c->job->id);
		used += file_usage(AT_FDCWD, path);
		if (used > p->disk)
			return "disk";
	}
	return NULL;
}

/* watch_one - limits, then patience */
static void
watch_one(struct sched *s, struct child *c, double now)
{
	if (c->limit == NULL && c->asked == 0) {
		c->limit = watch_limit(s, c, now);
		if (c->limit != NULL && c->pid > 1) {
			msg_info("%s: %s: %s limit", c->job->id, c->pipe->name,
			    c->limit);
			c->asked = now;
			kill(-c->pid, strcmp(c->limit, "memory") == 0 ?
			    SIGKILL : SIGTERM);
		}
	}
	if (c->asked != 0 && c->pid > 1 &&
	    now - c->asked > (double)s->conf.grace)
		kill(-c->pid, SIGKILL);
}

/* watch_orphan - has the worker of an earlier quernd let go of its lock */
static bool
watch_orphan(struct sched *s, struct child *c)
{
	struct err e;
	int dir, fd;

	dir = spool_job(&s->spool, c->job->place, c->job->id, &e);
	if (dir == -1)
		return true;
	fd = child_lock(dir, c->pipe, &e);
	close(dir);
	if (fd == -1)
		return false;
	close(fd);
	return true;
}

void
child_watch(struct sched *s)
{
	struct child *c, *next;
	double now = when_mono();

	for (c = s->children; c != NULL; c = next) {
		next = c->next;
		if (c->kind != CHILD_PIPE)
			continue;
		watch_one(s, c, now);
		if (c->orphan && watch_orphan(s, c)) {
			c->pid = 0;
			child_ended(s, c, 0, 0);
			next = s->children;
		}
	}
}
