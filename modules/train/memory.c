/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that training needs: told by category before any is taken, with
 * the largest batch that there is room for; and where there is none, which
 * options would make it fit.
 */
#include "appliance/base/base.h"
#include "modules/train/train.h"

/* how it could be done: as the options say, or otherwise in a trial */
struct way {
	size_t batch;
	bool recompute;
	struct held *base;		/* NULL: nothing is frozen */
};

/* plan - what a way wants from a slab; beside it, who else takes memory while
 * all that is there: the base's reading, or the host's copy at the end */
static void
plan(struct train *t, struct arena *a, struct slab *s, struct decoder *d,
    struct optimise *o, const struct way *way)
{
	const struct train_conf *c = t->conf;
	const struct weights *w = &t->model.w;

	slab_init(s, a, t->device);
	decoder_want(d, a, w, s, &(struct decoder_conf){
	    .B = way->batch * t->objective->group,
	    .T = train_context(t), .targets = t->targets, .frozen = t->frozen,
	    .adapter = t->frozen == NULL ? NULL : &t->adapter,
	    .held = way->base, .recompute = way->recompute,
	    .dropout = c->dropout, .attention_dropout =
	    c->attention_dropout < 0 ? c->dropout : c->attention_dropout,
	    .half = c->precision != PRECISION_F32,
	    .form = c->precision == PRECISION_F16 ? FORM_F16 : FORM_BF16 });
	if (t->objective->want != NULL)
		t->objective->want(t, s, d->R);
	*o = (struct optimise){ .kind = (enum optimiser)c->optimizer,
	    .weight_decay = c->weight_decay, .beta1 = c->beta1,
	    .beta2 = c->beta2, .eps = c->eps, .momentum = c->momentum };
	optimise_want(o, a, d, s);
	join_want(t, s, d);
	if (t->frozen != NULL)
		slab_want(s, "reading the base", weights_room(a, w), NULL);
	else
		slab_want(s, "the host's copy", w->all * sizeof(real), NULL);
}

/* bytes_for - of a way, in a trial */
static size_t
bytes_for(struct train *t, const struct way *way)
{
	struct arena *a = arena_new();
	struct decoder d;
	struct optimise o;
	struct slab s;
	size_t n;

	plan(t, a, &s, &d, &o, way);
	n = slab_size(&s);
	arena_free(a);
	return n;
}

/* largest_batch - the most sequences that fit; 0: not one does.  Memory grows
 * by the same for each sequence, but for the logits' room of the first few */
static size_t
largest_batch(struct train *t, struct way way, size_t left)
{
	size_t low = 0, high = (size_t)1 << 17;

	while (high - low > 1) {
		way.batch = low + (high - low) / 2;
		if (bytes_for(t, &way) <= left)
			low = way.batch;
		else
			high = way.batch;
	}
	return low;
}

/* remedy - the first of what costs least that would fit */
static const char *
remedy(struct train *t, struct way way, size_t most, size_t left)
{
	struct arena *a = t->stage->arena;
	bool bits = t->frozen != NULL && t->conf->base_form != HELD_NF4;
	struct held four;

	if (most > 0)
		return arena_printf(a, "batch=%zu would fit", most);
	way.batch = 1;
	way.recompute = true;
	if (bytes_for(t, &way) <= left)
		return "recompute=yes batch=1 would fit";
	if (!bits)
		return t->frozen != NULL ? "not even batch=1 with recompute "
		    "would fit: a smaller context or base" : "not even "
		    "batch=1 with recompute would fit: adapter=lora, or a "
		    "smaller context or model";
	held_plan(a, &t->model.w, &t->model.tensors, t->frozen, HELD_NF4, true,
	    &four);
	way.base = &four;
	return bytes_for(t, &way) <= left ? "base_form=nf4 recompute=yes "
	    "batch=1 would fit" : "not even base_form=nf4 recompute=yes "
	    "batch=1 would fit: a smaller context or base";
}

/* put - the weights to where they are computed from: new ones, or a base's
 * from its file, with the adapters as they begin */
static int
put(struct train *t, struct err *e)
{
	const struct kernels *k = t->device->k;

	if (t->conf->base == NULL) {
		model_room(t->stage->arena, &t->model);
		weights_init(&t->model.w, (uint64_t)t->conf->seed,
		    t->model.run);
		k->put(t->device->dev, t->decoder.run, t->model.run,
		    t->model.w.all * sizeof(real));
		model_drop(&t->model);	/* until the end */
		return 0;
	}
	if (decoder_read(&t->decoder, &t->model.tensors, e) == -1)
		return err_prefix(e, "'%s': ", t->conf->base);
	if (t->frozen != NULL)
		k->put(t->device->dev, t->decoder.arun, t->adapter.run,
		    t->adapter.all * sizeof(real));
	if (t->frozen != NULL && t->adapter.conf.dora)
		decoder_magnitudes(&t->decoder);
	return 0;
}

/* tell - what is needed and what is there; -1 if that is less */
static int
tell(struct train *t, const struct way *way, struct err *e)
{
	struct buf *b = buf_new(t->stage->arena, 4096);
	const char *where;
	size_t left, most;

	slab_text(&t->slab, b);
	if (!t->part.quiet)
		msg_info("memory in MiB: %s", buf_cstr(b));
	b->n = 0;
	slab_json(&t->slab, b);
	if (t->part.name == NULL)
		stage_result(t->stage, "memory", buf_get(b));
	left = slab_left(&t->slab, &where);
	if (left == SIZE_MAX)
		return 0;
	if (t->ranks.at.here > 1) {
		left /= (size_t)t->ranks.at.here;
		where = arena_printf(t->stage->arena, "%s for each of %d ranks",
		    where, t->ranks.at.here);
	}
	most = largest_batch(t, *way, left);
	if (!t->part.quiet)
		msg_info("%zu MiB are left %s: batch=%zu is the largest that "
		    "fits", left >> 20, where, most);
	if (slab_size(&t->slab) <= left)
		return 0;
	return err_set(e, FATE_REJECT, "%zu MiB are needed, %zu MiB are left "
	    "%s: %s", slab_size(&t->slab) >> 20, left >> 20, where,
	    remedy(t, *way, most, left));
}

int
train_memory(struct train *t, struct err *e)
{
	struct way way = { (size_t)t->conf->batch, t->conf->recompute,
	    t->frozen == NULL ? NULL : &t->base };

	plan(t, t->stage->arena, &t->slab, &t->decoder, &t->optimise, &way);
	if (tell(t, &way, e) == -1 || slab_take(&t->slab, e) == -1)
		return -1;
	decoder_ready(&t->decoder);
	optimise_ready(&t->optimise);
	return put(t, e);
}
