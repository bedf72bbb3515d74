/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/id.h"
#include "appliance/base/msg.h"
#include "appliance/store/manifest.h"
#include "appliance/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FORMAT	"quern-store 1\n"

const char *const store_kinds[4] = { "dataset", "tokenizer", "model",
	"index" };

/* store_close - the arena's closer */
static void
store_close(void *arg)
{
	struct store *s = arg;

	close(s->dir);
	if (s->packs != -1)
		close(s->packs);
	if (s->lock != -1)
		close(s->lock);
}

/* store_flock - flock that waits */
static void
store_flock(struct store *s, int how)
{
	while (flock(s->lock, how) == -1 && errno == EINTR)
		continue;
}

/* store_sub - make and open one of the store's directories */
static int
store_sub(struct store *s, const char *name, bool make, struct err *e)
{
	if (make && mkdirat(s->dir, name, 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make '%s/%s'", s->path, name);
	return file_dir(s->dir, name, e);
}

/* format_read - which format a store has: 0 before there was a number, -1; a
 * newer one is not ours to touch */
static int
format_read(struct arena *a, int dir, const char *path, struct err *e)
{
	struct view v;

	if (!file_exists(dir, "format"))
		return file_exists(dir, "db") ? 0 : err_set(e, FATE_NOINPUT,
		    "no store in '%s'", path);
	if (file_read(a, dir, "format", 64, &v, e) == -1)
		return -1;
	if (!view_is(v, STORE_FORMAT))
		return err_set(e, FATE_REJECT, "the store '%s' has format "
		    "'%.*s', this quern knows 'quern-store 1'; a newer quern "
		    "reads it", path, (int)strcspn(v.p, "\n"), v.p);
	return 1;
}

/* store_format - a new store gets ours, an older one is migrated by a verb */
static int
store_format(struct store *s, bool make, struct err *e)
{
	if (make && !file_exists(s->dir, "format") &&
	    !file_exists(s->dir, "db"))
		return file_replace(s->dir, "format", VIEW(STORE_FORMAT), 0640,
		    true, e);
	switch (format_read(s->arena, s->dir, s->path, e)) {
	case -1:
		return -1;
	case 0:
		return err_set(e, FATE_REJECT, "the store '%s' is of an older "
		    "format: make a copy, then 'quern store migrate'",
		    s->path);
	default:
		return 0;
	}
}

int
store_migrate(struct arena *a, const char *path, struct err *e)
{
	int dir = file_dir(AT_FDCWD, path, e), from;

	if (dir == -1)
		return -1;
	from = format_read(a, dir, path, e);
	/* what had no number is laid out as 1 is */
	if (from == 0 && file_replace(dir, "format", VIEW(STORE_FORMAT), 0640,
	    true, e) == -1)
		from = -1;
	close(dir);
	return from;
}

/* store_key - made once; when it dies, nothing can be guessed from hashes */
static int
store_key(struct store *s, bool make, struct err *e)
{
	struct view v;
	char fresh[32];

	if (!file_exists(s->dir, "key") && make) {
		if (getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh))
			return err_errno(e, "no random bytes");
		v = (struct view){ fresh, sizeof(fresh) };
		if (file_replace(s->dir, "key", v, 0600, true, e) == -1)
			return -1;
	}
	if (file_read(s->arena, s->dir, "key", 64, &v, e) == -1)
		return -1;
	if (v.n != sizeof(s->key.b))
		return err_set(e, FATE_REJECT, "'%s/key' is damaged", s->path);
	memcpy(s->key.b, v.p, sizeof(s->key.b));
	return 0;
}

/* store_begin - two that make it at once: a lock decides who is first */
static int
store_begin(struct store *s, bool make, struct err *e)
{
	const char *db = arena_printf(s->arena, "%s/db", s->path);
	int fd;

	if (store_format(s, make, e) == -1 || store_key(s, make, e) == -1)
		return -1;
	s->packs = store_sub(s, "packs", make, e);
	if (s->packs == -1)
		return -1;
	fd = store_sub(s, "work", make, e);
	if (fd == -1)
		return -1;
	close(fd);
	fd = store_sub(s, "db", make, e);
	if (fd == -1)
		return -1;
	close(fd);
	s->db = db_open(s->arena, db, make, e);
	return s->db == NULL ? -1 : 0;
}

struct store *
store_open(struct arena *a, const char *path, bool make, struct err *e)
{
	struct store *s = arena_alloc(a, sizeof(*s));
	int rc;

	s->arena = a;
	s->path = arena_str(a, path);
	s->packs = s->lock = -1;
	if (make && file_mkdirs(path, 0750, e) == -1)
		return NULL;
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir == -1) {
		err_errno(e, "cannot open the store '%s'", path);
		return NULL;
	}
	arena_defer(a, store_close, s);
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (s->lock == -1) {
		err_errno(e, "cannot lock the store '%s'", path);
		return NULL;
	}
	/* whoever makes it does so alone; gc waits for all who use it */
	make = make && !file_exists(s->dir, "db/data.mdb");
	store_flock(s, make ? LOCK_EX : LOCK_SH);
	rc = store_begin(s, make, e);
	if (make)
		store_flock(s, LOCK_SH);
	return rc == -1 ? NULL : s;
}

