/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as JSON for people and programs, and as quernd's ticket */
#include "appliance/base/base.h"
#include "appliance/job/plan.h"

/* after_names - the pipelines that one waits for, as a JSON array */
static void
after_names(const struct plan *plan, uint64_t set, struct buf *b)
{
	const char *sep = "";

	buf_char(b, '[');
	for (size_t i = 0; i < plan->npipes; i++)
		if (set & (uint64_t)1 << i) {
			buf_str(b, sep);
			buf_json_str(b, plan->pipe[i].name);
			sep = ",";
		}
	buf_char(b, ']');
}

/* stage_json - a stage with the options that are set */
static void
stage_json(const struct plan_stage *s, struct buf *b)
{
	buf_str(b, "{\"module\":");
	buf_json_str(b, s->module->name);
	buf_printf(b, ",\"revision\":%u,\"options\":", s->module->revision);
	opt_json(s->module->options, s->conf, b);
	buf_char(b, '}');
}

void
plan_json(const struct plan *plan, struct buf *b)
{
	buf_str(b, "{\"plan\":1,\"file\":");
	buf_json_str(b, plan->file);
	buf_printf(b, ",\"priority\":%d,\"attempts\":%d", plan->priority,
	    plan->attempts);
	if (plan->every != NULL) {
		buf_str(b, ",\"every\":");
		buf_json_str(b, plan->every);
	}
	if (plan->purpose != NULL) {
		buf_str(b, ",\"purpose\":");
		buf_json_str(b, plan->purpose);
	}
	buf_str(b, ",\"pipelines\":[");
	for (size_t i = 0; i < plan->npipes; i++) {
		const struct plan_pipe *p = &plan->pipe[i];

		buf_str(b, i > 0 ? ",\n{\"name\":" : "\n{\"name\":");
		buf_json_str(b, p->name);
		buf_str(b, ",\"after\":");
		after_names(plan, p->after, b);
		buf_str(b, ",\"stages\":[");
		for (size_t k = 0; k < p->nstages; k++) {
			if (k > 0)
				buf_char(b, ',');
			stage_json(&p->stage[k], b);
		}
		buf_str(b, "]}");
	}
	buf_str(b, "]}\n");
}

/* ticket_pipe - what quernd must know of one pipeline */
static void
ticket_pipe(const struct plan *plan, const struct plan_pipe *p, struct buf *b)
{
	const char *sep = "";
	int gpus = 0;

	for (size_t k = 0; k < p->nstages; k++)
		if (p->stage[k].needs.gpus != 0)
			gpus = p->stage[k].needs.gpus;
	buf_printf(b, "pipeline %s cores=%lld memory=%lld disk=%lld "
	    "seconds=%lld", p->name, (long long)plan->cores,
	    (long long)plan->memory, (long long)plan->disk,
	    (long long)plan->seconds);
	if (gpus < 0)
		buf_str(b, " gpus=auto");
	else
		buf_printf(b, " gpus=%d", gpus);
	buf_str(b, " after=");
	for (size_t i = 0; i < plan->npipes; i++)
		if (p->after & (uint64_t)1 << i) {
			buf_printf(b, "%s%zu", sep, i);
			sep = ",";
		}
	buf_char(b, '\n');
}

void
plan_ticket(const struct plan *plan, struct buf *b)
{
	buf_printf(b, "ticket 1\npriority %d\nattempts %d\n", plan->priority,
	    plan->attempts);
	if (plan->not_before != 0)
		buf_printf(b, "not-before %lld\n", (long long)plan->not_before);
	if (plan->every != NULL) {
		buf_str(b, "every ");
		buf_word(b, plan->every);
		buf_printf(b, "\ncatch-up %s\n",
		    plan->catch_up ? "latest" : "none");
	}
	if (plan->nafter > 0) {
		buf_str(b, "after");
		for (size_t i = 0; i < plan->nafter; i++)
			buf_printf(b, " %s", plan->after[i]);
		buf_char(b, '\n');
	}
	for (size_t i = 0; i < plan->npipes; i++)
		ticket_pipe(plan, &plan->pipe[i], b);
}
