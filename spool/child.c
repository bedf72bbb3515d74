/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/admit.h"
#include "spool/cgroup.h"
#include "spool/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP_NAME	(ID_LEN + NAME_MAX_LEN + 2)

struct child *
child_new(struct sched *s, enum child_kind kind)
{
	struct child *c = mem_alloc(sizeof(*c));

	c->kind = kind;
	c->started = when_mono();
	c->next = s->children;
	s->children = c;
	return c;
}

/* child_drop - out of the list, and its leases back */
static void
child_drop(struct sched *s, struct child *c)
{
	struct child **p = &s->children;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	if (c->kind == CHILD_PIPE) {
		s->running--;
		s->cores_free += c->cores;
		s->gpus_free |= c->gpus;
		c->pipe->child = NULL;
	}
	for (size_t i = 0; i < c->nids; i++)
		mem_free(c->id[i]);
	mem_free(c);
}

/*
 * child_exec - in the child: own group, default signals, limits, the log as
 * stderr, and away; keep is a descriptor that survives, or -1
 */
static void
child_exec(char *const *argv, int log, int keep, int group,
    const struct pipe *p)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (log != -1) {
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
	if (keep != -1)
		fcntl(keep, F_SETFD, 0);
	if (group != -1 && cgroup_join(group) == 0)
		p = NULL;		/* the kernel keeps its limit */
#ifndef __SANITIZE_ADDRESS__
	if (p != NULL && p->memory > 0) {
		/* behind the watched limit, for what grows within a second */
		rlim_t most = (rlim_t)p->memory + (rlim_t)p->memory / 4 +
		    ((rlim_t)64 << 20);
		struct rlimit r = { most, most };

		setrlimit(RLIMIT_DATA, &r);
	}
#else
	(void)p;
#endif
	execv(argv[0], argv);
	msg_error("cannot execute '%s': %s", argv[0], strerror(errno));
	_exit(75);
}

/* child_fork - fork and execute; the parent sets the group too, to be sure */
static pid_t
child_fork(char *const *argv, int log, int keep, int group,
    const struct pipe *p, struct err *e)
{
	pid_t pid = fork();

	if (pid == -1)
		return err_errno(e, "cannot fork");
	if (pid == 0)
		child_exec(argv, log, keep, group, p);
	setpgid(pid, pid);
	return pid;
}

/* gpu_words - device numbers as "0,1" */
static const char *
gpu_words(uint64_t set, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (int i = 0; i < 64; i++)
		if (set & (uint64_t)1 << i)
			n += (size_t)snprintf(out + n, size - n, "%s%d",
			    n == 0 ? "" : ",", i);
	return out;
}

int
child_lock(int dir, const struct pipe *p, struct err *e)
{
	char name[NAME_MAX_LEN + 8];
	int fd;

	snprintf(name, sizeof(name), "lock.%s", p->name);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return err_errno(e, "cannot open '%s'", name);
	if (file_lock(fd) == -1) {
		close(fd);
		return err_set(e, FATE_RETRY, "'%s' is locked", name);
	}
	return fd;
}

/* group_name - of a worker's control group */
static const char *
group_name(const struct child *c, char name[GROUP_NAME])
{
	snprintf(name, GROUP_NAME, "%s.%s", c->job->id, c->pipe->name);
	return name;
}

/* group_make - for a worker with a memory limit, where the kernel can keep it;
 * else -1, and the limit is RLIMIT_DATA and the watch's */
static int
group_make(const struct sched *s, const struct child *c)
{
	char name[GROUP_NAME];
	struct err e;
	int group;

	if (s->cgroup == -1 || c->pipe->memory == 0)
		return -1;
	group = cgroup_make(s->cgroup, group_name(c, name), c->pipe->memory,
	    &e);
	if (group == -1)
		msg_warn("%s: %s", c->job->id, e.text);
	return group;
}

/* group_end - has the kernel killed for memory; the group goes */
static bool
group_end(const struct sched *s, const struct child *c)
{
	char name[GROUP_NAME];
	bool killed;

	if (s->cgroup == -1 || c->pipe->memory == 0)
		return false;
	killed = cgroup_killed(s->cgroup, group_name(c, name));
	cgroup_remove(s->cgroup, name);
	return killed;
}

