/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "spool/ended.h"

#include <stdlib.h>
#include <time.h>

int64_t
ended_ctime(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

/* ended_cmp - for qsort and bsearch */
static int
ended_cmp(const void *va, const void *vb)
{
	const struct ended_drop *a = va, *b = vb;

	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	if (a->ctime != b->ctime)
		return a->ctime < b->ctime ? -1 : 1;
	return a->dev == b->dev ? 0 : a->dev < b->dev ? -1 : 1;
}

static void
ended_add(struct ended *t, const struct job *j)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 256 : t->cap * 2;
		t->v = mem_grow(t->v, t->cap * sizeof(*t->v));
	}
	t->v[t->n++] = (struct ended_drop){ j->drop_dev, j->drop_ino,
	    j->drop_ctime };
}

/* ended_read - jobs of a place from `since` to those that were read before.
 * What ends from now on need not be read: its drop stays in hand until it is
 * unlinked */
static void
ended_read(struct ended *t, const struct spool *s, enum place p,
    const char *since)
{
	struct arena *a = arena_new();
	struct job *j;
	struct err e;
	char **ids;
	size_t n = 0;

	if (spool_ids(s, a, p, &ids, &n, &e) == -1)
		n = 0;
	while (n-- > 0 && strcmp(ids[n], since) >= 0) {
		if (t->any && strcmp(ids[n], t->from) >= 0)
			continue;
		j = spool_load(s, p, ids[n], &e);
		if (j == NULL)
			continue;
		ended_add(t, j);
		ticket_free(j);
	}
	arena_free(a);
}

bool
ended_has(struct ended *t, const struct spool *s, const struct stat *st)
{
	struct ended_drop key = { (uint64_t)st->st_dev, (uint64_t)st->st_ino,
	    ended_ctime(st) };
	char since[ID_LEN + 1];
	struct tm tm;

	gmtime_r(&st->st_ctim.tv_sec, &tm);
	strftime(since, sizeof(since), "%Y%m%d-%H%M%S", &tm);
	if (!t->any || strcmp(since, t->from) < 0) {
		ended_read(t, s, PLACE_DONE, since);
		ended_read(t, s, PLACE_FAILED, since);
		memcpy(t->from, since, sizeof(since));
		t->any = true;
		if (t->n > 1)
			qsort(t->v, t->n, sizeof(*t->v), ended_cmp);
	}
	return t->n > 0 && bsearch(&key, t->v, t->n, sizeof(*t->v),
	    ended_cmp) != NULL;
}
