/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_DEPTH	64
#define FILES_MAX	((size_t)1 << 30)	/* bytes of the kept list */

/* files_add - one regular file */
static void
files_add(struct files *f, struct arena *a, const char *path,
    const struct stat *st)
{
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 64 : f->cap * 2;
		f->file = arena_grow(a, f->file, f->n, f->cap,
		    sizeof(*f->file));
	}
	f->file[f->n++] = (struct source_file){ arena_str(a, path),
	    st->st_size, (int64_t)st->st_mtim.tv_sec * 1000000000 +
	    st->st_mtim.tv_nsec, st->st_ino };
	f->bytes += st->st_size;
}

void
files_add_stdin(struct files *f, struct arena *a)
{
	struct stat st = { .st_size = 0 };

	files_add(f, a, "-", &st);
}

/* files_walk - everything below a directory; links are counted, not followed */
static int
files_walk(struct files *f, struct arena *a, const char *dir, int depth,
    struct err *e)
{
	struct stat st;
	char **name;
	size_t n;

	if (depth == FILES_DEPTH)
		return err_set(e, FATE_REJECT, "'%s' is nested too deeply",
		    dir);
	if (file_list(a, AT_FDCWD, dir, &name, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(a, "%s%s%s", dir,
		    dir[strlen(dir) - 1] == '/' ? "" : "/", name[i]);

		if (lstat(path, &st) == -1)
			continue;
		if (S_ISLNK(st.st_mode))
			f->links++;
		else if (S_ISREG(st.st_mode))
			files_add(f, a, path, &st);
		else if (S_ISDIR(st.st_mode) &&
		    files_walk(f, a, path, depth + 1, e) == -1)
			return -1;
	}
	return 0;
}

/* files_path - a file or a directory that was named */
static int
files_path(struct files *f, struct arena *a, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return err_errno(e, "cannot read '%s'", path);
	if (S_ISDIR(st.st_mode))
		return files_walk(f, a, path, 0, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, FATE_REJECT, "'%s' is neither a file nor a "
		    "directory", path);
	files_add(f, a, path, &st);
	return 0;
}

/* files_glob - what a pattern matches */
static int
files_glob(struct files *f, struct arena *a, const char *pattern,
    struct err *e)
{
	glob_t g;
	int rc = glob(pattern, GLOB_NOSORT, NULL, &g);

	if (rc == GLOB_NOMATCH)
		return err_set(e, FATE_NOINPUT, "nothing matches '%s'",
		    pattern);
	if (rc != 0)
		return err_set(e, FATE_RETRY, "cannot expand '%s'", pattern);
	for (size_t i = 0; rc == 0 && i < g.gl_pathc; i++)
		rc = files_path(f, a, g.gl_pathv[i], e);
	globfree(&g);
	return rc;
}

/* file_cmp - qsort's order: bytewise by path */
static int
file_cmp(const void *a, const void *b)
{
	return strcmp(((const struct source_file *)a)->path,
	    ((const struct source_file *)b)->path);
}

int
files_find(struct files *f, struct arena *a, const struct opt_list *paths,
    struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < paths->n; i++) {
		const char *p = paths->v[i];

		if (strpbrk(p, "*?[") != NULL && !file_exists(AT_FDCWD, p)) {
			if (files_glob(f, a, p, e) == -1)
				return -1;
		} else if (files_path(f, a, p, e) == -1)
			return -1;
	}
	if (f->n > 1)
		qsort(f->file, f->n, sizeof(*f->file), file_cmp);
	for (size_t i = 0; i < f->n; i++)
		if (n == 0 || strcmp(f->file[n - 1].path, f->file[i].path) != 0)
			f->file[n++] = f->file[i];
	f->n = n;
	return 0;
}

int
files_save(const struct files *f, int dir, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, FILES_MAX);
	for (size_t i = 0; i < f->n; i++) {
		const struct source_file *s = &f->file[i];

		buf_printf(&b, "%lld %lld %llu", (long long)s->size,
		    (long long)s->mtime, (unsigned long long)s->ino);
		buf_add(&b, " ", 1);
		buf_str(&b, s->path);
		buf_char(&b, '\0');
	}
	rc = b.full ? err_set(e, FATE_REJECT, "too many files") :
	    file_replace(dir, "files", buf_get(&b), 0640, true, e);
	buf_free(&b);
	return rc;
}

int
files_load(struct files *f, struct arena *a, int dir, struct err *e)
{
	struct view text;
	const char *p, *end;

	if (file_read(a, dir, "files", FILES_MAX, &text, e) == -1)
		return -1;
	for (p = text.p, end = p + text.n; p < end; p += strlen(p) + 1) {
		struct stat st = { .st_size = 0 };
		long long size, ns;
		unsigned long long ino;
		int n = 0;

		if (sscanf(p, "%lld %lld %llu %n", &size, &ns, &ino, &n) != 3 ||
		    n == 0)
			return err_set(e, FATE_REJECT, "the list of files is "
			    "damaged; use quern rerun --from");
		st.st_size = size;
		st.st_mtim.tv_sec = ns / 1000000000;
		st.st_mtim.tv_nsec = ns % 1000000000;
		st.st_ino = ino;
		files_add(f, a, p + n, &st);
	}
	return 0;
}

bool
files_same(const struct source_file *f, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == f->size &&
	    st.st_ino == f->ino && (int64_t)st.st_mtim.tv_sec * 1000000000 +
	    st.st_mtim.tv_nsec == f->mtime;
}

int
files_open(const struct source_file *f, struct err *e)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return err_errno(e, "cannot open '%s'", f->path);
	if (!files_same(f, fd)) {
		close(fd);
		return err_set(e, FATE_REJECT, "'%s' has changed since the "
		    "pipeline began", f->path);
	}
	return fd;
}
