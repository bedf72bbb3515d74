/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPOOL_FORMAT	"quern-spool 1\n"

/* spool_make - create a directory with exactly this mode */
static int
spool_make(int at, const char *name, mode_t mode, struct err *e)
{
	if (mkdirat(at, name, 0700) == -1) {
		if (errno == EEXIST)
			return 0;
		return err_errno(e, "cannot make directory '%s'", name);
	}
	if (fchmodat(at, name, mode, 0) == -1)
		return err_errno(e, "cannot set the mode of '%s'", name);
	return 0;
}

/* spool_try - one mount: a real rename between two places */
static int
spool_try(const struct spool *s, struct err *e)
{
	if (spool_make(s->dir[PLACE_QUEUE], ".try", 0700, e) == -1)
		return -1;
	if (renameat(s->dir[PLACE_QUEUE], ".try", s->dir[PLACE_DONE],
	    ".try") == -1)
		return err_errno(e, "the directories below '%s' must lie on "
		    "one mount", s->path);
	unlinkat(s->dir[PLACE_DONE], ".try", AT_REMOVEDIR);
	return 0;
}

/* spool_close - the arena's closer */
static void
spool_close(void *arg)
{
	struct spool *s = arg;

	close(s->root);
	close(s->incoming);
	for (int i = 0; i < PLACES; i++)
		close(s->dir[i]);
}

/* spool_incoming - the only directory that others write to */
static int
spool_incoming(struct spool *s, bool make, struct err *e)
{
	if (make && spool_make(s->root, "incoming", 03730, e) == -1)
		return -1;
	s->incoming = openat(s->root, "incoming", make ?
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC :
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->incoming == -1)
		return err_errno(e, "cannot open '%s/incoming'", s->path);
	return 0;
}

/* spool_format - which format it has: 0 before there was a number, -1; a newer
 * one is not ours to touch */
static int
spool_format(const struct spool *s, struct err *e)
{
	struct arena *a = arena_new();
	struct view v;
	int rc = 1;

	if (!file_exists(s->root, "format"))
		rc = 0;
	else if (file_read(a, s->root, "format", 64, &v, e) == -1)
		rc = -1;
	else if (!view_is(v, SPOOL_FORMAT))
		rc = err_set(e, FATE_REJECT, "the spool '%s' has format "
		    "'%.*s', this quern knows 'quern-spool 1'; a newer quern "
		    "reads it", s->path, (int)strcspn(v.p, "\n"), v.p);
	arena_free(a);
	return rc;
}

/* spool_ours - a new spool gets our format before it has any places, an older
 * one is migrated by a verb */
static int
spool_ours(const struct spool *s, bool make, struct err *e)
{
	switch (spool_format(s, e)) {
	case -1:
		return -1;
	case 1:
		return 0;
	}
	if (!file_exists(s->root, "queue"))
		return make ? file_replace(s->root, "format",
		    VIEW(SPOOL_FORMAT), 0644, true, e) : 0;
	return err_set(e, FATE_REJECT, "the spool '%s' is of an older format: "
	    "'quern migrate', while no quernd runs", s->path);
}

int
spool_migrate(const char *path, struct err *e)
{
	struct spool s = { .path = path };
	int from;

	s.root = file_dir(AT_FDCWD, path, e);
	if (s.root == -1)
		return -1;
	from = spool_format(&s, e);
	/* what had no number is laid out as 1 is */
	if (from == 0 && file_replace(s.root, "format", VIEW(SPOOL_FORMAT),
	    0644, true, e) == -1)
		from = -1;
	close(s.root);
	return from;
}

int
spool_open(struct spool *s, struct arena *a, const struct conf *c, bool make,
    struct err *e)
{
	memset(s, -1, sizeof(*s));
	s->path = c->spool;
	arena_defer(a, spool_close, s);
	if (make && file_mkdirs(s->path, 0755, e) == -1)
		return -1;
	s->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root == -1)
		return err_errno(e, "cannot open the spool '%s'", s->path);
	if (spool_ours(s, make, e) == -1 || spool_incoming(s, make, e) == -1)
		return -1;
	for (int i = 0; i < PLACES; i++) {
		if (make && spool_make(s->root, place_names[i], 02750, e) == -1)
			return -1;
		s->dir[i] = openat(s->root, place_names[i],
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (s->dir[i] == -1 && (make || errno != EACCES))
			return err_errno(e, "cannot open '%s/%s'", s->path,
			    place_names[i]);
	}
	return make ? spool_try(s, e) : 0;
}

