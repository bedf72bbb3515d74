/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that training needs: told by category before any is taken. */
#include "appliance/base/base.h"
#include "modules/train/train.h"

/* plan - what a batch wants from a slab */
static void
plan(struct train *t, struct arena *a, struct slab *s, struct decoder *d,
    struct optimise *o, size_t batch)
{
	const struct train_conf *c = t->conf;
	const struct weights *w = &t->model.w;
	size_t T = (size_t)c->context;

	slab_init(s, a, t->device);
	decoder_want(d, a, w, s, &(struct decoder_conf){ .B = batch,
	    .T = T < w->shape.T ? T : w->shape.T, .frozen = t->frozen,
	    .adapter = t->frozen == NULL ? NULL : &t->adapter,
	    .held = t->frozen == NULL ? NULL : &t->base,
	    .recompute = c->recompute });
	*o = (struct optimise){ .kind = (enum optimiser)c->optimizer,
	    .weight_decay = c->weight_decay, .beta1 = c->beta1,
	    .beta2 = c->beta2, .eps = c->eps, .momentum = c->momentum };
	optimise_want(o, a, d, s);
}

/* bytes_for - of a batch, in a trial */
static size_t
bytes_for(struct train *t, size_t batch)
{
	struct arena *a = arena_new();
	struct decoder d;
	struct optimise o;
	struct slab s;
	size_t n;

	plan(t, a, &s, &d, &o, batch);
	n = slab_size(&s);
	arena_free(a);
	return n;
}

/* largest_batch - the most sequences that fit; 0: not one does.  Memory grows
 * by the same for each sequence, but for the logits' room of the first few */
static size_t
largest_batch(struct train *t, size_t left)
{
	size_t low = 0, high = (size_t)1 << 17, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (bytes_for(t, mid) <= left)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* base_put - the base from its file, and the adapters as they begin */
static int
base_put(struct train *t, struct err *e)
{
	const struct kernels *k = t->device->k;

	k->put(t->device->dev, t->decoder.arun, t->adapter.run,
	    t->adapter.all * sizeof(real));
	if (decoder_read(&t->decoder, &t->model.tensors, e) == -1)
		return err_prefix(e, "'%s': ", t->conf->base);
	if (t->adapter.conf.dora)
		decoder_magnitudes(&t->decoder);
	return 0;
}

int
train_memory(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	struct buf *b = buf_new(a, 4096);
	const struct kernels *k;
	size_t left, most;

	plan(t, a, &t->slab, &t->decoder, &t->optimise,
	    (size_t)t->conf->batch);
	k = t->device->k;
	slab_text(&t->slab, b);
	msg_info("memory in MiB: %s", buf_cstr(b));
	b->n = 0;
	slab_json(&t->slab, b);
	stage_result(t->stage, "memory", buf_get(b));
	left = slab_left(&t->slab);
	if (left != SIZE_MAX) {
		most = largest_batch(t, left);
		msg_info("%zu MiB are left on this machine: batch=%zu is the "
		    "largest that fits", left >> 20, most);
		if (slab_size(&t->slab) > left)
			return err_set(e, FATE_REJECT, "%zu MiB are needed, "
			    "%zu MiB are left on this machine: %s",
			    slab_size(&t->slab) >> 20, left >> 20, most == 0 ?
			    "recompute=yes, a smaller context or model" :
			    arena_printf(a, "batch=%zu would fit", most));
	}
	if (slab_take(&t->slab, e) == -1)
		return -1;
	decoder_ready(&t->decoder);
	optimise_ready(&t->optimise);
	if (t->frozen != NULL)
		return base_put(t, e);
	k->put(t->device->dev, t->decoder.run, t->model.run, t->model.w.all *
	    sizeof(real));
	model_drop(&t->model);		/* until the end */
	return 0;
}
