/* SPDX-License-Identifier: Apache-2.0 */
/* models import and export: a model's directory becomes a version, and back */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/id.h"
#include "appliance/base/msg.h"
#include "appliance/verb/verb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct import_conf {
	const char *dir, *name;
	bool reference;
};

static const struct opt import_opts[] = {
	OPT_PATH_IN(struct import_conf, dir, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "directory of the model"),
	OPT_TEXT(struct import_conf, name, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "the model that gets a new version"),
	OPT_BOOL(struct import_conf, reference, "no", 0,
	    "leave the files where they are and remember the place"),
	OPT_DONE
};

/* copy_hash - read a file to its hash, and into another if to is not -1 */
static int
copy_hash(int from, int to, const char *name, struct hash *h, int64_t *bytes,
    struct err *e)
{
	struct hash_state state;
	char buf[65536];
	ssize_t n;
	int in, out = -1, rc = 0;

	in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in == -1)
		return err_errno(e, "cannot read '%s'", name);
	if (to != -1)
		out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0640);
	if (to != -1 && out == -1)
		rc = err_errno(e, "cannot create '%s'", name);
	hash_begin(&state, NULL);
	while (rc == 0 && (n = file_get(in, buf, sizeof(buf))) != 0) {
		if (n == -1)
			rc = err_errno(e, "cannot read '%s'", name);
		else if (out != -1 && file_put(out, buf, (size_t)n) == -1)
			rc = err_errno(e, "cannot write '%s'", name);
		hash_add(&state, buf, n == -1 ? 0 : (size_t)n);
		*bytes += n == -1 ? 0 : n;
	}
	*h = hash_end(&state);
	if (rc == 0 && out != -1)
		file_sync(out, name);
	if (out != -1)
		close(out);
	close(in);
	return rc;
}

/* import_files - every regular file of the directory, as "HASH NAME" */
static int
import_files(struct verb_call *c, int from, int to, struct version *v,
    struct err *e)
{
	struct stat st;
	struct hash h;
	char **name, hex[HASH_HEX + 1];
	size_t n;

	if (file_list(c->arena, from, ".", &name, &n, e) == -1)
		return -1;
	v->pack = arena_array(c->arena, n, sizeof(*v->pack));
	for (size_t i = 0; i < n; i++) {
		if (fstatat(from, name[i], &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode)) {
			msg_warn("'%s' is no regular file and is passed over",
			    name[i]);
			continue;
		}
		if (copy_hash(from, to, name[i], &h, &v->bytes, e) == -1)
			return -1;
		hash_hex(h, hex);
		v->pack[v->npacks++] = arena_printf(c->arena, "%s %s", hex,
		    name[i]);
	}
	v->records = (int64_t)v->npacks;
	return v->npacks > 0 ? 0 : err_set(e, FATE_REJECT,
	    "there is no file to import");
}

/* import_copy - into models/.ID, then renamed to models/ID */
static int
import_copy(struct verb_call *c, int from, struct version *v, struct err *e)
{
	char id[ID_LEN + 1];
	const char *tmp;
	int models, to, rc;

	id_new(id);
	tmp = arena_printf(c->arena, ".%s", id);
	if (mkdirat(c->store->dir, "models", 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make the directory for models");
	models = file_dir(c->store->dir, "models", e);
	if (models == -1)
		return -1;
	if (mkdirat(models, tmp, 0750) == -1)
		return err_errno(e, "cannot make a directory for the model");
	to = file_dir(models, tmp, e);
	rc = to == -1 ? -1 : import_files(c, from, to, v, e);
	if (rc == 0) {
		file_sync(to, tmp);
		rc = file_rename(models, tmp, models, id, e);
	}
	if (rc == 0)
		file_sync(models, "models");
	else {
		struct err none;

		file_remove(models, tmp, &none);
	}
	v->path = arena_printf(c->arena, "models/%s", id);
	if (to != -1)
		close(to);
	close(models);
	return rc;
}

int
models_import(struct verb_call *c, struct err *e)
{
	struct version v = { .kind = STORE_MODEL };
	struct word *w = arena_array(c->arena, (size_t)c->argc, sizeof(*w));
	struct import_conf conf = { .dir = NULL };
	char whole[PATH_MAX];
	int from, rc;

	for (int i = 1; i < c->argc; i++)
		w[i - 1] = (struct word){ c->argv[i], 1, (unsigned)i, false };
	if (opt_defaults(import_opts, &conf, c->arena, e) == -1 ||
	    opt_words(import_opts, &conf, c->arena, w, (size_t)c->argc - 1,
	    e) == -1) {
		e->fate = FATE_USAGE;
		return -1;
	}
	if (!name_valid(conf.name, strlen(conf.name)))
		return err_set(e, FATE_USAGE, "'%s' is no name", conf.name);
	if (realpath(conf.dir, whole) == NULL)
		return err_errno(e, "cannot read '%s'", conf.dir);
	from = file_dir(AT_FDCWD, whole, e);
	if (from == -1)
		return -1;
	v.name = conf.name;
	v.created = time(NULL);
	v.path = whole;
	rc = conf.reference ? import_files(c, from, -1, &v, e) :
	    import_copy(c, from, &v, e);
	close(from);
	if (rc == -1 || store_publish(c->store, &v, true, e) == -1)
		return -1;
	printf("%s@%u, %lld files\n", v.name, v.number, (long long)v.records);
	return 0;
}

/* export_file - one file to its new place, if it still is what was imported */
static int
export_file(int from, int to, const char *entry, struct err *e)
{
	char hex[HASH_HEX + 1];
	const char *name = strchr(entry, ' ');
	struct hash h;
	int64_t bytes = 0;

	if (name++ == NULL)
		return err_set(e, FATE_REJECT, "the manifest is damaged");
	if (copy_hash(from, to, name, &h, &bytes, e) == -1)
		return -1;
	hash_hex(h, hex);
	if (strncmp(hex, entry, HASH_HEX) != 0)
		return err_set(e, FATE_REJECT, "'%s' has changed since it was "
		    "imported", name);
	return 0;
}

int
models_export(struct verb_call *c, struct err *e)
{
	struct version v;
	const char *split;
	int from, to, rc = 0;

	if (c->argc != 3)
		return err_set(e, FATE_USAGE, "%s", "");
	if (verb_version(c, c->argv[1], &v, &split, e) == -1)
		return -1;
	if (v.kind != STORE_MODEL || v.path == NULL)
		return err_set(e, FATE_REJECT, "'%s' is no imported model",
		    c->argv[1]);
	if (mkdir(c->argv[2], 0777) == -1)
		return err_errno(e, "cannot make '%s'", c->argv[2]);
	/* a copy lies in the store, a reference wherever it was */
	from = file_dir(v.path[0] == '/' ? AT_FDCWD : c->store->dir, v.path,
	    e);
	to = from == -1 ? -1 : file_dir(AT_FDCWD, c->argv[2], e);
	if (to == -1)
		return -1;
	for (size_t i = 0; rc == 0 && i < v.npacks; i++)
		rc = export_file(from, to, v.pack[i], e);
	close(from);
	close(to);
	return rc;
}
