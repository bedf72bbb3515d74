/* SPDX-License-Identifier: Apache-2.0 */
/* runs: what pipelines did with the store, kept when their jobs are gone */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/base/words.h"
#include "appliance/verb/verb.h"

#include <stdlib.h>

#define VALUES	256

/* a run: JOB/PIPELINE and the name=value words that were noted of it */
struct run_noted {
	const char *key;
	const char *name[VALUES], *value[VALUES];
	size_t n;
};

struct runs {
	struct verb_call *c;
	const char *job;		/* only this job's, or all */
	void (*print)(const struct runs *, const struct run_noted *);
	size_t n;
};

/* runs_value - the first of that name, or empty */
static const char *
runs_value(const struct run_noted *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->name[i], name) == 0)
			return r->value[i];
	return "";
}

/* runs_line - in the table */
static void
runs_line(const struct runs *x, const struct run_noted *r)
{
	char when[32];

	if (x->n == 0)
		printf("%-44s %-8s %9s %8s %7s  %-20s %s\n", "JOB/PIPELINE",
		    "FATE", "RECORDS", "REJECTED", "SECONDS", "ENDED",
		    "SAVED");
	printf("%-44s %-8s %9s %8s %7s  %-20s %s\n", r->key, runs_value(r,
	    "fate"), runs_value(r, "records"), runs_value(r, "rejected"),
	    runs_value(r, "seconds"), when_show_time(strtoll(runs_value(r,
	    "ended"), NULL, 10), when), runs_value(r, "saved"));
}

/* runs_all - everything that was noted, a line each */
static void
runs_all(const struct runs *x, const struct run_noted *r)
{
	char when[32];

	printf("%s%s\n", x->n > 0 ? "\n" : "", r->key);
	for (size_t i = 0; i < r->n; i++)
		printf("  %-9s %s\n", r->name[i], strcmp(r->name[i],
		    "ended") == 0 ? when_show_time(strtoll(r->value[i], NULL,
		    10), when) : r->value[i]);
}

/* runs_json - an object; numbers are numbers, inputs a list */
static void
runs_json(const struct runs *x, const struct run_noted *r)
{
	struct buf *b = buf_new(x->c->arena, (size_t)4 << 20);
	const char *sep = "";
	char *end;

	buf_str(b, "{\"run\":");
	buf_json_str(b, r->key);
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->name[i], "input") == 0)
			continue;
		buf_char(b, ',');
		buf_json_str(b, r->name[i]);
		buf_char(b, ':');
		(void)strtoll(r->value[i], &end, 10);
		if (*end == '\0' && end > r->value[i])
			buf_str(b, r->value[i]);
		else
			buf_json_str(b, r->value[i]);
	}
	buf_str(b, ",\"inputs\":[");
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->name[i], "input") != 0)
			continue;
		buf_str(b, sep);
		buf_json_str(b, r->value[i]);
		sep = ",";
	}
	printf("%s]}\n", buf_cstr(b));
}

/* runs_one - a key and its words */
static int
runs_one(void *arg, const char *key, struct view text)
{
	struct runs *x = arg;
	struct run_noted *r;
	struct words w;
	struct line l;
	struct err e;
	size_t n = x->job == NULL ? 0 : strlen(x->job);

	if (strncmp(key, x->job == NULL ? "" : x->job, n) != 0)
		return 0;
	r = arena_alloc(x->c->arena, sizeof(*r));
	r->key = key;
	if (words_open(&w, x->c->arena, text.p, text.n, &e) == -1 ||
	    words_next(&w, &l, &e) == -1)
		return 0;
	for (size_t i = 0; i < l.n && r->n < VALUES; i++) {
		const char *eq = strchr(l.word[i].s, '=');

		if (eq == NULL)
			continue;
		r->name[r->n] = arena_strn(x->c->arena, l.word[i].s,
		    (size_t)(eq - l.word[i].s));
		r->value[r->n++] = eq + 1;
	}
	x->print(x, r);
	x->n++;
	return 0;
}

int
runs_main(struct verb_call *c, struct err *e)
{
	const char *act = c->argc > 0 ? c->argv[0] : "list";
	struct runs x = { .c = c, .job = c->argc == 2 ? c->argv[1] : NULL };

	if (c->argc > 2)
		return err_set(e, FATE_USAGE, "%s", "");
	if (strcmp(act, "rm") == 0 && x.job != NULL)
		return store_run_rm(c->store, x.job, e);
	if (strcmp(act, "show") == 0 && x.job != NULL)
		x.print = runs_all;
	else if (strcmp(act, "list") == 0)
		x.print = runs_line;
	else if (strcmp(act, "export") == 0)
		x.print = runs_json;
	else
		return err_set(e, FATE_USAGE, "%s", "");
	if (c->json)
		x.print = runs_json;
	if (store_runs(c->store, c->arena, runs_one, &x, e) == -1)
		return -1;
	if (x.n == 0 && x.job != NULL)
		return err_set(e, FATE_NOINPUT, "there is no run of '%s'",
		    x.job);
	return 0;
}
