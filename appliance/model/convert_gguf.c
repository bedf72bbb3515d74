/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/convert.h"
#include "appliance/model/gguf_model.h"
#include "appliance/model/pooling.h"
#include "appliance/text/gguf_put.h"

#include <fcntl.h>
#include <unistd.h>

/* general.file_type: what most of a file's numbers are */
static const struct {
	unsigned form, type;
} types[] = {
	{ GGUF_FORM_F32, 0 }, { GGUF_FORM_F16, 1 }, { GGUF_FORM_Q4_0, 2 },
	{ GGUF_FORM_Q4_1, 3 }, { GGUF_FORM_Q8_0, 7 }, { GGUF_FORM_Q5_0, 8 },
	{ GGUF_FORM_Q5_1, 9 }, { GGUF_FORM_Q4_K, 14 }, { GGUF_FORM_Q5_K, 16 },
	{ GGUF_FORM_Q6_K, 18 }, { GGUF_FORM_Q2_K, 10 }, { GGUF_FORM_Q3_K, 12 },
	{ GGUF_FORM_IQ4_NL, 25 }, { GGUF_FORM_IQ4_XS, 30 },
	{ GGUF_FORM_BF16, 32 }, { GGUF_FORM_MXFP4, 38 },
};

/* is_outer - the table of words and the head */
static bool
is_outer(const char *name)
{
	return strcmp(name, "token_embd.weight") == 0 ||
	    strcmp(name, "output.weight") == 0;
}

const struct quant *
convert_form(const struct convert *c, const struct tensor *t)
{
	const struct quant *form = convert_asked(c, t);

	if (t->ndims < 2 || strcmp(t->name, "position_embd.weight") == 0 ||
	    strcmp(t->name, "token_types.weight") == 0 ||
	    strstr(t->name, ".ffn_gate_inp.") != NULL)
		return quant_form(GGUF_FORM_F32);
	if (form == NULL) {
		form = t->form;
		/* what is changed, and cannot be made anew, and F64 */
		if (t->scales > 0 || (form->encode == NULL &&
		    (form->block == 1 || t->change != TENSOR_SAME)))
			form = quant_form(GGUF_FORM_F32);
		return form;
	}
	if (is_outer(t->name) && form->block > 1 && form->bytes * 8 <
	    form->block * 5)
		form = quant_form(GGUF_FORM_Q8_0);
	return quant_of(form, t->shape[t->ndims - 1]);
}

/* put_type - of the largest tensor that is not one of the outer ones */
static void
put_type(const struct convert *c, const struct tensors *t, struct buf *b)
{
	const struct tensor *most = NULL;
	unsigned type = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!is_outer(t->v[i].name) && (most == NULL ||
		    t->v[i].count > most->count))
			most = &t->v[i];
	for (size_t i = 0; most != NULL && i < BASE_COUNT(types); i++)
		if (types[i].form == convert_form(c, most)->form)
			type = types[i].type;
	gguf_put_u32(b, "general.file_type", type);
}

/* make_head - keys and the places of all tensors */
static int
make_head(struct convert *c, const struct tensors *t, struct buf *head,
    struct err *e)
{
	const struct source *s = c->source;
	struct buf *keys = buf_new(c->arena, GGUF_HEADER);
	struct buf *words = buf_new(c->arena, GGUF_HEADER);
	uint64_t nkeys = 0, nwords = 0, at = 0;

