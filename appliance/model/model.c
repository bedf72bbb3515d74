/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/model.h"

#define CONFIG_MAX	((size_t)1 << 20)

void
model_drop(void *arg)
{
	struct model *m = arg;

	mem_free(m->run);
	m->run = NULL;
}

int
model_open(struct arena *a, int dir, struct model *m, struct err *e)
{
	struct view config;
	struct shape shape;
	struct tensors tensors;

	memset(m, 0, sizeof(*m));
	if (file_read(a, dir, "config.json", CONFIG_MAX, &config, e) == -1 ||
	    shape_parse(config, &shape, e) == -1 ||
	    tensors_model(a, dir, &tensors, e) == -1)
		return -1;
	weights_layout(a, &shape, &m->w);
	m->run = mem_alloc(m->w.all * sizeof(*m->run));
	arena_defer(a, model_drop, m);
	if (weights_read(a, &m->w, &tensors, m->run, e) == -1)
		return -1;
	m->tokenizer_name = tokenizer_find(dir);
	if (m->tokenizer_name == NULL)
		return err_set(e, FATE_REJECT, "the model has no "
		    "tokenizer.json and no tokenizer.bin");
	if (file_read(a, dir, m->tokenizer_name, TOKENIZER_MAX,
	    &m->tokenizer_file, e) == -1)
		return -1;
	m->tokenizer = tokenizer_open(a, m->tokenizer_file, e);
	if (m->tokenizer == NULL)
		return err_prefix(e, "%s: ", m->tokenizer_name);
	if (m->tokenizer->size > shape.V)
		return err_set(e, FATE_REJECT, "the tokenizer has %u tokens, "
		    "the model %zu", m->tokenizer->size, shape.V);
	return 0;
}

int
model_write(struct arena *a, const struct model *m, int dir, struct err *e)
{
	struct buf *b = buf_new(a, CONFIG_MAX);

	shape_print(&m->w.shape, b);
	if (file_replace(dir, "config.json", buf_get(b), 0640, true,
	    e) == -1 || file_replace(dir, m->tokenizer_name,
	    m->tokenizer_file, 0640, true, e) == -1 ||
	    weights_write(a, &m->w, m->run, dir, e) == -1)
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
