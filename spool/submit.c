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

#define SUBMIT_BATCH	64

/* one job file on its way; fd holds what was read, for the check */
struct submission {
	const char *name;
	char id[ID_LEN + 1];
	struct view text;
	int fd;
};

/* submit_load - read a file once: what is checked is what is handed in,
 * whatever happens to the file meanwhile */
static int
submit_load(struct quern *q, struct submission *s, struct err *e)
{
	if (submit_read(q->arena, s->name, &s->text, e) == -1)
		return -1;
	s->fd = memfd_create("job", 0);
	if (s->fd == -1 || file_put(s->fd, s->text.p, s->text.n) == -1)
		return err_errno(e, "cannot copy the job file");
	id_new(s->id);
	return 0;
}

/* submit_check - one process for all of them; its exit status */
static int
submit_check(struct quern *q, const struct submission *s, size_t n,
    struct err *e)
{
	char **argv = arena_array(q->arena, 3 * n + 4, sizeof(*argv));
	size_t k = 1;

	argv[k++] = "--check";
	argv[k++] = "--no-store";
	for (size_t i = 0; i < n; i++) {
		argv[k++] = "--as";
		argv[k++] = (char *)(uintptr_t)s[i].name;
		argv[k++] = arena_printf(q->arena, "/proc/self/fd/%d",
		    s[i].fd);
	}
	return check_run(q, argv, e);
}

/* submit_write - a copy beside its place, not yet visible */
static int
submit_write(struct quern *q, const struct submission *s, struct err *e)
{
	char tmp[ID_LEN + 16];
	int fd, rc = 0;

	snprintf(tmp, sizeof(tmp), ".%s.part", s->id);
	fd = openat(q->spool.incoming, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1)
		return err_errno(e, "cannot create a file in '%s/incoming'",
		    q->spool.path);
	if (file_put(fd, s->text.p, s->text.n) == -1) {
		rc = err_errno(e, "cannot write to '%s/incoming'",
		    q->spool.path);
		unlinkat(q->spool.incoming, tmp, 0);
	}
	close(fd);
	return rc;
}

/* submit_flush - we may not open incoming/ to fsync it, so the file system is
 * flushed through the spool's own descriptor */
static int
submit_flush(struct quern *q, struct err *e)
{
	while (syncfs(q->spool.root) == -1)
		if (errno != EINTR)
			return err_errno(e, "cannot flush '%s'",
			    q->spool.path);
	return 0;
}

/* submit_put - write all, flush, rename all, flush: two flushes however many
 * there are, and a name never stands for a file that is not whole */
static int
submit_put(struct quern *q, const struct submission *s, size_t n,
    struct err *e)
{
	char tmp[ID_LEN + 16], name[ID_LEN + 8];

	for (size_t i = 0; i < n; i++)
		if (submit_write(q, &s[i], e) == -1)
			return -1;
	if (submit_flush(q, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		snprintf(tmp, sizeof(tmp), ".%s.part", s[i].id);
		snprintf(name, sizeof(name), "%s.job", s[i].id);
		if (file_rename(q->spool.incoming, tmp, q->spool.incoming,
		    name, e) == -1)
			return -1;
	}
	return submit_flush(q, e);
}

/* submit_tell - the ids, now that they would survive */
static int
submit_tell(struct quern *q, const struct submission *s, size_t n,
    struct err *e)
{
	for (size_t i = 0; i < n; i++)
		printf(q->json ? "{\"id\":\"%s\"}\n" : "%s\n", s[i].id);
	return fflush(stdout) == 0 ? 0 : err_errno(e, "cannot write");
}

/* submit_batch - several files; one that is wrong sends them all to be taken
 * one by one, so that the good ones go in */
static int
submit_batch(struct quern *q, char **names, size_t n, bool check,
    struct err *e)
{
	struct submission s[SUBMIT_BATCH] = { { .fd = -1 } };
	int rc = 0, one;
	size_t loaded = 0;

	while (loaded < n && rc == 0) {
		s[loaded].name = names[loaded];
		rc = submit_load(q, &s[loaded], e);
		loaded++;
	}
	if (rc == 0 && check && n == 1)
		rc = submit_check(q, s, n, e);
	else if (rc == 0 && check) {
		int quiet = dup(STDERR_FILENO), null = open("/dev/null",
		    O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		rc = submit_check(q, s, n, e);
		dup2(quiet, STDERR_FILENO);
		close(quiet);
		close(null);
	}
	for (size_t i = 0; i < loaded; i++)
		if (s[i].fd > 0)
			close(s[i].fd);
	if (rc == 0)
		return submit_put(q, s, n, e) == -1 ? -1 :
		    submit_tell(q, s, n, e);
	if (n == 1)
		return rc;
	rc = 0;
	for (size_t i = 0; i < n; i++) {
		one = submit_batch(q, &names[i], 1, check, e);
		if (one == -1) {
			msg_error("%s", e->text);
			one = fate_exit(e->fate);
		}
		if (one != 0)
			rc = one;
	}
	return rc;
}

int
verb_submit(struct quern *q, int argc, char **argv, struct err *e)
{
	char *stdin_name[] = { "-" };
	unsigned set;
	int i, n, one, rc = 0;

	i = quern_options(argc, argv, "n", &set, e);
	if (i == -1)
		return -1;
	if (i == argc)
		return submit_batch(q, stdin_name, 1, !QUERN_OPT(set, 'n'), e);
	for (; i < argc; i += n) {
		n = argc - i < SUBMIT_BATCH ? argc - i : SUBMIT_BATCH;
		one = submit_batch(q, argv + i, (size_t)n,
		    !QUERN_OPT(set, 'n'), e);
		if (one == -1)
			return -1;
		if (one != 0)
			rc = one;
	}
	return rc;
}
