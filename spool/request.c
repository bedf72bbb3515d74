/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/child.h"
#include "spool/drop.h"
#include "spool/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum request {
	REQUEST_CANCEL, REQUEST_HOLD, REQUEST_RELEASE, REQUEST_PRIORITY,
	REQUEST_RM, REQUEST_RERUN, REQUESTS
};

const char *const request_verbs[] = {
	"cancel", "hold", "release", "priority", "rm", "rerun", NULL
};

/* request_parse - split ID.VERB; REQUESTS if it is none */
static enum request
request_parse(const char *name, char id[ID_LEN + 1])
{
	if (strlen(name) < ID_LEN + 2 || name[ID_LEN] != '.')
		return REQUESTS;
	memcpy(id, name, ID_LEN);
	id[ID_LEN] = '\0';
	if (!id_valid(id))
		return REQUESTS;
	for (int i = 0; i < REQUESTS; i++)
		if (strcmp(name + ID_LEN + 1, request_verbs[i]) == 0)
			return (enum request)i;
	return REQUESTS;
}

bool
request_is(const char *name)
{
	char id[ID_LEN + 1];

	return request_parse(name, id) != REQUESTS;
}

/* request_read - owner and number of a request; -1 if it is not a plain file */
static int
request_read(const struct sched *s, const char *name, uid_t *owner,
    long *number)
{
	char text[32] = "";
	struct stat st;
	char *end;
	int fd;

	*number = -1;
	fd = openat(s->spool.incoming, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		/* an unreadable empty file still says who wants what */
		if (fstatat(s->spool.incoming, name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode) ||
		    st.st_nlink != 1)
			return -1;
		*owner = st.st_uid;
		return 0;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    file_get(fd, text, sizeof(text) - 1) == -1) {
		close(fd);
		return -1;
	}
	close(fd);
	*owner = st.st_uid;
	*number = strtol(text, &end, 10);
	if (end == text)
		*number = -1;
	return 0;
}

/* request_release - a held job goes back to the queue */
static void
request_release(struct sched *s, struct job *j)
{
	struct err e;

	j->hold_wanted = false;
	if (j->place != PLACE_HOLD || j->held == HELD_TEMPLATE)
		return;
	j->held = HELD_NOT;
	if (spool_move(&s->spool, j, PLACE_QUEUE, &e) == -1)
		msg_error("%s: %s", j->id, e.text);
}

/* rerun_reset - forget the fates of pipelines from one on, and what needs it */
static void
rerun_reset(struct job *j, long from)
{
	uint64_t again = 0;
	struct pipe *p;

	for (size_t i = 0; i < j->npipes; i++) {
		p = &j->pipe[i];
		if (from < 0 ? p->state != PIPE_DONE :
		    (long)i == from || (p->after & again) != 0) {
			again |= (uint64_t)1 << i;
			p->state = PIPE_WAIT;
		}
		p->tries = p->crashes = 0;
		p->not_before = 0;
		p->why = NULL;
	}
	j->cancelled = false;
	j->ended = 0;
	j->fate = 0;
	j->why = NULL;
}

/* rerun_marks - a pipeline that is begun again does not resume */
static void
rerun_marks(const struct job *j, int dir)
{
	char name[NAME_MAX_LEN + 8];

	for (size_t i = 0; i < j->npipes; i++) {
		if (j->pipe[i].state != PIPE_WAIT)
			continue;
		snprintf(name, sizeof(name), "again.%s", j->pipe[i].name);
		close(openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	}
}

/* request_rerun - an ended job goes back to the queue under its own id */
static void
request_rerun(struct sched *s, enum place place, const char *id, long from)
{
	struct err e;
	struct job *j;
	int dir;

	j = spool_load(&s->spool, place, id, &e);
	dir = j == NULL ? -1 : spool_job(&s->spool, place, id, &e);
	if (dir == -1 || j->npipes == 0 || from >= (long)j->npipes) {
		msg_warn("%s: cannot be run again", id);
	} else {
		rerun_reset(j, from);
		if (from >= 0)
			rerun_marks(j, dir);
		if (ticket_save(j, dir, &e) == 0 &&
		    spool_move(&s->spool, j, PLACE_QUEUE, &e) == 0) {
			sched_add(s, j);
			s->dirty = true;
			msg_info("%s: queued again", id);
			sched_step(s, j);	/* nothing may be left to do */
			j = NULL;
		} else
			msg_warn("%s: %s", id, e.text);
	}
	if (dir != -1)
		close(dir);
	if (j != NULL)
		ticket_free(j);
}

/* request_living - a request for a job of the table */
static void
request_living(struct sched *s, struct job *j, enum request what, long number)
{
	struct err e;
	int dir;

	switch (what) {
	case REQUEST_CANCEL:
	case REQUEST_RM:
		j->cancelled = true;
		break;
	case REQUEST_HOLD:
		if (j->held == HELD_NOT || j->held == HELD_SPACE)
			j->hold_wanted = true;
		if (j->held == HELD_SPACE)
			j->held = HELD_USER;
		child_stop(s, j);
		break;
	case REQUEST_RELEASE:
		request_release(s, j);
		break;
	case REQUEST_PRIORITY:
		if (number >= 0 && number <= 100)
			j->priority = (int)number;
		break;
	default:
		msg_info("%s: has not ended, it cannot be run again", j->id);
	}
	dir = spool_job(&s->spool, j->place, j->id, &e);
	if (dir == -1 || ticket_save(j, dir, &e) == -1)
		msg_warn("%s: %s", j->id, e.text);
	if (dir != -1)
		close(dir);
	s->dirty = true;
	sched_step(s, j);
}

/* request_ended - a request for a job in done/ or failed/ */
static void
request_ended(struct sched *s, enum place place, const char *id, uid_t by,
    enum request what, long number)
{
	struct err e;
	struct job *j = spool_load(&s->spool, place, id, &e);

	if (j == NULL) {
		msg_warn("%s: %s", id, e.text);
		return;
	}
	if (by != j->owner && by != geteuid() && by != 0)
		msg_warn("%s: request of user %lu is not obeyed", id,
		    (unsigned long)by);
	else if (what == REQUEST_RM) {
		if (spool_rm(&s->spool, place, id, &e) == -1)
			msg_warn("%s: %s", id, e.text);
		else
			msg_info("%s: removed", id);
	} else if (what == REQUEST_RERUN)
		request_rerun(s, place, id, number);
	ticket_free(j);
}

void
request_obey(struct sched *s, const char *name)
{
	char id[ID_LEN + 1];
	enum request what = request_parse(name, id);
	struct job *j;
	uid_t by;
	long number;

	if (request_read(s, name, &by, &number) == -1) {
		msg_warn("request '%s' is not a plain file", name);
	} else if ((j = sched_find(s, id)) != NULL) {
		if (by != j->owner && by != geteuid() && by != 0)
			msg_warn("%s: request of user %lu is not obeyed", id,
			    (unsigned long)by);
		else
			request_living(s, j, what, number);
	} else if (file_exists(s->spool.dir[PLACE_DONE], id)) {
		request_ended(s, PLACE_DONE, id, by, what, number);
	} else if (file_exists(s->spool.dir[PLACE_FAILED], id)) {
		request_ended(s, PLACE_FAILED, id, by, what, number);
	} else if (drop_pending(s, id))
		return;		/* its job is still being admitted */
	else
		msg_warn("request '%s': there is no such job", name);
	if (unlinkat(s->spool.incoming, name, 0) == -1 && errno != ENOENT)
		msg_warn("cannot remove '%s': %s", name, strerror(errno));
}
