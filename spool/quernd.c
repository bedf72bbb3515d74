/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quernd - watches the spool, starts a worker per ready pipeline, turns exit
 * status into renames.  See quernd(8).
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/admit.h"
#include "spool/cgroup.h"
#include "spool/child.h"
#include "spool/drop.h"
#include "spool/notify.h"
#include "spool/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_SECONDS	0.05		/* between two flushes, at least */

struct quernd {
	struct sched s;
	char conf_path[PATH_MAX];
	bool once, background, print;
	int signals, watch, incoming;	/* incoming: its watch descriptor */
	double rescan, watched, pruned, stop_asked, barked, flushed;
	size_t later;			/* drops left for a rescan */
};

/* quernd_user - root becomes the user that quern.conf names */
static void
quernd_user(const struct conf *c)
{
	struct passwd *pw;

	if (geteuid() != 0 || getenv("QUERN_ROOT") != NULL)
		return;
	pw = getpwnam(c->user);
	if (pw == NULL)
		msg_fatal(78, "no user '%s': make it (sysusers.d/quern.conf) "
		    "or name another in quern.conf", c->user);
	if (initgroups(pw->pw_name, pw->pw_gid) == -1 ||
	    setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1)
		msg_fatal(77, "cannot become '%s': %s", c->user,
		    strerror(errno));
}

/* quernd_lock - one quernd per spool; the lock goes with the process */
static void
quernd_lock(struct quernd *q)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char pid[16];
	int fd;

	fd = openat(q->s.spool.root, "quernd.lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		msg_fatal(73, "cannot open '%s/quernd.lock': %s",
		    q->s.spool.path, strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &l) == -1)
		msg_fatal(75, "another quernd works on '%s'", q->s.spool.path);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == -1 || file_put(fd, pid, strlen(pid)) == -1)
		msg_warn("cannot note the pid: %s", strerror(errno));
}

/* quernd_signals - they arrive through a descriptor */
static void
quernd_signals(struct quernd *q)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	q->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (q->signals == -1)
		msg_fatal(71, "signalfd: %s", strerror(errno));
}

