/* SPDX-License-Identifier: Apache-2.0 */
/* models convert: weights that go, and what all of it costs */
#include "appliance/base/base.h"
#include "appliance/engine/device.h"
#include "appliance/verb/shrink.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <unistd.h>

#define SEQUENCE	512	/* tokens that are read at once */

/* device_of - the processor, for texts */
static int
device_of(struct verb_call *c, struct shrink *x, struct err *e)
{
	int threads = (int)x->conf->threads;
	cpu_set_t set;

	if (threads == 0)
		threads = sched_getaffinity(0, sizeof(set), &set) == 0 ?
		    CPU_COUNT(&set) : 1;
	x->device = device_for(c->arena, "", threads, e);
	return x->device == NULL ? -1 : 0;
}

/* inputs_of - the texts whose inputs say what counts */
static int
inputs_of(struct verb_call *c, struct shrink *x, const struct model *m,
    struct err *e)
{
	struct measure_texts texts;
	int32_t *id;
	size_t n;

	if (x->conf->wanda == NULL)
		return 0;
	if (measure_read(c->arena, x->conf->wanda, &texts, e) == -1)
		return -1;
	measure_ids(c->arena, m, &texts, &id, &n);
	return n == 0 ? err_set(e, FATE_REJECT, "'%s' has no tokens",
	    x->conf->wanda) : prune_inputs(c->arena, x->device, &m->w,
	    &m->tensors, id, n, SEQUENCE, &x->prune, e);
}

/* shapes - a source's matrices as ours, when no tokenizer is needed */
static int
shapes(struct verb_call *c, const struct source *s, struct weights *w,
    struct err *e)
{
	struct shape shape;
	const char *first;
	size_t extra;

	if (shape_parse(s->config, &shape, e) == -1)
		return -1;
	weights_layout(c->arena, &shape, w);
	return weights_check(c->arena, w, &s->tensors, &extra, &first, e);
}

/* prune_of - the matrices of the very tensors that will be written */
static int
prune_of(struct verb_call *c, const struct source *s, int at,
    struct shrink *x, struct err *e)
{
	struct model *m = arena_alloc(c->arena, sizeof(*m));

	if (x->conf->prune == NULL)
		return 0;
	if (shapes(c, s, &m->w, e) == -1 || prune_plan(c->arena, &m->w,
	    &s->tensors, &x->prune, e) == -1)
		return -1;
	if (x->conf->wanda == NULL)
		return 0;
	if (model_look(c->arena, at, m, e) == -1)
		return -1;
	return inputs_of(c, x, m, e);
}

int
shrink_open(struct verb_call *c, const struct shrink_conf *conf, int at,
    const struct source *s, const char *to, struct shrink *x, struct err *e)
{
	*x = (struct shrink){ .conf = conf };
	if (conf->wanda != NULL && conf->prune == NULL)
		return err_set(e, FATE_USAGE, "wanda= says what prune= cuts, "
		    "which is missing");
	if (conf->on != NULL && verb_ends(to, ".bin"))
		return err_set(e, FATE_USAGE, "on=: '%s' will have no "
		    "tokenizer to measure it with", to);
	if (conf->prune != NULL && prune_parse(conf->prune, &x->prune, e) ==
	    -1)
		return -1;
	if ((conf->on != NULL || conf->wanda != NULL) &&
	    device_of(c, x, e) == -1)
		return -1;
	if (conf->on != NULL && (measure_read(c->arena, conf->on, &x->texts,
	    e) == -1 || measure_model(c->arena, x->device, at, &x->texts,
	    &x->before, e) == -1))
		return -1;
	return prune_of(c, s, at, x, e);
}

int
shrink_measure(struct verb_call *c, struct shrink *x, const char *path,
    struct err *e)
{
	int at, rc;

	if (x->conf->on == NULL)
		return 0;
	at = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (at == -1)
		return err_errno(e, "cannot open '%s'", path);
	rc = measure_model(c->arena, x->device, at, &x->texts, &x->after, e);
	close(at);
	return rc;
}

/* told_more - what the texts say */
static void
told_more(const struct shrink *x, const char *to, bool json, struct buf *b)
{
	double low, high, more = measure_more(&x->before, &x->after, &low,
	    &high);
	double was = measure_perplexity(&x->before);
	double is = measure_perplexity(&x->after);

	if (json) {
		buf_printf(b, ",\"tokens\":%.0f,\"perplexity_before\":%.10g,"
		    "\"perplexity_after\":%.10g,\"nats_more\":{\"value\":%.6g,"
		    "\"low\":", x->after.all_tokens, was, is, more);
		buf_json_num(b, low);
		buf_str(b, ",\"high\":");
		buf_json_num(b, high);
		buf_char(b, '}');
		return;
	}
	buf_printf(b, "%s: perplexity on '%s' %.6g before, %.6g after, %+.3g "
	    "%%: %+.4g nats for each of %.0f tokens", to, x->conf->on, was,
	    is, 100 * (is / was - 1), more, x->after.all_tokens);
	if (isfinite(low))
		buf_printf(b, " (95%%: %+.4g to %+.4g)", low, high);
	buf_char(b, '\n');
}

void
shrink_told(const struct shrink *x, const char *to, bool json, struct buf *b)
{
	const struct prune *p = &x->prune;
	double gone = p->numbers > 0 ? (double)p->gone / (double)p->numbers :
	    0;
	double lost = p->squares > 0 ? sqrt(p->lost / p->squares) : 0;

	if (x->conf->prune != NULL && json)
		buf_printf(b, ",\"pruned_matrices\":%zu,\"pruned_part\":%.6g,"
		    "\"pruned_rms_relative\":%.6g", p->n, gone, lost);
	else if (x->conf->prune != NULL)
		buf_printf(b, "%s: %.2f %% of the weights of %zu matrices are "
		    "0; those had %.4f %% of the rms of all\n", to,
		    100 * gone, p->n, 100 * lost);
	if (x->conf->on != NULL)
		told_more(x, to, json, b);
}
