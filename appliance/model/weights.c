/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/random.h"
#include "appliance/model/weights.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

/* weight_add - the next parameter of the run */
static size_t
weight_add(struct weights *w, size_t rows, size_t cols)
{
	size_t at = w->all;

	w->v[w->n++] = (struct weight){ at, rows, cols, rows > 1 };
	w->all += rows * cols;
	return at;
}

/* bias_add - a vector if the shape has it */
static size_t
bias_add(struct weights *w, bool there, size_t n)
{
	return there ? weight_add(w, 1, n) : NO_WEIGHT;
}

void
weights_layout(struct arena *a, const struct shape *s, struct weights *w)
{
	bool gpt2 = s->family == FAMILY_GPT2;
	bool out_bias = s->qkv_bias;
	struct layer *l;

	*w = (struct weights){ .shape = *s };
	w->v = arena_array(a, s->L * 12 + 5, sizeof(*w->v));
	w->layer = arena_array(a, s->L, sizeof(*w->layer));
	w->qkv_rows = (s->H + 2 * s->G) * s->D;
	w->up_rows = gpt2 ? s->F : 2 * s->F;
	w->token = weight_add(w, s->V, s->C);
	w->place = gpt2 ? weight_add(w, s->T, s->C) : NO_WEIGHT;
	for (size_t i = 0; i < s->L; i++) {
		l = &w->layer[i];
		l->norm1 = weight_add(w, 1, s->C);
		l->norm1_b = bias_add(w, gpt2, s->C);
		l->qkv = weight_add(w, w->qkv_rows, s->C);
		l->qkv_b = bias_add(w, s->qkv_bias, w->qkv_rows);
		l->out = weight_add(w, s->C, s->H * s->D);
		l->out_b = bias_add(w, out_bias, s->C);
		l->norm2 = weight_add(w, 1, s->C);
		l->norm2_b = bias_add(w, gpt2, s->C);
		l->up = weight_add(w, w->up_rows, s->C);
		l->up_b = bias_add(w, s->mlp_bias, w->up_rows);
		l->down = weight_add(w, s->C, s->F);
		l->down_b = bias_add(w, s->mlp_bias, s->C);
	}
	w->norm = weight_add(w, 1, s->C);
	w->norm_b = bias_add(w, gpt2, s->C);
	w->head = s->tied ? w->token : weight_add(w, s->V, s->C);
}

/* init_run - n numbers of a distribution from a place of the run on */
static void
init_run(real *run, size_t at, size_t n, double deviation, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		run[at + i] = (real)(deviation * random_normal(seed, 0,
		    at + i));
}

static void
init_ones(real *run, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run[at + i] = 1;
}

void
weights_init(const struct weights *w, uint64_t seed, real *run)
{
	const struct shape *s = &w->shape;
	double less = 0.02 / sqrt(2 * (double)s->L);

	memset(run, 0, w->all * sizeof(*run));
	init_run(run, w->token, s->V * s->C, 0.02, seed);
	if (w->place != NO_WEIGHT)
		init_run(run, w->place, s->T * s->C, 0.02, seed);
	for (size_t i = 0; i < s->L; i++) {
		const struct layer *l = &w->layer[i];

		init_ones(run, l->norm1, s->C);
		init_ones(run, l->norm2, s->C);
		init_run(run, l->qkv, w->qkv_rows * s->C, 0.02, seed);
		init_run(run, l->out, s->C * s->H * s->D, less, seed);
		init_run(run, l->up, w->up_rows * s->C, 0.02, seed);
		init_run(run, l->down, s->C * s->F, less, seed);
	}
	init_ones(run, w->norm, s->C);
	if (!s->tied)
		init_run(run, w->head, s->V * s->C, 0.02, seed);
}

struct pieces {
	struct arena *arena;
	struct piece *v;
	size_t n;
	const char *front;		/* of every name */
};

static void
piece_add(struct pieces *p, const char *name, size_t at, size_t rows,
    size_t cols, bool turned)
{
	if (at != NO_WEIGHT)
		p->v[p->n++] = (struct piece){ arena_printf(p->arena, "%s%s",
		    p->front, name), at, rows, cols, turned };
}

