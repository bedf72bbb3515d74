/* SPDX-License-Identifier: Apache-2.0 */
/* models import and export: a model's directory becomes a version, and back */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/id.h"
#include "appliance/model/source.h"
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
	    "directory of the model, or a .gguf file"),
	OPT_TEXT(struct import_conf, name, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "the model that gets a new version"),
	OPT_BOOL(struct import_conf, reference, "no", 0,
	    "leave the files where they are and remember the place"),
	OPT_DONE
};

/* import_check - a file must be a model's before it is copied */
static int
import_check(struct verb_call *c, int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;
	struct source s;

	if (fd == -1)
		return err_errno(e, "cannot read '%s'", name);
	rc = source_open(c->arena, fd, -1, &s, NULL, e);
	close(fd);
	if (rc == -1)
		return err_prefix(e, "'%s': ", name);
	return s.kind == SOURCE_GGUF ? 0 : err_set(e, FATE_REJECT, "'%s' is "
	    "no .gguf file: quern models convert makes a directory of it",
	    name);
}

/* import_copy - into models/.ID, then renamed to models/ID; name NULL: every
 * file of the directory */
static int
import_copy(struct verb_call *c, int from, const char *name,
    struct version *v, struct err *e)
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
	rc = to == -1 ? -1 : name == NULL ?
	    artefact_files(c->arena, from, to, v, e) :
	    artefact_file(c->arena, from, to, name, v, e);
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
	struct import_conf conf = { .dir = NULL };
	char whole[PATH_MAX], *name = NULL;
	struct stat st;
	int from, rc;

	if (verb_words(c, import_opts, &conf, e) == -1)
		return -1;
	if (!name_valid(conf.name, strlen(conf.name)))
		return err_set(e, FATE_USAGE, "'%s' is no name", conf.name);
	if (realpath(conf.dir, whole) == NULL || stat(whole, &st) == -1)
		return err_errno(e, "cannot read '%s'", conf.dir);
	if (!S_ISDIR(st.st_mode)) {
		if (conf.reference)
			return err_set(e, FATE_USAGE, "reference=yes: '%s' is "
			    "no directory", conf.dir);
		name = strrchr(whole, '/');
		*name++ = '\0';
	}
	from = file_dir(AT_FDCWD, whole[0] == '\0' ? "/" : whole, e);
	if (from == -1)
		return -1;
	v.name = conf.name;
	v.created = time(NULL);
	v.path = whole;
	if (name != NULL && import_check(c, from, name, e) == -1)
		rc = -1;
	else
		rc = conf.reference ? artefact_files(c->arena, from, -1, &v,
		    e) : import_copy(c, from, name, &v, e);
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

struct export_conf {
	const char *ref, *to, *dtype;
	int64_t max_shard;
};

static const struct opt export_opts[] = {
	OPT_TEXT(struct export_conf, ref, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a version of a model, tokenizer or index"),
	OPT_PATH_OUT(struct export_conf, to, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a directory that is made, or a .gguf or .bin file"),
	OPT_TEXT(struct export_conf, dtype, NULL, 0,
	    "numbers of a model: f32, f16, bf16, q8_0, q4_0, q4_k"),
	OPT_SIZE(struct export_conf, max_shard, "0", 0, 1e18, 0,
	    "most bytes of one file of weights; 0: one file"),
	OPT_DONE
};

/* export_converts - has a model to be written anew */
static bool
export_converts(const struct export_conf *conf)
{
	return conf->dtype != NULL || conf->max_shard > 0 ||
	    verb_ends(conf->to, ".gguf") || verb_ends(conf->to, ".bin");
}

/* export_anew - a model in another format or other numbers */
static int
export_anew(struct verb_call *c, const struct export_conf *conf,
    struct err *e)
{
	struct source s;
	int at = verb_model(c, conf->ref, e), rc;

	if (at == -1)
		return -1;
	rc = source_open(c->arena, at, -1, &s, NULL, e) == -1 ?
	    err_prefix(e, "'%s': ", conf->ref) :
	    verb_convert(c, &s, at, &(struct verb_write){ conf->to,
	    conf->dtype, conf->max_shard, NULL }, e);
	close(at);
	return rc;
}

int
models_export(struct verb_call *c, struct err *e)
{
	struct export_conf conf = { .ref = NULL };
	struct version v;
	const char *split;
	int to, rc;

	if (verb_words(c, export_opts, &conf, e) == -1 ||
	    verb_version(c, conf.ref, &v, &split, e) == -1)
		return -1;
	if (v.kind == STORE_DATASET)
		return err_set(e, FATE_REJECT, "'%s' is a dataset: quern data "
		    "export", conf.ref);
	if (v.kind == STORE_MODEL && export_converts(&conf))
		return export_anew(c, &conf, e);
	if (mkdir(conf.to, 0777) == -1)
		return err_errno(e, "cannot make '%s'", conf.to);
	to = file_dir(AT_FDCWD, conf.to, e);
	if (to == -1)
		return -1;
	rc = v.kind == STORE_TOKENIZER ? export_one(c, &v, to, e) :
	    export_all(c, &v, to, e);
	close(to);
	return rc;
}
