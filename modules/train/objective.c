/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/tokens.h"

/* in the order of the option's words */
static const struct objective *const objectives[] = { &objective_causal,
	&objective_dpo, &objective_masked, &objective_classify,
	&objective_regress, &objective_tag, &objective_contrast,
	&objective_distill, &objective_seq2seq, &objective_span };

const struct objective *
objective_of(const struct train_conf *c)
{
	return objectives[c->objective];
}

/* causal_run - the next token of each place that has a target */
static double
causal_run(struct train *t, const struct micro *m, double scale)
{
	return decoder_run(&t->decoder, m->id, m->target, scale);
}

const struct objective objective_causal = {
	.name = "causal", .group = 1,
	.add = tokens_add, .run = causal_run,
};