/* pieces_gpt2 - Conv1D keeps its matrices as [in, out] */
static void
pieces_gpt2(struct pieces *p, const struct weights *w)
{
	const struct shape *s = &w->shape;
	const char *front = p->front;

	piece_add(p, "wte.weight", w->token, s->V, s->C, false);
	piece_add(p, "wpe.weight", w->place, s->T, s->C, false);
	for (size_t i = 0; i < s->L; i++) {
		const struct layer *l = &w->layer[i];

		p->front = arena_printf(p->arena, "%sh.%zu.", front, i);
		piece_add(p, "ln_1.weight", l->norm1, 0, s->C, false);
		piece_add(p, "ln_1.bias", l->norm1_b, 0, s->C, false);
		piece_add(p, "attn.c_attn.weight", l->qkv, w->qkv_rows, s->C,
		    true);
		piece_add(p, "attn.c_attn.bias", l->qkv_b, 0, w->qkv_rows,
		    false);
		piece_add(p, "attn.c_proj.weight", l->out, s->C, s->C, true);
		piece_add(p, "attn.c_proj.bias", l->out_b, 0, s->C, false);
		piece_add(p, "ln_2.weight", l->norm2, 0, s->C, false);
		piece_add(p, "ln_2.bias", l->norm2_b, 0, s->C, false);
		piece_add(p, "mlp.c_fc.weight", l->up, s->F, s->C, true);
		piece_add(p, "mlp.c_fc.bias", l->up_b, 0, s->F, false);
		piece_add(p, "mlp.c_proj.weight", l->down, s->C, s->F, true);
		piece_add(p, "mlp.c_proj.bias", l->down_b, 0, s->C, false);
	}
	p->front = front;
	piece_add(p, "ln_f.weight", w->norm, 0, s->C, false);
	piece_add(p, "ln_f.bias", w->norm_b, 0, s->C, false);
	p->front = "";
	if (!s->tied)
		piece_add(p, "lm_head.weight", w->head, s->V, s->C, false);
}

/* llama_joined - matrices that lie below one another in one of ours */
static void
llama_joined(struct pieces *p, const struct weights *w,
    const struct layer *l)
{
	const struct shape *s = &w->shape;
	size_t q = s->H * s->D, kv = s->G * s->D, C = s->C;
	size_t qb = l->qkv_b, ub = l->up_b;

	piece_add(p, "self_attn.q_proj.weight", l->qkv, q, C, false);
	piece_add(p, "self_attn.k_proj.weight", l->qkv + q * C, kv, C, false);
	piece_add(p, "self_attn.v_proj.weight", l->qkv + (q + kv) * C, kv, C,
	    false);
	if (qb != NO_WEIGHT) {
		piece_add(p, "self_attn.q_proj.bias", qb, 0, q, false);
		piece_add(p, "self_attn.k_proj.bias", qb + q, 0, kv, false);
		piece_add(p, "self_attn.v_proj.bias", qb + q + kv, 0, kv,
		    false);
	}
	piece_add(p, "mlp.gate_proj.weight", l->up, s->F, C, false);
	piece_add(p, "mlp.up_proj.weight", l->up + s->F * C, s->F, C, false);
	if (ub != NO_WEIGHT) {
		piece_add(p, "mlp.gate_proj.bias", ub, 0, s->F, false);
		piece_add(p, "mlp.up_proj.bias", ub + s->F, 0, s->F, false);
	}
}

static void
pieces_llama(struct pieces *p, const struct weights *w)
{
	const struct shape *s = &w->shape;

	piece_add(p, "model.embed_tokens.weight", w->token, s->V, s->C,
	    false);
	for (size_t i = 0; i < s->L; i++) {
		const struct layer *l = &w->layer[i];

		p->front = arena_printf(p->arena, "model.layers.%zu.", i);
		piece_add(p, "input_layernorm.weight", l->norm1, 0, s->C,
		    false);
		piece_add(p, "post_attention_layernorm.weight", l->norm2, 0,
		    s->C, false);
		llama_joined(p, w, l);
		piece_add(p, "self_attn.o_proj.weight", l->out, s->C,
		    s->H * s->D, false);
		piece_add(p, "self_attn.o_proj.bias", l->out_b, 0, s->C,
		    false);
		piece_add(p, "mlp.down_proj.weight", l->down, s->C, s->F,
		    false);
		piece_add(p, "mlp.down_proj.bias", l->down_b, 0, s->C, false);
	}
	p->front = "";
	piece_add(p, "model.norm.weight", w->norm, 0, s->C, false);
	if (!s->tied)
		piece_add(p, "lm_head.weight", w->head, s->V, s->C, false);
}

/* pieces_of - every tensor of a file, in an order of our own */
static void
pieces_of(struct arena *a, const struct weights *w, const char *front,
    struct pieces *p)
{
	*p = (struct pieces){ .arena = a, .front = front };
	p->v = arena_array(a, w->shape.L * 24 + 8, sizeof(*p->v));
	if (w->shape.family == FAMILY_GPT2)
		pieces_gpt2(p, w);
	else
		pieces_llama(p, w);
}

struct piece *
weights_pieces(struct arena *a, const struct weights *w, size_t *n)
{
	struct pieces p;

	pieces_of(a, w, w->shape.family == FAMILY_GPT2 ? "transformer." : "",
	    &p);
	*n = p.n;
	return p.v;
}

