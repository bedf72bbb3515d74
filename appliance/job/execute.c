/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/execute.h"
#include "appliance/job/run.h"
#include "appliance/job/sandbox.h"
#include "appliance/store/ref.h"
#include "appliance/store/store.h"

#include <execinfo.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct execute {
	struct arena *arena;
	const char *path, *pipeline;
	int dir, lock, threads;
	const char *gpus;
	struct conf conf;
	struct plan plan;
	const struct plan_pipe *pipe;
	struct run *run;
};

/* for the fatal-signal handler: where to leave the signal */
static int fate_dir = -1;
static char fate_name_of[80], fate_tmp[96];

/* execute_stop - TERM and INT: the pipeline looks at the flag */
static void
execute_stop(int sig)
{
	run_signal = sig;
}

/*
 * execute_crash - a fault of our own making leaves its signal as the fate, and
 * a trace in the log; one that somebody sent leaves nothing
 */
static void
execute_crash(int sig, siginfo_t *si, void *context)
{
	char text[32] = "signal 00\n";
	void *frame[64];
	int fd;

	(void)context;
	if (si->si_code > 0 || si->si_pid == getpid()) {
		text[7] = (char)('0' + sig / 10);
		text[8] = (char)('0' + sig % 10);
		fd = openat(fate_dir, fate_tmp, O_WRONLY | O_CREAT | O_TRUNC |
		    O_CLOEXEC, 0640);
		if (fd != -1 && write(fd, text, 10) == 10 && fsync(fd) == 0)
			renameat(fate_dir, fate_tmp, fate_dir, fate_name_of);
		backtrace_symbols_fd(frame, backtrace(frame, 64),
		    STDERR_FILENO);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

/* execute_signals - on a stack of their own, for the stack may be the fault */
static void
execute_signals(struct execute *x)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
	    SIGSYS, SIGTRAP };
	struct sigaction stop = { .sa_handler = execute_stop };
	struct sigaction crash = { .sa_sigaction = execute_crash,
	    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };
	stack_t stack = { .ss_size = (size_t)64 << 10 };
	void *warm[1];

	backtrace(warm, 1);		/* loads its library before a crash */
	fate_dir = x->dir;
	snprintf(fate_name_of, sizeof(fate_name_of), "fate.%s", x->pipeline);
	snprintf(fate_tmp, sizeof(fate_tmp), ".fate.%s.crash", x->pipeline);
	stack.ss_sp = arena_alloc(x->arena, stack.ss_size);
	sigaltstack(&stack, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BASE_COUNT(fatal); i++)
		sigaction(fatal[i], &crash, NULL);
}

/* execute_fate - the last act */
static void
execute_fate(struct execute *x, int status, const char *why)
{
	struct buf *b = buf_new(x->arena, 4096);
	char name[80];
	struct err e;

	buf_printf(b, "fate %d ", status);
	buf_word(b, why);
	buf_char(b, '\n');
	snprintf(name, sizeof(name), "fate.%s", x->pipeline);
	if (file_replace(x->dir, name, buf_get(b), 0640, true, &e) == -1)
		msg_error("cannot leave its fate: %s", e.text);
	else
		file_sync(x->dir, "job directory");
}

/* execute_args - DIR PIPELINE and the options quernd gives */
static int
execute_args(struct execute *x, int argc, char **argv, struct err *e)
{
	if (argc < 2)
		return err_set(e, FATE_USAGE, "--run DIR PIPELINE ...");
	x->path = argv[0];
	x->pipeline = argv[1];
	x->lock = -1;
	x->threads = 1;
	x->gpus = "";
	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--lock") == 0)
			x->lock = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--threads") == 0)
			x->threads = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--gpus") == 0)
			x->gpus = argv[i + 1];
	}
	if (x->lock > 2)
		fcntl(x->lock, F_SETFD, FD_CLOEXEC);
	x->dir = file_dir(AT_FDCWD, x->path, e);
	return x->dir == -1 ? -1 : 0;
}

/* execute_plan - the admitted job file, planned again by the same code */
static int
execute_plan(struct execute *x, struct err *e)
{
	struct faults f;
	struct view text;

	if (conf_load(&x->conf, x->arena, NULL, e) == -1 ||
	    file_read(x->arena, x->dir, "job", WORDS_MAX, &text, e) == -1)
		return -1;
	faults_init(&f, x->arena, "job");
	plan_make(&x->plan, x->arena, text, &x->conf, &f);
	if (f.n > 0)
		return err_set(e, FATE_REJECT, "no longer a valid job: %.300s",
		    buf_cstr(f.text));
	x->pipe = plan_find(&x->plan, x->pipeline);
	if (x->pipe == NULL)
		return err_set(e, FATE_BUG, "no pipeline '%s'", x->pipeline);
	return 0;
}

/* allow_path - an input as it is, an output's directory; absent is no fault
 * here: the stage that opens it says so */
static void
allow_path(struct sandbox *s, struct arena *a, const char *path, bool out)
{
	const char *slash = strrchr(path, '/');
	struct err absent;

	if (out && slash != NULL && slash != path)
		path = arena_strn(a, path, (size_t)(slash - path));
	/* a glob is allowed by the part before its first special letter */
	if (!out && strpbrk(path, "*?[") != NULL) {
		path = arena_strn(a, path, strcspn(path, "*?["));
		slash = strrchr(path, '/');
		path = slash == NULL || slash == path ? "/" :
		    arena_strn(a, path, (size_t)(slash - path));
	}
	(void)sandbox_allow(s, path, SANDBOX_READ | (out ? SANDBOX_WRITE : 0),
	    &absent);
}

