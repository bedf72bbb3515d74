/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/when.h"
#include "appliance/base/words.h"
#include "spool/progress.h"

/* progress_line - the pipeline's line or a stage's */
static void
progress_line(struct arena *a, struct progress *p, const struct line *l)
{
	struct progress_stage *s;

	if (strcmp(l->word[0].s, "pipeline") == 0) {
		p->seconds = line_num(l, "seconds");
		p->records = line_num(l, "records");
		p->done = line_num(l, "done");
		p->total = line_num(l, "total");
	} else if (strcmp(l->word[0].s, "note") == 0 && l->n > 1) {
		p->note = l->word[1].s;
	} else if (strcmp(l->word[0].s, "stage") == 0 && l->n > 1) {
		p->stage = arena_grow(a, p->stage, p->nstages, p->nstages + 1,
		    sizeof(*p->stage));
		s = &p->stage[p->nstages++];
		s->name = l->word[1].s;
		s->in = line_num(l, "in");
		s->kept = line_num(l, "kept");
		s->dropped = line_num(l, "dropped");
		s->failed = line_num(l, "failed");
	}
}

bool
progress_load(struct arena *a, int dir, const char *pipeline,
    struct progress *p)
{
	char name[NAME_MAX_LEN + 16];
	struct view text;
	struct words w;
	struct line l;
	struct err e;

	memset(p, 0, sizeof(*p));
	snprintf(name, sizeof(name), "progress.%s", pipeline);
	if (file_read(a, dir, name, WORDS_MAX, &text, &e) == -1 ||
	    words_open(&w, a, text.p, text.n, &e) == -1)
		return false;
	while (words_next(&w, &l, &e) == 0 && l.n > 0)
		progress_line(a, p, &l);
	return true;
}

/* why_pipe - the soonest of its pipelines' back-offs, and their words */
static const char *
why_pipe(const struct job *j, time_t now, char *out)
{
	char when[32];
	const struct pipe *p;

	for (size_t i = 0; i < j->npipes; i++) {
		p = &j->pipe[i];
		if (p->state != PIPE_WAIT || p->not_before <= now)
			continue;
		snprintf(out, 200, "%s: again in %s%s%s", p->name,
		    when_show_duration(p->not_before - now, when),
		    p->why == NULL ? "" : " after: ",
		    p->why == NULL ? "" : p->why);
		return out;
	}
	return NULL;
}

const char *
job_why(const struct job *j, bool draining, char *out)
{
	time_t now = time(NULL);
	char when[32];
	const char *why;

	if (j->place == PLACE_DONE)
		return "";
	if (j->place == PLACE_FAILED)
		return j->why == NULL ? "" : j->why;
	if (j->held == HELD_TEMPLATE) {
		snprintf(out, 200, "template, every %s", j->every);
		return out;
	}
	if (j->place == PLACE_HOLD)
		return j->held == HELD_SPACE ? "waits for space" : "held";
	for (size_t i = 0; i < j->npipes; i++)
		if (j->pipe[i].state == PIPE_RUN)
			return "";
	if (j->not_before > now) {
		snprintf(out, 200, "not before %s",
		    when_show_time(j->not_before, when));
		return out;
	}
	if (j->nafter > 0 && j->place == PLACE_QUEUE) {
		snprintf(out, 200, "waits for job %s%s", j->after[0],
		    j->nafter > 1 ? " and others" : "");
		return out;
	}
	if ((why = why_pipe(j, now, out)) != NULL)
		return why;
	return draining ? "draining: nothing is started" :
	    "waits for a free place";
}
