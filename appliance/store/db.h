/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * db.h - the small facts of the store in LMDB, behind five verbs: text keys to
 * text values in named tables.  db.c is the only file that includes lmdb.h.
 *
 * An environment belongs to the process that opened it and does not survive
 * fork.  One transaction at a time and thread; a read transaction lasts for one
 * question, a write transaction for one publication.
 */

enum db_table {
	DB_NAMES,	/* name: kind, last version */
	DB_VERSIONS,	/* name@NNNNNNNN: manifest */
	DB_TAGS,	/* name@tag: version */
	DB_KEYS,	/* result key in hex: name@version */
	DB_RUNS,	/* job/pipeline: what it was and made */
	DB_SAVED,	/* job/name: the version that the job saved */
	DB_TABLES
};

struct db;
struct db_txn;

struct db *db_open(struct arena *, const char *dir, bool create, struct err *);
struct db_txn *db_begin(struct db *, bool write, struct err *);
int db_commit(struct db_txn *, struct err *);
void db_abort(struct db_txn *);

/* db_get - 1 with a copy in the arena, 0 absent, -1 */
int db_get(struct db_txn *, enum db_table, const char *key, struct arena *,
    struct view *, struct err *);
int db_put(struct db_txn *, enum db_table, const char *key, struct view,
    struct err *);
int db_del(struct db_txn *, enum db_table, const char *key, struct err *);

/* db_scan - call fn for each key that begins with prefix, in order; fn returns
 * 0 to go on, 1 to end; what fn sees is copied to the arena */
int db_scan(struct db_txn *, enum db_table, const char *prefix, struct arena *,
    int (*fn)(void *arg, const char *key, struct view), void *arg,
    struct err *);

/* db_copy - a consistent, compacted copy of the environment in use */
int db_copy(struct db *, const char *dir, struct err *);

#endif
