/* SPDX-License-Identifier: Apache-2.0 */
/* promote - a tag moves to a version when all before it has ended well */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/module.h"
#include "appliance/store/ref.h"
#include "appliance/store/store.h"

#include <stdlib.h>

struct promote_conf {
	const char *name, *tag;
};

static const struct opt promote_opts[] = {
	OPT_TEXT(struct promote_conf, name, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "what is promoted, as NAME[@VERSION|@TAG]"),
	OPT_TEXT(struct promote_conf, tag, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "the tag that moves"),
	OPT_DONE
};

static int
promote_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct promote_conf *conf = arg;
	char *end;

	needs->sink = needs->store = true;
	if (!name_valid(conf->tag, strlen(conf->tag)))
		return err_set(e, FATE_REJECT, "'%s' is no tag", conf->tag);
	if (strcmp(conf->tag, "latest") == 0)
		return err_set(e, FATE_REJECT, "'latest' moves by itself");
	if (strtoul(conf->tag, &end, 10) > 0 && *end == '\0')
		return err_set(e, FATE_REJECT, "a tag is not a number");
	return 0;
}

static int
promote_finish(struct stage *s, struct batch *out, struct err *e)
{
	const struct promote_conf *conf = s->conf;
	struct version v;
	struct ref ref;
	int rc;

	(void)out;
	if (ref_parse(s->arena, conf->name, &ref, e) == -1)
		return -1;
	rc = store_resolve(stage_store(s), s->arena, ref.name, ref.at,
	    stage_is_shell(s) ? NULL : stage_job(s), &v, e);
	if (rc == 0)
		return err_set(e, FATE_REJECT, "there is no '%s' to promote",
		    conf->name);
	if (rc == -1 || store_tag(stage_store(s), v.name, conf->tag, v.number,
	    e) == -1)
		return -1;
	msg_info("'%s@%u' is now '%s@%s'", v.name, v.number, v.name,
	    conf->tag);
	return 1;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "promote", .summary = "move a tag to a version",
	.options = promote_opts, .conf_size = sizeof(struct promote_conf),
	.plan = promote_plan, .finish = promote_finish,
};
