/* SPDX-License-Identifier: Apache-2.0 */
/* References that stages read, and the directory that one makes (module.h) */
#include "appliance/base/base.h"
#include "appliance/job/run.h"
#include "appliance/store/artefact.h"
#include "appliance/store/dataset.h"
#include "appliance/store/ref.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage_records {
	struct ref ref;
	struct dataset *data;
};

bool
stage_named(const char *ref)
{
	return ref != NULL && strchr(ref, '/') == NULL;
}

int
stage_version(struct stage *s, const char *text, enum kind kind,
    struct version *v, struct ref *ref, struct err *e)
{
	enum store_kind want = (enum store_kind)(kind - KIND_DATASET);
	int rc;

	if (ref_parse(s->arena, text, ref, e) == -1)
		return -1;
	rc = store_resolve(stage_store(s), s->arena, ref->name, ref->at,
	    stage_is_shell(s) ? NULL : stage_job(s), v, e);
	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, FATE_NOINPUT, "there is no %s '%s'",
		    store_kinds[want], text);
	if (v->kind != want)
		return err_set(e, FATE_REJECT, "'%s' is a %s, not a %s", text,
		    store_kinds[v->kind], store_kinds[want]);
	stage_input(s, arena_printf(s->arena, "%s@%u", v->name, v->number));
	return 0;
}

/* open_place - a directory; a model may be one file */
static int
open_place(const char *path, enum kind kind, struct err *e)
{
	struct stat st;
	int fd;

	if (kind != KIND_MODEL || stat(path, &st) == -1 ||
	    !S_ISREG(st.st_mode))
		return file_dir(AT_FDCWD, path, e);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd == -1 ? err_errno(e, "cannot open '%s'", path) : fd;
}

int
stage_files(struct stage *s, const char *text, enum kind kind, struct err *e)
{
	struct version v;
	struct ref ref;

	if (!stage_named(text))
		return open_place(text, kind, e);
	if (stage_version(s, text, kind, &v, &ref, e) == -1)
		return -1;
	return artefact_open(stage_store(s), &v, e);
}

/* cache_shell - a person's own cache, made if need be; -1 */
static int
cache_shell(struct arena *a)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const char *path;
	struct stat st;
	struct err absent;
	int fd;

	if (base != NULL && base[0] == '/')
		path = arena_printf(a, "%s/quern", base);
	else if (home != NULL && home[0] == '/')
		path = arena_printf(a, "%s/.cache/quern", home);
	else
		return -1;
	if (file_mkdirs(path, 0700, &absent) == -1)
		return -1;
	fd = file_dir(AT_FDCWD, path, &absent);
	/* what lies there must be ours */
	if (fd != -1 && (fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int
stage_compiled(struct stage *s)
{
	struct run *r = s->run;
	struct err absent;

	if (r->store == NULL)
		return r->shell ? cache_shell(s->arena) : -1;
	(void)mkdirat(r->store->dir, "compiled", 0750);
	return file_dir(r->store->dir, "compiled", &absent);
}

/* tokenizer_path - a file or directory, by way of what was kept of it */
static int
tokenizer_path(struct stage *s, const char *path, struct view *file,
    struct hash *hash, struct err *e)
{
	struct vocab_made made = { 0 };
	int images = stage_compiled(s);
	int rc = vocab_read(s->arena, AT_FDCWD, path, images, &made, e);

	if (images != -1)
		close(images);
	*file = made.file;
	*hash = made.hash;
	return rc;
}

int
stage_tokenizer(struct stage *s, const char *text, struct view *file,
    struct hash *hash, struct err *e)
{
	struct version v;
	struct ref ref;
	int images;

	if (!stage_named(text))
		return tokenizer_path(s, text, file, hash, e);
	if (stage_version(s, text, KIND_TOKENIZER, &v, &ref, e) == -1)
		return -1;
	if (v.npacks != 1)
		return err_set(e, FATE_REJECT, "'%s' has no file", text);
	if (file_read(s->arena, stage_store(s)->packs, v.pack[0],
	    TOKENIZER_MAX, file, e) == -1)
		return -1;
	images = stage_compiled(s);
	*hash = vocab_kept_hash(images, *file);
	if (images != -1)
		close(images);
	return 0;
}

struct stage_records *
stage_records(struct stage *s, const char *text, struct err *e)
{
	struct stage_records *r = arena_alloc(s->arena, sizeof(*r));
	struct version v;

	if (stage_version(s, text, KIND_DATASET, &v, &r->ref, e) == -1)
		return NULL;
	r->data = dataset_open(stage_store(s), s->arena, &v, e);
	return r->data == NULL ? NULL : r;
}

int
stage_record(struct stage_records *r, struct arena *a, struct rec *rec,
    struct err *e)
{
	struct view line, split;
	int rc;

	while ((rc = dataset_next(r->data, &line, e)) == 1) {
		memset(rec, 0, sizeof(*rec));
		if (rec_parse(a, view_keep(a, line), rec, e) == -1)
			return -1;
		if (r->ref.split == NULL || (rec_str(a, rec, "split",
		    &split) && view_is(split, r->ref.split)))
			return 1;
	}
	return rc;
}

/* make_part - beside the place that it will be renamed to */
static int
make_part(struct stage *s, const char *out, struct err *e)
{
	const char *part;
	int at;

	out = stage_output(s, out, &at, e);
	if (out == NULL)
		return -1;
	part = arena_printf(s->arena, "%s.part", out);
	if (file_exists(at, out))
		return err_set(e, FATE_CREATE, "'%s' is there already", out);
	if (file_remove(at, part, e) == -1)
		return -1;
	if (mkdirat(at, part, 0755) == -1)
		return err_errno(e, "cannot make '%s'", part);
	return file_dir(at, part, e);
}

int
stage_made(struct stage *s, const char *out, struct err *e)
{
	int at;

	if (out == NULL)
		return 0;
	out = stage_output(s, out, &at, e);
	return out == NULL ? -1 : file_rename(at, arena_printf(s->arena,
	    "%s.part", out), at, out, e);
}

const char *
stage_saves(const struct stage *s)
{
	const struct plan_pipe *p = s->run->pipe;

	return s->own->place + 1 < p->nstages ?
	    p->stage[s->own->place + 1].needs.saves : NULL;
}

int
stage_make(struct stage *s, const char *out, struct err *e)
{
	const char *name = arena_printf(s->arena, "%s.made",
	    stage_pipeline(s));
	int work, dir;

	if (out != NULL)
		return make_part(s, out, e);
	work = store_work(stage_store(s), stage_job(s), e);
	if (work == -1)
		return -1;
	/* what an attempt before us left is made again */
	if (file_remove(work, name, e) == -1) {
		close(work);
		return -1;
	}
	if (mkdirat(work, name, 0750) == -1)
		dir = err_errno(e, "cannot make '%s'", name);
	else
		dir = file_dir(work, name, e);
	close(work);
	return dir;
}

int
stage_passed(struct stage *s, const struct version *v, struct err *e)
{
	const struct plan_stage *p = &s->run->pipe->stage[s->own->place];
	const char *who = arena_printf(s->arena, "%s.%zu", stage_pipeline(s),
	    s->own->place);

	if (stage_is_shell(s) || p->needs.gated == 0)
		return 0;
	return store_gate(stage_store(s), stage_job(s), v->name, v->number,
	    who, p->needs.gated, e);
}