/* allow_stage - the paths of a stage's options */
static void
allow_stage(struct sandbox *s, struct arena *a, const struct plan_stage *p)
{
	for (const struct opt *o = p->module->options; o->name != NULL; o++) {
		const char *one;

		for (size_t i = 0; (one = opt_path(o, p->conf, i, NULL)) !=
		    NULL; i++)
			if (one[0] == '/')
				allow_path(s, a, one, o->type == OPT_PATH_OUT);
	}
}

/* allow_model - the place of a model that was imported by reference */
static void
allow_model(struct execute *x, struct sandbox *s, const char *text)
{
	struct version v;
	struct ref ref;
	struct err absent;

	if (strchr(text, '/') != NULL ||
	    ref_parse(x->arena, text, &ref, &absent) == -1)
		return;
	if (store_resolve(x->run->store, x->arena, ref.name, ref.at,
	    x->run->job, &v, &absent) == 1 && v.path != NULL &&
	    v.path[0] == '/')
		(void)sandbox_allow(s, v.path, SANDBOX_READ, &absent);
}

/* allow_models - of all stages */
static void
allow_models(struct execute *x, struct sandbox *s)
{
	for (size_t i = 0; i < x->pipe->nstages; i++) {
		const struct plan_stage *p = &x->pipe->stage[i];
		const struct opt *o = p->module->options;
		const char *text;

		for (; o->name != NULL; o++)
			for (size_t k = 0; o->type == OPT_MODEL && (text =
			    opt_path(o, p->conf, k, NULL)) != NULL; k++)
				allow_model(x, s, text);
	}
}

/* allow_gpus - their device files, and CUDA's libraries where NVIDIA's own
 * packages put them */
static void
allow_gpus(struct sandbox *s)
{
	struct err absent;
	glob_t g;

	(void)sandbox_allow(s, "/usr/local/cuda", SANDBOX_READ | SANDBOX_EXEC,
	    &absent);
	if (glob("/dev/nvidia*", 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			(void)sandbox_allow(s, g.gl_pathv[i], SANDBOX_READ |
			    SANDBOX_WRITE, &absent);
	globfree(&g);
}

/* execute_sandbox - the second step: only what the plan speaks of */
static int
execute_sandbox(struct execute *x, struct err *e)
{
	const int rw = SANDBOX_READ | SANDBOX_WRITE;
	const char *library = file_library(x->arena);
	struct sandbox s;
	struct err absent;

	if (sandbox_open(&s, e) == -1 ||
	    sandbox_allow(&s, x->path, rw, e) == -1)
		return -1;
	(void)sandbox_allow(&s, x->conf.store, rw, &absent);
	(void)sandbox_allow(&s, library, SANDBOX_READ | SANDBOX_EXEC, &absent);
	if (*x->gpus != '\0')
		allow_gpus(&s);
	for (size_t i = 0; i < x->pipe->nstages; i++)
		allow_stage(&s, x->arena, &x->pipe->stage[i]);
	if (x->run->store != NULL)
		allow_models(x, &s);
	return sandbox_last(&s, e);
}

/* execute_open - the run and its store, which tells what the sandbox allows */
static int
execute_open(struct execute *x, struct err *e)
{
	struct run *r = arena_alloc(x->arena, sizeof(*r));

	x->run = r;
	r->dir = x->dir;
	r->path = x->path;
	r->job = strrchr(x->path, '/') == NULL ? x->path :
	    strrchr(x->path, '/') + 1;
	r->threads = x->threads;
	r->gpus = x->gpus;
	r->max_rejects = x->plan.rejects;
	r->out = -1;
	r->arena = x->arena;
	return run_store(r, x->arena, &x->conf, x->pipe, e);
}

/* execute_run - open, run, tell, close */
static int
execute_run(struct execute *x, struct err *e)
{
	struct run *r = x->run;
	struct err second;
	int rc;

	rc = run_same(r, x->pipe, e);
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	rc = run_open(r, x->arena, x->pipe, e);
	if (rc == 0)
		rc = pipeline_run(r, e);
	if (run_piece(r, rc == -1 ? e : NULL, &second) == -1 && rc == 0) {
		*e = second;
		rc = -1;
	}
	run_close(r);
	if (run_note(r, x->pipe, rc == -1 ? e : NULL, &second) == -1)
		msg_warn("the run cannot be noted: %s", second.text);
	return rc;
}

int
execute_main(int argc, char **argv)
{
	struct execute x = { .dir = -1 };
	struct err e;
	int status;

	x.arena = arena_new();
	msg_stamp(true);
	if (execute_args(&x, argc, argv, &e) == -1)
		msg_fatal(fate_exit(e.fate), "%s", e.text);
	msg_open(arena_str(x.arena, x.pipeline), MSG_INFO);
	execute_signals(&x);
	if (conf_load(&x.conf, x.arena, NULL, &e) == 0 &&
	    sandbox_first(x.conf.ranks, &e) == 0 &&
	    execute_plan(&x, &e) == 0 && execute_open(&x, &e) == 0 &&
	    execute_sandbox(&x, &e) == 0 &&
	    execute_run(&x, &e) == 0) {
		execute_fate(&x, 0, "done");
		return 0;
	}
	status = fate_exit(e.fate);
	if (e.fate != FATE_STOP)
		msg_error("%s", e.text);
	execute_fate(&x, status, e.text);
	return status;
}
