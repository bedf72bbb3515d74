/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store PATH N - N records of 1.5 KB appended to a pack, sealed, imported and
 * published as one version, beside N plain LMDB puts in transactions of 1,000,
 * interleaved three times; prints records a second.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "appliance/store/store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE	1500

static double
packs(struct arena *a, struct store *s, int round, int n, struct err *e)
{
	const char *name = arena_printf(a, "bench%d", round);
	const char *pack = arena_printf(a, "bench%d.%d.pack", round,
	    (int)getpid());
	struct version v = { .name = name, .kind = STORE_DATASET };
	struct pack_writer w;
	char id[32], body[SIZE];
	double began = when_mono(), at[4];
	int work = store_work(s, name, e), fd;

	memset(body, 'x', sizeof(body));
	fd = openat(work, "p", O_RDWR | O_CREAT | O_TRUNC, 0600);
	pack_create(&w, fd, PACK_RECORDS, &s->seals, e);
	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "record-%d", i);
		memcpy(body, id, strlen(id));
		if (pack_add(&w, view_of(id), (struct view){ body, SIZE },
		    e) == -1)
			msg_fatal(75, "%s", e->text);
	}
	v.pack = &pack;
	v.npacks = 1;
	v.records = n;
	at[0] = when_mono();
	if (pack_finish(&w, e) == -1)
		msg_fatal(75, "%s", e->text);
	at[1] = when_mono();
	if (store_import(s, work, "p", pack, e) == -1)
		msg_fatal(75, "%s", e->text);
	at[2] = when_mono();
	if (store_publish(s, &v, true, e) == -1)
		msg_fatal(75, "%s", e->text);
	at[3] = when_mono();
	printf("ms: append %.0f, finish %.0f, import %.1f, publish %.1f; ",
	    (at[0] - began) * 1e3, (at[1] - at[0]) * 1e3,
	    (at[2] - at[1]) * 1e3, (at[3] - at[2]) * 1e3);
	pack_abandon(&w);
	close(fd);
	close(work);
	return n / (when_mono() - began);
}

static double
puts_lmdb(const char *dir, int round, int n)
{
	char id[32], body[SIZE], path[PATH_MAX];
	MDB_env *env;
	MDB_txn *txn = NULL;
	MDB_dbi dbi;
	double began = when_mono();
	struct err e;

	snprintf(path, sizeof(path), "%s/lmdb%d.%d", dir, round,
	    (int)getpid());
	file_mkdirs(path, 0700, &e);
	memset(body, 'x', sizeof(body));
	mdb_env_create(&env);
	mdb_env_set_mapsize(env, (size_t)16 << 30);
	if (mdb_env_open(env, path, 0, 0600) != 0)
		msg_fatal(75, "lmdb");
	for (int i = 0; i < n; i++) {
		MDB_val k = { 0, id }, d = { SIZE, body };

		if (txn == NULL) {
			mdb_txn_begin(env, NULL, 0, &txn);
			mdb_dbi_open(txn, NULL, 0, &dbi);
		}
		k.mv_size = (size_t)snprintf(id, sizeof(id), "record-%d", i);
		mdb_put(txn, dbi, &k, &d, 0);
		if (i % 1000 == 999 || i + 1 == n) {
			mdb_txn_commit(txn);
			txn = NULL;
		}
	}
	mdb_env_close(env);
	return n / (when_mono() - began);
}

int
main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct store *s;
	struct err e;
	int n = argc > 2 ? atoi(argv[2]) : 300000;

	if (argc < 2 || (s = store_open(a, arena_printf(a, "%s/store",
	    argv[1]), true, &e)) == NULL)
		msg_fatal(64, "store PATH N");
	for (int round = 0; round < 3; round++) {
		double p = packs(a, s, round * 1000 + (int)getpid() % 1000, n,
		    &e);

		printf("packs %.0f", p);
		if (argc < 4)
			printf(" lmdb %.0f", puts_lmdb(argv[1], round, n));
		putchar('\n');
		fflush(stdout);
	}
	arena_free(a);
	return 0;
}
