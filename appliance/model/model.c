/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/gguf_model.h"
#include "appliance/model/model.h"
#include "appliance/model/peft.h"
#include "appliance/model/pooling.h"
#include "appliance/model/source.h"
#include "appliance/model/t5_shape.h"

#define CONFIG_MAX	((size_t)1 << 20)

void
model_drop(void *arg)
{
	struct model *m = arg;

	mem_free(m->run);
	m->run = NULL;
}

/* open_tokenizer - which must be the model's */
static int
open_tokenizer(struct arena *a, const struct source *s, int images,
    struct model *m, struct err *e)
{
	if (s->tokenizer_name == NULL)
		return err_set(e, FATE_REJECT, "the model has no tokenizer: "
		    "no tokenizer.json, no tokenizer.bin, no keys of GGUF");
	m->tokenizer_name = s->tokenizer_name;
	m->tokenizer_file = s->tokenizer_file;
	m->tokenizer_config = s->tokenizer_config;
	m->chat_template = s->chat_template;
	m->tokenizer = tokenizer_open_kept(a, m->tokenizer_file,
	    &s->tokenizer_hash, images, e);
	if (m->tokenizer == NULL)
		return err_prefix(e, "%s: ", m->tokenizer_name);
	if (m->tokenizer->size > m->w.shape.V)
		return err_set(e, FATE_REJECT, "the tokenizer has %u tokens, "
		    "the model %zu", m->tokenizer->size, m->w.shape.V);
	return 0;
}

/* look_open - which model the files are of */
static int
look_open(struct arena *a, int at, int images, struct source *s,
    struct shape *shape, struct err *e)
{
	if (peft_is(at) && !file_exists(at, "config.json"))
		return err_set(e, FATE_REJECT, "this is an adapter: its base "
		    "is the model, and it is given as adapter=");
	return source_open(a, at, images, s, shape, e);
}

/* look_weights - every tensor is there, and no other; the tokenizer */
static int
look_weights(struct arena *a, const struct source *s,
    const struct shape *shape, bool new_head, int images, struct model *m,
    struct err *e)
{
	const char *first;
	size_t extra;

	weights_layout(a, shape, &m->w);
	m->w.new_head = new_head;
	/* a shape that lies must not ask for its memory first */
	if (weights_check(a, &m->w, &s->tensors, &extra, &first, e) == -1)
		return -1;
	if (extra > 0)
		return err_set(e, FATE_REJECT, "tensor '%s' has no place in a "
		    "model of this config.json", first);
	m->tensors = s->tensors;
	m->config = s->config;
	return open_tokenizer(a, s, images, m, e);
}

int
model_look(struct arena *a, int at, struct model *m, struct err *e)
{
	return model_look_kept(a, at, -1, m, e);
}

int
model_look_kept(struct arena *a, int at, int images, struct model *m,
    struct err *e)
{
	struct shape shape;
	struct source s;

	memset(m, 0, sizeof(*m));
	if (look_open(a, at, images, &s, &shape, e) == -1)
		return -1;
	if (shape.encoder)
		return err_set(e, FATE_REJECT, "the model is an encoder "
		    "(%s%s): it has no next token", family_class(shape.family),
		    head_class(shape.head.kind));
	if (shape.seq2seq)
		return err_set(e, FATE_REJECT, "the model is an "
		    "encoder-decoder (%s): it says nothing without an input",
		    family_name(shape.family));
	return look_weights(a, &s, &shape, false, images, m, e);
}

/* config_shape - of a directory's config.json, but for what lies in it; false:
 * there is none, or it cannot be read */
static bool
config_shape(int dir, struct shape *shape)
{
	struct arena *a = arena_new();
	struct view conf;
	struct err e;
	bool is = file_exists(dir, "config.json") && file_read(a, dir,
	    "config.json", CONFIG_MAX, &conf, &e) == 0 &&
	    shape_parse(conf, shape, &e) == 0;

	arena_free(a);
	return is;
}

bool
model_is_encoder(int dir)
{
	struct shape shape;

	return (config_shape(dir, &shape) && shape.encoder) ||
	    source_gguf_is(dir, "bert");
}

bool
model_is_seq2seq(int dir)
{
	struct shape shape;

	return config_shape(dir, &shape) && shape.seq2seq;
}

int
model_look_seq2seq(struct arena *a, int at, int images, struct model *m,
    struct err *e)
{
	struct shape shape;
	struct source s;

	memset(m, 0, sizeof(*m));
	if (look_open(a, at, images, &s, &shape, e) == -1)
		return -1;
	if (!shape.seq2seq)
		return err_set(e, FATE_REJECT, "the model is no "
		    "encoder-decoder (%s): it reads no input beside what it "
		    "says", family_name(shape.family));
	t5_head(&shape, &s.tensors);
	return look_weights(a, &s, &shape, false, images, m, e);
}

