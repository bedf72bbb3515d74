/* SPDX-License-Identifier: Apache-2.0 */
/* How a version becomes known, and how it is found again by its key */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/store/manifest.h"
#include "appliance/store/store.h"

#include <stdlib.h>

/* publish_name - the next number of a name, whose kind never changes */
static int
publish_name(struct db_txn *t, struct arena *a, struct version *v,
    struct err *e)
{
	char text[64], kind[16];
	struct view old;
	unsigned last = 0;
	int rc = db_get(t, DB_NAMES, v->name, a, &old, e);

	if (rc == -1)
		return -1;
	if (rc == 1 && (sscanf(old.p, "%15s %u", kind, &last) != 2 ||
	    strcmp(kind, store_kinds[v->kind]) != 0))
		return err_set(e, FATE_REJECT, "'%s' is a %s, it cannot become "
		    "a %s", v->name, kind, store_kinds[v->kind]);
	v->number = last + 1;
	snprintf(text, sizeof(text), "%s %u", store_kinds[v->kind], v->number);
	return db_put(t, DB_NAMES, v->name, view_of(text), e);
}

/* publish_refs - latest, the key, and what this job has saved */
static int
publish_refs(struct db_txn *t, const struct version *v, bool latest,
    struct err *e)
{
	char key[2 * NAME_MAX_LEN + 80], number[16], full[NAME_MAX_LEN + 16];

	snprintf(number, sizeof(number), "%u", v->number);
	snprintf(full, sizeof(full), "%s@%u", v->name, v->number);
	snprintf(key, sizeof(key), "%s@latest", v->name);
	if (latest && db_put(t, DB_TAGS, key, view_of(number), e) == -1)
		return -1;
	if (v->key != NULL &&
	    db_put(t, DB_KEYS, v->key, view_of(full), e) == -1)
		return -1;
	if (v->job == NULL)
		return 0;
	snprintf(key, sizeof(key), "%s/%s", v->job, v->name);
	return db_put(t, DB_SAVED, key, view_of(number), e);
}

/* publish_in - inside the transaction; 1: this job had published it before */
static int
publish_in(struct db_txn *t, struct arena *a, struct version *v, bool latest,
    struct err *e)
{
	char key[2 * NAME_MAX_LEN + 80];
	struct buf *b = buf_new(a, (size_t)64 << 20);
	struct version old;
	struct view number;
	int rc = 0;

	if (v->job != NULL) {
		snprintf(key, sizeof(key), "%s/%s", v->job, v->name);
		rc = db_get(t, DB_SAVED, key, a, &number, e);
	}
	if (rc == 1) {
		v->number = (uint32_t)strtoul(number.p, NULL, 10);
		rc = store_read(t, a, v->name, v->number, &old, e);
		if (rc == 1 && manifest_same(&old, v))
			return 1;
	}
	if (rc == -1 || publish_name(t, a, v, e) == -1)
		return -1;
	manifest_print(v, b);
	snprintf(key, sizeof(key), "%s@%08u", v->name, v->number);
	if (db_put(t, DB_VERSIONS, key, buf_get(b), e) == -1)
		return -1;
	return publish_refs(t, v, latest, e);
}

int
store_publish(struct store *s, struct version *v, bool latest, struct err *e)
{
	struct arena *a = arena_new();
	struct db_txn *t = db_begin(s->db, true, e);
	int rc = t == NULL ? -1 : publish_in(t, a, v, latest, e);

	if (rc == 0)
		rc = db_commit(t, e);
	else if (t != NULL)
		db_abort(t);
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* same_in - the version that a key made, if it is still there */
static int
same_in(struct db_txn *t, struct arena *a, const char *key, const char *name,
    struct version *v, struct err *e)
{
	struct view full;
	const char *at;
	int rc = db_get(t, DB_KEYS, key, a, &full, e);

	if (rc != 1)
		return rc;
	at = strchr(full.p, '@');
	if (at == NULL || strncmp(full.p, name, strlen(name)) != 0 ||
	    full.p[strlen(name)] != '@')
		return 0;
	return store_read(t, a, name, (uint32_t)strtoul(at + 1, NULL, 10), v,
	    e);
}

int
store_same(struct store *s, struct arena *a, const char *key,
    const char *name, const char *job, bool latest, struct version *v,
    struct err *e)
{
	struct db_txn *t = db_begin(s->db, true, e);
	struct version noted;
	int rc = t == NULL ? -1 : same_in(t, a, key, name, v, e);

	if (rc == 1) {
		noted = *v;
		noted.job = job;
		noted.key = NULL;
		if (publish_refs(t, &noted, latest, e) == -1)
			rc = -1;
	}
	if (rc == 1)
		return db_commit(t, e) == -1 ? -1 : 1;
	if (t != NULL)
		db_abort(t);
	return rc;
}

/* gate_count - one more key below JOB/NAME/gate/ */
static int
gate_count(void *arg, const char *key, struct view value)
{
	(void)key;
	(void)value;
	++*(int *)arg;
	return 0;
}

/* gate_in - inside the transaction */
static int
gate_in(struct db_txn *t, struct arena *a, const char *job, const char *name,
    uint32_t number, const char *who, int total, struct err *e)
{
	const char *all = arena_printf(a, "%s/%s/gate/", job, name);
	int passed = 0;

	if (db_put(t, DB_SAVED, arena_printf(a, "%s%s", all, who),
	    VIEW("passed"), e) == -1 ||
	    db_scan(t, DB_SAVED, all, a, gate_count, &passed, e) == -1)
		return -1;
	if (passed < total)
		return 0;
	return db_put(t, DB_TAGS, arena_printf(a, "%s@latest", name),
	    view_of(arena_printf(a, "%u", number)), e);
}

int
store_gate(struct store *s, const char *job, const char *name,
    uint32_t number, const char *who, int total, struct err *e)
{
	struct arena *a = arena_new();
	struct db_txn *t = db_begin(s->db, true, e);
	int rc = t == NULL ? -1 : gate_in(t, a, job, name, number, who, total,
	    e);

	if (rc == 0)
		rc = db_commit(t, e);
	else if (t != NULL)
		db_abort(t);
	arena_free(a);
	return rc;
}