/* child_begin - lock and log are open: forget the old fate and fork */
static int
child_begin(struct sched *s, struct job *j, struct pipe *p, struct child *c,
    int dir, int lock, struct err *e)
{
	char path[PATH_MAX], fate[NAME_MAX_LEN + 8], fd[16], cores[16];
	char gpus[256], pid[16];
	char *argv[] = { (char *)(uintptr_t)s->worker, "--run", path,
	    (char *)(uintptr_t)p->name, "--lock", fd, "--threads", cores,
	    "--gpus", gpus, NULL };
	int log, group;

	snprintf(path, sizeof(path), "%s/run/%s", s->spool.path, j->id);
	snprintf(fate, sizeof(fate), "fate.%s", p->name);
	snprintf(fd, sizeof(fd), "%d", lock);
	snprintf(cores, sizeof(cores), "%d", c->cores);
	gpu_words(c->gpus, gpus, sizeof(gpus));
	if (unlinkat(dir, fate, 0) == -1 && errno != ENOENT)
		return err_errno(e, "cannot remove '%s'", fate);
	log = openat(dir, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (log == -1)
		return err_errno(e, "cannot open the log of '%s'", j->id);
	group = group_make(s, c);
	c->pid = child_fork(argv, log, lock, group, p, e);
	if (group != -1)
		close(group);
	close(log);
	if (c->pid == -1)
		return -1;
	snprintf(pid, sizeof(pid), "%d\n", (int)c->pid);
	if (ftruncate(lock, 0) == -1 || file_put(lock, pid, strlen(pid)) == -1)
		msg_warn("%s: cannot note the pid: %s", j->id, strerror(errno));
	return 0;
}

int
child_pipe(struct sched *s, struct job *j, struct pipe *p, int cores,
    uint64_t gpus, struct err *e)
{
	struct child *c;
	int dir, lock, rc;

	dir = spool_job(&s->spool, PLACE_RUN, j->id, e);
	if (dir == -1)
		return -1;
	lock = child_lock(dir, p, e);
	if (lock == -1) {
		close(dir);
		return -1;
	}
	c = child_new(s, CHILD_PIPE);
	c->job = j;
	c->pipe = p;
	c->cores = cores;
	c->gpus = gpus;
	s->running++;
	s->cores_free -= cores;
	s->gpus_free &= ~gpus;
	p->child = c;
	rc = child_begin(s, j, p, c, dir, lock, e);
	close(lock);
	close(dir);
	if (rc == -1) {
		child_drop(s, c);
		return -1;
	}
	p->state = PIPE_RUN;
	msg_debug("%s: %s: started, pid %d", j->id, p->name, (int)c->pid);
	return 0;
}

int
child_check(struct sched *s, char **id, size_t n, struct err *e)
{
	struct child *c = child_new(s, CHILD_CHECK);
	char *argv[3 + BASE_COUNT(c->id) + 1];
	char path[PATH_MAX];
	struct arena *a = arena_new();
	size_t argc = 0;

	argv[argc++] = (char *)(uintptr_t)s->worker;
	argv[argc++] = "--check";
	argv[argc++] = "--admit";
	for (size_t i = 0; i < n && i < BASE_COUNT(c->id); i++) {
		snprintf(path, sizeof(path), "%s/queue/.%s", s->spool.path,
		    id[i]);
		argv[argc++] = arena_str(a, path);
		c->id[c->nids] = mem_alloc(ID_LEN + 1);
		memcpy(c->id[c->nids++], id[i], ID_LEN + 1);
	}
	argv[argc] = NULL;
	c->pid = child_fork(argv, -1, -1, -1, NULL, e);
	arena_free(a);
	if (c->pid == -1) {
		child_drop(s, c);
		return -1;
	}
	return 0;
}

int
child_finish(struct sched *s, struct job *j, struct err *e)
{
	struct child *c = child_new(s, CHILD_FINISH);
	char path[PATH_MAX];
	char *argv[] = { (char *)(uintptr_t)s->worker, "--finish", path, NULL };
	int dir, log = -1;

	snprintf(path, sizeof(path), "%s/%s/%s", s->spool.path,
	    place_names[j->place], j->id);
	dir = spool_job(&s->spool, j->place, j->id, e);
	if (dir != -1) {
		log = openat(dir, "log", O_WRONLY | O_CREAT | O_APPEND |
		    O_CLOEXEC | O_NOFOLLOW, 0640);
		close(dir);
	}
	c->job = j;
	c->pid = dir == -1 ? -1 : child_fork(argv, log, -1, -1, NULL, e);
	if (log != -1)
		close(log);
	if (c->pid == -1) {
		child_drop(s, c);
		return -1;
	}
	return 0;
}

void
child_hook(struct sched *s, const char *program, const struct job *j)
{
	struct child *c;
	char path[PATH_MAX], id[ID_LEN + 1];
	char *argv[] = { (char *)(uintptr_t)program, id, path, NULL };
	struct err e;

	if (program == NULL || *program == '\0')
		return;
	snprintf(path, sizeof(path), "%s/%s/%s", s->spool.path,
	    place_names[j->place], j->id);
	memcpy(id, j->id, sizeof(id));
	c = child_new(s, CHILD_HOOK);
	c->pid = child_fork(argv, -1, -1, -1, NULL, &e);
	if (c->pid == -1) {
		msg_warn("%s: hook: %s", j->id, e.text);
		child_drop(s, c);
	}
}

void
child_ended(struct sched *s, struct child *c, int status, int sig)
{
	struct arena *a = arena_new();
	struct job *j = c->job;
	struct pipe *p = c->pipe;
	const char *why = NULL;
	char limit[80];
	struct err e;
	int dir, left_status = FATE_BUG, left_sig = 0;
	bool left = false;

	if (c->pid > 1)
		kill(-c->pid, SIGKILL);
	dir = spool_job(&s->spool, j->place, j->id, &e);
	if (dir != -1) {
		left = child_fate(a, dir, p, &left_status, &left_sig, &why);
		close(dir);
	}
	if (c->orphan && left) {
		status = left_status;
		sig = left_sig;
	} else if (c->orphan)
		sig = SIGKILL;		/* no fate: not counted */
	else if (sig != 0 && left_sig == 0)
		sig = SIGKILL;		/* somebody else's signal */
	if (group_end(s, c))
		c->limit = "memory";
	/* out of memory leaves no fate behind */
	if (!left && status == fate_exit(FATE_RETRY) && p->memory > 0)
		c->limit = "memory";
	if (c->limit != NULL && (status != 0 || sig != 0)) {
		snprintf(limit, sizeof(limit), "its %s limit was reached",
		    c->limit);
		why = limit;
		status = fate_exit(FATE_REJECT);
		sig = 0;
	}
	child_drop(s, c);
	sched_ended(s, j, p, status, sig, why);
	arena_free(a);
}

bool
child_reap(struct sched *s)
{
	struct child *c;
	bool any = false;
	int status, code, sig;
	struct job *j;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = s->children; c != NULL; c = c->next)
			if (c->pid == pid && !c->orphan)
				break;
		if (c == NULL)
			continue;
		any = true;
		sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
		if (c->kind == CHILD_PIPE) {
			child_ended(s, c, code, sig);
		} else if (c->kind == CHILD_CHECK) {
			admit_checked(s, c, code, sig);
			child_drop(s, c);
		} else {
			j = c->kind == CHILD_FINISH ? c->job : NULL;
			if (code != 0 || sig != 0)
				msg_warn("%s: %s ended with %s %d",
				    j == NULL ? "hook" : j->id,
				    j == NULL ? "program" : "finishing",
				    sig != 0 ? "signal" : "status",
				    sig != 0 ? sig : code);
			child_drop(s, c);
			if (j != NULL && (code != 0 || sig != 0) &&
			    ++j->finishes < 3)
				sched_step(s, j);
			else if (j != NULL)
				sched_finished(s, j);
		}
	}
	return any;
}

void
child_stop(struct sched *s, const struct job *j)
{
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->kind == CHILD_PIPE && c->asked == 0 && c->pid > 1 &&
		    (j == NULL || c->job == j)) {
			c->asked = when_mono();
			kill(-c->pid, SIGTERM);
		}
}

size_t
child_count(const struct sched *s, enum child_kind kind)
{
	size_t n = 0;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		n += c->kind == kind;
	return n;
}
