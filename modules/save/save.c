/* SPDX-License-Identifier: Apache-2.0 */
/* save - records become a new version of a dataset */
#include "appliance/base/base.h"
#include "appliance/module.h"

struct save_conf {
	const char *name;
	bool empty;
};

static const struct opt save_opts[] = {
	OPT_REF(OPT_DATASET, struct save_conf, name, NULL,
	    OPT_POSITIONAL | OPT_NEEDED | OPT_NOKEY,
	    "the dataset that gets a new version"),
	OPT_BOOL(struct save_conf, empty, "no", OPT_NOKEY,
	    "a version without records may follow one that has some"),
	OPT_DONE
};

static int
save_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct save_conf *conf = arg;

	return sink_plan(conf->name, needs, e);
}

static int
save_open(struct stage *s, struct err *e)
{
	const struct save_conf *conf = s->conf;

	return sink_open(s, conf->name, conf->empty ? SINK_EMPTY : 0, e);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "save", .summary = "save records as a new version of a dataset",
	.options = save_opts, .conf_size = sizeof(struct save_conf),
	.plan = save_plan, .open = save_open, .batch = sink_batch,
	.finish = sink_finish, .close = sink_close,
};
