/* SPDX-License-Identifier: Apache-2.0 */
/* models convert: weights that go, and what all of it costs */
#include "appliance/base/base.h"
#include "appliance/engine/device.h"
#include "appliance/verb/shrink.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
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
    const struct source *s, const char *to, bool rounds, struct shrink *x,
    struct err *e)
{
	*x = (struct shrink){ .conf = conf };
	if (conf->wanda != NULL && conf->prune == NULL)
		return err_set(e, FATE_USAGE, "wanda= says what prune= cuts, "
		    "which is missing");
	if (conf->each && (conf->on == NULL || (conf->prune == NULL &&
	    !rounds)))
		return err_set(e, FATE_USAGE, "each= measures on= what prune= "
		    "or dtype= costs, and not all are there");
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

/* measure_path - what has been written */
static int
measure_path(struct verb_call *c, const struct shrink *x, const char *path,
    struct measure *m, struct err *e)
{
	int at = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (at == -1)
		return err_errno(e, "cannot open '%s'", path);
	rc = measure_model(c->arena, x->device, at, &x->texts, m, e);
	close(at);
	return rc;
}

int
shrink_measure(struct verb_call *c, struct shrink *x, const char *path,
    struct err *e)
{
	return x->conf->on == NULL ? 0 : measure_path(c, x, path, &x->after,
	    e);
}

int
shrink_each(struct verb_call *c, struct shrink *x, const struct convert *v,
    const char *path, struct err *e)
{
	const struct loss *l = &v->loss;
	double lost = l->lost + (v->prune == NULL ? 0 : v->prune->lost);
	double all = l->squares + (v->prune == NULL ? 0 : v->prune->lost);
	struct shrink_matrix *m;
	struct measure after;

	if (lost == 0)			/* as it was */
		return 0;
	if (measure_path(c, x, path, &after, e) == -1)
		return -1;
	x->each = arena_grow(c->arena, x->each, x->neach, x->neach + 1,
	    sizeof(*x->each));
	m = &x->each[x->neach++];
	m->name = v->only->name;
	if (l->tensors == 0)		/* pruned alone */
		all = v->prune->squares;
	m->lost = all > 0 ? sqrt(lost / all) : 0;
	m->more = measure_more(&x->before, &after, &m->low, &m->high);
	return 0;
}

static int
by_more(const void *v, const void *w)
{
	const struct shrink_matrix *a = v, *b = w;

	if (a->more != b->more)
		return a->more > b->more ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* told_each - the dearest first */
static void
told_each(const struct shrink *x, bool json, struct buf *b)
{
	if (x->neach > 1)
		qsort(x->each, x->neach, sizeof(*x->each), by_more);
	buf_str(b, json ? ",\"each\":[" : "each matrix alone, the dearest "
	    "first:\n  error %  nats a token  (95%)\n");
	for (size_t i = 0; i < x->neach; i++) {
		const struct shrink_matrix *m = &x->each[i];

		if (!json) {
			buf_printf(b, "%9.4f %+13.6f  (%+.6f to %+.6f)  %s\n",
			    100 * m->lost, m->more, m->low, m->high, m->name);
			continue;
		}
		buf_str(b, i > 0 ? ",{\"tensor\":" : "{\"tensor\":");
		buf_json_str(b, m->name);
		buf_printf(b, ",\"rms_relative\":%.6g,\"nats_more\":{"
		    "\"value\":%.6g,\"low\":", m->lost, m->more);
		buf_json_num(b, m->low);
		buf_str(b, ",\"high\":");
		buf_json_num(b, m->high);
		buf_str(b, "}}");
	}
	buf_str(b, json ? "]" : "");
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
	if (x->conf->each)
		told_each(x, json, b);
}
