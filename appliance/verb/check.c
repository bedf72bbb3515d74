/* SPDX-License-Identifier: Apache-2.0 */
/* store check: is everything what it was when published; store migrate */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/store/artefact.h"
#include "appliance/store/dataset.h"
#include "appliance/text/tokenizer.h"
#include "appliance/verb/verb.h"

#include <stdlib.h>
#include <unistd.h>

struct check {
	struct verb_call *c;
	struct version *v;
	size_t n, cap;
	int64_t frames, files, faults;
};

/* check_take - versions are looked at when the transaction is over */
static int
check_take(void *arg, const struct version *v)
{
	struct check *k = arg;

	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? 64 : k->cap * 2;
		k->v = arena_grow(k->c->arena, k->v, k->n, k->cap,
		    sizeof(*k->v));
	}
	k->v[k->n++] = *v;
	return 0;
}

static void
check_fault(struct check *k, const struct err *e)
{
	msg_error("%s", e->text);
	k->faults++;
}

/* check_pack - every frame of a pack against its checksum */
static void
check_pack(struct check *k, const char *name)
{
	struct arena *a = arena_new();
	struct pack_reader r;
	struct view v;
	struct err e;
	struct pack *p = pack_open(a, k->c->store->packs, name,
	    &k->c->store->seals, &e);
	int rc = -1;

	if (p != NULL) {
		pack_read(&r, p, 0);
		while ((rc = pack_next(&r, &v, &e)) == 1) {
			k->frames++;
			if (!pack_has(p, r.id)) {
				rc = err_set(&e, FATE_REJECT, "'%s': a frame "
				    "is not in the index", name);
				break;
			}
		}
		pack_read_end(&r);
	}
	if (rc == -1)
		check_fault(k, &e);
	arena_free(a);
}

/* name_cmp - for qsort */
static int
name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* check_packs - those of datasets, each once, for versions share them */
static void
check_packs(struct check *k)
{
	const char **name;
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		n += k->v[i].npacks + k->v[i].nverdicts;
	name = arena_array(k->c->arena, n + 1, sizeof(*name));
	n = 0;
	for (size_t i = 0; i < k->n; i++) {
		if (k->v[i].kind != STORE_DATASET)
			continue;
		for (size_t j = 0; j < k->v[i].npacks; j++)
			name[n++] = k->v[i].pack[j];
		for (size_t j = 0; j < k->v[i].nverdicts; j++)
			name[n++] = k->v[i].verdict[j];
	}
	if (n > 1)
		qsort(name, n, sizeof(*name), name_cmp);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(name[i - 1], name[i]) != 0)
			check_pack(k, name[i]);
}

/* check_files - a model's or an index's, as its manifest says */
static void
check_files(struct check *k, const struct version *v)
{
	struct err e;
	int dir = artefact_open(k->c->store, v, &e);

	if (dir == -1) {
		check_fault(k, &e);
		return;
	}
	for (size_t i = 0; i < v->npacks; i++) {
		k->files++;
		if (artefact_copy(dir, -1, v, i, &e) == -1) {
			err_prefix(&e, "'%s@%u': ", v->name, v->number);
			check_fault(k, &e);
		}
	}
	close(dir);
}

/* check_tokenizer - its file is named by its hash */
static void
check_tokenizer(struct check *k, const struct version *v)
{
	struct arena *a = arena_new();
	char hex[HASH_HEX + 1];
	struct view text;
	struct err e;

	k->files++;
	if (file_read(a, k->c->store->packs, v->pack[0], TOKENIZER_MAX, &text,
	    &e) == -1)
		check_fault(k, &e);
	else {
		hash_hex(hash_of(NULL, text.p, text.n), hex);
		if (strncmp(hex, v->pack[0], strcspn(v->pack[0], ".")) != 0) {
			err_set(&e, FATE_REJECT, "'%s@%u': its file has "
			    "changed", v->name, v->number);
			check_fault(k, &e);
		}
	}
	arena_free(a);
}

static int
store_check(struct verb_call *c, struct err *e)
{
	struct check k = { .c = c };

	if (store_each(c->store, c->arena, NULL, check_take, &k, e) == -1)
		return -1;
	check_packs(&k);
	for (size_t i = 0; i < k.n; i++) {
		if (k.v[i].path != NULL)
			check_files(&k, &k.v[i]);
		else if (k.v[i].kind == STORE_TOKENIZER)
			check_tokenizer(&k, &k.v[i]);
	}
	if (c->json)
		printf("{\"frames\":%lld,\"files\":%lld,\"faults\":%lld}\n",
		    (long long)k.frames, (long long)k.files,
		    (long long)k.faults);
	else
		printf("%lld frames and %lld files read, %lld faults\n",
		    (long long)k.frames, (long long)k.files,
		    (long long)k.faults);
	return k.faults > 0 ? 65 : 0;
}

int
store_main(struct verb_call *c, struct err *e)
{
	int from;

	if (c->argc != 1)
		return err_set(e, FATE_USAGE, "%s", "");
	if (strcmp(c->argv[0], "migrate") == 0) {
		from = store_migrate(c->arena, c->conf.store, e);
		if (from != -1)
			printf("the store '%s' %s format 1\n", c->conf.store,
			    from == 1 ? "has" : "now has");
		return from == -1 ? -1 : 0;
	}
	if (strcmp(c->argv[0], "check") != 0)
		return err_set(e, FATE_USAGE, "%s", "");
	c->store = store_open(c->arena, c->conf.store, false, e);
	return c->store == NULL ||
	    store_seals(c->store, &c->conf.seal, e) == -1 ? -1 :
	    store_check(c, e);
}
