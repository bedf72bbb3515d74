/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/admit.h"
#include "spool/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADMIT_BATCH	64

/* admit_clean - remove what is hidden in one place */
static int
admit_clean(int place, struct err *e)
{
	struct dirent *d;
	DIR *dir;
	int fd, rc = 0;

	fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL)
		return err_errno(e, "cannot read the spool");
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (d->d_name[0] == '.' && id_valid(d->d_name + 1))
			rc = file_remove(place, d->d_name, e);
	closedir(dir);
	return rc;
}

int
admit_init(struct sched *s, struct err *e)
{
	for (int p = 0; p < PLACES; p++)
		if (admit_clean(s->spool.dir[p], e) == -1)
			return -1;
	return 0;
}

/* admit_next - the oldest drop that waits for its check */
static struct drop *
admit_next(const struct sched *s)
{
	struct drop *best = NULL;

	for (struct drop *d = s->drops; d != NULL; d = d->next)
		if (d->state == DROP_WAIT)
			best = d;
	return best;
}

void
admit_start(struct sched *s)
{
	char *id[ADMIT_BATCH];
	struct drop *d;
	struct err e;
	size_t n;

	while (!s->stopping && admit_next(s) != NULL &&
	    child_count(s, CHILD_CHECK) < (size_t)s->conf.checkers) {
		for (n = 0; n < ADMIT_BATCH && (d = admit_next(s)) != NULL; ) {
			if (d->alone && n > 0)
				break;
			d->state = DROP_CHECK;
			id[n++] = d->id;
			if (d->alone)
				break;
		}
		if (child_check(s, id, n, &e) == 0)
			continue;
		msg_warn("cannot check drops: %s", e.text);
		for (size_t i = 0; i < n; i++)
			drop_find(s, id[i])->state = DROP_WAIT;
		return;
	}
}

/* admit_place - rename a checked copy into its place and the table */
static int
admit_place(struct sched *s, const char *id, int dir, struct err *e)
{
	char hidden[ID_LEN + 2];
	struct job *j;

	snprintf(hidden, sizeof(hidden), ".%s", id);
	j = ticket_load(dir, id, PLACE_QUEUE, e);
	if (j == NULL)
		return -1;
	if (j->template != NULL)
		j->every = NULL;
	if (j->every != NULL) {
		j->held = HELD_TEMPLATE;
		j->place = PLACE_HOLD;
	}
	if (ticket_save(j, dir, e) == -1 ||
	    file_rename(s->spool.dir[PLACE_QUEUE], hidden,
	    s->spool.dir[j->place], id, e) == -1) {
		ticket_free(j);
		return -1;
	}
	sched_add(s, j);
	s->dirty = true;
	msg_info("%s: admitted%s", id, j->every == NULL ? "" :
	    " as a template");
	return 0;
}

/* admit_reject - the check left an error, or died */
static int
admit_reject(struct sched *s, const char *id, int dir, struct err *e)
{
	char hidden[ID_LEN + 2];
	struct job *j;
	int rc;

	snprintf(hidden, sizeof(hidden), ".%s", id);
	if (!file_exists(dir, "error") && file_replace(dir, "error",
	    VIEW("the check of this job file crashed\n"), 0640, false, e) == -1)
		return -1;
	j = ticket_load(dir, id, PLACE_FAILED, e);
	if (j == NULL)
		return -1;
	j->ended = time(NULL);
	j->fate = 65;
	j->why = "rejected; see error";
	rc = ticket_save(j, dir, e);
	if (rc == 0)
		rc = file_rename(s->spool.dir[PLACE_QUEUE], hidden,
		    s->spool.dir[PLACE_FAILED], id, e);
	if (rc == 0) {
		j->place = PLACE_FAILED;
		child_hook(s, s->conf.on_fail, j);
		msg_info("%s: rejected", id);
	}
	ticket_free(j);
	s->dirty = true;
	return rc;
}

/* how a check ended that left neither ticket nor error */
struct verdict {
	bool company;			/* it checked other jobs as well */
	int code, sig;
};

/* admit_again - in company another job may be to blame; a full disk, or a
 * signal from outside, is nobody's fault, if it does not go on for ever */