int
store_seals(struct store *s, const struct opt_list *files, struct err *e)
{
	return seals_load(&s->seals, s->arena, files, e);
}

int
store_alone(struct store *s, struct err *e)
{
	if (file_lock(s->lock) == 0)
		return 0;
	return err_set(e, FATE_RETRY, "the store is in use; let the work end "
	    "(quern drain), then try again");
}

int
store_key_only(struct arena *a, const char *path, struct hash_key *key,
    struct err *e)
{
	struct store *s, only = { .arena = a, .path = path };
	int rc;

	only.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (only.dir != -1 && file_exists(only.dir, "db/data.mdb")) {
		rc = store_key(&only, false, e);
		close(only.dir);
		*key = only.key;
		return rc;
	}
	if (only.dir != -1)
		close(only.dir);
	s = store_open(a, path, true, e);
	if (s == NULL)
		return -1;
	*key = s->key;
	return 0;
}

int
store_work(struct store *s, const char *job, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "work/%s", job);
	return store_sub(s, path, true, e);
}

int
store_import(struct store *s, int work, const char *from, const char *name,
    struct err *e)
{
	if (!file_exists(work, from) && file_exists(s->packs, name))
		return 0;		/* an attempt before us came this far */
	if (file_rename(work, from, s->packs, name, e) == -1)
		return -1;
	file_sync(s->packs, "packs");
	return 0;
}

int
store_read(struct db_txn *t, struct arena *a, const char *name,
    uint32_t number, struct version *v, struct err *e)
{
	char key[NAME_MAX_LEN + 16];
	struct view text;
	int rc;

	snprintf(key, sizeof(key), "%s@%08u", name, number);
	rc = db_get(t, DB_VERSIONS, key, a, &text, e);
	if (rc != 1)
		return rc;
	return manifest_parse(a, key, text, v, e) == -1 ? -1 : 1;
}

/* store_number - what a reference's @ part means; 0 if nothing */
static int
store_number(struct db_txn *t, struct arena *a, const char *name,
    const char *at, const char *job, uint32_t *number, struct err *e)
{
	char key[2 * NAME_MAX_LEN + 80], *end;
	struct view v;
	int rc = 0;

	*number = 0;
	if (at != NULL) {
		*number = (uint32_t)strtoul(at, &end, 10);
		if (*end == '\0' && *number > 0)
			return 0;
		*number = 0;
	}
	if (at == NULL && job != NULL) {
		snprintf(key, sizeof(key), "%s/%s", job, name);
		rc = db_get(t, DB_SAVED, key, a, &v, e);
	}
	if (rc == 0) {
		snprintf(key, sizeof(key), "%s@%s", name,
		    at == NULL ? "latest" : at);
		rc = db_get(t, DB_TAGS, key, a, &v, e);
	}
	if (rc == 1)
		*number = (uint32_t)strtoul(v.p, NULL, 10);
	return rc == -1 ? -1 : 0;
}

int
store_resolve(struct store *s, struct arena *a, const char *name,
    const char *at, const char *job, struct version *v, struct err *e)
{
	struct db_txn *t = db_begin(s->db, false, e);
	uint32_t number;
	int rc;

	if (t == NULL)
		return -1;
	rc = store_number(t, a, name, at, job, &number, e);
	if (rc == 0 && number > 0)
		rc = store_read(t, a, name, number, v, e);
	db_abort(t);
	return rc;
}

/* store_write - one put or delete in a transaction of its own */
static int
store_write(struct store *s, enum db_table table, const char *key,
    const char *value, struct err *e)
{
	struct db_txn *t = db_begin(s->db, true, e);
	int rc;

	if (t == NULL)
		return -1;
	rc = value == NULL ? db_del(t, table, key, e) :
	    db_put(t, table, key, view_of(value), e);
	if (rc == 0)
		return db_commit(t, e);
	db_abort(t);
	return -1;
}

int
store_tag(struct store *s, const char *name, const char *tag, uint32_t number,
    struct err *e)
{
	char key[2 * NAME_MAX_LEN + 4], value[16];

