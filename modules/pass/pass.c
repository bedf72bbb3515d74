/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass - hands records on.  The template of a module: copy the folder, rename
 * the files, change the word; then write, in this order, the conf struct, its
 * options, plan, open, batch, finish, close, and the record at the end.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"

struct pass_conf {
	int64_t limit;
};

static const struct opt pass_opts[] = {
	OPT_INT(struct pass_conf, limit, "0", 0, 1e15, OPT_POSITIONAL,
	    "records handed on, the others are dropped; 0 is all"),
	OPT_DONE
};

struct pass {
	int64_t n;			/* handed on so far */
};

/* pass_plan - what the stage is, from its options alone */
static int
pass_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct pass_conf *conf = arg;

	(void)e;
	needs->stateless = conf->limit == 0;
	return 0;
}

/* pass_open - the state is the last number in the journal */
static int
pass_open(struct stage *s, struct err *e)
{
	struct pass *p = arena_alloc(s->arena, sizeof(*p));
	struct view past = stage_journal(s);

	(void)e;
	if (past.n >= sizeof(p->n))
		memcpy(&p->n, past.p + past.n - sizeof(p->n), sizeof(p->n));
	s->state = p;
	return 0;
}

/* pass_batch - batches come in order, since a stage with a limit has a state */
static int
pass_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct pass_conf *conf = s->conf;
	struct pass *p = s->state;

	(void)scratch;
	(void)e;
	if (conf->limit == 0)
		return 0;
	for (size_t i = 0; i < b->n; i++) {
		if (p->n < conf->limit)
			p->n++;
		else
			rec_drop(&b->rec[i], "limit", (double)p->n + 1,
			    (double)conf->limit);
	}
	stage_append(s, &p->n, sizeof(p->n));
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "pass", .summary = "hand records on, all or the first ones",
	.options = pass_opts, .conf_size = sizeof(struct pass_conf),
	.plan = pass_plan, .open = pass_open, .batch = pass_batch,
};
