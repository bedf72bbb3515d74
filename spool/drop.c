/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/drop.h"
#include "spool/request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DROP_SETTLE	2.0		/* seconds unchanged, for a rescan */
#define DROPS_MAX	256		/* in hand at the same time */

struct drop *
drop_find(const struct sched *s, const char *id)
{
	for (struct drop *d = s->drops; d != NULL; d = d->next)
		if (strcmp(d->id, id) == 0)
			return d;
	return NULL;
}

bool
drop_pending(const struct sched *s, const char *id)
{
	char name[ID_LEN + 5];

	snprintf(name, sizeof(name), "%s.job", id);
	return drop_find(s, id) != NULL ||
	    file_exists(s->spool.incoming, name);
}

/* drop_held - is this name in hand already */
static bool
drop_held(const struct sched *s, const char *name)
{
	for (const struct drop *d = s->drops; d != NULL; d = d->next)
		if (strcmp(d->name, name) == 0)
			return true;
	return false;
}

/* drop_take - this name is in hand from now on */
static void
drop_take(struct sched *s, const char *name, const char *id,
    enum drop_state state)
{
	struct drop *d = mem_alloc(sizeof(*d) + strlen(name) + 1);

	memcpy(d->name, name, strlen(name) + 1);
	memcpy(d->id, id, sizeof(d->id));
	d->state = state;
	d->next = s->drops;
	s->drops = d;
	s->ndrops++;
	if (state == DROP_LAND)
		s->dirty = true;
}

void
drop_forget(struct sched *s, struct drop *d)
{
	struct drop **p = &s->drops;

	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	s->ndrops--;
	mem_free(d);
}

void
drop_landed(struct sched *s)
{
	struct drop *d, *next;

	for (d = s->drops; d != NULL; d = next) {
		next = d->next;
		if (d->state != DROP_LAND)
			continue;
		if (unlinkat(s->spool.incoming, d->name, 0) == -1 &&
		    errno != ENOENT) {
			/* it stays in hand, or it would be admitted again */
			if (!d->alone)
				msg_warn("cannot remove the drop '%s': %s",
				    d->name, strerror(errno));
			d->alone = true;
			continue;
		}
		drop_forget(s, d);
	}
}

/* drop_text - a file name as text: what is not UTF-8 becomes '?' */
static const char *
drop_text(struct arena *a, const char *name)
{
	char *s = arena_str(a, name);
	size_t n = strlen(s), bad;

	while ((bad = utf8_check(s, n)) != n)
		s[bad] = '?';
	return s;
}

/* drop_id - the id that submit chose, or a new one */
static void
drop_id(const char *name, char id[ID_LEN + 1])
{
	size_t n = strlen(name);

	if (n == ID_LEN + 4 && strcmp(name + ID_LEN, ".job") == 0) {
		snprintf(id, ID_LEN + 1, "%.*s", ID_LEN, name);
		if (id_valid(id))
			return;
	}
	id_new(id);
}

/* drop_is - does this job come from a drop with that identity */
static bool
drop_is(const struct job *j, const struct stat *st)
{
	return j->drop_ino == (uint64_t)st->st_ino &&
	    j->drop_dev == (uint64_t)st->st_dev &&
	    j->drop_ctime == ended_ctime(st);
}

/* drop_known - was it admitted before; by id everywhere, else by identity */
static bool
drop_known(struct sched *s, const char *id, const struct stat *st)
{
	for (int p = 0; p < PLACES; p++)
		if (file_exists(s->spool.dir[p], id))
			return true;
	for (size_t i = 0; i < s->n; i++)
		if (drop_is(s->job[i], st))
			return true;
	/* only what lay there before we started can have ended before */
	return st->st_ctim.tv_sec <= s->started && ended_has(&s->ended,
	    &s->spool, st);
}

/* drop_count - jobs of an owner in the queue */
static int64_t
drop_count(const struct sched *s, uid_t owner)
{
	int64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->job[i]->owner == owner &&
		    s->job[i]->place == PLACE_QUEUE;
	return n;
}

/* drop_write - fill queue/.ID with the copy and its entry */
static int
drop_write(struct sched *s, struct job *j, struct view text, struct err *e)
{
	char hidden[ID_LEN + 2], hex[HASH_HEX + 1];
	int queue = s->spool.dir[PLACE_QUEUE], dir, rc = -1;

	snprintf(hidden, sizeof(hidden), ".%s", j->id);
	if (mkdirat(queue, hidden, 0750) == -1)
		return err_errno(e, "cannot make directory '%s'", hidden);
	dir = file_dir(queue, hidden, e);
	if (dir == -1)
		return -1;
	hash_hex(hash_of(NULL, text.p, text.n), hex);
	if (file_replace(dir, "job", text, 0640, false, e) == 0 &&
	    ticket_entry(j, hex, dir, e) == 0)
		rc = 0;
	close(dir);
	return rc;
}

/* drop_refuse - a drop that is no job file: say why in failed/ID/error */
static void
drop_refuse(struct sched *s, struct job *j, const char *why)
{
	char hidden[ID_LEN + 2];
	struct err e;
	int dir = -1;

	msg_warn("drop '%s' is refused: %s", j->drop, why);
	snprintf(hidden, sizeof(hidden), ".%s", j->id);
	j->ended = time(NULL);
	j->fate = 65;
	j->why = why;
	if (mkdirat(s->spool.dir[PLACE_QUEUE], hidden, 0750) == -1 ||
	    (dir = file_dir(s->spool.dir[PLACE_QUEUE], hidden, &e)) == -1 ||
	    ticket_entry(j, NULL, dir, &e) == -1 ||
	    ticket_save(j, dir, &e) == -1 ||
	    file_replace(dir, "error", view_of(why), 0640, false, &e) == -1 ||
	    renameat(s->spool.dir[PLACE_QUEUE], hidden,
	    s->spool.dir[PLACE_FAILED], j->id) == -1)
		msg_error("cannot note the refusal of '%s'", j->drop);
	if (dir != -1)
		close(dir);
}

