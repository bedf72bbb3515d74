/* SPDX-License-Identifier: Apache-2.0 */
/* Workers of an earlier quernd: alive, or what they have left. */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool
child_fate(struct arena *a, int dir, const struct pipe *p, int *status,
    int *sig, const char **why)
{
	char name[NAME_MAX_LEN + 8];
	struct view text;
	struct words w;
	struct line l;
	struct err e;

	snprintf(name, sizeof(name), "fate.%s", p->name);
	if (!file_exists(dir, name))
		return false;
	if (file_read(a, dir, name, 4096, &text, &e) == -1 ||
	    words_open(&w, a, text.p, text.n, &e) == -1 ||
	    words_next(&w, &l, &e) == -1 || l.n < 2)
		return false;
	if (strcmp(l.word[0].s, "signal") == 0)
		*sig = atoi(l.word[1].s);
	else
		*status = atoi(l.word[1].s);
	*why = l.n > 2 ? l.word[2].s : NULL;
	return true;
}

/* adopt_pid - the pid in a held lock */
static pid_t
adopt_pid(struct arena *a, int dir, const char *lock)
{
	struct view text;
	struct err e;
	long pid;

	if (file_read(a, dir, lock, 64, &text, &e) == -1)
		return 0;
	pid = strtol(text.p, NULL, 10);
	return pid > 1 ? (pid_t)pid : 0;
}

/* adopt_look - 1 alive, 0 ended with a fate, -1 ended without */
static int
adopt_look(struct arena *a, int dir, const struct pipe *p, int *status,
    int *sig, const char **why, pid_t *pid)
{
	char name[NAME_MAX_LEN + 8];
	struct err e;
	int fd;

	snprintf(name, sizeof(name), "lock.%s", p->name);
	if (!file_exists(dir, name))
		return child_fate(a, dir, p, status, sig, why) ? 0 : -1;
	fd = child_lock(dir, p, &e);
	if (fd == -1) {
		*pid = adopt_pid(a, dir, name);
		return 1;
	}
	close(fd);
	return child_fate(a, dir, p, status, sig, why) ? 0 : -1;
}

void
child_adopt(struct sched *s, struct job *j, struct pipe *p)
{
	struct arena *a = arena_new();
	struct child *c;
	const char *why = NULL;
	struct err e;
	int dir, status = 0, sig = 0;
	pid_t pid = 0;

	dir = spool_job(&s->spool, j->place, j->id, &e);
	if (dir != -1) {
		switch (adopt_look(a, dir, p, &status, &sig, &why, &pid)) {
		case 1:
			c = child_new(s, CHILD_PIPE);
			c->job = j;
			c->pipe = p;
			c->orphan = true;
			c->pid = pid;
			c->cores = 1;
			s->running++;
			s->cores_free--;
			p->child = c;
			p->state = PIPE_RUN;
			msg_info("%s: %s: found at work, pid %d", j->id,
			    p->name, (int)pid);
			break;
		case 0:
			sched_ended(s, j, p, status, sig, why);
			break;
		default:
			p->state = PIPE_WAIT;
		}
		close(dir);
	}
	arena_free(a);
}
