/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quern-worker - one pipeline, one shell stage, one store verb, or a check.
 * Started by quernd and quern, not by people.
 */
#include "appliance/base/base.h"
#include "appliance/base/conf.h"
#include "appliance/job/check.h"
#include "appliance/job/execute.h"
#include "appliance/job/finish.h"
#include "appliance/job/sandbox.h"
#include "appliance/job/shell.h"
#include "appliance/load.h"
#include "appliance/verb/verb.h"

#include <errno.h>
#include <stdlib.h>

/* help_all - the modules, a line each */
static int
help_all(struct err *e)
{
	struct arena *a = arena_new();
	const struct module *m;
	char **names;
	size_t n;

	if (load_names(a, &names, &n, e) == -1)
		return -1;
	verb_help(NULL);
	puts("\nModules (in a job file and as commands; quern help MODULE):");
	for (size_t i = 0; i < n; i++) {
		m = load_module(a, names[i], e);
		if (m == NULL)
			return -1;
		printf("  %-9s %s\n", m->name, m->summary);
	}
	arena_free(a);
	return 0;
}

/* help_module - one module's options; mdoc: as its page's list */
static int
help_module(const char *name, bool mdoc, struct err *e)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, (size_t)1 << 20);
	const struct module *m = load_module(a, name, e);

	if (m == NULL) {
		e->fate = FATE_USAGE;
		return -1;
	}
	if (mdoc)
		opt_mdoc(m->options, b);
	else {
		buf_printf(b, "quern %s - %s\n\n", m->name, m->summary);
		opt_help(m->options, b);
		buf_printf(b, "\nSee quern-%s(1).\n", m->name);
	}
	fputs(buf_cstr(b), stdout);
	arena_free(a);
	return 0;
}

/* help_conf - quern.conf's table as its page's list */
static int
help_conf(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, (size_t)1 << 20);

	opt_mdoc(conf_opts, b);
	fputs(buf_cstr(b), stdout);
	arena_free(a);
	return 0;
}

/* worker_mode - what the first word asks for */
static int
worker_mode(int argc, char **argv, struct err *e)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "--run") == 0)
		return execute_main(argc - 2, argv + 2);
	if (strcmp(mode, "--check") == 0) {
		if (sandbox_first(false, e) == -1)
			return -1;
		return check_main(argc - 2, argv + 2, e);
	}
	if (strcmp(mode, "--finish") == 0 && argc == 3) {
		if (sandbox_first(false, e) == -1)
			return -1;
		return finish_main(argv[2], e);
	}
	if (strcmp(mode, "--stage") == 0 && argc > 2)
		return verb_find(argv[2]) ? verb_main(argc - 2, argv + 2, e) :
		    shell_main(argc - 2, argv + 2, e);
	if (strcmp(mode, "--help") == 0)
		return argc == 2 ? help_all(e) : verb_find(argv[2]) ?
		    verb_help(argv[2]) : help_module(argv[2], false, e);
	if (strcmp(mode, "--mdoc") == 0 && argc == 3)
		return strcmp(argv[2], "quern.conf") == 0 ? help_conf() :
		    help_module(argv[2], true, e);
	return err_set(e, FATE_USAGE, "quern-worker is started by quernd and "
	    "quern; see quern(1)");
}

int
main(int argc, char **argv)
{
	struct err e;
	int rc;

	msg_open("quern", MSG_INFO);
	rc = worker_mode(argc, argv, &e);
	if (rc == -1) {
		if (e.fate == FATE_STOP && e.text[0] == '\0')
			return 141;	/* the reader went away */
		msg_fatal(fate_exit(e.fate), "%s", e.text);
	}
	if (fflush(stdout) != 0)
		msg_fatal(74, "cannot write: %s", strerror(errno));
	return rc;
}
