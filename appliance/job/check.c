/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/check.h"
#include "appliance/job/known.h"
#include "appliance/job/plan.h"

#include <fcntl.h>
#include <unistd.h>

/* check_text - a job file that may be stdin */
static int
check_text(struct arena *a, int at, const char *path, struct view *text,
    struct err *e)
{
	char *p;
	ssize_t n;

	if (strcmp(path, "-") != 0)
		return file_read(a, at, path, WORDS_MAX, text, e);
	p = arena_alloc(a, WORDS_MAX + 1);
	n = file_get(STDIN_FILENO, p, WORDS_MAX + 1);
	if (n == -1)
		return err_errno(e, "cannot read standard input");
	*text = (struct view){ p, (size_t)n };
	return 0;
}

/* check_one - a file for people; 0, or 65 with the faults said */
static int
check_one(const char *path, const char *as, bool json, bool store,
    struct err *e)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, (size_t)64 << 20);
	struct faults f;
	struct view text;
	struct plan plan;
	struct conf conf;
	int rc = 0;

	if (conf_load(&conf, a, NULL, e) == -1 ||
	    check_text(a, AT_FDCWD, path, &text, e) == -1) {
		arena_free(a);
		return -1;
	}
	faults_init(&f, a, as);
	plan_make(&plan, a, text, &conf, &f);
	if (store && f.n == 0)
		known_all(&plan, a, &conf, &f);
	if (f.n > 0) {
		fputs(buf_cstr(f.text), stderr);
		rc = fate_exit(FATE_REJECT);
	} else if (json) {
		plan_json(&plan, b);
		fputs(buf_cstr(b), stdout);
	}
	arena_free(a);
	return rc;
}

/* admit_name - the name it was dropped under, for messages */
static const char *
admit_name(struct arena *a, int dir)
{
	struct view text;
	struct words w;
	struct line l;
	struct err e;

	if (file_read(a, dir, "entry", WORDS_MAX, &text, &e) == -1 ||
	    words_open(&w, a, text.p, text.n, &e) == -1)
		return "job";
	while (words_next(&w, &l, &e) == 0 && l.n > 0)
		if (l.n > 1 && strcmp(l.word[0].s, "drop") == 0)
			return l.word[1].s;
	return "job";
}

/* admit_write - ticket and plan, or the error */
static int
admit_write(struct arena *a, int dir, const struct plan *plan,
    const struct faults *f, struct err *e)
{
	struct buf *json = buf_new(a, (size_t)64 << 20);
	struct buf *ticket = buf_new(a, WORDS_MAX);

	if (f->n > 0)
		return file_replace(dir, "error", buf_get(f->text), 0640,
		    false, e);
	plan_json(plan, json);
	plan_ticket(plan, ticket);
	if (file_replace(dir, "plan.json", buf_get(json), 0640, false,
	    e) == -1)
		return -1;
	return file_replace(dir, "ticket", buf_get(ticket), 0640, false, e);
}

/* admit_one - a job's directory for quernd */
static int
admit_one(const char *path, const struct conf *conf, struct err *e)
{
	struct arena *a = arena_new();
	struct faults f;
	struct view text;
	struct plan plan;
	int dir, rc = -1;

	dir = file_dir(AT_FDCWD, path, e);
	if (dir != -1 && file_read(a, dir, "job", WORDS_MAX, &text, e) == 0) {
		faults_init(&f, a, admit_name(a, dir));
		plan_make(&plan, a, text, conf, &f);
		if (f.n == 0)
			known_all(&plan, a, conf, &f);
		rc = admit_write(a, dir, &plan, &f, e);
	}
	if (dir != -1)
		close(dir);
	arena_free(a);
	return rc;
}

/* admit_all - one that fails leaves neither ticket nor error; quernd sees it */
static int
admit_all(int argc, char **argv, struct err *e)
{
	struct arena *a = arena_new();
	struct conf conf;
	int rc = 0;

	if (conf_load(&conf, a, NULL, e) == -1) {
		arena_free(a);
		return -1;
	}
	for (int i = 0; i < argc; i++)
		if (admit_one(argv[i], &conf, e) == -1) {
			msg_error("%s: %s", argv[i], e->text);
			rc = fate_exit(e->fate);
		}
	arena_free(a);
	return rc;
}

int
check_main(int argc, char **argv, struct err *e)
{
	const char *as = NULL;
	bool json = false, store = true;
	int rc = 0, one;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--admit") == 0)
			return admit_all(argc - i - 1, argv + i + 1, e);
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "--no-store") == 0)
			store = false;
		else if (strcmp(argv[i], "--as") == 0 && i + 1 < argc)
			as = argv[++i];		/* for the next file */
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			return err_set(e, FATE_USAGE, "no option '%s'",
			    argv[i]);
		else {
			if (as != NULL && strcmp(as, "-") == 0)
				as = "stdin";
			one = check_one(argv[i], as != NULL ? as : argv[i],
			    json, store, e);
			if (one == -1)
				return -1;
			if (one != 0)
				rc = one;
			as = NULL;
		}
	}
	return rc;
}
