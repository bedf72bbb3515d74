/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/base/when.h"
#include "appliance/job/setting.h"

#include <stdlib.h>

/* settings that are one value, written by the options table */
struct values {
	int64_t attempts, priority, retain;
	int catch_up;
	const char *every, *notify, *purpose;
};

static const struct opt value_opts[] = {
	OPT_INT(struct values, attempts, "3", 1, 100, 0,
	    "how often a pipeline is tried"),
	OPT_INT(struct values, priority, "50", 0, 100, 0,
	    "higher goes first"),
	{ .name = "catch-up", .type = OPT_ENUM, .def = "latest",
	    .words = "latest|none",
	    .offset = offsetof(struct values, catch_up),
	    .help = "what to do about firings that were missed" },
	OPT_TEXT(struct values, every, NULL, 0, "calendar of firings"),
	OPT_TEXT(struct values, notify, NULL, 0, "passed to on_done, on_fail"),
	OPT_TEXT(struct values, purpose, NULL, 0, "why this is processed"),
	OPT_DURATION(struct values, retain, NULL, 0, 0, 0,
	    "how long results are kept"),
	OPT_DONE
};

struct limits {
	int64_t memory, disk, time, cores, rejects;
};

static const struct opt limit_opts[] = {
	OPT_SIZE(struct limits, memory, "0", 0, 0, 0, "memory of a pipeline"),
	OPT_SIZE(struct limits, disk, "0", 0, 0, 0, "disk of a job"),
	OPT_DURATION(struct limits, time, "0", 0, 0, 0, "time of a pipeline"),
	OPT_INT(struct limits, cores, "0", 0, 1024, 0, "cores of a pipeline"),
	OPT_INT(struct limits, rejects, "-1", -1, 1e15, 0,
	    "failed records that a pipeline may have"),
	OPT_DONE
};

/* setting_after - ids of jobs, or one time */
static void
setting_after(struct plan *p, struct arena *a, const struct line *l,
    struct faults *f)
{
	struct err e;

	for (size_t i = 1; i < l->n; i++) {
		if (id_valid(l->word[i].s)) {
			p->after = arena_grow(a, p->after, p->nafter,
			    p->nafter + 1, sizeof(*p->after));
			p->after[p->nafter++] = l->word[i].s;
		} else if (when_time(l->word[i].s, time(NULL), &p->not_before,
		    &e) == -1)
			fault(f, &l->word[i], "%s, nor a job's id", e.text);
	}
}

/* setting_joined - the line's words from the second on as one text */
static const char *
setting_joined(struct arena *a, const struct line *l)
{
	struct buf *b = buf_new(a, WORDS_MAX);

	for (size_t i = 1; i < l->n; i++) {
		if (i > 1)
			buf_char(b, ' ');
		buf_str(b, l->word[i].s);
	}
	return arena_str(a, buf_cstr(b));
}

/* setting_line - one setting */
static void
setting_line(struct plan *p, struct arena *a, const struct line *l,
    struct values *v, struct limits *limit, struct faults *f)
{
	const char *name = l->word[0].s, *text, *near;
	struct calendar c;
	struct err e;

	if (l->n < 2) {
		fault(f, &l->word[0], "setting '%s' has no value", name);
	} else if (strcmp(name, "after") == 0) {
		setting_after(p, a, l, f);
	} else if (strcmp(name, "limit") == 0) {
		if (opt_words(limit_opts, limit, a, l->word + 1, l->n - 1,
		    &e) == -1)
			fault(f, &l->word[1], "limit: %s", e.text);
	} else if (opt_find(value_opts, name) == NULL) {
		near = opt_nearest(value_opts, name);
		fault(f, &l->word[0], "no setting '%s'%s%s%s", name,
		    near == NULL ? "" : " (did you mean '",
		    near == NULL ? "" : near, near == NULL ? "" : "'?)");
	} else {
		text = setting_joined(a, l);
		if (opt_set(value_opts, v, a, name, text, &e) == -1)
			fault(f, &l->word[1], "%s", e.text);
		else if (strcmp(name, "every") == 0 &&
		    when_calendar(text, &c, &e) == -1)
			fault(f, &l->word[1], "%s", e.text);
	}
}

void
setting_all(struct plan *p, struct arena *a, const struct lang *l,
    struct faults *f)
{
	struct values v;
	struct limits limit;
	struct err e;

	memset(&v, 0, sizeof(v));
	memset(&limit, 0, sizeof(limit));
	if (opt_defaults(value_opts, &v, a, &e) == -1 ||
	    opt_defaults(limit_opts, &limit, a, &e) == -1)
		panic("settings: %s", e.text);
	for (size_t i = 0; i < l->nsettings; i++)
		setting_line(p, a, &l->setting[i], &v, &limit, f);
	p->attempts = (int)v.attempts;
	p->priority = (int)v.priority;
	p->catch_up = v.catch_up == 0;
	p->every = v.every;
	p->notify = v.notify;
	p->purpose = v.purpose;
	p->retain = v.retain;
	p->memory = limit.memory;
	p->disk = limit.disk;
	p->seconds = limit.time;
	p->cores = limit.cores;
	p->rejects = limit.rejects;
}