static bool
admit_again(struct drop *d, const struct verdict *x)
{
	bool outside = x->sig == SIGKILL || x->sig == SIGTERM ||
	    x->sig == SIGINT || x->sig == SIGHUP;

	return x->company || ((outside || (x->sig == 0 && x->code != 0)) &&
	    d->kills++ < 3);
}

/* admit_one - what has become of one copy */
static void
admit_one(struct sched *s, struct drop *d, const struct verdict *x)
{
	char hidden[ID_LEN + 2];
	struct err e;
	int dir, rc;

	snprintf(hidden, sizeof(hidden), ".%s", d->id);
	dir = file_dir(s->spool.dir[PLACE_QUEUE], hidden, &e);
	rc = dir == -1 ? -1 : 0;
	if (rc == 0 && file_exists(dir, "ticket"))
		rc = admit_place(s, d->id, dir, &e);
	else if (rc == 0 && !file_exists(dir, "error") &&
	    admit_again(d, x)) {
		d->state = DROP_WAIT;
		d->alone = true;
		close(dir);
		return;
	} else if (rc == 0 && !file_exists(dir, "error") && x->sig == 0 &&
	    x->code != 0)
		rc = err_set(&e, FATE_RETRY, "its check ended with status %d",
		    x->code);
	else if (rc == 0)
		rc = admit_reject(s, d->id, dir, &e);
	if (dir != -1)
		close(dir);
	if (rc == 0) {
		d->state = DROP_LAND;
		return;
	}
	/* the drop stays in incoming/ and is taken up again by a rescan */
	msg_error("%s: cannot admit: %s", d->id, e.text);
	file_remove(s->spool.dir[PLACE_QUEUE], hidden, &e);
	drop_forget(s, d);
	s->look = true;
}

void
admit_checked(struct sched *s, const struct child *c, int code, int sig)
{
	const struct verdict x = { c->nids > 1, code, sig };
	struct drop *d;

	if (sig != 0)
		msg_warn("an admission check ended with signal %d", sig);
	for (size_t i = 0; i < c->nids; i++) {
		d = drop_find(s, c->id[i]);
		if (d != NULL)
			admit_one(s, d, &x);
	}
}

/* clone_file - copy a small file between two jobs */
static int
clone_file(struct arena *a, int from, int to, const char *name, struct err *e)
{
	struct view text;

	if (file_read(a, from, name, (size_t)64 << 20, &text, e) == -1)
		return -1;
	return file_replace(to, name, text, 0640, false, e);
}

/* clone_fill - the files of a template's child in queue/.ID */
static int
clone_fill(struct sched *s, struct arena *a, const struct job *t,
    struct job *child, int dir, struct err *e)
{
	int from = spool_job(&s->spool, t->place, t->id, e), rc = -1;

	if (from == -1)
		return -1;
	if (clone_file(a, from, dir, "job", e) == 0 &&
	    clone_file(a, from, dir, "ticket", e) == 0 &&
	    clone_file(a, from, dir, "plan.json", e) == 0 &&
	    ticket_entry(child, NULL, dir, e) == 0)
		rc = admit_place(s, child->id, dir, e);
	close(from);
	return rc;
}

int
admit_clone(struct sched *s, const struct job *t, struct err *e)
{
	struct arena *a = arena_new();
	struct job *child = arena_alloc(a, sizeof(*child));
	char hidden[ID_LEN + 2];
	int dir, rc = -1;

	id_new(child->id);
	child->owner = t->owner;
	child->submitted = time(NULL);
	child->drop = t->drop;
	child->template = t->id;
	snprintf(hidden, sizeof(hidden), ".%s", child->id);
	if (mkdirat(s->spool.dir[PLACE_QUEUE], hidden, 0750) == -1)
		err_errno(e, "cannot make directory '%s'", hidden);
	else if ((dir = file_dir(s->spool.dir[PLACE_QUEUE], hidden, e)) != -1) {
		rc = clone_fill(s, a, t, child, dir, e);
		close(dir);
	}
	arena_free(a);
	return rc;
}