	snprintf(key, sizeof(key), "%s@%s", name, tag);
	snprintf(value, sizeof(value), "%u", number);
	return store_write(s, DB_TAGS, key, value, e);
}

int
store_untag(struct store *s, const char *name, const char *tag, struct err *e)
{
	char key[2 * NAME_MAX_LEN + 4];

	snprintf(key, sizeof(key), "%s@%s", name, tag);
	return store_write(s, DB_TAGS, key, NULL, e);
}

int
store_rm(struct store *s, const char *name, uint32_t number, struct err *e)
{
	char key[NAME_MAX_LEN + 16];

	snprintf(key, sizeof(key), "%s@%08u", name, number);
	return store_write(s, DB_VERSIONS, key, NULL, e);
}

struct each {
	struct arena *arena;
	int (*fn)(void *, const struct version *);
	void *arg;
	struct err err;
	int rc;
};

/* each_version - parse and hand on */
static int
each_version(void *arg, const char *key, struct view text)
{
	struct each *x = arg;
	struct version v;

	if (manifest_parse(x->arena, key, text, &v, &x->err) == -1) {
		x->rc = -1;
		return 1;
	}
	return x->fn(x->arg, &v);
}

int
store_each(struct store *s, struct arena *a, const char *name,
    int (*fn)(void *, const struct version *), void *arg, struct err *e)
{
	struct each x = { .arena = a, .fn = fn, .arg = arg };
	struct db_txn *t = db_begin(s->db, false, e);
	int rc;

	if (t == NULL)
		return -1;
	rc = db_scan(t, DB_VERSIONS, name == NULL ? "" :
	    arena_printf(a, "%s@", name), a, each_version, &x, e);
	db_abort(t);
	if (x.rc == -1)
		*e = x.err;
	return rc == -1 ? -1 : x.rc;
}

struct tags {
	struct buf *b;
	uint32_t number;
};

/* tags_one - a tag that points to the version */
static int
tags_one(void *arg, const char *key, struct view value)
{
	struct tags *x = arg;

	if (strtoul(value.p, NULL, 10) == x->number)
		buf_printf(x->b, "%s%s", x->b->n > 0 ? " " : "",
		    strchr(key, '@') + 1);
	return 0;
}

const char *
store_tags(struct store *s, struct arena *a, const char *name, uint32_t number)
{
	struct tags x = { buf_new(a, 65536), number };
	struct err e;
	struct db_txn *t = db_begin(s->db, false, &e);

	if (t == NULL)
		return "";
	db_scan(t, DB_TAGS, arena_printf(a, "%s@", name), a, tags_one, &x, &e);
	db_abort(t);
	return buf_cstr(x.b);
}

int
store_run(struct store *s, const char *job, const char *pipeline,
    struct view text, struct err *e)
{
	char key[2 * NAME_MAX_LEN + 80];
	struct db_txn *t = db_begin(s->db, true, e);

	if (t == NULL)
		return -1;
	snprintf(key, sizeof(key), "%s/%s", job, pipeline);
	if (db_put(t, DB_RUNS, key, text, e) == 0)
		return db_commit(t, e);
	db_abort(t);
	return -1;
}

int
store_runs(struct store *s, struct arena *a,
    int (*fn)(void *, const char *, struct view), void *arg, struct err *e)
{
	struct db_txn *t = db_begin(s->db, false, e);
	int rc;

	if (t == NULL)
		return -1;
	rc = db_scan(t, DB_RUNS, "", a, fn, arg, e);
	db_abort(t);
	return rc;
}

struct run_keys {
	struct arena *arena;
	const char **v;
	size_t n;
};

/* run_key - collected, for nothing is deleted while it is scanned */
static int
run_key(void *arg, const char *key, struct view text)
{
	struct run_keys *k = arg;

	(void)text;
	k->v = arena_grow(k->arena, k->v, k->n, k->n + 1, sizeof(*k->v));
	k->v[k->n++] = key;
	return 0;
}

int
store_run_rm(struct store *s, const char *job, struct err *e)
{
	struct run_keys k = { .arena = s->arena };
	struct db_txn *t = db_begin(s->db, true, e);
	int rc;

	if (t == NULL)
		return -1;
	rc = db_scan(t, DB_RUNS, arena_printf(s->arena, "%s/", job), s->arena,
	    run_key, &k, e);
	if (rc != -1 && k.n == 0)
		rc = err_set(e, FATE_NOINPUT, "there is no run of '%s'", job);
	for (size_t i = 0; i < k.n && rc != -1; i++)
		rc = db_del(t, DB_RUNS, k.v[i], e);
	if (rc != -1)
		return db_commit(t, e);
	db_abort(t);
	return -1;
}
