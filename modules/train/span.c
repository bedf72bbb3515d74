/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Span corruption (T5, Raffel et al. 2020, section 3.1.4): of a text some spans
 * are taken out, each replaced by a sentinel of its own; the target is what was
 * taken, each span behind its sentinel.  Which spans is drawn anew each time;
 * how many tokens that makes follows from the text's length alone, so a step
 * knows what it learns before it is drawn.
 */
#include "appliance/base/base.h"
#include "appliance/model/random.h"
#include "modules/train/seq2seq.h"

#include <math.h>

#define SHORTEST	3		/* tokens of a text that has a gap */

/* what a text of n tokens gives up: `noise` tokens in so many gaps, each named
 * by a sentinel; 0 gaps: it is too short */
struct span_plan {
	size_t n, noise, gaps;
};

/* span_plan - of n tokens, the part `rate` in gaps of about `mean` each: as in
 * T5's own code, but that more is kept than there are gaps */
static struct span_plan
span_plan(size_t n, double rate, double mean, size_t sentinels)
{
	struct span_plan p = { .n = n };

	if (n < SHORTEST || sentinels == 0)
		return p;
	p.noise = (size_t)lround((double)n * rate);
	p.noise = p.noise < 1 ? 1 : p.noise > n - 2 ? n - 2 : p.noise;
	p.gaps = (size_t)lround((double)p.noise / mean);
	p.gaps = p.gaps < 1 ? 1 : p.gaps;
	if (p.gaps > n - p.noise - 1)
		p.gaps = n - p.noise - 1;
	p.gaps = p.gaps > p.noise ? p.noise : p.gaps;
	p.gaps = p.gaps > sentinels ? sentinels : p.gaps;
	return p;
}

/* parts - n in so many parts of 1 at least, each way equally likely: the cuts
 * are drawn one place after another (Knuth's algorithm S) */
static void
parts(size_t n, size_t count, uint64_t key, uint64_t stream, size_t *length)
{
	size_t left = count - 1, part = 0, at = 0;

	for (size_t i = 1; i < n; i++) {
		at++;
		if (random_unit(key, stream, i) * (double)(n - i) <
		    (double)left) {
			length[2 * part++] = at;
			at = 0;
			left--;
		}
	}
	length[2 * part] = at + 1;
}

/* span_lengths - how long each kept part and each gap is, in turn, the first
 * kept one first: length[2 * gaps], the same for the same key */
static void
span_lengths(const struct span_plan *p, uint64_t key, uint64_t stream,
    size_t *length)
{
	parts(p->n - p->noise, p->gaps, key, 2 * stream, length);
	parts(p->noise, p->gaps, key, 2 * stream + 1, length + 1);
}

/* span_check - what is asked for can be done */
static int
span_check(const struct train_conf *c, struct err *e)
{
	if (c->mask > 0.5)
		return err_set(e, FATE_REJECT, "mask=%g: of a text's tokens at "
		    "most half are taken out in spans", c->mask);
	if (c->context < 2 * SHORTEST)
		return err_set(e, FATE_REJECT, "context=%lld leaves no room "
		    "for a text with a gap", (long long)c->context);
	return seq2seq_plan(c, e);
}

/* span_open - the sentinels that the vocabulary has */
static int
span_open(struct train *t, struct err *e)
{
	struct chat_special *v;
	struct seq2seq *x;
	char name[32];
	size_t n, i;

	if (seq2seq_open(t, e) == -1)
		return -1;
	x = t->goal;
	n = chat_specials(t->model.tokenizer, t->model.tokenizer_file,
	    t->stage->arena, &v);
	for (; x->sentinels < BASE_COUNT(x->sentinel); x->sentinels++) {
		snprintf(name, sizeof(name), "<extra_id_%zu>", x->sentinels);
		for (i = 0; i < n && !view_is(v[i].text, name); i++)
			continue;
		if (i == n)
			break;
		x->sentinel[x->sentinels] = (int32_t)v[i].id;
	}
	if (x->sentinels > 0)
		return 0;
	return err_set(e, FATE_REJECT, "the vocabulary has no special token "
	    "<extra_id_0>, which stands for what is taken out");
}

/* plan_of - a text's, as the options say */
static struct span_plan
plan_of(const struct train *t, size_t n)
{
	const struct seq2seq *x = t->goal;

	return span_plan(n, t->conf->mask, t->conf->mean_span, x->sentinels);
}

/* chunk_put - n tokens, and two behind: a row gives inputs to all but its last,
 * and a text with gaps can be one longer, by what ends it.  As many are marked
 * as its target will have */
