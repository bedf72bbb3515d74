/* SPDX-License-Identifier: Apache-2.0 */
/* models import and export: a model's directory becomes a version, and back */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/id.h"
#include "appliance/store/artefact.h"
#include "appliance/text/tokenizer.h"
#include "appliance/verb/verb.h"

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

/* import_copy - into models/.ID, then renamed to models/ID */
static int
import_copy(struct verb_call *c, int from, struct version *v, struct err *e)
{
	int models = artefact_make(c->store, STORE_MODEL, e), to, rc;
	char id[ID_LEN + 1];
	const char *tmp;
	struct err none;

	if (models == -1)
		return -1;
	id_new(id);
	tmp = arena_printf(c->arena, ".%s", id);
	if (mkdirat(models, tmp, 0750) == -1)
		return err_errno(e, "cannot make a directory for the model");
	to = file_dir(models, tmp, e);
	rc = to == -1 ? -1 : artefact_files(c->arena, from, to, v, e);
	if (rc == 0) {
		file_sync(to, tmp);
		rc = file_rename(models, tmp, models, id, e);
	}
	if (rc == 0)
		file_sync(models, "models");
	else
		file_remove(models, tmp, &none);
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
	rc = conf.reference ? artefact_files(c->arena, from, -1, &v, e) :
	    import_copy(c, from, &v, e);
	close(from);
	if (rc == -1 || store_publish(c->store, &v, true, e) == -1)
		return -1;
	printf("%s@%u, %lld files\n", v.name, v.number, (long long)v.records);
	return 0;
}

/* export_one - a tokenizer is one file among the packs */
static int
export_one(struct verb_call *c, const struct version *v, int to, struct err *e)
{
	struct view file;

	return file_read(c->arena, c->store->packs, v->pack[0], TOKENIZER_MAX,
	    &file, e) == -1 ? -1 : file_replace(to, "tokenizer.json", file,
	    0644, true, e);
}

/* export_all - a model's or an index's files, as the manifest says */
static int
export_all(struct verb_call *c, const struct version *v, int to,
    struct err *e)
{
	int from = artefact_open(c->store, v, e), rc = from == -1 ? -1 : 0;

	for (size_t i = 0; rc == 0 && i < v->npacks; i++)
		rc = artefact_copy(from, to, v, i, e);
	if (from != -1)
		close(from);
	return rc;
}

int
models_export(struct verb_call *c, struct err *e)
{
	struct version v;
	const char *split;
	int to, rc;

	if (c->argc != 3)
		return err_set(e, FATE_USAGE, "%s", "");
	if (verb_version(c, c->argv[1], &v, &split, e) == -1)
		return -1;
	if (v.kind == STORE_DATASET)
		return err_set(e, FATE_REJECT, "'%s' is a dataset: quern data "
		    "export", c->argv[1]);
	if (mkdir(c->argv[2], 0777) == -1)
		return err_errno(e, "cannot make '%s'", c->argv[2]);
	to = file_dir(AT_FDCWD, c->argv[2], e);
	if (to == -1)
		return -1;
	rc = v.kind == STORE_TOKENIZER ? export_one(c, &v, to, e) :
	    export_all(c, &v, to, e);
	close(to);
	return rc;
}
