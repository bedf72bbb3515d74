/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quern - the one command people type.  Spool verbs are its own; any other word
 * is a module or a store verb and is handed to quern-worker.  See quern(1).
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "spool/quern.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int verb_help(struct quern *, int, char **, struct err *);

const struct verb verbs[] = {
	{ "submit", verb_submit, "[-n] [FILE ...]",
	    "hand in job files, or one from stdin; prints their ids", true },
	{ "check", verb_check, "FILE ...",
	    "say what is wrong with job files, or with --json print the plan",
	    false },
	{ "list", verb_list, "[-a] [PLACE ...]",
	    "jobs and what they wait for; -a: ended ones too", true },
	{ "show", verb_show, "ID",
	    "one job: pipelines, stages, records, speed", true },
	{ "log", verb_log, "[-f] ID",
	    "what its workers said; -f: and go on saying", true },
	{ "wait", verb_wait, "ID ...",
	    "until they have ended; the exit status is the job's fate", true },
	{ "hold", verb_ask, "ID ...", "stop at a mark and wait", true },
	{ "release", verb_ask, "ID ...", "end a hold", true },
	{ "cancel", verb_ask, "ID ...", "stop and give up", true },
	{ "priority", verb_ask, "N ID ...", "0 to 100, 50 is usual", true },
	{ "rerun", verb_rerun, "[--from PIPELINE] ID",
	    "run an ended job again: what failed, or from a pipeline on",
	    true },
	{ "rm", verb_ask, "ID ...", "remove ended jobs and their results",
	    true },
	{ "prune", verb_prune, "[AGE]",
	    "remove all jobs that ended longer ago than AGE", true },
	{ "drain", verb_drain, "", "start nothing more, let work end", true },
	{ "resume", verb_drain, "", "end a drain", true },
	{ "migrate", verb_migrate, "",
	    "bring the spool to today's format; quern store migrate for the "
	    "store", false },
	{ "status", verb_status, "[--metrics FILE]",
	    "the appliance's health; exit status 0 well, 1 look, 2 broken",
	    true },
	{ "help", verb_help, "[WORD]",
	    "this list, or a verb's or a module's help", false },
	{ NULL, NULL, NULL, NULL, false }
};

int
quern_usage(const char *name, struct err *e)
{
	const struct verb *v = verbs;

	while (strcmp(v->name, name) != 0)
		v++;
	return err_set(e, FATE_USAGE, "usage: quern %s %s", name, v->args);
}

int
quern_options(int argc, char **argv, const char *letters, unsigned *set,
    struct err *e)
{
	int i;

	*set = 0;
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		for (const char *p = argv[i] + 1; *p != '\0'; p++) {
			if (*p < 'a' || *p > 'z' || strchr(letters, *p) == NULL)
				return quern_usage(argv[0], e);
			*set |= 1u << (*p - 'a');
		}
	}
	return i;
}

const char *
quern_worker(const struct quern *q)
{
	const char *worker = secure_getenv("QUERN_WORKER");

	return worker != NULL ? worker : file_worker(q->arena);
}

/* quern_exec - become quern-worker with these words */
static int
quern_exec(struct quern *q, const char *how, int argc, char **argv,
    struct err *e)
{
	const char *worker = quern_worker(q);
	char **v = arena_array(q->arena, (size_t)argc + 3, sizeof(*v));
	int n = 0;

	v[n++] = (char *)(uintptr_t)worker;
	v[n++] = (char *)(uintptr_t)how;
	for (int i = 0; i < argc; i++)
		v[n++] = argv[i];
	execv(worker, v);
	return err_errno(e, "cannot execute '%s'", worker);
}

/* verb_help - ours from the table, others by the worker */
static int
verb_help(struct quern *q, int argc, char **argv, struct err *e)
{
	if (argc > 2)
		return quern_usage("help", e);
	for (const struct verb *v = verbs; argc == 2 && v->name != NULL; v++)
		if (strcmp(v->name, argv[1]) == 0) {
			printf("usage: quern %s %s\n%s\n", v->name, v->args,
			    v->help);
			return 0;
		}
	if (argc == 2)
		return quern_exec(q, "--help", argc - 1, argv + 1, e);
	puts("usage: quern [-c quern.conf] [--json] [-q] VERB ...\n"
	    "       quern MODULE [-o FILE] [-j N] [-q] [WORD ...]\n\n"
	    "The spool:");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		printf("  %-9s %-22s %s\n", v->name, v->args, v->help);
	fflush(stdout);
	return quern_exec(q, "--help", 0, NULL, e);
}

/* quern_global - options before the verb; the index of the verb */
static int
quern_global(struct quern *q, int argc, char **argv, const char **conf)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			q->json = true;
		else if (strcmp(argv[i], "-q") == 0)
			q->quiet = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			*conf = argv[++i];
		else if (strcmp(argv[i], "--version") == 0) {
			puts("quern " PACKAGE_VERSION);
			exit(0);
		} else if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return argc;
		else
			msg_fatal(64, "no option '%s'; see quern help",
			    argv[i]);
	}
	return i;
}

/* quern_verb - --json and -q may follow the verb too; they are taken out */
static int
quern_verb(struct quern *q, const struct verb *v, int argc, char **argv,
    struct err *e)
{
	int n = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			q->json = true;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	if (v->spool && spool_open(&q->spool, q->arena, &q->conf, false, e))
		return -1;
	return v->run(q, n, argv, e);
}

int
main(int argc, char **argv)
{
	struct quern q = { .json = false };
	const char *conf = NULL;
	struct err e;
	int i, rc;

	msg_open("quern", MSG_INFO);
	q.arena = arena_new();
	i = quern_global(&q, argc, argv, &conf);
	if (conf != NULL)
		setenv("QUERN_CONF", conf, 1);
	if (conf_load(&q.conf, q.arena, NULL, &e) == -1)
		msg_fatal(78, "%s", e.text);
	if (i >= argc) {
		char *help[] = { "help", NULL };

		rc = verb_help(&q, 1, help, &e);
	} else {
		const struct verb *v = verbs;

		while (v->name != NULL && strcmp(v->name, argv[i]) != 0)
			v++;
		rc = v->name == NULL ? quern_exec(&q, "--stage", argc - i,
		    argv + i, &e) : quern_verb(&q, v, argc - i, argv + i, &e);
	}
	if (rc == -1)
		msg_fatal(fate_exit(e.fate), "%s", e.text);
	if (fflush(stdout) != 0)
		msg_fatal(74, "cannot write: %s", strerror(errno));
	return rc;
}
