/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/conf.h"
#include "appliance/job/run.h"
#include "appliance/job/sandbox.h"
#include "appliance/job/shell.h"
#include "appliance/text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct shell {
	struct arena *arena;
	const char *out, *key;
	int threads;
	bool quiet, progress;
	struct plan_pipe pipe;
};

/* stdin as a source: what stands before every shell stage that is none */
static int
stdin_open(struct stage *s, struct err *e)
{
	static const int fd = STDIN_FILENO;
	struct lines *l = arena_alloc(s->arena, sizeof(*l));

	(void)e;
	lines_open(l, lines_fd, (void *)(uintptr_t)&fd, REC_MAX);
	arena_defer(s->arena, lines_close, l);
	s->state = l;
	return 0;
}

static int
stdin_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct lines *l = s->state;
	struct view line;
	struct err bad;
	struct rec *r;
	int64_t offset;

	(void)scratch;
	while (!batch_full(b)) {
		switch (lines_next(l, &line, &offset)) {
		case LINES_END:
			return 1;
		case LINES_ERROR:
			return err_errno(e, "cannot read standard input");
		case LINES_LONG:
			r = batch_add(b);
			rec_fail(b->arena, r, "line %lld is longer than 16 MiB",
			    (long long)l->number);
			break;
		default:
			if (line.n == 0)
				break;
			r = batch_add(b);
			b->bytes += line.n;
			line = view_keep(b->arena, line);
			if (rec_parse(b->arena, line, r, &bad) == -1)
				rec_fail(b->arena, r, "line %lld: %s",
				    (long long)l->number, bad.text);
		}
		stage_done(s, l->offset);
	}
	return 0;
}

static const struct opt stdin_opts[] = { OPT_DONE };
static const struct module stdin_module = {
	.abi = MODULE_ABI, .name = "stdin", .summary = "JSON Lines",
	.options = stdin_opts, .open = stdin_open, .batch = stdin_batch,
};

/* shell_stop - first: stop soon; second: at once */
static void
shell_stop(int sig)
{
	if (run_signal != 0)
		_exit(128 + sig);
	run_signal = sig;
}

/* shell_option - one program option; how many words it took, 0 if none */
static int
shell_option(struct shell *s, int argc, char **argv, struct err *e)
{
	if (strcmp(argv[0], "-q") == 0) {
		s->quiet = true;
		return 1;
	}
	if (strcmp(argv[0], "-o") == 0 && argc > 1) {
		s->out = argv[1];
		return 2;
	}
	if (strcmp(argv[0], "-j") == 0 && argc > 1) {
		s->threads = atoi(argv[1]);
		if (s->threads < 1 || s->threads > 1024)
			return err_set(e, FATE_USAGE, "-j is 1 to 1024");
		return 2;
	}
	if (strncmp(argv[0], "key=", 4) == 0) {
		s->key = argv[0] + 4;
		return 1;
	}
	if (argv[0][0] == '-' && argv[0][1] != '\0')
		return err_set(e, FATE_USAGE, "no option '%s': -o FILE, -j N, "
		    "-q, then words", argv[0]);
	return 0;
}

/* shell_word - an argument as a word of the job language */
static void
shell_word(struct word *w, const char *s, int place)
{
	*w = (struct word){ .s = s, .line = 1, .col = (unsigned)place };
}

/* shell_plan - the stage, with stdin before it if it is no source */
static int
shell_plan(struct shell *s, int argc, char **argv, struct err *e)
{
	struct word *w = arena_array(s->arena, (size_t)argc, sizeof(*w));
	struct plan_stage *stage = arena_array(s->arena, 2, sizeof(*stage));
	int i = 1, n = 1, took;

	shell_word(&w[0], argv[0], 1);
	for (; i < argc; i += took > 0 ? took : 1) {
		took = shell_option(s, argc - i, argv + i, e);
		if (took == -1)
			return -1;
		if (took == 0) {
			shell_word(&w[n], argv[i], n + 1);
			n++;
		}
	}
	if (plan_stage(&stage[1], s->arena, w, (size_t)n, e) == -1) {
		char *p = strstr(e->text, ": ");

		if (p != NULL && strncmp(e->text, "1:", 2) == 0)
			memmove(e->text, p + 2, strlen(p + 2) + 1);
		e->fate = e->fate == FATE_REJECT ? FATE_USAGE : e->fate;
		return -1;
	}
	s->pipe.name = argv[0];
	s->pipe.stage = stage + 1;
	s->pipe.nstages = 1;
	if (!stage[1].needs.source) {
		stage[0].module = &stdin_module;
		stage[0].needs.source = true;
		s->pipe.stage = stage;
		s->pipe.nstages = 2;
	}
	return 0;
}