/* look_head - the base's own head where no labels are named; a number that is
 * asked of another head begins anew */
static int
look_head(struct shape *s, const struct shape_head *want, struct err *e)
{
	static const char *const fits[] = {
		[PROBLEM_ONE] = "classify",
		[PROBLEM_MANY] = "classify with multi=yes",
		[PROBLEM_NUMBERS] = "regress"
	};
	bool same = s->head.kind == want->kind;

	if (same && (want->kind == HEAD_TAGS ||
	    s->head.problem == want->problem))
		return 0;
	if (same)
		return err_set(e, FATE_REJECT, "the model's head is one for "
		    "objective=%s; for this one labels= are to be named",
		    fits[s->head.problem]);
	if (want->problem != PROBLEM_NUMBERS)
		return err_set(e, FATE_REJECT, "the model's head is %s%s, "
		    "which has no such labels: they are to be named",
		    family_class(s->family), head_class(s->head.kind));
	s->head = *want;
	s->head.labels = 1;
	return 0;
}

int
model_look_encoder(struct arena *a, int at, const struct shape_head *want,
    struct model *m, struct err *e)
{
	struct shape shape;
	struct source s;

	memset(m, 0, sizeof(*m));
	if (look_open(a, at, -1, &s, &shape, e) == -1)
		return -1;
	if (!shape.encoder)
		return err_set(e, FATE_REJECT, "the model is no encoder, but "
		    "%s (%s)", shape.seq2seq ? "an encoder-decoder" :
		    "a decoder", family_name(shape.family));
	if (want != NULL && (want->kind == HEAD_CLASSES || want->kind ==
	    HEAD_TAGS) && want->labels == 0) {
		if (look_head(&shape, want, e) == -1)
			return -1;
	} else if (want != NULL) {
		struct shape_head own = shape.head;

		shape.head = *want;
		if (want->names.n == 0 && own.labels == want->labels)
			shape.head.names = own.names;
	} else if (shape.head.kind == HEAD_EMBED &&
	    (s.kind == SOURCE_GGUF ? gguf_pool(&s.gguf, &shape.head, e) :
	    pooling_read(a, at, &shape.head, &m->most, e)) == -1)
		return -1;
	return look_weights(a, &s, &shape, want != NULL, -1, m, e);
}

void
model_room(struct arena *a, struct model *m)
{
	m->run = mem_alloc(m->w.all * sizeof(*m->run));
	arena_defer(a, model_drop, m);
}

int
model_read(struct arena *a, struct model *m, struct err *e)
{
	model_room(a, m);
	return weights_read(a, &m->w, &m->tensors, m->run, e);
}

int
model_open(struct arena *a, int at, struct model *m, struct err *e)
{
	return model_look(a, at, m, e) == -1 ? -1 : model_read(a, m, e);
}

int
model_adapt(struct arena *a, int dir, struct model *m, struct buf *told,
    struct err *e)
{
	struct adapter d;
	struct peft p;

	if (peft_open(a, dir, &p, e) == -1)
		return -1;
	for (size_t i = 0; i < p.nwarnings; i++)
		buf_printf(told, "%s\n", p.warning[i]);
	return peft_fit(a, &p, &m->w, &d, e) == -1 ? -1 :
	    adapter_merge(&d, m->run, e);
}

int
model_write(struct arena *a, const struct model *m, int dir, struct err *e)
{
	struct buf *b = buf_new(a, CONFIG_MAX);

	shape_print(&m->w.shape, b);
	if (file_replace(dir, "config.json", buf_get(b), 0640, true,
	    e) == -1 || file_replace(dir, m->tokenizer_name,
	    m->tokenizer_file, 0640, true, e) == -1 ||
	    (m->tokenizer_config.n > 0 && file_replace(dir,
	    "tokenizer_config.json", m->tokenizer_config, 0640, true,
	    e) == -1) || (m->chat_template.n > 0 && file_replace(dir,
	    "chat_template.jinja", m->chat_template, 0640, true, e) == -1) ||
	    weights_write(a, &m->w, m->run, dir, e) == -1)
		return -1;
	if (m->w.shape.head.kind == HEAD_EMBED && pooling_write(a, dir,
	    &m->w.shape.head, m->w.shape.C, m->most > 0 ? m->most :
	    m->w.shape.T, e) == -1)
		return -1;
	file_sync(dir, "the model's directory");
	return 0;
}

bool
model_stops(const struct model *m, int32_t id)
{
	const struct shape *s = &m->w.shape;

	for (size_t i = 0; i < s->nstops; i++)
		if (s->stop[i] == id)
			return true;
	return id == m->tokenizer->end || (id == s->bos && s->bos >= 0);
}

int32_t
model_begin(const struct model *m)
{
	if (m->w.shape.bos >= 0)
		return m->w.shape.bos;
	return m->tokenizer->bos >= 0 ? m->tokenizer->bos :
	    m->tokenizer->end;
}
