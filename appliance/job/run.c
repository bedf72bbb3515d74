/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/mark.h"
#include "appliance/job/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* run_work - the directory of what a resume needs: work.PIPELINE */
static int
run_work(struct run *r, struct err *e)
{
	char name[80];

	snprintf(name, sizeof(name), "work.%s", r->pipe->name);
	if (mkdirat(r->dir, name, 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make directory '%s'", name);
	r->work = file_dir(r->dir, name, e);
	return r->work == -1 ? -1 : 0;
}

/* run_file - a file of the work directory, cut to its length at the mark */
static int
run_file(struct run *r, const char *name, int64_t len, struct err *e)
{
	struct stat st;
	int fd = openat(r->work, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW, 0640);

	if (fd == -1)
		return err_errno(e, "cannot open '%s'", name);
	if (fstat(fd, &st) == -1 || st.st_size < len) {
		close(fd);
		return err_set(e, FATE_REJECT, "'%s' is shorter than its mark "
		    "says; use quern rerun --from", name);
	}
	if (ftruncate(fd, len) == -1) {
		close(fd);
		return err_errno(e, "cannot cut '%s' to its mark", name);
	}
	return fd;
}

/* run_journal - open a stage's journal and read what the mark kept */
static int
run_journal(struct run *r, struct stage_own *own, const struct mark *m,
    struct err *e)
{
	char name[32], *past;

	own->pending = buf_new(r->arena, (size_t)1 << 30);
	own->journal_len = m->stage[own->place].journal;
	snprintf(name, sizeof(name), "%zu.journal", own->place);
	own->journal = run_file(r, name, own->journal_len, e);
	if (own->journal == -1)
		return -1;
	past = arena_alloc(r->arena, (size_t)own->journal_len + 1);
	if (pread(own->journal, past, (size_t)own->journal_len, 0) !=
	    own->journal_len)
		return err_errno(e, "cannot read '%s'", name);
	own->past = (struct view){ past, (size_t)own->journal_len };
	return 0;
}

/* run_stage - a stage's record and its counts at the mark */
static int
run_stage(struct run *r, size_t i, const struct mark *m, struct err *e)
{
	struct stage *s = &r->stage[i];
	const struct plan_stage *p = &r->pipe->stage[i];

	s->module = p->module;
	s->conf = p->conf;
	s->arena = arena_new();
	s->run = r;
	s->own = arena_alloc(r->arena, sizeof(*s->own));
	s->own->place = i;
	s->own->journal = -1;
	s->own->past = VIEW("");
	s->own->result = buf_new(r->arena, (size_t)256 << 20);
	s->own->counts.in = m->stage[i].in;
	s->own->counts.kept = m->stage[i].kept;
	s->own->counts.dropped = m->stage[i].dropped;
	s->own->counts.failed = m->stage[i].failed;
	s->own->rules = m->stage[i].rules;
	if (r->shell)
		return 0;
	return run_journal(r, s->own, m, e);
}

/* run_again - `quern rerun --from` asked to forget what was done */
static int
run_again(struct run *r, struct err *e)
{
	char name[80];

	snprintf(name, sizeof(name), "again.%s", r->pipe->name);
	if (!file_exists(r->dir, name))
		return 0;
	if (file_remove(r->work, "mark", e) == -1)
		return -1;
	file_sync(r->work, "work");
	return file_remove(r->dir, name, e);
}

/* run_restore - the mark, if there is one */
static int
run_restore(struct run *r, struct mark *m, struct err *e)
{
	memset(m, 0, sizeof(*m));
	m->stage = arena_array(r->arena, r->pipe->nstages, sizeof(*m->stage));
	if (r->shell)
		return 0;
	if (run_work(r, e) == -1 || run_again(r, e) == -1)
		return -1;
	if (file_exists(r->work, "mark")) {
		if (mark_read(r->arena, r->work, r->pipe, m, e) == -1)
			return -1;
		r->batches = m->batches;
		r->records = m->records;
		r->rejected = m->rejected;
		r->seconds_before = m->seconds;
		r->threads = m->threads;
		msg_info("%s: resumes after batch %lld", r->pipe->name,
		    (long long)m->batches);
	}
	r->rejects = run_file(r, "rejects", m->rejects_len, e);
	r->verdicts = r->rejects == -1 ? -1 :
	    run_file(r, "verdicts", m->verdicts_len, e);
	r->rejects_len = m->rejects_len;
	r->verdicts_len = m->verdicts_len;
	return r->verdicts == -1 ? -1 : 0;
}

int
run_open(struct run *r, struct arena *a, const struct plan_pipe *p,
    struct err *e)
{
	struct mark m;

	r->arena = a;
	r->pipe = p;
	r->work = r->result = r->rejects = r->verdicts = -1;
	r->began = r->marked = when_mono();
	r->warnings = buf_new(a, (size_t)1 << 20);
	r->measured = buf_new(a, (size_t)1 << 16);
	pthread_mutex_init(&r->text, NULL);
	r->stage = arena_array(a, p->nstages, sizeof(*r->stage));
	if (run_restore(r, &m, e) == -1)
		return -1;
	for (size_t i = 0; i < p->nstages; i++)
		r->unmarked |= p->stage[i].needs.unmarked;
	for (size_t i = 0; i < p->nstages; i++) {
		if (run_stage(r, i, &m, e) == -1)
			return -1;
		r->nstages = i + 1;
		if (r->stage[i].module->open != NULL &&
		    r->stage[i].module->open(&r->stage[i], e) == -1)
			return err_prefix(e, "%s: ",
			    r->stage[i].module->name);
	}
	return 0;
}

/* run_pending - write what a stage has appended to its journal */
static int
run_pending(struct stage_own *own, struct err *e)
{
	struct buf *b = own->pending;

	if (b == NULL || b->n == 0)
		return 0;
	if (b->full)
		return err_set(e, FATE_BUG, "a journal of more than 1 GiB "
		    "between two marks");
	if (file_put(own->journal, b->p, b->n) == -1)
		return err_errno(e, "cannot write a journal");
	own->journal_len += (int64_t)b->n;
	b->n = 0;
	return 0;
}

int
run_mark(struct run *r, struct err *e)
{
	struct stage_own *own;

	if (r->shell || r->unmarked)
		return 0;
	for (size_t i = 0; i < r->nstages; i++) {
		own = r->stage[i].own;
		for (size_t k = 0; k < own->nsync; k++)
			file_sync(own->sync[k], r->stage[i].module->name);
		if (run_pending(own, e) == -1)
			return -1;
		if (own->journal_len > 0)
			file_sync(own->journal, "journal");
	}
	file_sync(r->rejects, "rejects");
	file_sync(r->verdicts, "verdicts");
	if (mark_write(r, e) == -1)
		return -1;
	file_sync(r->work, "work");
	r->marked = when_mono();
	return 0;
}

/* settle_rule - count a verdict under its rule */
static void
settle_rule(struct run *r, struct stage *s, const char *rule)
{
	struct stage_rule **at, *p;

	pthread_mutex_lock(&r->text);
	/* kept in bytewise order, for the threads meet rules in any */
	for (at = &s->own->rules; (p = *at) != NULL; at = &p->next)
		if (strcmp(p->rule, rule) >= 0)
			break;
	if (p == NULL || strcmp(p->rule, rule) != 0) {
		p = arena_alloc(r->arena, sizeof(*p));
		p->rule = arena_str(r->arena, rule);
		p->next = *at;
		*at = p;
	}
	p->n++;
	pthread_mutex_unlock(&r->text);
}

/* settle_place - id, source and offset of a record, as far as it has them */
static void
settle_place(struct buf *b, const struct rec *rec)
{
	static const char *const names[] = { "id", "source", "offset" };
	const char *sep = "";
	struct view raw;

	for (size_t i = 0; i < 3; i++)
		if (rec_raw(rec, names[i], &raw)) {
			buf_printf(b, "%s\"%s\":", sep, names[i]);
			buf_view(b, raw);
			sep = ",";
		}
	buf_str(b, sep);
}

/* settle_said - a fault as a person in a shell reads it, a line */
static void
settle_said(struct buf *b, const struct stage *s, const struct rec *rec)
{
	struct view source, offset;

	buf_printf(b, "%s: ", s->module->name);
	if (rec_raw(rec, "source", &source) && rec_raw(rec, "offset", &offset))
		buf_printf(b, "%.*s at %.*s: ", (int)source.n, source.p,
		    (int)offset.n, offset.p);
	buf_printf(b, "%s\n", rec->rule);
}

void
run_settle(struct run *r, struct stage *s, struct batch *batch,
    struct buf *rej, struct buf *ver)
{
	struct counts *c = &s->own->counts;
	size_t kept = 0;

	for (size_t i = 0; i < batch->n; i++) {
		struct rec *rec = &batch->rec[i];

		if (rec->state == REC_KEPT) {
			if (kept != i)
				batch->rec[kept] = *rec;
			kept++;
			continue;
		}
		settle_rule(r, s, rec->state == REC_DROPPED ? rec->rule :
		    "fault");
		if (rec->state == REC_FAILED) {
			atomic_fetch_add(&c->failed, 1);
			atomic_fetch_add(&r->rejected, 1);
			if (r->shell) {
				settle_said(rej, s, rec);
				continue;
			}
			buf_char(rej, '{');
			settle_place(rej, rec);
			buf_printf(rej, "\"stage\":\"%s\",\"reason\":",
			    s->module->name);
			buf_json_str(rej, rec->rule);
			buf_str(rej, "}\n");
			continue;
		}
		atomic_fetch_add(&c->dropped, 1);
		buf_char(ver, '{');
		settle_place(ver, rec);
		buf_printf(ver, "\"stage\":\"%s\",\"rule\":\"%s\",\"value\":",
		    s->module->name, rec->rule);
		buf_json_num(ver, rec->value);
		buf_str(ver, ",\"threshold\":");
		buf_json_num(ver, rec->threshold);
		if (rec->of != NULL) {
			buf_str(ver, ",\"of\":");
			buf_json_str(ver, rec->of);
		}
		buf_str(ver, "}\n");
	}
	batch->n = kept;
	atomic_fetch_add(&c->kept, (int64_t)kept);
}

void
run_close(struct run *r)
{
	for (size_t i = r->nstages; i-- > 0; ) {
		if (r->stage[i].module->close != NULL)
			r->stage[i].module->close(&r->stage[i]);
		arena_free(r->stage[i].arena);
		if (r->stage[i].own->journal != -1)
			close(r->stage[i].own->journal);
	}
	if (r->rejects != -1)
		close(r->rejects);
	if (r->verdicts != -1)
		close(r->verdicts);
	if (r->work != -1)
		close(r->work);
	if (r->result != -1)
		close(r->result);
	pthread_mutex_destroy(&r->text);
}
