/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "spool/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEXT	4096

/* group_read - a small file of the kernel's, as a string */
static int
group_read(int at, const char *name, char text[TEXT])
{
	int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = file_get(fd, text, TEXT - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -1 : 0;
}

static int
group_write(int at, const char *name, const char *text)
{
	int fd = openat(at, name, O_WRONLY | O_CLOEXEC | O_CREAT, 0644), rc;

	if (fd == -1)
		return -1;
	rc = file_put(fd, text, strlen(text));
	close(fd);
	return rc;
}

/* group_has - is a word in a list of words */
static bool
group_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && strchr(" \n", p[n]) != NULL)
			return true;
	return false;
}

int
cgroup_find(void)
{
	static const char *const mount[] = { "/sys/fs/cgroup",
	    "/sys/fs/cgroup/unified" };
	char text[TEXT], path[TEXT + 64], mark[8];
	const char *own;
	ssize_t n;
	int fd;

	if (group_read(AT_FDCWD, "/proc/self/cgroup", text) == -1 ||
	    (own = strstr(text, "0::/")) == NULL)
		return -1;
	own += 3;
	for (size_t i = 0; i < BASE_COUNT(mount); i++) {
		snprintf(path, sizeof(path), "%s%.*s", mount[i],
		    (int)strcspn(own, "\n"), own);
		n = getxattr(path, "user.delegate", mark, sizeof(mark));
		if (n != 1 || mark[0] != '1')
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd != -1 && group_read(fd, "cgroup.controllers",
		    text) == 0 && group_has(text, "memory"))
			return fd;
		if (fd != -1)
			close(fd);
	}
	return -1;
}

int
cgroup_take(int group, struct err *e)
{
	char pid[24];
	int own;

	if (mkdirat(group, "quernd", 0755) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make a group for quernd");
	own = openat(group, "quernd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own == -1)
		return err_errno(e, "cannot open the group of quernd");
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (group_write(own, "cgroup.procs", pid) == -1) {
		close(own);
		return err_errno(e, "cannot move to the group of quernd");
	}
	close(own);
	if (group_write(group, "cgroup.subtree_control", "+memory") == -1)
		return err_errno(e, "cannot hand the memory controller on");
	return 0;
}

int
cgroup_make(int group, const char *name, int64_t memory, struct err *e)
{
	char text[24];
	int fd;

	if (mkdirat(group, name, 0755) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make the group '%s'", name);
	fd = openat(group, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_errno(e, "cannot open the group '%s'", name);
	snprintf(text, sizeof(text), "%lld", (long long)memory);
	if (group_write(fd, "memory.max", text) == -1) {
		close(fd);
		return err_errno(e, "cannot limit the group '%s'", name);
	}
	/* without swap in the kernel there is no such file */
	(void)group_write(fd, "memory.swap.max", "0");
	(void)group_write(fd, "memory.oom.group", "1");
	return fd;
}

int
cgroup_join(int worker)
{
	/* 0 is the process that writes */
	return group_write(worker, "cgroup.procs", "0");
}

bool
cgroup_killed(int group, const char *name)
{
	char text[TEXT], path[NAME_MAX + 32];
	const char *p;

	snprintf(path, sizeof(path), "%s/memory.events", name);
	if (group_read(group, path, text) == -1)
		return false;
	p = strstr(text, "\noom_kill ");
	return p != NULL && strtol(p + 10, NULL, 10) > 0;
}

void
cgroup_remove(int group, const char *name)
{
	(void)unlinkat(group, name, AT_REMOVEDIR);
}
