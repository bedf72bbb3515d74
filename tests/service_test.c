/* SPDX-License-Identifier: Apache-2.0 */
/* service_test - what a service manager sees: what is written where, in a
 * directory that looks like a control group of the kernel's; and the datagrams
 * that quernd sends, to a socket of ours */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/base/when.h"
#include "spool/cgroup.h"
#include "spool/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;

/* has - does a file below the group say this */
static bool
has(int dir, const char *path, const char *text)
{
	struct view v;
	struct err e;

	return file_read(arena, dir, path, 4096, &v, &e) == 0 &&
	    view_is(v, text);
}

static void
put(int dir, const char *path, const char *text)
{
	struct err e;

	if (file_replace(dir, path, view_of(text), 0644, false, &e) == -1)
		tap(false, "%s", e.text);
}

static void
test_group(int dir)
{
	char pid[24];
	struct err e;
	int fd;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	tap(cgroup_take(dir, &e) == 0, "taken");
	tap(has(dir, "quernd/cgroup.procs", pid), "we moved below it");
	tap(has(dir, "cgroup.subtree_control", "+memory"),
	    "the controller is handed on");
	fd = cgroup_make(dir, "job.pipe", 123456789, &e);
	tap(fd != -1, "a group for a worker");
	tap(has(fd, "memory.max", "123456789"), "with its limit");
	tap(has(fd, "memory.swap.max", "0"), "and no swap beyond it");
	tap(has(fd, "memory.oom.group", "1"), "in which all are killed");
	tap(cgroup_join(fd) == 0 && has(fd, "cgroup.procs", "0"),
	    "a child joins it");
	tap(!cgroup_killed(dir, "job.pipe"), "nobody was killed");
	put(fd, "memory.events", "low 0\noom 3\noom_kill 0\n");
	tap(!cgroup_killed(dir, "job.pipe"), "nobody was killed yet");
	put(fd, "memory.events", "low 0\noom 3\noom_kill 2\n");
	tap(cgroup_killed(dir, "job.pipe"), "the kernel killed for memory");
	tap(!cgroup_killed(dir, "other"), "not in another");
	close(fd);
	mkdirat(dir, "empty", 0755);
	cgroup_remove(dir, "empty");
	tap(!file_exists(dir, "empty"), "an empty group goes");
	tap(cgroup_make(-1, "x/y/z", 1, &e) == -1, "and a bad one is told");
}

/* listen_at - a socket of ours that NOTIFY_SOCKET names */
static int
listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", path);
	if (s == -1 || bind(s, (struct sockaddr *)&a, sizeof(a)) == -1)
		return -1;
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	return s;
}

/* hears - does a datagram that begins with this line come within ten seconds,
 * whatever comes before */
static bool
hears(int s, const char *want)
{
	struct pollfd p = { .fd = s, .events = POLLIN };
	double end = when_mono() + 10;
	char got[128];
	ssize_t n;

	while (when_mono() < end && poll(&p, 1, 1000) >= 0) {
		n = recv(s, got, sizeof(got) - 1, 0);
		if (n < 0)
			continue;
		got[n] = '\0';
		got[strcspn(got, "\n")] = '\0';
		if (strcmp(got, want) == 0)
			return true;
	}
	return false;
}

static void
test_notify(const char *path)
{
	char got[64] = "";
	int s = listen_at(path);

	tap(s != -1, "somebody listens");
	notify_send("READY=1");
	tap(recv(s, got, sizeof(got) - 1, 0) == 7 && strcmp(got,
	    "READY=1") == 0, "one datagram: %s", got);
	unsetenv("WATCHDOG_USEC");
	tap(notify_interval() == 0, "no watchdog");
	setenv("WATCHDOG_USEC", "600000", 1);
	tap(notify_interval() > 0 && notify_interval() <= 0.3,
	    "half of what the watchdog waits, or less");
	close(s);
}

/* test_daemon - quernd from its start to its end */
static void
test_daemon(const char *path)
{
	const char *bin = getenv("QUERN_BIN");
	char *program = arena_printf(arena, "%s/quernd", bin == NULL ? "." :
	    bin);
	char *root = arena_printf(arena, "%s/q", path);
	char *socket_at = arena_printf(arena, "%s/notify", path);
	int s, status = -1;
	pid_t pid;

	unlink(socket_at);
	s = listen_at(path);
	mkdir(root, 0755);
	setenv("QUERN_ROOT", root, 1);
	pid = fork();
	if (pid == 0) {
		execl(program, "quernd", (char *)NULL);
		_exit(127);
	}
	tap(pid > 0 && hears(s, "READY=1"), "quernd says when it is ready");
	tap(hears(s, "WATCHDOG=1") && hears(s, "WATCHDOG=1"),
	    "and again and again that it lives");
	kill(pid, SIGHUP);
	tap(hears(s, "RELOADING=1") && hears(s, "READY=1"),
	    "when it reads its configuration");
	kill(pid, SIGTERM);
	tap(hears(s, "STOPPING=1"), "and when it stops");
	tap(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0, "which it does");
	close(s);
}

int
main(void)
{
	const char *path = tap_dir();
	struct err e;
	int dir;

	arena = arena_new();
	if ((dir = file_dir(AT_FDCWD, path, &e)) == -1)
		return 1;
	test_group(dir);
	test_notify(path);
	test_daemon(path);
	arena_free(arena);
	file_remove(AT_FDCWD, path, &e);
	return tap_done();
}