/* quernd_watch - inotify is only a hint: without it, rescans do the work */
static void
quernd_watch(struct quernd *q)
{
	char path[PATH_MAX];

	q->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (q->watch == -1) {
		msg_warn("inotify: %s; looking every 2 s", strerror(errno));
		return;
	}
	snprintf(path, sizeof(path), "%s/incoming", q->s.spool.path);
	q->incoming = inotify_add_watch(q->watch, path,
	    IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
	inotify_add_watch(q->watch, q->s.spool.path,
	    IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR);
}

/* gpu_set - "0,2" to a bit set */
static uint64_t
gpu_set(const char *s)
{
	uint64_t set = 0;
	char *end;
	unsigned long i;

	if (s == NULL || strcmp(s, "none") == 0)
		return 0;
	for (; *s != '\0'; s = *end == ',' ? end + 1 : end) {
		i = strtoul(s, &end, 10);
		if (end == s || i > 63)
			msg_fatal(78, "gpus = '%s' is not none or numbers "
			    "from 0 to 63 with commas", s);
		set |= (uint64_t)1 << i;
	}
	return set;
}

/* quernd_conf - read quern.conf; HUP keeps the old one if the new is wrong */
static void
quernd_conf(struct quernd *q, bool again)
{
	struct conf c;
	struct err e;
	uint64_t gpus;

	if (conf_load(&c, q->s.arena, NULL, &e) == -1) {
		if (!again)
			msg_fatal(78, "%s", e.text);
		msg_error("%s; the old configuration stays", e.text);
		return;
	}
	if (again && (strcmp(c.spool, q->s.conf.spool) != 0 ||
	    strcmp(c.store, q->s.conf.store) != 0)) {
		msg_error("spool and store cannot move while quernd runs");
		c.spool = q->s.conf.spool;
		c.store = q->s.conf.store;
	}
	gpus = gpu_set(c.gpus);
	q->s.cores_free += conf_threads(&c) - q->s.cores;
	q->s.cores = conf_threads(&c);
	q->s.gpus_free = (q->s.gpus_free & gpus) | (gpus & ~q->s.gpus);
	q->s.gpus = gpus;
	q->s.conf = c;
}

/* quernd_signal - what has arrived */
static void
quernd_signal(struct quernd *q)
{
	struct signalfd_siginfo si;

	while (read(q->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGHUP:
			notify_send("RELOADING=1");
			quernd_conf(q, true);
			if (q->background)
				msg_syslog();
			notify_send("READY=1");
			msg_info("configuration read again");
			break;
		case SIGTERM:
		case SIGINT:
			if (!q->s.stopping) {
				notify_send("STOPPING=1");
				msg_info("stopping; %d pipelines go back to "
				    "their last mark", q->s.running);
				q->s.stopping = true;
				q->stop_asked = when_mono();
				child_stop(&q->s, NULL);
			}
			break;
		default:
			break;
		}
	}
}

/* quernd_events - names that inotify tells; an overflow means a rescan */
static void
quernd_events(struct quernd *q)
{
	_Alignas(struct inotify_event) char buf[16384];
	const struct inotify_event *ev;
	ssize_t n;

	while (q->watch != -1 && (n = read(q->watch, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n; p += sizeof(*ev) + ev->len) {
			ev = (const struct inotify_event *)(void *)p;
			if ((ev->mask & IN_Q_OVERFLOW) || ev->len == 0)
				q->rescan = 0;
			else if (ev->wd == q->incoming && !q->s.stopping)
				q->later += drop_scan(&q->s, ev->name);
		}
	}
	q->s.draining = file_exists(q->s.spool.root, "drain");
}

/*
 * quernd_flush - one flush for all that a busy moment has promised: a flush
 * takes milliseconds, in which nothing is started.  Nobody waits for it: a drop
 * is its own promise until it is unlinked.
 */
static void
quernd_flush(struct quernd *q)
{
	double now = when_mono();

	if (q->s.dirty && now - q->flushed >= FLUSH_SECONDS) {
		q->flushed = now;
		q->s.dirty = false;
		spool_flush(&q->s.spool);
	}
	if (!q->s.dirty && q->s.ndrops > 0)
		drop_landed(&q->s);
}

/* quernd_round - one wake-up: take in, decide, flush once, start */
static void
quernd_round(struct quernd *q)
{
	double now = when_mono();
	size_t before = q->s.ndrops;

	quernd_signal(q);
	child_reap(&q->s);
	quernd_events(q);
	if ((q->later > 0 || q->s.look) && q->rescan > now + 1)
		q->rescan = now + 1;
	q->s.look = false;
	if (!q->s.stopping && (now >= q->rescan || (q->later > 0 &&
	    q->s.ndrops < before))) {
		q->later = drop_scan(&q->s, NULL);
		q->rescan = now + (q->later > 0 || q->watch == -1 ? 1 : 30);
	}
	admit_start(&q->s);
	if (q->s.children != NULL && now - q->watched >= 1) {
		q->watched = now;
		child_watch(&q->s);
	}
	sched_clock(&q->s);
	sched_start(&q->s);
	quernd_flush(q);
	if (now - q->pruned >= 3600) {
		q->pruned = now;
		sched_prune(&q->s);
	}
}

/* quernd_patience - how long to sleep, in ms */
static int
quernd_patience(const struct quernd *q)
{
	double now = when_mono(), wait = sched_wake(&q->s);
	double bark = notify_interval();

	if (wait > q->rescan - now)
		wait = q->rescan - now;
	if (bark > 0 && wait > bark)
		wait = bark;
	if (q->s.dirty && wait > FLUSH_SECONDS)
		wait = FLUSH_SECONDS;
	if (q->s.ndrops > 0 && wait > 1)
		wait = 1;
	if (q->once && wait > 0.2 && (q->later > 0 || q->s.ndrops > 0))
		wait = 0.2;
	if (wait < 0)
		wait = 0;
	return (int)(wait * 1000) + 1;
}

/* quernd_over - is there nothing left to do, ever or for --once */
static bool
quernd_over(struct quernd *q)
{
	if (q->s.stopping) {
		if (q->s.running > 0 &&
		    when_mono() - q->stop_asked <
		    (double)q->s.conf.grace + 5)
			return false;
		return true;
	}
	if (!q->once || q->s.dirty || q->s.ndrops > 0 || !sched_idle(&q->s))
		return false;
	q->later = drop_scan(&q->s, NULL);
	return q->later == 0 && !q->s.look && q->s.ndrops == 0 &&
	    sched_idle(&q->s);
}

/* quernd_loop - until a signal or, with --once, until nothing is left */
static void
quernd_loop(struct quernd *q)
{
	struct pollfd fds[2];
	double bark = notify_interval();
	char status[64];

	notify_send("READY=1");
	while (quernd_round(q), !quernd_over(q)) {
		if (bark > 0 && when_mono() - q->barked >= bark) {
			q->barked = when_mono();
			snprintf(status, sizeof(status),
			    "WATCHDOG=1\nSTATUS=%zu jobs, %d running", q->s.n,
			    q->s.running);
			notify_send(status);
		}
		fds[0] = (struct pollfd){ .fd = q->signals, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = q->watch, .events = POLLIN };
		if (poll(fds, 2, quernd_patience(q)) == -1 && errno != EINTR)
			msg_fatal(71, "poll: %s", strerror(errno));
	}
	spool_flush(&q->s.spool);
	drop_landed(&q->s);
}

/* quernd_background - away from the terminal; messages go to syslog */
static void
quernd_background(void)
{
	pid_t pid = fork();

	if (pid == -1)
		msg_fatal(71, "cannot fork: %s", strerror(errno));
	if (pid > 0)
		_exit(0);
	if (setsid() == -1 || chdir("/") == -1 ||
	    freopen("/dev/null", "r", stdin) == NULL ||
	    freopen("/dev/null", "w", stdout) == NULL ||
	    freopen("/dev/null", "w", stderr) == NULL)
		msg_fatal(71, "cannot go to the background: %s",
		    strerror(errno));
	msg_syslog();
}

/* quernd_cgroup - memory limits are the kernel's if our group was delegated */
static void
quernd_cgroup(struct quernd *q)
{
	struct err e;

	q->s.cgroup = cgroup_find();
	if (q->s.cgroup == -1)
		return;
	if (cgroup_take(q->s.cgroup, &e) == 0) {
		msg_info("memory limits are kept by cgroup v2");
		return;
	}
	msg_warn("%s; memory is watched instead", e.text);
	close(q->s.cgroup);
	q->s.cgroup = -1;
}

/* quernd_usage - to out, and end */
static _Noreturn void
quernd_usage(FILE *out, int status)
{
	fputs("usage: quernd [-dTv] [-c quern.conf] [--once]\n"
	    "  -c FILE   configuration (default " CONFDIR "/quern.conf)\n"
	    "  -d        go to the background, messages to syslog\n"
	    "  -T        print the effective configuration and end\n"
	    "  -v        say more\n"
	    "  --once    work until nothing is left to do, then end\n"
	    "See quernd(8).\n", out);
	exit(status);
}

/* quernd_args - the command line */
static void
quernd_args(struct quernd *q, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "once", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:dTv", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (realpath(optarg, q->conf_path) == NULL)
				msg_fatal(66, "no file '%s'", optarg);
			setenv("QUERN_CONF", q->conf_path, 1);
			break;
		case 'd':
			q->background = true;
			break;
		case 'T':
			q->print = true;
			break;
		case 'v':
			msg_level(MSG_DEBUG);
			break;
		case 'o':
			q->once = true;
			break;
		case 'h':
			quernd_usage(stdout, 0);
		case 'V':
			puts("quernd " PACKAGE_VERSION);
			exit(0);
		default:
			quernd_usage(stderr, 64);
		}
	}
	if (optind != argc)
		quernd_usage(stderr, 64);
}

