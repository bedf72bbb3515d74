/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/store/db.h"

#include <errno.h>
#include <lmdb.h>

/* address space, not disk: the file grows with what is in it */
#define DB_MAP		((size_t)64 << 30)

static const char *const table_names[DB_TABLES] = {
	"names", "versions", "tags", "keys", "runs", "saved"
};

struct db {
	MDB_env *env;
	MDB_dbi table[DB_TABLES];
};

struct db_txn {
	struct db *db;
	MDB_txn *txn;
};

/* db_fault - an LMDB code as a fate; the only place that knows them */
static int
db_fault(struct err *e, int rc, const char *what)
{
	enum fate fate = FATE_RETRY;

	switch (rc) {
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		fate = FATE_SPACE;
		break;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
		fate = FATE_REJECT;
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		fate = FATE_PERM;
		break;
	case ENOENT:
		fate = FATE_NOINPUT;
		break;
	default:
		break;
	}
	return err_set(e, fate, "store: cannot %s: %s", what, mdb_strerror(rc));
}

/* db_close - the arena's closer */
static void
db_close(void *arg)
{
	struct db *db = arg;

	mdb_env_close(db->env);
}

/* tables_open - all of them in one transaction; MDB's code */
static int
tables_open(struct db *db, bool create)
{
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(db->env, NULL, create ? 0 : MDB_RDONLY, &txn);
	if (rc != 0)
		return rc;
	for (int i = 0; i < DB_TABLES; i++) {
		rc = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0,
		    &db->table[i]);
		if (rc != 0) {
			mdb_txn_abort(txn);
			return rc;
		}
	}
	return mdb_txn_commit(txn);
}

/* db_tables - open them; whoever was to make them may have been killed first */
static int
db_tables(struct db *db, bool create, struct err *e)
{
	int rc = tables_open(db, create);

	if (rc == MDB_NOTFOUND)
		rc = tables_open(db, true);
	return rc == 0 ? 0 : db_fault(e, rc, "open its tables");
}

struct db *
db_open(struct arena *a, const char *dir, bool create, struct err *e)
{
	struct db *db = arena_alloc(a, sizeof(*db));
	int rc;

	rc = mdb_env_create(&db->env);
	if (rc != 0) {
		db_fault(e, rc, "begin");
		return NULL;
	}
	arena_defer(a, db_close, db);
	mdb_env_set_mapsize(db->env, DB_MAP);
	mdb_env_set_maxdbs(db->env, DB_TABLES);
	rc = mdb_env_open(db->env, dir, MDB_NOTLS, 0640);
	if (rc != 0) {
		db_fault(e, rc, "open its database");
		return NULL;
	}
	/* readers that were killed leave their slots behind */
	mdb_reader_check(db->env, NULL);
	return db_tables(db, create, e) == -1 ? NULL : db;
}

struct db_txn *
db_begin(struct db *db, bool write, struct err *e)
{
	struct db_txn *t = mem_alloc(sizeof(*t));
	int rc = mdb_txn_begin(db->env, NULL, write ? 0 : MDB_RDONLY, &t->txn);

	t->db = db;
	if (rc == 0)
		return t;
	mem_free(t);
	db_fault(e, rc, "begin a transaction");
	return NULL;
}

int
db_commit(struct db_txn *t, struct err *e)
{
	int rc = mdb_txn_commit(t->txn);

	mem_free(t);
	return rc == 0 ? 0 : db_fault(e, rc, "commit");
}

void
db_abort(struct db_txn *t)
{
	mdb_txn_abort(t->txn);
	mem_free(t);
}

/* db_key - text as LMDB wants it; at most 511 bytes */
static MDB_val
db_key(const char *key)
{
	return (MDB_val){ strlen(key), (void *)(uintptr_t)key };
}

int
db_get(struct db_txn *t, enum db_table table, const char *key,
    struct arena *a, struct view *v, struct err *e)
{
	MDB_val k = db_key(key), d;
	int rc = mdb_get(t->txn, t->db->table[table], &k, &d);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return db_fault(e, rc, "read");
	*v = view_keep(a, (struct view){ d.mv_data, d.mv_size });
	return 1;
}

int
db_put(struct db_txn *t, enum db_table table, const char *key, struct view v,
    struct err *e)
{
	MDB_val k = db_key(key), d = { v.n, (void *)(uintptr_t)v.p };
	int rc = mdb_put(t->txn, t->db->table[table], &k, &d, 0);

	return rc == 0 ? 0 : db_fault(e, rc, "write");
}

int
db_del(struct db_txn *t, enum db_table table, const char *key, struct err *e)
{
	MDB_val k = db_key(key);
	int rc = mdb_del(t->txn, t->db->table[table], &k, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : db_fault(e, rc, "delete");
}

int
db_scan(struct db_txn *t, enum db_table table, const char *prefix,
    struct arena *a, int (*fn)(void *, const char *, struct view), void *arg,
    struct err *e)
{
	size_t n = strlen(prefix);
	MDB_val k = db_key(prefix), d;
	MDB_cursor *c;
	int rc;

	rc = mdb_cursor_open(t->txn, t->db->table[table], &c);
	if (rc != 0)
		return db_fault(e, rc, "read");
	rc = mdb_cursor_get(c, &k, &d, n == 0 ? MDB_FIRST : MDB_SET_RANGE);
	while (rc == 0 && k.mv_size >= n &&
	    (n == 0 || memcmp(k.mv_data, prefix, n) == 0)) {
		if (fn(arg, arena_strn(a, k.mv_data, k.mv_size),
		    view_keep(a, (struct view){ d.mv_data, d.mv_size })) != 0)
			break;
		rc = mdb_cursor_get(c, &k, &d, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : db_fault(e, rc, "read");
}

int
db_copy(struct db *db, const char *dir, struct err *e)
{
	int rc = mdb_env_copy2(db->env, dir, MDB_CP_COMPACT);

	return rc == 0 ? 0 : db_fault(e, rc, "copy");
}