/* shell_key - records are keyed with a file's key, else with a public one */
static int
shell_key(struct shell *s, struct run *r, struct err *e)
{
	struct view text;

	if (s->key == NULL) {
		r->key = (struct hash_key){ "quern: a key known to all" };
		return 0;
	}
	if (file_read(s->arena, AT_FDCWD, s->key, 4096, &text, e) == -1)
		return -1;
	if (text.n < 32)
		return err_set(e, FATE_REJECT, "key file '%s' holds fewer than "
		    "32 bytes", s->key);
	memcpy(r->key.b, hash_of(NULL, text.p, text.n).b, sizeof(r->key.b));
	return 0;
}

/* shell_out - where records go: nowhere after a sink, -o's temporary, stdout */
static int
shell_out(struct shell *s, struct run *r, char *tmp, size_t size,
    struct err *e)
{
	const char *slash = s->out == NULL ? NULL : strrchr(s->out, '/');
	int dir = slash == NULL ? 0 : (int)(slash - s->out + 1);

	r->out = -1;
	if (s->pipe.stage[s->pipe.nstages - 1].needs.sink) {
		if (s->out != NULL)
			return err_set(e, FATE_USAGE, "'%s' hands no records "
			    "on, -o has nothing to write", s->pipe.name);
		return 0;
	}
	r->out = STDOUT_FILENO;
	if (s->out == NULL)
		return 0;
	snprintf(tmp, size, "%.*s.%s.%d.tmp", dir, s->out, s->out + dir,
	    (int)getpid());
	r->out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0666);
	if (r->out == -1)
		return err_errno(e, "cannot create '%s'", s->out);
	return 0;
}

/* shell_publish - the temporary becomes the output, or goes */
static int
shell_publish(struct shell *s, struct run *r, const char *tmp, int rc,
    struct err *e)
{
	if (s->out == NULL || r->out == -1)
		return rc;
	if (rc == 0)
		file_sync(r->out, s->out);
	close(r->out);
	if (rc == 0 && rename(tmp, s->out) == -1)
		rc = err_errno(e, "cannot rename to '%s'", s->out);
	if (rc == -1)
		unlink(tmp);
	return rc;
}

/* shell_threads - the cores that this process may use */
static int
shell_threads(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ?
	    CPU_COUNT(&set) : 1;
}

/* shell_ranks - may this process speak to others that a launcher has started
 * with it: its words ask for it and quern.conf says so */
static int
shell_ranks(struct arena *a, char *const *argv, bool *ranks, struct err *e)
{
	struct conf conf;

	*ranks = false;
	while (*argv != NULL && strncmp(*argv, "ranks=", 6) != 0)
		argv++;
	if (*argv == NULL || !conf_launched())
		return 0;
	if (conf_load(&conf, a, NULL, e) == -1)
		return -1;
	*ranks = conf.ranks;
	return 0;
}

int
shell_main(int argc, char **argv, struct err *e)
{
	struct shell s = { .threads = shell_threads() };
	struct sigaction stop = { .sa_handler = shell_stop };
	struct run *r;
	char tmp[PATH_MAX] = "";
	int rc;

	s.arena = arena_new();
	r = arena_alloc(s.arena, sizeof(*r));
	signal(SIGPIPE, SIG_DFL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	if (shell_ranks(s.arena, argv, &r->ranks, e) == -1 ||
	    sandbox_first(r->ranks, e) == -1 ||
	    shell_plan(&s, argc, argv, e) == -1)
		return -1;
	if (s.quiet)
		msg_level(MSG_ERROR);
	r->shell = true;
	r->dir = -1;
	r->job = r->path = "";
	r->threads = s.threads;
	r->gpus = "";
	r->max_rejects = -1;
	r->tty = !s.quiet && isatty(STDERR_FILENO) &&
	    (s.out != NULL || !isatty(STDOUT_FILENO));
	if (shell_out(&s, r, tmp, sizeof(tmp), e) == -1 ||
	    run_store(r, s.arena, NULL, &s.pipe, e) == -1 ||
	    (r->store == NULL && shell_key(&s, r, e) == -1))
		return -1;
	rc = run_open(r, s.arena, &s.pipe, e);
	if (rc == 0)
		rc = pipeline_run(r, e);
	run_close(r);
	rc = shell_publish(&s, r, tmp, rc, e);
	if (rc == -1 && e->fate == FATE_STOP && run_signal != 0)
		return 128 + run_signal;
	if (rc == 0 && r->rejected > 0)
		msg_warn("%lld records failed", (long long)r->rejected);
	return rc;
}
