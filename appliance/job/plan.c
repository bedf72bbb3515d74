/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/base/when.h"
#include "appliance/job/plan.h"
#include "appliance/job/setting.h"
#include "appliance/load.h"

#include <stdlib.h>

int
plan_stage(struct plan_stage *s, struct arena *a, const struct word *w,
    size_t n, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->word = w[0];
	s->module = load_module(a, w[0].s, e);
	if (s->module == NULL)
		return -1;
	s->conf = arena_alloc(a, s->module->conf_size);
	if (opt_defaults(s->module->options, s->conf, a, e) == -1)
		panic("module '%s': %s", w[0].s, e->text);
	if (opt_words(s->module->options, s->conf, a, w + 1, n - 1, e) == -1)
		return -1;
	if (s->module->plan != NULL &&
	    s->module->plan(s->conf, &s->needs, e) == -1)
		return -1;
	return 0;
}

/* plan_blame - note an error that may carry its own "line:col: " */
static void
plan_blame(struct faults *f, const struct word *w, const struct err *e)
{
	unsigned line, col;
	int n = 0;
	struct word at = *w;

	if (sscanf(e->text, "%u:%u: %n", &line, &col, &n) == 2 && n > 0) {
		at.line = line;
		at.col = col;
	}
	fault(f, &at, "%s%s%s", n > 0 ? w->s : "", n > 0 ? ": " : "",
	    e->text + n);
}

void
plan_shape(const struct plan_pipe *p, struct faults *f)
{
	const struct plan_stage *s;

	for (size_t i = 0; i < p->nstages; i++) {
		s = &p->stage[i];
		if (s->module == NULL)
			return;
		if (i == 0 && !s->needs.source)
			fault(f, &s->word, "a pipeline begins with a source "
			    "(from, ingest), '%s' is none", s->word.s);
		if (i > 0 && s->needs.source)
			fault(f, &s->word, "'%s' is a source and stands only "
			    "at the beginning", s->word.s);
		if (i + 1 < p->nstages && s->needs.sink)
			fault(f, &s->word, "'%s' ends a pipeline, nothing can "
			    "follow it", s->word.s);
		if (i + 1 == p->nstages && !s->needs.sink && !s->needs.report)
			fault(f, &s->word, "a pipeline ends with save, append, "
			    "write, promote or a stage that reports; '%s' is "
			    "none", s->word.s);
	}
}

/* plan_made - a model or an index goes into the save that ends the pipeline */
static void
plan_made(struct plan_pipe *p, struct faults *f)
{
	enum kind made = KIND_NONE;
	struct plan_stage *s;

	for (size_t i = 0; i < p->nstages; i++) {
		s = &p->stage[i];
		if (s->module == NULL)
			return;
		if (made != KIND_NONE && (s->needs.saves == NULL ||
		    s->needs.appends)) {
			fault(f, &s->word, "what '%s' makes is kept by 'save "
			    "NAME', nothing else can follow it",
			    p->stage[i - 1].word.s);
			return;
		}
		if (made != KIND_NONE)
			s->needs.makes = made;
		made = s->needs.sink ? KIND_NONE : s->needs.makes;
	}
}

/* plan_pipe - the stages of one pipeline */
static void
plan_pipe(struct plan_pipe *p, struct arena *a, const struct lang_pipe *l,
    struct faults *f)
{
	struct err e;

	p->name = l->name.s;
	p->word = l->name;
	p->nstages = l->nstages;
	p->stage = arena_array(a, p->nstages, sizeof(*p->stage));
	for (size_t i = 0; i < p->nstages; i++)
		if (plan_stage(&p->stage[i], a, l->stage[i].word,
		    l->stage[i].n, &e) == -1) {
			plan_blame(f, &l->stage[i].word[0], &e);
			p->stage[i].module = NULL;
		}
	plan_shape(p, f);
	plan_made(p, f);
}

int
plan_saver(const struct plan *plan, const char *name)
{
	const struct plan_pipe *p;

	for (size_t i = 0; i < plan->npipes; i++) {
		p = &plan->pipe[i];
		for (size_t k = 0; k < p->nstages; k++)
			if (p->stage[k].needs.saves != NULL &&
			    strcmp(p->stage[k].needs.saves, name) == 0)
				return (int)i;
	}
	return -1;
}

/* edge_ref - a store reference of an option: an edge if this job saves it */
static void
edge_ref(struct plan *plan, struct plan_pipe *p, struct arena *a,
    const struct plan_stage *s, const struct opt *o, const char *text,
    struct faults *f)
{
	struct ref r;
	struct err e;
	int saver;

	if (o->type < OPT_DATASET || o->type > OPT_INDEX ||
	    strchr(text, '/') != NULL)
		return;			/* a path is no reference */
	if (ref_parse(a, text, &r, &e) == -1) {
		fault(f, &s->word, "%s=: %s", o->name, e.text);
		return;
	}
	saver = plan_saver(plan, r.name);
	if (saver == -1 || r.at != NULL)
		return;
	if (&plan->pipe[saver] == p) {
		if (s->needs.saves == NULL || !s->needs.appends)
			return;
	}
	p->after |= (uint64_t)1 << saver;
}

/* plan_edges - join pipelines by the names that they save and read */
static void
plan_edges(struct plan *plan, struct arena *a, struct faults *f)
{
	struct plan_pipe *p;

	for (size_t i = 0; i < plan->npipes; i++) {
		p = &plan->pipe[i];
		for (size_t k = 0; k < p->nstages; k++) {
			const struct plan_stage *s = &p->stage[k];
			const struct opt *o = s->module == NULL ? NULL :
			    s->module->options;

			for (; o != NULL && o->name != NULL; o++) {
				const char *t;

				for (size_t n = 0; (t = opt_path(o, s->conf, n,
				    NULL)) != NULL; n++)
					edge_ref(plan, p, a, s, o, t, f);
			}
		}
		p->after &= ~((uint64_t)1 << i);
	}
}

