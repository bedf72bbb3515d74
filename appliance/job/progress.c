/* SPDX-License-Identifier: Apache-2.0 */
/* How far a pipeline is: a file for `quern show`, or a line on a terminal */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/run.h"

#include <unistd.h>

/* progress_file - progress.PIPELINE, replaced; not flushed: it is no promise */
static void
progress_file(struct run *r, double now)
{
	struct buf b;
	char name[80];
	struct err e;

	buf_init(&b, WORDS_MAX);
	buf_printf(&b, "pipeline seconds=%lld records=%lld done=%lld "
	    "total=%lld threads=%d\n", (long long)(r->seconds_before +
	    (int64_t)(now - r->began)), (long long)r->records,
	    (long long)r->done, (long long)r->total, r->threads);
	pthread_mutex_lock(&r->text);
	if (r->note[0] != '\0') {
		buf_str(&b, "note ");
		buf_word(&b, r->note);
		buf_char(&b, '\n');
	}
	pthread_mutex_unlock(&r->text);
	for (size_t i = 0; i < r->nstages; i++) {
		struct counts *c = &r->stage[i].own->counts;

		buf_printf(&b, "stage %s in=%lld kept=%lld dropped=%lld "
		    "failed=%lld\n", r->stage[i].module->name,
		    (long long)c->in, (long long)c->kept,
		    (long long)c->dropped, (long long)c->failed);
	}
	snprintf(name, sizeof(name), "progress.%s", r->pipe->name);
	if (file_replace(r->dir, name, buf_get(&b), 0640, false, &e) == -1)
		msg_debug("%s", e.text);
	buf_free(&b);
}

/* progress_line - one line on a terminal, written over itself */
static void
progress_line(struct run *r, double now, bool last)
{
	struct counts *c = &r->stage[r->nstages - 1].own->counts;
	double spent = now - r->began;
	char eta[32], line[256];
	double part = 0;
	int n;

	if (r->total > 0)
		part = (double)r->done / (double)r->total;
	n = snprintf(line, sizeof(line), "\r\033[K%s: %lld records, %lld kept, "
	    "%.0f/s", r->stage[r->nstages - 1].module->name,
	    (long long)r->records, (long long)c->kept,
	    spent > 0 ? (double)r->records / spent : 0.0);
	if (part > 0 && part <= 1 && !last)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
		    ", %.0f %%, %s to go", part * 100,
		    when_show_duration((int64_t)(spent * (1 - part) / part),
		    eta));
	if (r->note[0] != '\0')
		n += snprintf(line + n, sizeof(line) - (size_t)n, " | %.120s",
		    r->note);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	if (last)
		line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)n);
}

void
run_progress(struct run *r, bool last)
{
	double now = when_mono();

	if (!last && now - r->told < (r->tty ? 0.2 : 1.0))
		return;
	if (r->shell && (!r->tty || (last && r->told == 0)))
		return;
	r->told = now;
	msg_over(r->shell && !last);
	if (r->shell)
		progress_line(r, now, last);
	else
		progress_file(r, now);
}

/* piece_stage - a stage's entry */
static void
piece_stage(struct run *r, struct stage *s, struct buf *b)
{
	struct counts *c = &s->own->counts;
	const char *sep = "";

	(void)r;
	buf_printf(b, "{\"module\":\"%s\",\"in\":%lld,\"kept\":%lld,"
	    "\"dropped\":%lld,\"failed\":%lld,\"rules\":{", s->module->name,
	    (long long)c->in, (long long)c->kept, (long long)c->dropped,
	    (long long)c->failed);
	for (struct stage_rule *p = s->own->rules; p != NULL; p = p->next) {
		buf_str(b, sep);
		buf_json_str(b, p->rule);
		buf_printf(b, ":%lld", (long long)p->n);
		sep = ",";
	}
	buf_str(b, "},\"options\":");
	opt_json(s->module->options, s->conf, b);
	if (s->own->result->n > 0) {
		buf_str(b, ",\"result\":{");
		buf_view(b, buf_get(s->own->result));
		buf_char(b, '}');
	}
	buf_char(b, '}');
}

int
run_piece(struct run *r, const struct err *failure, struct err *e)
{
	struct buf *b = buf_new(r->arena, (size_t)1 << 30);
	char name[80];

	buf_str(b, "{\"pipeline\":");
	buf_json_str(b, r->pipe->name);
	buf_str(b, ",\"fate\":");
	buf_json_str(b, fate_name(failure == NULL ? FATE_DONE :
	    failure->fate));
	if (failure != NULL) {
		buf_str(b, ",\"error\":");
		buf_json_str(b, failure->text);
	}
	buf_printf(b, ",\"records\":%lld,\"rejected\":%lld,\"warnings\":[",
	    (long long)r->records, (long long)r->rejected);
	buf_view(b, buf_get(r->warnings));
	buf_str(b, "],\"stages\":[");
	for (size_t i = 0; i < r->nstages; i++) {
		if (i > 0)
			buf_char(b, ',');
		piece_stage(r, &r->stage[i], b);
	}
	buf_printf(b, "],\"measured\":{\"seconds\":%.3f,\"threads\":%d",
	    (double)r->seconds_before + when_mono() - r->began, r->threads);
	buf_view(b, buf_get(r->measured));
	buf_str(b, "}}\n");
	snprintf(name, sizeof(name), "result.%s.json", r->pipe->name);
	return file_replace(r->dir, name, buf_get(b), 0640, false, e);
}
