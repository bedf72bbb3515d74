/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

#include <sys/types.h>

/*
 * file.h - files below a directory descriptor, and what durability needs.
 *
 * Interrupted calls are resumed.  A failed fsync ends the process with 75: the
 * kernel may have dropped the pages, so to try again would lie.
 */

/* file_dir - open a directory, not through a link; -1 and err */
int file_dir(int at, const char *path, struct err *);

/* file_mkdirs - make a directory and those above it; an existing one is fine */
int file_mkdirs(const char *path, mode_t, struct err *);

/* file_read - a whole regular file of at most max bytes, NUL added */
int file_read(struct arena *, int at, const char *path, size_t max,
    struct view *, struct err *);

/* file_get - bytes from a descriptor until n or the end; how many, or -1 */
ssize_t file_get(int fd, void *, size_t n);

/* file_put - all n bytes; -1 with errno */
int file_put(int fd, const void *, size_t n);

/*
 * file_replace - make or replace a file through a temporary and a rename, so
 * that readers see the old or the new one; sync flushes it before the rename
 */
int file_replace(int at, const char *path, struct view, mode_t, bool sync,
    struct err *);

/* file_sync - fsync or the end of the process; name is for the message */
void file_sync(int fd, const char *name);

/* file_rename - between or within directories */
int file_rename(int from, const char *, int to, const char *, struct err *);

/* file_remove - a file or a directory and all below it; absent is fine */
int file_remove(int at, const char *path, struct err *);

/* file_usage - bytes in the regular files below a directory */
int64_t file_usage(int at, const char *path);

/* file_lock - flock without waiting; 0 held, -1 someone else has it */
int file_lock(int fd);

/* file_exists - is there something of that name (links are not followed) */
bool file_exists(int at, const char *path);

/* file_list - names in a directory, bytewise sorted, without dot-files */
int file_list(struct arena *, int at, const char *path, char ***, size_t *n,
    struct err *);

/*
 * file_worker - the quern-worker that belongs to the running program: beside
 * it in a build tree, else in libexec; file_library - where our .so files are
 */
const char *file_worker(struct arena *);
const char *file_library(struct arena *);

#endif
