/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/job/lang.h"

#define FAULTS_MAX	50

void
faults_init(struct faults *f, struct arena *a, const char *file)
{
	*f = (struct faults){ .file = file,
	    .text = buf_new(a, (size_t)1 << 20) };
}

void
fault(struct faults *f, const struct word *w, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (++f->n > FAULTS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (w != NULL)
		buf_printf(f->text, "%s:%u:%u: %s\n", f->file, w->line, w->col,
		    text);
	else
		buf_printf(f->text, "%s:%s\n", f->file, text);
	if (f->n == FAULTS_MAX)
		buf_printf(f->text, "%s: more is wrong, this is enough\n",
		    f->file);
}

/* lang_pipe - `pipeline NAME` */
static struct lang_pipe *
lang_pipe(struct lang *l, struct arena *a, const struct line *line,
    struct faults *f)
{
	struct lang_pipe *p;
	const struct word *name;

	if (line->n != 2) {
		fault(f, &line->word[0], "a pipeline begins 'pipeline NAME'");
		return NULL;
	}
	name = &line->word[1];
	if (!name_valid(name->s, strlen(name->s)))
		fault(f, name, "'%s' is no name: a to z, 0 to 9, then also "
		    "'.', '_', '-'; at most 64", name->s);
	for (size_t i = 0; i < l->npipes; i++)
		if (strcmp(l->pipe[i].name.s, name->s) == 0)
			fault(f, name, "pipeline '%s' is there twice", name->s);
	if (l->npipes == 64) {
		fault(f, name, "more than 64 pipelines");
		return NULL;
	}
	l->pipe = arena_grow(a, l->pipe, l->npipes, l->npipes + 1,
	    sizeof(*l->pipe));
	p = &l->pipe[l->npipes++];
	p->name = *name;
	return p;
}

/* lang_line - a setting, the beginning of a pipeline, or a stage */
static struct lang_pipe *
lang_line(struct lang *l, struct arena *a, const struct line *line,
    struct lang_pipe *p, struct faults *f)
{
	const struct word *first = &line->word[0];

	if (line->indented) {
		if (p == NULL) {
			if (l->npipes == 0)
				fault(f, first, "a stage stands before the "
				    "first pipeline");
			return NULL;
		}
		p->stage = arena_grow(a, p->stage, p->nstages, p->nstages + 1,
		    sizeof(*p->stage));
		p->stage[p->nstages++] = *line;
		return p;
	}
	if (strcmp(first->s, "pipeline") == 0)
		return lang_pipe(l, a, line, f);
	if (l->npipes > 0)
		fault(f, first, "'%s' stands at column one after a pipeline: "
		    "settings come first, stages are indented", first->s);
	l->setting = arena_grow(a, l->setting, l->nsettings, l->nsettings + 1,
	    sizeof(*l->setting));
	l->setting[l->nsettings++] = *line;
	return p;
}

void
lang_parse(struct lang *l, struct arena *a, struct view text,
    struct faults *f)
{
	struct lang_pipe *p = NULL;
	struct words w;
	struct line line;
	struct err e;

	memset(l, 0, sizeof(*l));
	if (words_open(&w, a, text.p, text.n, &e) == -1) {
		fault(f, NULL, "%s", e.text);
		return;
	}
	for (;;) {
		if (words_next(&w, &line, &e) == -1) {
			fault(f, NULL, "%s", e.text);
			return;
		}
		if (line.n == 0)
			break;
		p = lang_line(l, a, &line, p, f);
	}
	if (l->npipes == 0)
		fault(f, NULL, "1:1: there is no pipeline");
	for (size_t i = 0; i < l->npipes; i++)
		if (l->pipe[i].nstages == 0)
			fault(f, &l->pipe[i].name, "pipeline '%s' has no "
			    "stage", l->pipe[i].name.s);
}
