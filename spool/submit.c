/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "spool/quern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* check_run - quern-worker --check with these words; its exit status */
static int
check_run(struct quern *q, char **argv, struct err *e)
{
	const char *const worker = quern_worker(q);
	int status;
	pid_t pid;

	argv[0] = (char *)(uintptr_t)worker;
	fflush(stdout);
	pid = vfork();
	if (pid == 0) {
		execv(worker, argv);
		_exit(127);
	}
	if (pid == -1)
		return err_errno(e, "cannot fork");
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return err_errno(e, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return err_set(e, FATE_BUG, "cannot run '%s'", worker);
	return WEXITSTATUS(status);
}

int
verb_check(struct quern *q, int argc, char **argv, struct err *e)
{
	char **v = arena_array(q->arena, (size_t)argc + 4, sizeof(*v));
	int n = 1;

	if (argc < 2)
		return quern_usage("check", e);
	v[n++] = "--check";
	if (q->json)
		v[n++] = "--json";
	for (int i = 1; i < argc; i++)
		v[n++] = argv[i];
	return check_run(q, v, e);
}

/* submit_read - a whole job file, from stdin if name is "-" */
static int
submit_read(struct arena *a, const char *name, struct view *text,
    struct err *e)
{
	char *p;
	ssize_t n;

	if (strcmp(name, "-") != 0)
		return file_read(a, AT_FDCWD, name, WORDS_MAX, text, e);
	p = arena_alloc(a, WORDS_MAX + 1);
	n = file_get(STDIN_FILENO, p, WORDS_MAX + 1);
	if (n == -1)
		return err_errno(e, "cannot read standard input");
	if (n > (ssize_t)WORDS_MAX)
		return err_set(e, FATE_REJECT, "standard input is longer than "
		    "1 MiB");
	*text = (struct view){ p, (size_t)n };
	return 0;
}

/* submit_write - the copy beside its place, flushed, not yet visible */
static int
submit_write(struct quern *q, const char *tmp, struct view text,
    struct err *e)
{
	int fd = openat(q->spool.incoming, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd == -1)
		return err_errno(e, "cannot create a file in '%s/incoming'",
		    q->spool.path);
	if (file_put(fd, text.p, text.n) == -1) {
		err_errno(e, "cannot write to '%s/incoming'", q->spool.path);
		close(fd);
		return -1;
	}
	file_sync(fd, "job file");
	return fd;
}

/*
 * submit_put - write, fsync, rename, syncfs: we may not open the directory to
 * fsync it, so the file's own descriptor stands for its file system
 */
static int
submit_put(struct quern *q, struct view text, char id[ID_LEN + 1],
    struct err *e)
{
	char tmp[ID_LEN + 16], name[ID_LEN + 8];
	int fd, rc = 0;

	id_new(id);
	snprintf(tmp, sizeof(tmp), ".%s.part", id);
	snprintf(name, sizeof(name), "%s.job", id);
	fd = submit_write(q, tmp, text, e);
	if (fd == -1) {
		unlinkat(q->spool.incoming, tmp, 0);
		return -1;
	}
	if (renameat(q->spool.incoming, tmp, q->spool.incoming, name) == -1) {
		rc = err_errno(e, "cannot rename the copy in '%s/incoming'",
		    q->spool.path);
		unlinkat(q->spool.incoming, tmp, 0);
	}
	while (rc == 0 && syncfs(fd) == -1)
		if (errno != EINTR)
			rc = err_errno(e, "cannot flush '%s'", q->spool.path);
	close(fd);
	return rc;
}

/* submit_one - read, check, put, print */
static int
submit_one(struct quern *q, const char *name, bool check, struct err *e)
{
	char id[ID_LEN + 1];
	char fdpath[40];
	char *argv[7];
	struct view text;
	int fd, rc, n = 1;

	if (submit_read(q->arena, name, &text, e) == -1)
		return -1;
	/* what is checked is what is handed in, whatever happens to the file */
	fd = memfd_create("job", 0);
	if (fd == -1 || file_put(fd, text.p, text.n) == -1)
		return err_errno(e, "cannot copy the job file");
	snprintf(fdpath, sizeof(fdpath), "/proc/self/fd/%d", fd);
	argv[n++] = "--check";
	argv[n++] = "--no-store";
	argv[n++] = "--as";
	argv[n++] = (char *)(uintptr_t)name;
	argv[n++] = fdpath;
	argv[n] = NULL;
	rc = check ? check_run(q, argv, e) : 0;
	close(fd);
	if (rc != 0)
		return rc;
	if (submit_put(q, text, id, e) == -1)
		return -1;
	if (q->json)
		printf("{\"id\":\"%s\"}\n", id);
	else
		puts(id);
	if (fflush(stdout) != 0)
		return err_errno(e, "cannot write");
	return 0;
}

int
verb_submit(struct quern *q, int argc, char **argv, struct err *e)
{
	unsigned set;
	int i, rc = 0, one;

	i = quern_options(argc, argv, "n", &set, e);
	if (i == -1)
		return -1;
	if (i == argc)
		return submit_one(q, "-", !QUERN_OPT(set, 'n'), e);
	for (; i < argc; i++) {
		one = submit_one(q, argv[i], !QUERN_OPT(set, 'n'), e);
		if (one == -1 && i + 1 == argc)
			return -1;
		if (one == -1) {
			msg_error("%s", e->text);
			one = fate_exit(e->fate);
		}
		if (one != 0)
			rc = one;
	}
	return rc;
}