int
spool_job(const struct spool *s, enum place p, const char *id, struct err *e)
{
	return file_dir(s->dir[p], id, e);
}

int
spool_move(const struct spool *s, struct job *j, enum place to, struct err *e)
{
	if (j->place == to)
		return 0;
	if (file_rename(s->dir[j->place], j->id, s->dir[to], j->id, e) == -1)
		return -1;
	j->place = to;
	return 0;
}

int
spool_ids(const struct spool *s, struct arena *a, enum place p, char ***ids,
    size_t *n, struct err *e)
{
	size_t all, kept = 0;

	if (s->dir[p] == -1)
		return err_set(e, FATE_PERM, "cannot read '%s/%s': be in the "
		    "group of the spool", s->path, place_names[p]);
	if (file_list(a, s->dir[p], ".", ids, &all, e) == -1)
		return -1;
	for (size_t i = 0; i < all; i++)
		if (id_valid((*ids)[i]))
			(*ids)[kept++] = (*ids)[i];
	*n = kept;
	return 0;
}

/*
 * spool_match - add the ids of one place that begin with prefix to those found;
 * a job that moves while we look is met twice and counts once
 */
static int
spool_match(const struct spool *s, enum place p, const char *prefix,
    char id[ID_LEN + 1], enum place *place, int *found, struct err *e)
{
	struct arena *a = arena_new();
	char **ids;
	size_t n;

	if (spool_ids(s, a, p, &ids, &n, e) == -1) {
		arena_free(a);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (strncmp(ids[i], prefix, strlen(prefix)) != 0)
			continue;
		if (*found == 0 || strcmp(id, ids[i]) != 0)
			++*found;
		snprintf(id, ID_LEN + 1, "%s", ids[i]);
		*place = p;
	}
	arena_free(a);
	return 0;
}

/* spool_named - a job by its whole id, the way that needs no listing */
static bool
spool_named(const struct spool *s, const char *id, enum place *place)
{
	for (int p = 0; p < PLACES; p++)
		if (s->dir[p] != -1 && file_exists(s->dir[p], id)) {
			*place = (enum place)p;
			return true;
		}
	return false;
}

int
spool_find(const struct spool *s, const char *prefix, char id[ID_LEN + 1],
    enum place *place, struct err *e)
{
	int found = 0;

	if (!id_prefix(prefix))
		return err_set(e, FATE_USAGE, "'%s' is not the beginning of a "
		    "job's id", prefix);
	/* a second look meets one that moved behind our back */
	for (int look = 0; look < 2 && found == 0; look++) {
		if (id_valid(prefix)) {
			found = spool_named(s, prefix, place);
			snprintf(id, ID_LEN + 1, "%s", prefix);
			continue;
		}
		for (int p = 0; p < PLACES; p++)
			if (spool_match(s, (enum place)p, prefix, id, place,
			    &found, e) == -1)
				return -1;
	}
	if (found == 0)
		return err_set(e, FATE_NOINPUT, "no job '%s'", prefix);
	if (found > 1)
		return err_set(e, FATE_USAGE, "'%s' begins the ids of %d jobs",
		    prefix, found);
	return 0;
}

struct job *
spool_load(const struct spool *s, enum place p, const char *id, struct err *e)
{
	struct job *j;
	int dir = spool_job(s, p, id, e);

	if (dir == -1)
		return NULL;
	j = ticket_load(dir, id, p, e);
	close(dir);
	return j;
}

int
spool_rm(const struct spool *s, enum place place, const char *id,
    struct err *e)
{
	char hidden[ID_LEN + 2];

	/* out of sight in one step, then at leisure */
	snprintf(hidden, sizeof(hidden), ".%s", id);
	if (file_rename(s->dir[place], id, s->dir[place], hidden, e) == -1)
		return -1;
	return file_remove(s->dir[place], hidden, e);
}

void
spool_flush(const struct spool *s)
{
	while (syncfs(s->root) == -1)
		if (errno != EINTR)
			msg_fatal(75, "cannot flush '%s': %s", s->path,
			    strerror(errno));
}

bool
spool_alive(const struct spool *s)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(s->root, "quernd.lock", O_RDONLY | O_CLOEXEC);
	bool held;

	if (fd == -1)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
	close(fd);
	return held;
}

int64_t
spool_free(const char *path)
{
	struct statvfs v;

	if (statvfs(path, &v) == -1)
		return -1;
	return (int64_t)v.f_bavail * (int64_t)v.f_frsize;
}
