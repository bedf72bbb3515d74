/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tensors of Hugging Face's files: what each family calls them and which
 * part of the run each is.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/pieces.h"

#include <fcntl.h>
#include <unistd.h>

struct piece *
pieces_add(struct pieces *p, const char *name, size_t at, size_t rows,
    size_t cols)
{
	struct piece *q = &p->v[p->n];

	if (at == NO_WEIGHT)
		return q;		/* the next one overwrites it */
	p->n++;
	*q = (struct piece){ .name = arena_printf(p->arena, "%s%s", p->front,
	    name), .at = at, .rows = rows, .cols = cols };
	return q;
}

void
pieces_norm(struct pieces *p, const struct shape *s, const char *name,
    size_t at, size_t b, size_t n)
{
	pieces_add(p, arena_printf(p->arena, "%s.weight", name), at, 0,
	    n)->less_one = s->less_one;
	pieces_add(p, arena_printf(p->arena, "%s.bias", name), b, 0, n);
}

struct piece *
pieces_linear(struct pieces *p, const char *name, size_t w, size_t b,
    size_t from, size_t rows, size_t cols)
{
	struct piece *q = pieces_add(p, arena_printf(p->arena, "%s.weight",
	    name), w + from * cols, rows, cols);

	if (b != NO_WEIGHT)
		pieces_add(p, arena_printf(p->arena, "%s.bias", name),
		    b + from, 0, rows);
	return q;
}

/* Conv1D keeps its matrices as [in, out] */
static void
layer_gpt2(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;

	pieces_norm(p, s, "ln_1", l->norm1, l->norm1_b, s->C);
	pieces_linear(p, "attn.c_attn", l->qkv, l->qkv_b, 0, w->qkv_rows,
	    s->C)->turned = true;
	pieces_linear(p, "attn.c_proj", l->out, l->out_b, 0, s->C,
	    s->C)->turned = true;
	pieces_norm(p, s, "ln_2", l->norm2, l->norm2_b, s->C);
	pieces_linear(p, "mlp.c_fc", l->up, l->up_b, 0, s->F,
	    s->C)->turned = true;
	pieces_linear(p, "mlp.c_proj", l->down, l->down_b, 0, s->C,
	    s->F)->turned = true;
}

/* its fused matrix has query, key and value of a head beside one another */
static void
layer_neox(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;
	size_t before = p->n;

	pieces_norm(p, s, "input_layernorm", l->norm1, l->norm1_b, s->C);
	before = p->n;
	pieces_linear(p, "attention.query_key_value", l->qkv, l->qkv_b, 0,
	    w->qkv_rows, s->C);
	while (before < p->n)
		p->v[before++].head = s->D;
	pieces_linear(p, "attention.dense", l->out, l->out_b, 0, s->C, s->C);
	pieces_norm(p, s, "post_attention_layernorm", l->norm2, l->norm2_b,
	    s->C);
	pieces_linear(p, "mlp.dense_h_to_4h", l->up, l->up_b, 0, s->F, s->C);
	pieces_linear(p, "mlp.dense_4h_to_h", l->down, l->down_b, 0, s->C,
	    s->F);
}

/* qkv_add - three matrices that lie below one another in one of ours */
static void
qkv_add(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;
	size_t q = s->H * s->D, kv = s->G * s->D;

	pieces_linear(p, "self_attn.q_proj", l->qkv, l->qkv_b, 0, q, s->C);
	pieces_linear(p, "self_attn.k_proj", l->qkv, l->qkv_b, q, kv, s->C);
	pieces_linear(p, "self_attn.v_proj", l->qkv, l->qkv_b, q + kv, kv,
	    s->C);
}

