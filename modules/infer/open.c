/* SPDX-License-Identifier: Apache-2.0 */
/* Which model answers, and how it gets to its device */
#include "appliance/base/base.h"
#include "modules/infer/ask.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <unistd.h>

#define ROWS		256		/* tokens looked at in one call */
#define CONTEXT		4096		/* unless context= says more */
#define INPUT		512		/* the same of an encoder-decoder */

/* infer_base - what a row's answer depends on beside its own key */
static uint64_t
infer_base(const struct infer *t)
{
	const struct model *m = &t->model;
	const struct predict *p = t->seq2seq != NULL ? &t->seq2seq->p :
	    t->predict;
	uint64_t h = t->conf->weights != PACKED_F32 ? p->check : XXH3_64bits(
	    m->run, m->w.all * sizeof(real));

	return XXH3_64bits_withSeed(m->tokenizer_file.p, m->tokenizer_file.n,
	    h);
}

/* infer_begin - does a prompt get a token before it */
static bool
infer_begin(const struct infer *t)
{
	const struct tokenizer *k = t->model.tokenizer;

	if (t->conf->begin != BEGIN_AUTO)
		return t->conf->begin == BEGIN_YES;
	return k->begins || (k->bos >= 0 && k->bos != k->end);
}

/* infer_adapt - the model becomes what its adapter makes of it */
static int
infer_adapt(struct infer *t, struct err *e)
{
	const char *ref = t->conf->adapter;
	struct buf *told = buf_new(t->stage->arena, 1 << 16);
	int dir, rc;

	if (ref == NULL)
		return 0;
	dir = stage_files(t->stage, ref, KIND_MODEL, e);
	if (dir == -1)
		return -1;
	rc = model_adapt(t->stage->arena, dir, &t->model, told, e);
	close(dir);
	if (told->n > 0)
		stage_warn(t->stage, "'%s': %s", ref, buf_cstr(told));
	return rc == -1 ? err_prefix(e, "'%s': ", ref) : 0;
}

/* infer_predict - the model on its device */
static int
infer_predict(struct infer *t, struct err *e)
{
	const struct infer_conf *c = t->conf;
	struct model *m = &t->model;
	struct predict_how how = { .form = (enum packed_form)c->weights,
	    .w = &m->w, .run = m->run, .tensors = &m->tensors,
	    .config = m->config, .images = -1, .large = c->large_pages,
	    .slots = (size_t)c->slots, .places = m->w.shape.T, .rows = ROWS,
	    .wanted = (size_t)c->slots,
	    .cache = c->cache > 0 ? (size_t)c->cache : PREDICT_LEFT };
	struct arena *a = t->stage->arena;
	struct device *d;
	size_t most = m->w.shape.seq2seq ? INPUT : CONTEXT;

	if (c->context > 0 || how.places > most)
		how.places = c->context > 0 ? (size_t)c->context : most;
	if (m->run == NULL)
		how.images = stage_compiled(t->stage);
	d = device_for(a, stage_gpus(t->stage), stage_threads(t->stage), e);
	if (d != NULL && m->w.shape.seq2seq)
		t->seq2seq = t5_predict_open(a, d, &how, e);
	else if (d != NULL)
		t->predict = predict_packed(a, d, &how, e);
	if (how.images != -1)
		close(how.images);
	if (t->seq2seq != NULL && c->adapters.n > 0)
		return err_set(e, FATE_REJECT, "records cannot choose among "
		    "adapters of an encoder-decoder: adapter=");
	return t->seq2seq != NULL ? 0 : t->predict == NULL ? -1 :
	    adapters_open(t, e);
}

/* infer_reads - the model is an encoder */
static int
infer_reads(struct infer *t, int dir, struct err *e)
{
	const char *ref = t->conf->adapter;
	struct buf *told = buf_new(t->stage->arena, 1 << 16);
	int adapter = ref == NULL ? -1 : stage_files(t->stage, ref,
	    KIND_MODEL, e);

	if (ref != NULL && adapter == -1)
		return -1;
	t->reads = reads_open(t->stage, t->conf, dir, adapter, told, e);
	if (adapter != -1)
		close(adapter);
	if (told->n > 0)
		stage_warn(t->stage, "'%s': %s", ref, buf_cstr(told));
	return t->reads == NULL ? -1 : 0;
}

/* infer_find - the vocabulary as it reads special tokens in a text */
static int
infer_find(struct infer *t, struct err *e)
{
	if (!t->conf->find)
		return 0;
	t->find = tokenizer_open_all(t->stage->arena, t->model.tokenizer_file,
	    e);
	return t->find != NULL ? 0 : err_prefix(e, "find=yes: ");
}

int
infer_model(struct infer *t, struct err *e)
{
	const struct infer_conf *c = t->conf;
	struct arena *a = t->stage->arena;
	int dir, images, rc;

	dir = stage_files(t->stage, c->model, KIND_MODEL, e);
	if (dir == -1)
		return -1;
	if (model_is_encoder(dir)) {
		rc = infer_reads(t, dir, e);
		close(dir);
		return rc == -1 ? err_prefix(e, "'%s': ", c->model) : 0;
	}
	images = stage_compiled(t->stage);
	rc = model_is_seq2seq(dir) ? model_look_seq2seq(a, dir, images,
	    &t->model, e) : model_look_kept(a, dir, images, &t->model, e);
	/* quantised, it needs no more memory than that */
	if (rc == 0 && (c->weights == PACKED_F32 || c->adapter != NULL))
		rc = model_read(a, &t->model, e);
	close(dir);
	if (images != -1)
		close(images);
	if (rc == -1)
		return err_prefix(e, "'%s': ", c->model);
	if (infer_adapt(t, e) == -1)
		return -1;
	if (infer_predict(t, e) == -1)
		return err_prefix(e, "'%s': ", c->model);
	t->base = infer_base(t);
	t->begin = infer_begin(t);
	if (talk_open(t->stage, c, &t->model, &t->talk, e) == -1 ||
	    infer_find(t, e) == -1)
		return -1;
	model_drop(&t->model);
	return 0;
}