static void
chunk_put(const struct train *t, const uint32_t *id, size_t n,
    struct texts *out)
{
	struct span_plan p = plan_of(t, n);
	size_t learnt = p.noise + p.gaps + 1;
	uint32_t one;

	for (size_t i = 0; i <= n + 1; i++) {
		one = id[i < n ? i : n - 1] | (i == 0 ? TOKEN_FIRST : 0) |
		    (i > 0 && i <= learnt ? 0 : TOKEN_QUIET);
		buf_add(out->ids, &one, 4);
	}
}

static const char *
span_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	size_t T = train_context(t) - 1, n, all, here;
	struct seq2seq *x = t->goal;
	struct view text;
	uint32_t *id;

	if (!rec_str(a, rec, t->conf->text, &text))
		return arena_printf(a, "it has no '%s'", t->conf->text);
	n = tokenizer_encode(t->model.tokenizer, a, text, &id);
	if (n < SHORTEST)
		return arena_printf(a, "'%s' has %zu tokens: nothing can be "
		    "taken out of fewer than %d", t->conf->text, n, SHORTEST);
	/* in chunks of about the same length, so that none is very short */
	all = (n + T - 1) / T;
	for (size_t i = 0, at = 0; i < all; i++, at += here) {
		here = (n - at + all - i - 1) / (all - i);
		if (here >= SHORTEST)
			chunk_put(t, id + at, here, out);
	}
	x->all++;
	return NULL;
}

/* a text with its gaps: room for two more tokens than it has */
struct drawn {
	int32_t *in, *out;
	size_t kept, taken;
};

static void
span_draw(const struct train *t, const int32_t *id, size_t n, uint64_t key,
    uint64_t stream, struct drawn *d)
{
	const struct seq2seq *x = t->goal;
	struct span_plan p = plan_of(t, n);
	size_t length[2 * BASE_COUNT(x->sentinel)];

	d->kept = d->taken = 0;
	span_lengths(&p, key, stream, length);
	for (size_t i = 0; i < p.gaps; i++) {
		memcpy(d->in + d->kept, id, length[2 * i] * sizeof(*id));
		id += length[2 * i];
		d->kept += length[2 * i];
		d->in[d->kept++] = d->out[d->taken++] = x->sentinel[i];
		memcpy(d->out + d->taken, id, length[2 * i + 1] *
		    sizeof(*id));
		id += length[2 * i + 1];
		d->taken += length[2 * i + 1];
	}
	d->in[d->kept++] = d->out[d->taken++] = x->end;
}

/* span_example - the first draw of a text, for people */
static size_t
span_example(struct train *t, struct arena *a, const uint32_t *v, size_t n,
    uint32_t **out)
{
	int32_t *id = arena_array(a, n, sizeof(*id));
	struct drawn d = { .in = arena_array(a, n, sizeof(*d.in)),
	    .out = arena_array(a, n, sizeof(*d.out)) };

	for (size_t i = 0; i < n; i++)
		id[i] = (int32_t)(v[i] & TOKEN_ID);
	span_draw(t, id, n - 2, (uint64_t)t->conf->seed, 4, &d);
	*out = arena_array(a, d.kept + d.taken, sizeof(**out));
	for (size_t i = 0; i < d.kept; i++)
		(*out)[i] = (uint32_t)d.in[i] | TOKEN_QUIET;
	for (size_t i = 0; i < d.taken; i++)
		(*out)[d.kept + i] = (uint32_t)d.out[i];
	return d.kept + d.taken;
}

/* span_run - of what is held back the same gaps every time */
static double
span_run(struct train *t, const struct micro *m, double scale)
{
	uint64_t key = m->held ? 1 : t->decoder.work.key;
	struct seq2seq *x = t->goal;
	size_t at = 0, first, n;
	struct drawn d;

	seq2seq_begin(t);
	d.in = mem_alloc(2 * (t->decoder.T + 1) * sizeof(*d.in));
	d.out = d.in + t->decoder.T + 1;
	while ((n = seq2seq_text(t, m, &at, &first)) > 0) {
		span_draw(t, m->id + first, n - 1, key, first + 4, &d);
		seq2seq_put(t, d.in, d.kept, d.out, d.taken);
	}
	mem_free(d.in);
	return t5_run(&t->decoder, &x->micro, scale);
}

const struct objective objective_span = {
	.name = "span", .group = 1, .seq2seq = true,
	.plan = span_check, .open = span_open, .add = span_add,
	.draw = span_example, .ready = seq2seq_ready, .run = span_run,
};