static void
layer_opt(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;

	pieces_norm(p, s, "self_attn_layer_norm", l->norm1, l->norm1_b, s->C);
	qkv_add(p, w, l);
	pieces_linear(p, "self_attn.out_proj", l->out, l->out_b, 0, s->C, s->C);
	pieces_norm(p, s, "final_layer_norm", l->norm2, l->norm2_b, s->C);
	pieces_linear(p, "fc1", l->up, l->up_b, 0, s->F, s->C);
	pieces_linear(p, "fc2", l->down, l->down_b, 0, s->C, s->F);
}

/* experts_add - gate, up and down of each, as Mixtral or as Qwen names them */
static void
experts_add(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;
	bool mixtral = s->family == FAMILY_MIXTRAL;
	const char *at = mixtral ? "block_sparse_moe" : "mlp", *one;
	size_t up = 2 * s->EF * s->C, down = s->C * s->EF;

	pieces_linear(p, arena_printf(p->arena, "%s.gate", at), l->router,
	    NO_WEIGHT, 0, s->E, s->C);
	for (size_t e = 0; e < s->E; e++) {
		one = arena_printf(p->arena, "%s.experts.%zu.", at, e);
		pieces_linear(p, arena_printf(p->arena, "%s%s", one, mixtral ?
		    "w1" : "gate_proj"), l->ups + e * up, NO_WEIGHT, 0, s->EF,
		    s->C);
		pieces_linear(p, arena_printf(p->arena, "%s%s", one, mixtral ?
		    "w3" : "up_proj"), l->ups + e * up, NO_WEIGHT, s->EF,
		    s->EF, s->C);
		pieces_linear(p, arena_printf(p->arena, "%s%s", one, mixtral ?
		    "w2" : "down_proj"), l->downs + e * down, NO_WEIGHT, 0,
		    s->C, s->EF);
	}
	if (s->SF == 0)
		return;
	pieces_linear(p, "mlp.shared_expert_gate", l->shared_gate, NO_WEIGHT, 0,
	    1, s->C);
	pieces_linear(p, "mlp.shared_expert.gate_proj", l->shared_up, NO_WEIGHT,
	    0, s->SF, s->C);
	pieces_linear(p, "mlp.shared_expert.up_proj", l->shared_up, NO_WEIGHT,
	    s->SF, s->SF, s->C);
	pieces_linear(p, "mlp.shared_expert.down_proj", l->shared_down,
	    NO_WEIGHT, 0, s->C, s->SF);
}

static void
layer_llama(struct pieces *p, const struct weights *w, const struct layer *l)
{
	const struct shape *s = &w->shape;

	pieces_norm(p, s, "input_layernorm", l->norm1, NO_WEIGHT, s->C);
	if (s->family == FAMILY_PHI3)
		pieces_linear(p, "self_attn.qkv_proj", l->qkv, l->qkv_b, 0,
		    w->qkv_rows, s->C);
	else
		qkv_add(p, w, l);
	pieces_norm(p, s, "self_attn.q_norm", l->q_norm, NO_WEIGHT, s->D);
	pieces_norm(p, s, "self_attn.k_norm", l->k_norm, NO_WEIGHT, s->D);
	pieces_linear(p, "self_attn.o_proj", l->out, l->out_b, 0, s->C,
	    s->H * s->D);
	pieces_norm(p, s, "post_attention_layernorm", s->post_norms ? l->post1 :
	    l->norm2, NO_WEIGHT, s->C);
	if (s->post_norms) {
		pieces_norm(p, s, "pre_feedforward_layernorm", l->norm2,
		    NO_WEIGHT, s->C);
		pieces_norm(p, s, "post_feedforward_layernorm", l->post2,
		    NO_WEIGHT, s->C);
	}
	if (l->up == NO_WEIGHT)
		experts_add(p, w, l);
	else if (s->family == FAMILY_PHI3)
		pieces_linear(p, "mlp.gate_up_proj", l->up, l->up_b, 0,
		    2 * s->F, s->C);
	else {
		pieces_linear(p, "mlp.gate_proj", l->up, l->up_b, 0, s->F,
		    s->C);
		pieces_linear(p, "mlp.up_proj", l->up, l->up_b, s->F, s->F,
		    s->C);
	}
	if (l->down != NO_WEIGHT)
		pieces_linear(p, "mlp.down_proj", l->down, l->down_b, 0, s->C,
		    s->F);
}