size_t
weights_find(const struct weights *w, size_t at)
{
	size_t low = 0, high = w->n, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (w->v[mid].at <= at)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* piece_fits - has the file's tensor the shape that the model wants */
static int
piece_fits(struct arena *a, const struct piece *p, const struct tensor *t,
    struct err *e)
{
	size_t rows = p->turned ? p->cols : p->rows;
	size_t cols = p->turned ? p->rows : p->cols;

	if (t == NULL)
		return err_set(e, FATE_REJECT, "tensor '%s' is missing",
		    p->name);
	if (p->rows == 0 ? t->ndims == 1 && t->shape[0] == cols :
	    t->ndims == 2 && t->shape[0] == rows && t->shape[1] == cols)
		return 0;
	return err_set(e, FATE_REJECT, "tensor '%s' has shape %s, config.json "
	    "wants [%zu,%zu]", p->name, tensor_shape(a, t), rows, cols);
}

/* piece_take - a tensor as read to its place in the run */
static void
piece_take(const struct piece *p, const float *flat, real *run)
{
	size_t rows = p->rows == 0 ? 1 : p->rows;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			run[p->at + r * p->cols + c] = flat[p->turned ?
			    c * rows + r : r * p->cols + c];
}

int
weights_read(struct arena *a, const struct weights *w,
    const struct tensors *t, real *run, struct err *e)
{
	bool old = tensors_find(t, "transformer.wte.weight") != NULL;
	float *flat = NULL;
	struct pieces p;
	const struct tensor *one;
	size_t n, most = 0;
	int rc = 0;

	pieces_of(a, w, w->shape.family == FAMILY_GPT2 && old ?
	    "transformer." : "", &p);
	for (size_t i = 0; i < p.n; i++) {
		n = (p.v[i].rows == 0 ? 1 : p.v[i].rows) * p.v[i].cols;
		most = n > most ? n : most;
		if (piece_fits(a, &p.v[i], tensors_find(t, p.v[i].name),
		    e) == -1)
			return -1;
	}
	flat = mem_alloc(most * sizeof(*flat));
	for (size_t i = 0; rc == 0 && i < p.n; i++) {
		one = tensors_find(t, p.v[i].name);
		rc = tensor_read(one, flat, e);
		if (rc == 0)
			piece_take(&p.v[i], flat, run);
	}
	mem_free(flat);
	return rc;
}

int
weights_check(struct arena *a, const struct weights *w,
    const struct tensors *t, size_t *extra, const char **first, struct err *e)
{
	bool old = tensors_find(t, "transformer.wte.weight") != NULL, named;
	struct pieces p;

	*extra = 0;
	pieces_of(a, w, w->shape.family == FAMILY_GPT2 && old ?
	    "transformer." : "", &p);
	for (size_t i = 0; i < p.n; i++)
		if (piece_fits(a, &p.v[i], tensors_find(t, p.v[i].name),
		    e) == -1)
			return -1;
	for (size_t i = 0; i < t->n; i++) {
		named = false;
		for (size_t k = 0; k < p.n && !named; k++)
			named = strcmp(p.v[k].name, t->v[i].name) == 0;
		if (!named && ++*extra == 1)
			*first = t->v[i].name;
	}
	return 0;
}

/* write_piece - one tensor's data */
static int
write_piece(int fd, const struct piece *p, const real *run, float *flat)
{
	size_t rows = p->rows == 0 ? 1 : p->rows;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			flat[p->turned ? c * rows + r : r * p->cols + c] =
			    (float)run[p->at + r * p->cols + c];
	return file_put(fd, flat, rows * p->cols * sizeof(*flat));
}

/* write_all - length, header, tensors */
static int
write_all(int fd, const struct pieces *p, struct view header, const real *run,
    float *flat)
{
	unsigned char len[8];

	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)header.n >> 8 * i);
	if (file_put(fd, len, 8) == -1 ||
	    file_put(fd, header.p, header.n) == -1)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (write_piece(fd, &p->v[i], run, flat) == -1)
			return -1;
	return 0;
}

int
weights_write(struct arena *a, const struct weights *w, const real *run,
    int at, struct err *e)
{
	struct buf *header = buf_new(a, TENSORS_HEADER);
	struct tensor_out *out;
	struct pieces p;
	size_t most = 0, n;
	float *flat;
	int fd, rc;

	pieces_of(a, w, w->shape.family == FAMILY_GPT2 ? "transformer." : "",
	    &p);
	out = arena_array(a, p.n, sizeof(*out));
	for (size_t i = 0; i < p.n; i++) {
		const struct piece *q = &p.v[i];

		out[i].name = q->name;
		out[i].ndims = q->rows == 0 ? 1 : 2;
		out[i].shape[0] = q->rows == 0 || q->turned ? q->cols :
		    q->rows;
		out[i].shape[1] = q->turned ? q->rows : q->cols;
		n = (q->rows == 0 ? 1 : q->rows) * q->cols;
		most = n > most ? n : most;
	}
	tensors_print(header, out, p.n, VIEW("{\"format\":\"pt\"}"));
	fd = openat(at, "model.safetensors", O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return err_errno(e, "cannot create 'model.safetensors'");
	flat = mem_alloc(most * sizeof(*flat));
	rc = write_all(fd, &p, buf_get(header), run, flat);
	if (rc == -1)
		err_errno(e, "cannot write 'model.safetensors'");
	else
		file_sync(fd, "model.safetensors");
	mem_free(flat);
	close(fd);
	return rc;
}
