/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - preloaded into daemon and workers: counts each rename, fsync, syncfs
 * and unlink of all processes together in one mapped file, and at the chosen
 * point kills the caller before or after the call, or lets the call fail.
 *
 * QUERN_FAULT=FILE:POINT:WHAT, WHAT one of before after ENOSPC EIO EINTR; point
 * 0 only counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic long *points, none;
static long chosen;
static enum { BEFORE, AFTER, FAIL } what;
static int fail_errno;

__attribute__((constructor)) static void
fault_open(void)
{
	char file[4096], word[16];
	const char *s = getenv("QUERN_FAULT");
	int fd;

	points = &none;
	if (s == NULL ||
	    sscanf(s, "%4095[^:]:%ld:%15s", file, &chosen, word) != 3)
		return;
	what = strcmp(word, "before") == 0 ? BEFORE :
	    strcmp(word, "after") == 0 ? AFTER : FAIL;
	fail_errno = strcmp(word, "ENOSPC") == 0 ? ENOSPC :
	    strcmp(word, "EIO") == 0 ? EIO : EINTR;
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1 || ftruncate(fd, 4096) == -1)
		_exit(98);
	points = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (points == MAP_FAILED)
		_exit(98);
}

/* fault_at - 1: the call is to fail */
static int
fault_at(long *point)
{
	*point = atomic_fetch_add(points, 1) + 1;
	if (*point != chosen)
		return 0;
	if (what == BEFORE)
		kill(getpid(), SIGKILL);
	errno = fail_errno;
	return what == FAIL;
}

static void
fault_after(long point)
{
	if (point == chosen && what == AFTER)
		kill(getpid(), SIGKILL);
}

#define WRAP(name, params, args)					\
int name params								\
{									\
	static int (*real) params;					\
	long point;							\
	int rc;								\
									\
	if (real == NULL)						\
		*(void **)&real = dlsym(RTLD_NEXT, #name);		\
	if (fault_at(&point))						\
		return -1;						\
	rc = real args;							\
	fault_after(point);						\
	return rc;							\
}

WRAP(rename, (const char *a, const char *b), (a, b))
WRAP(renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(fsync, (int fd), (fd))
WRAP(fdatasync, (int fd), (fd))
WRAP(syncfs, (int fd), (fd))
WRAP(unlink, (const char *a), (a))
WRAP(unlinkat, (int a, const char *b, int c), (a, b, c))