/* gates_on - how many stages gate what is saved under a name */
static int
gates_on(const struct plan *plan, const char *name)
{
	const struct plan_pipe *p;
	int n = 0;

	for (size_t i = 0; i < plan->npipes; i++) {
		p = &plan->pipe[i];
		for (size_t k = 0; k < p->nstages; k++)
			n += p->stage[k].needs.gates != NULL &&
			    strcmp(p->stage[k].needs.gates, name) == 0;
	}
	return n;
}

/* plan_gates - tell the stage that saves, and the gates themselves */
static void
plan_gates(struct plan *plan)
{
	for (size_t i = 0; i < plan->npipes; i++)
		for (size_t k = 0; k < plan->pipe[i].nstages; k++) {
			struct needs *n = &plan->pipe[i].stage[k].needs;
			const char *on = n->saves != NULL ? n->saves :
			    n->gates;

			if (on != NULL)
				n->gated = gates_on(plan, on);
		}
}

/* plan_cycles - take away what can run; what is left runs in a circle */
static void
plan_cycles(const struct plan *plan, struct faults *f)
{
	uint64_t done = 0;
	bool moved = true;

	while (moved) {
		moved = false;
		for (size_t i = 0; i < plan->npipes; i++)
			if (!(done & (uint64_t)1 << i) &&
			    (plan->pipe[i].after & ~done) == 0) {
				done |= (uint64_t)1 << i;
				moved = true;
			}
	}
	for (size_t i = 0; i < plan->npipes; i++)
		if (!(done & (uint64_t)1 << i))
			fault(f, &plan->pipe[i].word, "pipeline '%s' needs "
			    "what needs it", plan->pipe[i].name);
}

/* plan_twice - one name is saved by one pipeline */
static void
plan_twice(const struct plan *plan, struct faults *f)
{
	const struct plan_pipe *p;

	for (size_t i = 0; i < plan->npipes; i++) {
		p = &plan->pipe[i];
		for (size_t k = 0; k < p->nstages; k++) {
			const struct plan_stage *s = &p->stage[k];

			if (s->needs.saves != NULL && !s->needs.appends &&
			    plan_saver(plan, s->needs.saves) != (int)i)
				fault(f, &s->word, "'%s' is saved by two "
				    "pipelines", s->needs.saves);
		}
	}
}

/* path_beneath - does path lie below dir, without '..' on its way */
static bool
path_beneath(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strstr(path, "/../") != NULL || (strlen(path) > 2 &&
	    strcmp(path + strlen(path) - 3, "/..") == 0))
		return false;
	return strncmp(path, dir, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0' || n == 1);
}

/* grant_path - is one path allowed by quern.conf */
static void
grant_path(const struct plan_stage *s, const struct opt *o, const char *path,
    const struct conf *c, struct faults *f)
{
	bool in = o->type != OPT_PATH_OUT;
	const struct opt_list *l = in ? &c->readable : &c->writable;

	if (*path == '\0' || (in && o->type != OPT_PATH_IN &&
	    strchr(path, '/') == NULL))
		return;
	if (path[0] != '/') {
		if (in || strstr(path, "..") != NULL)
			fault(f, &s->word, "%s=: '%s' must be a whole path, "
			    "beginning with '/'", o->name, path);
		return;			/* output in the result directory */
	}
	for (size_t i = 0; i < l->n; i++)
		if (path_beneath(path, l->v[i]))
			return;
	fault(f, &s->word, "%s=: '%s' is not below a directory that "
	    "quern.conf lists as %s", o->name, path,
	    in ? "readable" : "writable");
}

/* plan_grants - all paths of all stages */
static void
plan_grants(const struct plan *plan, const struct conf *c, struct faults *f)
{
	for (size_t i = 0; i < plan->npipes; i++)
		for (size_t k = 0; k < plan->pipe[i].nstages; k++) {
			const struct plan_stage *s = &plan->pipe[i].stage[k];
			const struct opt *o = s->module == NULL ? NULL :
			    s->module->options;

			for (; o != NULL && o->name != NULL; o++) {
				const char *t;

				for (size_t n = 0; (t = opt_path(o, s->conf, n,
				    NULL)) != NULL; n++)
					grant_path(s, o, t, c, f);
			}
		}
}

void
plan_make(struct plan *plan, struct arena *a, struct view text,
    const struct conf *conf, struct faults *f)
{
	struct lang l;

	memset(plan, 0, sizeof(*plan));
	plan->file = f->file;
	lang_parse(&l, a, text, f);
	setting_all(plan, a, &l, f);
	plan->npipes = l.npipes;
	plan->pipe = arena_array(a, l.npipes, sizeof(*plan->pipe));
	for (size_t i = 0; i < l.npipes; i++)
		plan_pipe(&plan->pipe[i], a, &l.pipe[i], f);
	plan_edges(plan, a, f);
	plan_gates(plan);
	plan_cycles(plan, f);
	plan_twice(plan, f);
	if (conf != NULL)
		plan_grants(plan, conf, f);
}

const struct plan_pipe *
plan_find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->npipes; i++)
		if (strcmp(plan->pipe[i].name, name) == 0)
			return &plan->pipe[i];
	return NULL;
}
