/* SPDX-License-Identifier: Apache-2.0 */
/* gc, backup, restore: the store as a whole */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/id.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "appliance/store/dataset.h"
#include "appliance/verb/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* where models and indexes lie, a directory each (artefact.h) */
static const char *const places[] = { "models", "indexes", "compiled" };

struct names {
	struct arena *arena;
	const char **v;
	size_t n, cap;
};

static void
names_add(struct names *x, const char *name)
{
	if (x->n == x->cap) {
		x->cap = x->cap == 0 ? 64 : x->cap * 2;
		x->v = arena_grow(x->arena, x->v, x->n, x->cap,
		    sizeof(*x->v));
	}
	x->v[x->n++] = name;
}

static int
names_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* names_take - the packs that a version names */
static int
names_take(void *arg, const struct version *v)
{
	if (v->path != NULL) {
		/* the last part of models/ID, or of a place that is not ours */
		names_add(arg, strrchr(v->path, '/') + 1);
		return 0;
	}
	for (size_t i = 0; i < v->npacks; i++)
		names_add(arg, v->pack[i]);
	for (size_t i = 0; i < v->nverdicts; i++)
		names_add(arg, v->verdict[i]);
	return 0;
}

/* gc_sweep - what of a directory no version names */
static int
gc_sweep(struct verb_call *c, int dir, const struct names *used,
    int64_t *bytes, struct err *e)
{
	struct stat st;
	char **name;
	size_t n;

	if (file_list(c->arena, dir, ".", &name, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (used->n > 0 && bsearch(&name[i], used->v, used->n,
		    sizeof(*used->v), names_cmp) != NULL)
			continue;
		if (fstatat(dir, name[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			*bytes += S_ISDIR(st.st_mode) ?
			    file_usage(dir, name[i]) : st.st_size;
		if (file_remove(dir, name[i], e) == -1)
			return -1;
	}
	return 0;
}

/* gc_packs - packs and copied models that no version names, and compiled
 * vocabularies, which are made anew */
static int
gc_packs(struct verb_call *c, int64_t *bytes, struct err *e)
{
	struct names used = { .arena = c->arena };
	int dir, rc = 0;

	if (store_each(c->store, c->arena, NULL, names_take, &used, e) == -1)
		return -1;
	if (used.n > 1)
		qsort(used.v, used.n, sizeof(*used.v), names_cmp);
	if (gc_sweep(c, c->store->packs, &used, bytes, e) == -1)
		return -1;
	for (size_t i = 0; i < BASE_COUNT(places) && rc == 0; i++) {
		if (!file_exists(c->store->dir, places[i]))
			continue;
		dir = file_dir(c->store->dir, places[i], e);
		if (dir == -1)
			return -1;
		rc = gc_sweep(c, dir, &used, bytes, e);
		close(dir);
	}
	return rc;
}

/* gc_job - could this job still want its work directory */
static bool
gc_job(const struct verb_call *c, const char *id)
{
	static const char *const states[] = { "queue", "run", "hold",
	    "failed" };
	char path[PATH_MAX];

	for (size_t i = 0; i < BASE_COUNT(states); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", c->conf.spool,
		    states[i], id);
		if (file_exists(AT_FDCWD, path))
			return true;
	}
	return false;
}

/* gc_work - work directories that nobody will come back to */
static int
gc_work(struct verb_call *c, int64_t *bytes, struct err *e)
{
	int work = file_dir(c->store->dir, "work", e);
	char **name;
	size_t n;
	int rc;

	if (work == -1)
		return -1;
	rc = file_list(c->arena, work, ".", &name, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (id_valid(name[i]) && gc_job(c, name[i]))
			continue;
		*bytes += file_usage(work, name[i]);
		rc = file_remove(work, name[i], e);
	}
	close(work);
	return rc;
}

int
gc_main(struct verb_call *c, struct err *e)
{
	int64_t bytes = 0;
	char size[32];

	if (c->argc != 0)
		return err_set(e, FATE_USAGE, "%s", "");
	if (store_alone(c->store, e) == -1 || gc_packs(c, &bytes, e) == -1 ||
	    gc_work(c, &bytes, e) == -1)
		return -1;
	if (c->json)
		printf("{\"bytes\":%lld}\n", (long long)bytes);
	else
		printf("%s freed\n", when_show_size((double)bytes, size));
	return 0;
}

/* copy_file - one file, flushed.  No hard link: a backup must outlive the disk
 * blocks of what it is a copy of */
static int
copy_file(int from, const char *name, int to, struct err *e)
{
	char buf[65536];
	ssize_t n;
	int in, out, rc = 0;

	in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in == -1)
		return err_errno(e, "cannot read '%s'", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (out == -1) {
		close(in);
		return err_errno(e, "cannot create '%s'", name);
	}
	while (rc == 0 && (n = file_get(in, buf, sizeof(buf))) > 0)
		if (file_put(out, buf, (size_t)n) == -1)
			rc = err_errno(e, "cannot write '%s'", name);
	if (rc == 0)
		file_sync(out, name);
	close(in);
	close(out);
	return rc;
}

/* copy_packs - all files of one packs directory to another */
static int
copy_packs(struct arena *a, int from, int to, struct err *e)
{
	char **name;
	size_t n;

	if (file_list(a, from, ".", &name, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (copy_file(from, name[i], to, e) == -1)
			return -1;
	file_sync(to, "packs");
	return 0;
}

/* copy_place - the directories of one place */
static int
copy_place(struct arena *a, int from, int to, const char *place,
    struct err *e)
{
	char **name;
	size_t n;
	int in, out, rc;

	if (!file_exists(from, place))
		return 0;
	if (mkdirat(to, place, 0750) == -1)
		return err_errno(e, "cannot make '%s'", place);
	if (file_list(a, from, place, &name, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *sub = arena_printf(a, "%s/%s", place, name[i]);

		if (mkdirat(to, sub, 0750) == -1)
			return err_errno(e, "cannot make '%s'", sub);
		in = file_dir(from, sub, e);
		out = in == -1 ? -1 : file_dir(to, sub, e);
		rc = out == -1 ? -1 : copy_packs(a, in, out, e);
		if (in != -1)
			close(in);
		if (out != -1)
			close(out);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* copy_models - models and indexes */
static int
copy_models(struct arena *a, int from, int to, struct err *e)
{
	for (size_t i = 0; i < BASE_COUNT(places); i++)
		if (copy_place(a, from, to, places[i], e) == -1)
			return -1;
	return 0;
}

/* copy_small - format and key */
static int
copy_small(struct arena *a, int from, int to, struct err *e)
{
	struct view v;

	if (file_read(a, from, "key", 64, &v, e) == -1 ||
	    file_replace(to, "key", v, 0600, true, e) == -1 ||
	    file_read(a, from, "format", 64, &v, e) == -1)
		return -1;
	/* last: a copy without `format` is none */
	return file_replace(to, "format", v, 0640, true, e);
}

int
backup_main(struct verb_call *c, struct err *e)
{
	const char *to = c->argc == 1 ? c->argv[0] : NULL, *sub;
	int dir, packs;

	if (to == NULL)
		return err_set(e, FATE_USAGE, "%s", "");
	if (file_exists(AT_FDCWD, to))
		return err_set(e, FATE_CREATE, "'%s' is there already", to);
	sub = arena_printf(c->arena, "%s/db", to);
	if (file_mkdirs(sub, 0750, e) == -1 ||
	    file_mkdirs(arena_printf(c->arena, "%s/work", to), 0750, e) == -1 ||
	    file_mkdirs(arena_printf(c->arena, "%s/packs", to), 0750, e) == -1)
		return -1;
	/* names first: the packs that they speak of are there and stay, for we
	 * hold the shared lock that gc waits for */
	if (db_copy(c->store->db, sub, e) == -1)
		return -1;
	dir = file_dir(AT_FDCWD, to, e);
	packs = dir == -1 ? -1 : file_dir(dir, "packs", e);
	if (packs == -1 ||
	    copy_packs(c->arena, c->store->packs, packs, e) == -1 ||
	    copy_models(c->arena, c->store->dir, dir, e) == -1 ||
	    copy_small(c->arena, c->store->dir, dir, e) == -1)
		return -1;
	close(packs);
	close(dir);
	printf("backup of '%s' in '%s'\n", c->store->path, to);
	return 0;
}

int
restore_main(struct verb_call *c, struct err *e)
{
	const char *from = c->argc == 1 ? c->argv[0] : NULL;
	const char *to = c->conf.store;
	struct store *s;
	int dir, packs;

	if (from == NULL)
		return err_set(e, FATE_USAGE, "%s", "");
	if (file_exists(AT_FDCWD, arena_printf(c->arena, "%s/format", to)))
		return err_set(e, FATE_CREATE, "there is a store in '%s'; move "
		    "it away first", to);
	s = store_open(c->arena, from, false, e);
	if (s == NULL)
		return -1;
	if (file_mkdirs(arena_printf(c->arena, "%s/db", to), 0750, e) == -1 ||
	    file_mkdirs(arena_printf(c->arena, "%s/packs", to), 0750, e) ||
	    file_mkdirs(arena_printf(c->arena, "%s/work", to), 0750, e) ||
	    db_copy(s->db, arena_printf(c->arena, "%s/db", to), e) == -1)
		return -1;
	dir = file_dir(AT_FDCWD, to, e);
	packs = dir == -1 ? -1 : file_dir(dir, "packs", e);
	if (packs == -1 || copy_packs(c->arena, s->packs, packs, e) == -1 ||
	    copy_models(c->arena, s->dir, dir, e) == -1 ||
	    copy_small(c->arena, s->dir, dir, e) == -1)
		return -1;
	close(packs);
	close(dir);
	printf("'%s' is restored from '%s'\n", to, from);
	return 0;
}