/* what a family calls the rest; fronts: as it is saved with a head, and as
 * others have it */
struct names {
	const char *front[2];
	const char *token, *place, *layers, *norm, *head;
	void (*layer)(struct pieces *, const struct weights *,
	    const struct layer *);
};

static const struct names *
names_of(enum family f)
{
	static const struct names gpt2 = { { "transformer.", "" },
	    "wte.weight", "wpe.weight", "h", "ln_f", "lm_head.weight",
	    layer_gpt2 };
	static const struct names neox = { { "gpt_neox.", "" },
	    "embed_in.weight", "", "layers", "final_layer_norm",
	    "embed_out.weight", layer_neox };
	static const struct names opt = { { "model.decoder.", "decoder." },
	    "embed_tokens.weight", "embed_positions.weight", "layers",
	    "final_layer_norm", "lm_head.weight", layer_opt };
	static const struct names llama = { { "model.", "" },
	    "embed_tokens.weight", "", "layers", "norm", "lm_head.weight",
	    layer_llama };
	static const struct names t5 = { .front = { "", "" },
	    .token = "shared.weight", .head = "lm_head.weight" };
	static const struct names bert = { .front = { "bert.", "" },
	    .token = "embeddings.word_embeddings.weight", .head = "" };
	static const struct names roberta = { .front = { "roberta.", "" },
	    .token = "embeddings.word_embeddings.weight", .head = "" };
	static const struct names mpnet = { .front = { "mpnet.", "" },
	    .token = "embeddings.word_embeddings.weight", .head = "" };
	static const struct names distil = { .front = { "distilbert.", "" },
	    .token = "embeddings.word_embeddings.weight", .head = "" };

	if (f >= FAMILY_BERT)
		return f == FAMILY_BERT ? &bert : f == FAMILY_DISTILBERT ?
		    &distil : f == FAMILY_MPNET ? &mpnet : &roberta;
	if (f >= FAMILY_T5)
		return &t5;
	return f == FAMILY_GPT2 ? &gpt2 : f == FAMILY_NEOX ? &neox :
	    f == FAMILY_OPT ? &opt : &llama;
}

/* pieces_of - every tensor of a file, in an order of our own */
static void
pieces_of(struct arena *a, const struct weights *w, const char *front,
    struct pieces *p)
{
	const struct shape *s = &w->shape;
	const struct names *n = names_of(s->family);

	*p = (struct pieces){ .arena = a, .front = front };
	p->v = arena_array(a, s->L * (28 + 3 * s->E) + 16, sizeof(*p->v));
	if (s->encoder) {
		encoder_pieces(p, w, front);
		return;
	}
	if (s->seq2seq) {
		t5_pieces(p, w);
		return;
	}
	pieces_add(p, n->token, w->token, s->V, s->C);
	pieces_add(p, n->place, w->place, s->place_skip + s->T, s->C);
	for (size_t i = 0; i < s->L; i++) {
		p->front = arena_printf(a, "%s%s.%zu.", front, n->layers, i);
		n->layer(p, w, &w->layer[i]);
	}
	p->front = front;
	pieces_norm(p, s, n->norm, w->norm, w->norm_b, s->C);
	p->front = "";
	if (!s->tied)
		pieces_add(p, n->head, w->head, s->V, s->C);
}

/* front_ours - as files are written: a model without a head has none */
static const char *
front_ours(const struct weights *w)
{
	return names_of(w->shape.family)->front[w->shape.head.kind ==
	    HEAD_EMBED];
}

