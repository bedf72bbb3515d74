/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "appliance/base/hash.h"
#include "appliance/store/db.h"
#include "appliance/store/pack.h"

#include <time.h>

/*
 * store.h - named, versioned results.
 *
 *   STORE/format   "quern-store 1": a newer one is refused
 *   STORE/key      32 random bytes, mode 0600: record hashes are keyed with it
 *   STORE/db       LMDB (db.h)
 *   STORE/packs    complete packs, never changed
 *   STORE/work/JOB packs being written; gone when the job's result is published
 *
 * What is not published does not exist for others: a pack is completed, flushed
 * and renamed in, directories are flushed, then one transaction names it.
 */

struct store {
	struct arena *arena;
	const char *path;
	int dir, packs, lock;
	struct hash_key key;
	struct seals seals;		/* none, until store_seals */
	struct db *db;
};

enum store_kind { STORE_DATASET, STORE_TOKENIZER, STORE_MODEL, STORE_INDEX };
extern const char *const store_kinds[4];

/* One version of a name: its manifest, as text lines of words in the db */
struct version {
	const char *name;
	uint32_t number;
	enum store_kind kind;
	time_t created;
	const char *job, *pipeline, *key;	/* key: in hex, or NULL */
	int64_t records, bytes;
	const char *path;		/* of an imported model, or NULL */
	const char **pack;		/* record packs, oldest first; an
					 * imported model's files: HASH NAME */
	size_t npacks;
	const char **verdict;		/* verdict packs */
	size_t nverdicts;
	const char **input;		/* name@version, lineage */
	size_t ninputs;
	const char **split;		/* "train=123" */
	size_t nsplits;
};

/* store_open - make: create it the first time */
struct store *store_open(struct arena *, const char *path, bool make,
    struct err *);

/* store_seals - the keys of quern.conf's seal=, which open and seal packs */
int store_seals(struct store *, const struct opt_list *, struct err *);

/* store_migrate - to the format of today; the one that it had, or -1 */
int store_migrate(struct arena *, const char *path, struct err *);

/* store_key_only - the key without opening the database; makes a new store */
int store_key_only(struct arena *, const char *path, struct hash_key *,
    struct err *);

/* store_alone - nobody else uses the store until we close it, or FATE_RETRY */
int store_alone(struct store *, struct err *);

/* store_resolve - NAME, NAME@NUMBER or NAME@TAG to a version: 1, 0 if there is
 * none, -1.  job: a bare name that this job has saved means that version. */
int store_resolve(struct store *, struct arena *, const char *name,
    const char *at, const char *job, struct version *, struct err *);

/* store_publish - name the version (its number is set), once per job and name:
 * a second call after a crash gives the number of the first.  latest moves if
 * asked */
int store_publish(struct store *, struct version *, bool latest, struct err *);

/* store_gate - `who`, one of `total` gates of a job, lets a version pass;
 * latest moves to it when all have */
int store_gate(struct store *, const char *job, const char *name,
    uint32_t number, const char *who, int total, struct err *);

/* store_same - a version made under the same key, still there: 1, 0, -1; it is
 * noted as what the job saved */
int store_same(struct store *, struct arena *, const char *key,
    const char *name, const char *job, bool latest, struct version *,
    struct err *);

int store_tag(struct store *, const char *name, const char *tag,
    uint32_t number, struct err *);
int store_untag(struct store *, const char *name, const char *tag,
    struct err *);
/* store_each - all versions of one name, or of all (NULL), in order */
int store_each(struct store *, struct arena *, const char *name,
    int (*fn)(void *, const struct version *), void *arg, struct err *);
/* store_tags - tags of a version as "latest prod" */
const char *store_tags(struct store *, struct arena *, const char *name,
    uint32_t number);
/* store_rm - forget a version; its packs go with the next gc */
int store_rm(struct store *, const char *name, uint32_t number, struct err *);

/* store_run - note what a pipeline was; store_runs - all, in order;
 * store_run_rm - forget a job's; store_work - STORE/work/JOB opened */
int store_run(struct store *, const char *job, const char *pipeline,
    struct view text, struct err *);
int store_runs(struct store *, struct arena *,
    int (*fn)(void *, const char *key, struct view), void *arg, struct err *);
int store_run_rm(struct store *, const char *job, struct err *);
int store_work(struct store *, const char *job, struct err *);

/* store_import - rename a sealed pack from a work directory into packs/ */
int store_import(struct store *, int work, const char *from, const char *name,
    struct err *);

#endif