	if (gguf_keys(c->arena, s->config, keys, &nkeys, e) == -1)
		return -1;
	put_type(c, t, keys);
	nkeys++;
	if (c->pool > 0) {
		gguf_put_u32(keys, "bert.pooling_type", (uint32_t)c->pool);
		nkeys++;
	}
	if (s->tokenizer_name != NULL && gguf_words(c->arena, s, words, &nwords,
	    e) == -1)
		return -1;
	gguf_put_begin(head, t->n, nkeys + nwords);
	buf_view(head, buf_get(keys));
	buf_view(head, buf_get(words));
	for (size_t i = 0; i < t->n; i++) {
		const struct quant *form = convert_form(c, &t->v[i]);

		if (strlen(t->v[i].name) >= GGUF_NAME)
			return err_set(e, FATE_REJECT, "tensor '%s' has too "
			    "long a name for GGUF", t->v[i].name);
		gguf_put_tensor(head, t->v[i].name, t->v[i].ndims,
		    t->v[i].shape, form->form, at);
		at += convert_size(&t->v[i], form);
		at = (at + GGUF_ALIGN - 1) / GGUF_ALIGN * GGUF_ALIGN;
	}
	gguf_put_end(head);
	return !head->full && !keys->full && !words->full ? 0 :
	    err_set(e, FATE_REJECT, "its header is too long for GGUF");
}

/* put_data - every tensor, filled up to where the next begins */
static int
put_data(struct convert *c, int fd, const struct tensors *t, struct err *e)
{
	static const char zeros[GGUF_ALIGN];
	const struct quant *form;
	uint64_t bytes;

	for (size_t i = 0; i < t->n; i++) {
		form = convert_form(c, &t->v[i]);
		bytes = convert_size(&t->v[i], form) % GGUF_ALIGN;
		if (convert_tensor(c, fd, &t->v[i], form, e) == -1)
			return -1;
		if (bytes > 0 && file_put(fd, zeros, GGUF_ALIGN - bytes) == -1)
			return err_errno(e, "cannot write");
	}
	return 0;
}

int
convert_pool(struct convert *c, int files, struct shape_head *h, struct err *e)
{
	struct shape *s = arena_alloc(c->arena, sizeof(*s));
	struct err none;
	size_t most;

	*h = (struct shape_head){ .kind = HEAD_NEXT };
	if (shape_parse(c->source->config, s, &none) == -1 || !s->encoder ||
	    s->head.kind != HEAD_EMBED)
		return 0;
	*h = s->head;
	if (c->source->kind == SOURCE_GGUF ?
	    gguf_pool(&c->source->gguf, h, e) == -1 :
	    files != -1 && pooling_read(c->arena, files, h, &most, e) == -1)
		return -1;
	c->pool = h->pool == POOL_CLS ? GGUF_POOL_CLS : GGUF_POOL_MEAN;
	return 0;
}

/* check_said - open what was written: is it the same model */
static int
check_said(struct convert *c, int to, const char *name, struct err *e)
{
	struct shape *shape = arena_array(c->arena, 2, sizeof(*shape));
	struct view config;
	struct gguf g;

	return shape_parse(c->source->config, &shape[0], e) == -1 ||
	    gguf_open(c->arena, to, name, &g, e) == -1 ||
	    gguf_config(c->arena, &g, &config, e) == -1 ||
	    shape_parse(config, &shape[1], e) == -1 ? -1 :
	    gguf_same(&shape[0], &shape[1], e);
}

int
convert_gguf(struct convert *c, int to, const char *name, struct err *e)
{
	struct buf *head = buf_new(c->arena, GGUF_HEADER);
	struct tensors t;
	const char *extra;
	int fd, rc;

	if (gguf_named(c->arena, c->source->config, &c->source->tensors, &t,
	    &extra, e) == -1)
		return -1;
	if (extra != NULL)
		return err_set(e, FATE_REJECT, "tensor '%.100s' has no place "
		    "in a GGUF file of this family", extra);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].form == NULL)
			return err_set(e, FATE_REJECT, "tensor '%.100s' is of "
			    "dtype %s, which is not computed", t.v[i].name,
			    t.v[i].dtype);
	if (make_head(c, &t, head, e) == -1)
		return -1;
	fd = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
	if (fd == -1)
		return err_errno(e, "cannot create '%s'", name);
	rc = file_put(fd, head->p, head->n) == -1 ?
	    err_errno(e, "cannot write '%s'", name) :
	    put_data(c, fd, &t, e);
	if (rc == 0)
		file_sync(fd, name);
	close(fd);
	return rc == -1 ? -1 : check_said(c, to, name, e);
}
