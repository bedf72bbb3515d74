/* SPDX-License-Identifier: Apache-2.0 */
/* What the house does for a stage (module.h) */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

volatile sig_atomic_t run_signal;

struct rec *
batch_add(struct batch *b)
{
	struct rec *r;

	if (b->n == b->cap) {
		b->cap = b->cap == 0 ? BATCH_RECORDS : b->cap * 2;
		b->rec = arena_grow(b->arena, b->rec, b->n, b->cap,
		    sizeof(*b->rec));
	}
	r = &b->rec[b->n++];
	memset(r, 0, sizeof(*r));
	return r;
}

bool
batch_full(const struct batch *b)
{
	return b->n >= BATCH_RECORDS || b->bytes >= BATCH_BYTES;
}

struct view
stage_journal(struct stage *s)
{
	return s->own->past;
}

void
stage_append(struct stage *s, const void *p, size_t n)
{
	if (s->own->pending != NULL)
		buf_add(s->own->pending, p, n);
}

void
stage_sync(struct stage *s, int fd)
{
	if (s->own->nsync == BASE_COUNT(s->own->sync))
		panic("stage '%s' syncs too many files", s->module->name);
	s->own->sync[s->own->nsync++] = fd;
}

int
stage_dir(struct stage *s)
{
	return s->run->work;
}

const struct hash_key *
stage_key(struct stage *s)
{
	return &s->run->key;
}

int
stage_threads(const struct stage *s)
{
	return s->run->threads;
}

const char *
stage_gpus(const struct stage *s)
{
	return s->run->gpus;
}

bool
stage_stopping(const struct stage *s)
{
	(void)s;
	return run_signal != 0;
}

int
stage_stop(struct err *e)
{
	return err_set(e, FATE_STOP, "stopped");
}

void
stage_total(struct stage *s, int64_t bytes)
{
	atomic_store(&s->run->total, bytes);
}

void
stage_done(struct stage *s, int64_t bytes)
{
	atomic_store(&s->run->done, bytes);
}

void
stage_note(struct stage *s, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&s->run->text);
	va_start(ap, fmt);
	vsnprintf(s->run->note, sizeof(s->run->note), fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&s->run->text);
	run_progress(s->run, false);
}

void
stage_warn(struct stage *s, const char *fmt, ...)
{
	struct run *r = s->run;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	msg_warn("%s: %s", s->module->name, text);
	pthread_mutex_lock(&r->text);
	if (r->nwarnings++ > 0)
		buf_char(r->warnings, ',');
	buf_json_str(r->warnings, text);
	pthread_mutex_unlock(&r->text);
}

void
stage_result(struct stage *s, const char *name, struct view json)
{
	struct buf *b = s->own->result;

	if (b->n > 0)
		buf_char(b, ',');
	buf_json_str(b, name);
	buf_char(b, ':');
	buf_view(b, json);
}

void
stage_measured(struct stage *s, const char *name, int64_t n)
{
	pthread_mutex_lock(&s->run->text);
	buf_printf(s->run->measured, ",\"%s\":%lld", name, (long long)n);
	pthread_mutex_unlock(&s->run->text);
}

const char *
stage_output(struct stage *s, const char *path, int *at, struct err *e)
{
	*at = AT_FDCWD;
	if (path[0] == '/' || s->run->shell)
		return path;
	if (s->run->result == -1) {
		if (mkdirat(s->run->dir, "result", 0750) == -1 &&
		    errno != EEXIST) {
			err_errno(e, "cannot make the result directory");
			return NULL;
		}
		s->run->result = file_dir(s->run->dir, "result", e);
		if (s->run->result == -1)
			return NULL;
	}
	*at = s->run->result;
	return path;
}

bool
stage_is_shell(const struct stage *s)
{
	return s->run->shell;
}

bool
stage_ranks(const struct stage *s)
{
	return s->run->ranks;
}

int
stage_mark(struct stage *s, struct err *e)
{
	return run_mark(s->run, e);
}

struct store *
stage_store(struct stage *s)
{
	return s->run->store;
}

const char *
stage_job(const struct stage *s)
{
	return s->run->job;
}

const char *
stage_pipeline(const struct stage *s)
{
	return s->run->pipe->name;
}

void
stage_input(struct stage *s, const char *version)
{
	struct run *r = s->run;

	for (size_t i = 0; i < r->ninputs; i++)
		if (strcmp(r->input[i], version) == 0)
			return;		/* another split of it was read */
	r->input = arena_grow(r->arena, r->input, r->ninputs, r->ninputs + 1,
	    sizeof(*r->input));
	r->input[r->ninputs++] = arena_str(r->arena, version);
}

const char *const *
stage_inputs(const struct stage *s, size_t *n)
{
	*n = s->run->ninputs;
	return s->run->input;
}

const char *
stage_result_key(const struct stage *s)
{
	return s->run->result_key;
}

int
stage_verdicts(const struct stage *s)
{
	return s->run->verdicts;
}
