/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory this process could still have: the machine's, its control
 * group's and those above it (cgroup v2, or v1's memory controller), and what
 * RLIMIT_DATA leaves.  A group's file cache that is not in use counts as free,
 * as the kernel gives it back first.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/engine/slab.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define TEXT	8192

/* text_of - a small file of the kernel's; empty if it is not there */
static const char *
text_of(const char *path, char text[TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : file_get(fd, text, TEXT - 1);

	if (fd != -1)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* number_after - the number behind a word that begins a line, or `none` */
static size_t
number_after(const char *text, const char *word, size_t none)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += n)
		if (p == text || p[-1] == '\n')
			return (size_t)strtoull(p + n, NULL, 10);
	return none;
}

/* group_left - of one group's directory; SIZE_MAX: it has no limit */
static size_t
group_left(const char *dir, const char *limit, const char *used,
    const char *cache)
{
	char path[512], text[TEXT];
	size_t most, now, free;

	snprintf(path, sizeof(path), "%s/%s", dir, limit);
	if (*text_of(path, text) < '0' || *text > '9')
		return SIZE_MAX;	/* "max", or no such file */
	most = (size_t)strtoull(text, NULL, 10);
	snprintf(path, sizeof(path), "%s/%s", dir, used);
	now = (size_t)strtoull(text_of(path, text), NULL, 10);
	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	free = number_after(text_of(path, text), cache, 0);
	now -= free < now ? free : now;
	return most > now ? most - now : 0;
}

/* groups_left - the least of a group and those above it */
static size_t
groups_left(const char *root, const char *path, const char *limit,
    const char *used, const char *cache)
{
	char dir[512];
	size_t least = SIZE_MAX, left, n = strlen(root);
	char *slash;

	snprintf(dir, sizeof(dir), "%s%.*s", root, (int)strcspn(path, "\n"),
	    path);
	do {
		left = group_left(dir, limit, used, cache);
		least = left < least ? left : least;
		slash = strrchr(dir, '/');
		if (slash != NULL)
			*slash = '\0';
	} while (slash != NULL && strlen(dir) >= n);
	return least;
}

static size_t
cgroup_left(void)
{
	char text[TEXT];
	const char *v2, *v1;
	size_t a = SIZE_MAX, b = SIZE_MAX;

	text_of("/proc/self/cgroup", text);
	v2 = strstr(text, "0::");
	if (v2 != NULL && (v2 == text || v2[-1] == '\n'))
		a = groups_left("/sys/fs/cgroup", v2 + 3, "memory.max",
		    "memory.current", "inactive_file ");
	v1 = strstr(text, ":memory:");
	if (v1 != NULL)
		b = groups_left("/sys/fs/cgroup/memory", v1 + 8,
		    "memory.limit_in_bytes", "memory.usage_in_bytes",
		    "total_inactive_file ");
	return a < b ? a : b;
}

static size_t
rlimit_left(void)
{
	char text[TEXT];
	struct rlimit r;
	size_t now;

	if (getrlimit(RLIMIT_DATA, &r) == -1 || r.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	now = number_after(text_of("/proc/self/status", text), "VmData:", 0) *
	    1024;
	return r.rlim_cur > now ? (size_t)r.rlim_cur - now : 0;
}

size_t
slab_left(const struct slab *s, const char **where)
{
	char text[TEXT];
	size_t left, other;

	*where = "on the device";
	if (strcmp(s->device->k->name, "cuda") == 0)
		return SIZE_MAX;
	*where = "on this machine";
	left = number_after(text_of("/proc/meminfo", text), "MemAvailable:",
	    SIZE_MAX / 1024) * 1024;
	other = cgroup_left();
	if (other < left) {
		*where = "in its control group";
		left = other;
	}
	other = rlimit_left();
	if (other < left) {
		*where = "below its limit of data";
		left = other;
	}
	return left;
}
