/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int
file_dir(int at, const char *path, struct err *e)
{
	int fd = openat(at, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return err_errno(e, "cannot open directory '%s'", path);
	return fd;
}

int
file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	struct stat st;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return err_set(e, FATE_REJECT, "path '%.60s...' is too long",
		    path);
	for (char *p = part + 1; ; p++) {
		bool last = *p == '\0';

		if (!last && *p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, mode) == -1 && errno != EEXIST &&
		    stat(part, &st) == -1)
			return err_errno(e, "cannot make directory '%s'", part);
		if (last)
			return 0;
		*p = '/';
	}
}

ssize_t
file_get(int fd, void *p, size_t n)
{
	size_t got = 0;
	ssize_t r;

	while (got < n) {
		r = read(fd, (char *)p + got, n - got);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int
file_put(int fd, const void *p, size_t n)
{
	size_t put = 0;
	ssize_t r;

	while (put < n) {
		r = write(fd, (const char *)p + put, n - put);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		put += (size_t)r;
	}
	return 0;
}

int
file_read(struct arena *a, int at, const char *path, size_t max,
    struct view *out, struct err *e)
{
	struct stat st;
	ssize_t n;
	char *p;
	int fd, rc = -1;

	fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return err_errno(e, "cannot open '%s'", path);
	if (fstat(fd, &st) == -1)
		err_errno(e, "cannot stat '%s'", path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, FATE_REJECT, "'%s' is not a regular file", path);
	else if ((uint64_t)st.st_size > max)
		err_set(e, FATE_REJECT, "'%s' is longer than %zu bytes", path,
		    max);
	else {
		p = arena_alloc(a, (size_t)st.st_size + 1);
		n = file_get(fd, p, (size_t)st.st_size);
		if (n == -1)
			err_errno(e, "cannot read '%s'", path);
		else {
			*out = (struct view){ p, (size_t)n };
			rc = 0;
		}
	}
	close(fd);
	return rc;
}

void
file_sync(int fd, const char *name)
{
	while (fsync(fd) == -1)
		if (errno != EINTR)
			msg_fatal(75, "cannot flush '%s': %s", name,
			    strerror(errno));
}

int
file_rename(int from, const char *old, int to, const char *new, struct err *e)
{
	if (renameat(from, old, to, new) == -1)
		return err_errno(e, "cannot rename '%s' to '%s'", old, new);
	return 0;
}

int
file_replace(int at, const char *path, struct view v, mode_t mode, bool sync,
    struct err *e)
{
	char tmp[PATH_MAX];
	const char *base = strrchr(path, '/');
	int fd, dir = (int)(base == NULL ? 0 : base - path + 1);

	base = base == NULL ? path : base + 1;
	/* files of a job have one writer, which finds its own leavings again;
	 * a path that a person names may have two at once */
	if (at == AT_FDCWD)
		snprintf(tmp, sizeof(tmp), "%.*s.%s.%d.tmp", dir, path, base,
		    (int)getpid());
	else
		snprintf(tmp, sizeof(tmp), "%.*s.%s.tmp", dir, path, base);
	fd = openat(at, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, mode);
	if (fd == -1)
		return err_errno(e, "cannot create '%s'", path);
	if (file_put(fd, v.p, v.n) == -1) {
		err_errno(e, "cannot write '%s'", path);
		close(fd);
		unlinkat(at, tmp, 0);
		return -1;
	}
	if (sync)
		file_sync(fd, path);
	close(fd);
	if (file_rename(at, tmp, at, path, e) == -1) {
		unlinkat(at, tmp, 0);
		return -1;
	}
	return 0;
}

/* file_remove_below - empty a directory */
static int
file_remove_below(int fd, const char *path, struct err *e)
{
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return err_errno(e, "cannot read directory '%s'", path);
	}
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = file_remove(dirfd(dir), d->d_name, e);
	closedir(dir);
	return rc;
}

int
file_remove(int at, const char *path, struct err *e)
{
	int fd;

	if (unlinkat(at, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_errno(e, "cannot remove '%s'", path);
	fd = file_dir(at, path, e);
	if (fd == -1 || file_remove_below(fd, path, e) == -1)
		return -1;
	if (unlinkat(at, path, AT_REMOVEDIR) == -1 && errno != ENOENT)
		return err_errno(e, "cannot remove '%s'", path);
	return 0;
}

int64_t
file_usage(int at, const char *path)
{
	struct dirent *d;
	struct stat st;
	int64_t sum = 0;
	DIR *dir;
	int fd;

	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (S_ISDIR(st.st_mode))
			sum += file_usage(fd, d->d_name);
		else if (S_ISREG(st.st_mode))
			sum += st.st_size;
	}
	closedir(dir);
	return sum;
}

int
file_lock(int fd)
{
	int r;

	while ((r = flock(fd, LOCK_EX | LOCK_NB)) == -1 && errno == EINTR)
		continue;
	return r;
}

bool
file_exists(int at, const char *path)
{
	struct stat st;

	return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* name_cmp - qsort's order for names: bytewise */
static int
name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
file_list(struct arena *a, int at, const char *path, char ***out, size_t *n,
    struct err *e)
{
	char **name = NULL;
	size_t cap = 0;
	struct dirent *d;
	DIR *dir;
	int fd;

	*n = 0;
	fd = file_dir(at, path, e);
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return err_errno(e, "cannot read directory '%s'", path);
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		if (*n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			name = arena_grow(a, name, *n, cap, sizeof(*name));
		}
		name[(*n)++] = arena_str(a, d->d_name);
	}
	closedir(dir);
	if (*n > 1)
		qsort(name, *n, sizeof(*name), name_cmp);
	*out = name;
	return 0;
}

/* file_self - the directory of the running program */
static const char *
file_self(struct arena *a)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0)
		msg_fatal(70, "cannot read /proc/self/exe: %s",
		    strerror(errno));
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	return arena_str(a, exe);
}

const char *
file_worker(struct arena *a)
{
	const char *self = file_self(a), *path;

	path = arena_printf(a, "%s/quern-worker", self);
	if (access(path, X_OK) == 0)
		return path;
	return arena_printf(a, "%s/" BIN_TO_LIBEXEC "/quern-worker", self);
}

const char *
file_library(struct arena *a)
{
	const char *self = file_self(a), *path;

	path = arena_printf(a, "%s/libquern.so", self);
	if (access(path, R_OK) == 0)
		return self;
	return arena_printf(a, "%s/" LIBEXEC_TO_LIB, self);
}