/* quernd_print - quernd -T */
static void
quernd_print(const struct quernd *q)
{
	struct buf *b = buf_new(q->s.arena, WORDS_MAX);

	conf_print(&q->s.conf, b);
	fputs(buf_cstr(b), stdout);
	exit(fflush(stdout) == 0 ? 0 : 74);
}

int
main(int argc, char **argv)
{
	struct quernd q = { .watch = -1, .signals = -1 };
	struct err e;

	msg_open("quernd", MSG_INFO);
	quernd_args(&q, argc, argv);
	q.s.arena = arena_new();
	q.s.worker = secure_getenv("QUERN_WORKER");
	if (q.s.worker == NULL)
		q.s.worker = file_worker(q.s.arena);
	quernd_conf(&q, false);
	if (q.print)
		quernd_print(&q);
	umask(0027);
	quernd_user(&q.s.conf);
	if (spool_open(&q.s.spool, q.s.arena, &q.s.conf, true, &e) == -1 ||
	    file_mkdirs(q.s.conf.store, 0750, &e) == -1)
		msg_fatal(fate_exit(e.fate), "%s", e.text);
	if (q.background)
		quernd_background();
	quernd_lock(&q);
	quernd_signals(&q);
	quernd_watch(&q);
	quernd_cgroup(&q);
	q.s.started = time(NULL);
	if (admit_init(&q.s, &e) == -1 || sched_load(&q.s, &e) == -1)
		msg_fatal(fate_exit(e.fate), "%s", e.text);
	if (q.s.n > 0)
		msg_info("%zu jobs found in the spool", q.s.n);
	quernd_loop(&q);
	msg_info("ended");
	return 0;
}
