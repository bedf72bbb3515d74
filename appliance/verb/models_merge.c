/* SPDX-License-Identifier: Apache-2.0 */
/* models merge: a base and its adapter become one model, in 32 bits */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/model/model.h"
#include "appliance/verb/verb.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct merge_conf {
	const char *model, *adapter, *to;
};

static const struct opt merge_opts[] = {
	OPT_TEXT(struct merge_conf, model, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "the base: a directory, a file, or a version in the store"),
	OPT_TEXT(struct merge_conf, adapter, NULL, OPT_POSITIONAL |
	    OPT_NEEDED, "a directory of PEFT's, or a version in the store"),
	OPT_PATH_OUT(struct merge_conf, to, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a directory that is made"),
	OPT_DONE
};

/* merge_open - the base with the adapter in it */
static int
merge_open(struct verb_call *c, const struct merge_conf *conf,
    struct model *m, struct err *e)
{
	struct buf *told = buf_new(c->arena, 1 << 16);
	int at = verb_model(c, conf->model, e), rc;

	if (at == -1)
		return -1;
	rc = model_open(c->arena, at, m, e);
	close(at);
	if (rc == -1)
		return err_prefix(e, "'%s': ", conf->model);
	at = verb_model(c, conf->adapter, e);
	if (at == -1)
		return -1;
	rc = model_adapt(c->arena, at, m, told, e);
	close(at);
	if (told->n > 0)
		msg_warn("'%s': %s", conf->adapter, buf_cstr(told));
	return rc == -1 ? err_prefix(e, "'%s': ", conf->adapter) : 0;
}

/* merge_write - beside the place that it is renamed to when it is complete */
static int
merge_write(struct verb_call *c, const struct model *m, const char *part,
    struct err *e)
{
	int dir, rc;

	if (file_remove(AT_FDCWD, part, e) == -1)
		return -1;
	if (mkdir(part, 0777) == -1)
		return err_errno(e, "cannot make '%s'", part);
	dir = file_dir(AT_FDCWD, part, e);
	if (dir == -1)
		return -1;
	rc = model_write(c->arena, m, dir, e);
	close(dir);
	return rc;
}

int
models_merge(struct verb_call *c, struct err *e)
{
	struct merge_conf conf = { .model = NULL };
	/* the arena drops its parameters after us */
	struct model *m = arena_alloc(c->arena, sizeof(*m));
	const char *part;
	struct err none;

	if (verb_words(c, merge_opts, &conf, e) == -1)
		return -1;
	if (file_exists(AT_FDCWD, conf.to))
		return err_set(e, FATE_CREATE, "'%s' is there already",
		    conf.to);
	part = arena_printf(c->arena, "%s.part", conf.to);
	if (merge_open(c, &conf, m, e) == -1)
		return -1;
	if (merge_write(c, m, part, e) == -1 || file_rename(AT_FDCWD, part,
	    AT_FDCWD, conf.to, e) == -1) {
		file_remove(AT_FDCWD, part, &none);
		return -1;
	}
	printf("%s: %zu parameters\n", conf.to, m->w.all);
	return 0;
}
