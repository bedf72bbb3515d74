/* SPDX-License-Identifier: Apache-2.0 */
/* append - records join a dataset: same ids are replaced, new ones added */
#include "appliance/base/base.h"
#include "appliance/module.h"

struct append_conf {
	const char *name;
};

static const struct opt append_opts[] = {
	OPT_REF(OPT_DATASET, struct append_conf, name, NULL,
	    OPT_POSITIONAL | OPT_NEEDED | OPT_NOKEY,
	    "the dataset that is added to"),
	OPT_DONE
};

static int
append_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct append_conf *conf = arg;

	needs->appends = true;
	return sink_plan(conf->name, needs, e);
}

static int
append_open(struct stage *s, struct err *e)
{
	const struct append_conf *conf = s->conf;

	return sink_open(s, conf->name, SINK_APPEND, e);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "append", .summary = "add records to a dataset",
	.options = append_opts, .conf_size = sizeof(struct append_conf),
	.plan = append_plan, .open = append_open, .batch = sink_batch,
	.finish = sink_finish, .close = sink_close,
};