/* drop_fault - why a file cannot be a job; NULL if it can */
static const char *
drop_fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_nlink != 1)
		return "it has more than one name (hard link); copy it instead";
	if (st->st_size > (off_t)WORDS_MAX)
		return "longer than 1 MiB";
	return NULL;
}

/* drop_copy - read an open drop and put the copy up for its check; 0, or -1 if
 * it is to be looked at again later */
static int
drop_copy(struct sched *s, struct job *j, int fd, const char *name)
{
	char *text = mem_alloc(WORDS_MAX + 1);
	char hidden[ID_LEN + 2];
	struct err e;
	ssize_t n;
	int rc = -1;

	snprintf(hidden, sizeof(hidden), ".%s", j->id);
	n = file_get(fd, text, WORDS_MAX + 1);
	if (n == -1) {
		msg_warn("drop '%s': cannot read: %s", j->drop,
		    strerror(errno));
	} else if (n > (ssize_t)WORDS_MAX) {
		drop_refuse(s, j, "longer than 1 MiB");
		drop_take(s, name, j->id, DROP_LAND);
		rc = 0;
	} else if (drop_write(s, j, (struct view){ text, (size_t)n },
	    &e) == -1) {
		msg_warn("drop '%s' waits: %s", j->drop, e.text);
		file_remove(s->spool.dir[PLACE_QUEUE], hidden, &e);
	} else {
		drop_take(s, name, j->id, DROP_WAIT);
		rc = 0;
	}
	mem_free(text);
	return rc;
}

/* drop_ready - closed by its writer, as far as can be told */
static bool
drop_ready(int fd, const struct stat *st)
{
	struct timespec now;
	double age;

	/* a read lease is given only while nobody has it open for writing */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		return true;
	}
	if (errno == EAGAIN)
		return false;		/* somebody does */
	clock_gettime(CLOCK_REALTIME, &now);
	age = (double)(now.tv_sec - st->st_ctim.tv_sec) +
	    (double)(now.tv_nsec - st->st_ctim.tv_nsec) * 1e-9;
	return age >= DROP_SETTLE || age < -3600;
}

/* drop_special - what cannot even be opened for reading */
static void
drop_special(struct sched *s, struct job *j, const char *name)
{
	struct stat st;

	if (fstatat(s->spool.incoming, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	j->owner = st.st_uid;
	if (S_ISDIR(st.st_mode)) {
		msg_warn("'%s' in incoming/ is a directory and is ignored",
		    j->drop);
		return;
	}
	if (S_ISREG(st.st_mode))
		drop_refuse(s, j, "quernd may not read it; use quern submit, "
		    "or chgrp it to the spool's group and chmod g+r");
	else
		drop_refuse(s, j, S_ISLNK(st.st_mode) ? "a symbolic link; "
		    "drop the file itself" : "not a regular file");
	drop_take(s, name, j->id, DROP_LAND);
}

/* drop_one - one name of incoming; true if it was left for later */
static bool
drop_one(struct sched *s, struct job *j, const char *name, bool closed)
{
	const char *fault;
	struct stat st;
	bool later = false;
	int fd;

	fd = openat(s->spool.incoming, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1 || S_ISDIR(st.st_mode)) {
		if (fd != -1 || errno != ENOENT)
			drop_special(s, j, name);
		if (fd != -1)
			close(fd);
		return false;
	}
	j->owner = st.st_uid;
	j->drop_dev = (uint64_t)st.st_dev;
	j->drop_ino = (uint64_t)st.st_ino;
	j->drop_ctime = ended_ctime(&st);
	if ((fault = drop_fault(&st)) != NULL) {
		drop_refuse(s, j, fault);
		drop_take(s, name, j->id, DROP_LAND);
	} else if (drop_known(s, j->id, &st))
		drop_take(s, name, j->id, DROP_LAND);
	else if ((!closed && !drop_ready(fd, &st)) ||
	    drop_count(s, st.st_uid) + (int64_t)s->ndrops >=
	    s->conf.max_queue_per_owner || drop_copy(s, j, fd, name) == -1)
		later = true;
	close(fd);
	return later;
}

/* drop_name - a request, or a drop; true if it was left for later */
static bool
drop_name(struct sched *s, const char *name, bool closed)
{
	struct arena *a;
	struct job *j;
	size_t n = strlen(name);
	bool later;

	if (name[0] == '.' || (n > 5 && strcmp(name + n - 5, ".part") == 0) ||
	    (n > 4 && strcmp(name + n - 4, ".tmp") == 0))
		return false;
	if (request_is(name)) {
		request_obey(s, name);
		return false;
	}
	if (drop_held(s, name))
		return false;
	if (s->ndrops >= DROPS_MAX)
		return true;
	a = arena_new();
	j = arena_alloc(a, sizeof(*j));
	j->arena = a;
	j->submitted = time(NULL);
	j->drop = drop_text(a, name);
	drop_id(name, j->id);
	later = drop_one(s, j, name, closed);
	arena_free(a);
	return later;
}

size_t
drop_scan(struct sched *s, const char *name)
{
	struct dirent *d;
	size_t later = 0;
	DIR *dir;
	int fd;

	if (name != NULL)
		return drop_name(s, name, true);
	fd = openat(s->spool.incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		msg_error("cannot read incoming/: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)) != NULL)
		if (drop_name(s, d->d_name, false) && ++later > 0 &&
		    s->ndrops >= DROPS_MAX)
			break;
	closedir(dir);
	return later;
}