struct piece *
weights_pieces(struct arena *a, const struct weights *w, size_t *n)
{
	struct pieces p;

	pieces_of(a, w, front_ours(w), &p);
	*n = p.n;
	return p.v;
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

/* tensor_of - a piece's in the file; NULL: none, or one of another shape that
 * begins anew */
static const struct tensor *
tensor_of(struct arena *a, const struct piece *p, const struct tensors *t)
{
	const struct tensor *one = encoder_tensor(a, t, p->name);
	struct err e;

	return p->fresh && one != NULL && piece_fits(a, p, one, &e) == -1 ?
	    NULL : one;
}

size_t
piece_place(const struct piece *p, size_t r, size_t c)
{
	size_t rows = p->rows == 0 ? p->cols : p->rows, third, head;
	size_t *at = p->rows == 0 ? &c : &r;

	if (p->turned)
		return c * rows + r;
	if (p->head > 0) {
		third = *at / (rows / 3);
		head = *at % (rows / 3) / p->head;
		*at = (head * 3 + third) * p->head + *at % p->head;
	}
	return r * p->cols + c;
}

/* is_buffer - tensors that are no parameters: tables and masks that old files
 * carry along, a head that is the token table */
static bool
is_buffer(const struct weights *w, const char *name)
{
	static const char *const ends[] = { ".rotary_emb.inv_freq",
	    ".attn.bias", ".attn.masked_bias", ".attention.bias",
	    ".attention.masked_bias" };
	size_t n = strlen(name), len;

	for (size_t i = 0; i < BASE_COUNT(ends); i++) {
		len = strlen(ends[i]);
		if (n > len && strcmp(name + n - len, ends[i]) == 0)
			return true;
	}
	if (w->shape.encoder)
		return encoder_spare(w, name);
	if (w->shape.seq2seq && t5_spare(name))
		return true;
	return w->shape.tied && strcmp(name,
	    names_of(w->shape.family)->head) == 0;
}

/* weights_front - what the names in this file begin with */
static const char *
weights_front(struct arena *a, const struct weights *w,
    const struct tensors *t)
{
	const struct names *n = names_of(w->shape.family);
	bool other = tensors_find(t, arena_printf(a, "%s%s", n->front[1],
	    n->token)) != NULL;

	return n->front[other];
}

/* weights_fit - is every piece there; and what is there besides */
static int
weights_fit(struct arena *a, const struct weights *w, const struct pieces *p,
    const struct tensors *t, size_t *extra, const char **first, struct err *e)
{
	bool *used = arena_array(a, t->n + 1, sizeof(*used));
	const struct tensor *one;

	*extra = 0;
	for (size_t i = 0; i < p->n; i++) {
		one = tensor_of(a, &p->v[i], t);
		if (one == NULL && p->v[i].fresh)
			continue;
		if (piece_fits(a, &p->v[i], one, e) == -1)
			return -1;
		used[one - t->v] = true;
	}
	for (size_t i = 0; i < t->n; i++)
		if (!used[i] && !is_buffer(w, t->v[i].name) && ++*extra == 1)
			*first = t->v[i].name;
	return 0;
}

int
weights_check(struct arena *a, const struct weights *w,
    const struct tensors *t, size_t *extra, const char **first, struct err *e)
{
	struct pieces p;

	pieces_of(a, w, weights_front(a, w, t), &p);
	return weights_fit(a, w, &p, t, extra, first, e);
}

const struct tensor **
weights_tensors(struct arena *a, const struct weights *w,
    const struct tensors *t)
{
	const struct tensor **file;
	struct pieces p;

	pieces_of(a, w, weights_front(a, w, t), &p);
	file = arena_array(a, p.n, sizeof(*file));
	for (size_t i = 0; i < p.n; i++)
		file[i] = tensor_of(a, &p.v[i], t);
	return file;
}

/* write_piece - one tensor's data */
static int
write_piece(int fd, const struct piece *p, const real *run, float *flat)
{
	size_t rows = p->rows == 0 ? 1 : p->rows;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			flat[piece_place(p, r, c)] = (float)run[p->at + r *
			    p->cols + c] - p->less_one;
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

	pieces_of(a, w, front_ours(w), &p);
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
