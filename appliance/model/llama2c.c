/* SPDX-License-Identifier: Apache-2.0 */
/* llama2.c's .bin files */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/convert.h"
#include "appliance/text/json.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define MAGIC	0x616b3432		/* "ak42": versions from 1 on */
#define HEAD	256			/* bytes of their header */
#define LARGEST	(1 << 24)
#define GROUP	64			/* written to a scale */

enum { dim, hidden, layers, heads, kv_heads, vocab, context, NUMBERS };

struct bin {
	struct arena *arena;
	struct tensors *t;
	uint64_t at, size;		/* the next tensor; the file's end */
	unsigned group;			/* 0: floats */
	int fd;
	struct err *e;
};

static uint32_t
word_at(struct view head, size_t at)
{
	uint32_t x = 0;

	for (unsigned i = 4; i-- > 0;)
		x = x << 8 | (unsigned char)head.p[at + i];
	return x;
}

/* bin_add - the next tensor, `rows` 0: a vector; false: beyond the file */
static bool
bin_add(struct bin *b, const char *name, uint64_t rows, uint64_t cols,
    bool floats, unsigned halved)
{
	struct tensor *t = &b->t->v[b->t->n++];

	*t = (struct tensor){ .name = name, .dtype = "F32", .fd = b->fd,
	    .form = quant_form(GGUF_FORM_F32), .ndims = rows == 0 ? 1 : 2,
	    .shape = { rows == 0 ? cols : rows, cols },
	    .count = (rows == 0 ? 1 : rows) * cols, .from = b->at };
	if (floats || b->group == 0)
		t->to = t->from + 4 * t->count;
	else {
		t->dtype = "Q80";
		t->group = b->group;
		t->to = t->from + t->count;
		t->scales = t->to;
	}
	b->at = t->to + (t->scales > 0 ? t->count / t->group * 4 : 0);
	if (halved > 0)
		tensor_changed(t, TENSOR_HALVED, halved);
	return b->at <= b->size && (t->group == 0 || t->count % t->group == 0);
}

/* what lies beside each other once for each layer, in the file's order */
struct kind {
	const char *name;
	uint64_t rows, cols;
	unsigned halved;		/* heads whose rows are to be halved */
};

/* bin_layers - one kind, for all layers */
static bool
bin_layers(struct bin *b, const struct kind *k, uint32_t n, bool floats)
{
	bool fits = true;

	for (uint32_t i = 0; fits && i < n; i++)
		fits = bin_add(b, arena_printf(b->arena,
		    "model.layers.%u.%s.weight", i, k->name), k->rows, k->cols,
		    floats, k->halved);
	return fits;
}

/* bin_tensors - legacy files have norms between matrices, and two tables of
 * turns that nobody reads any more; later ones have norms first */
static bool
bin_tensors(struct bin *b, const uint32_t *n, bool legacy, bool tied)
{
	uint64_t C = n[dim], D = C / n[heads], kv = n[kv_heads] * D;
	const struct kind norms[] = { { "input_layernorm", 0, C, 0 },
	    { "post_attention_layernorm", 0, C, 0 } };
	const struct kind attention[] = {
	    { "self_attn.q_proj", C, C, n[heads] },
	    { "self_attn.k_proj", kv, C, n[kv_heads] },
	    { "self_attn.v_proj", kv, C, 0 }, { "self_attn.o_proj", C, C, 0 }
	};
	const struct kind mlp[] = { { "mlp.gate_proj", n[hidden], C, 0 },
	    { "mlp.down_proj", C, n[hidden], 0 },
	    { "mlp.up_proj", n[hidden], C, 0 } };
	bool fits = true;

	for (int i = 0; !legacy && i < 2; i++)
		fits = fits && bin_layers(b, &norms[i], n[layers], true);
	if (!legacy)
		fits = fits && bin_add(b, "model.norm.weight", 0, C, true, 0);
	fits = fits && bin_add(b, "model.embed_tokens.weight", n[vocab], C,
	    false, 0);
	fits = fits && (!legacy || bin_layers(b, &norms[0], n[layers], true));
	for (int i = 0; i < 4; i++)
		fits = fits && bin_layers(b, &attention[i], n[layers], false);
	fits = fits && (!legacy || bin_layers(b, &norms[1], n[layers], true));
	for (int i = 0; i < 3; i++)
		fits = fits && bin_layers(b, &mlp[i], n[layers], false);
	if (legacy) {
		fits = fits && bin_add(b, "model.norm.weight", 0, C, true, 0);
		b->at += 4 * n[context] * (D / 2) * 2;
	}
	return fits && (tied || bin_add(b, "lm_head.weight", n[vocab], C,
	    false, 0));
}

/* bin_config - what the seven numbers say; the rest is the same for all */
static struct view
bin_config(struct arena *a, const uint32_t *n, bool tied)
{
	return view_of(arena_printf(a, "{\n \"architectures\": "
	    "[\"LlamaForCausalLM\"],\n \"model_type\": \"llama\",\n "
	    "\"hidden_act\": \"silu\",\n \"max_position_embeddings\": %u,\n "
	    "\"hidden_size\": %u,\n \"num_hidden_layers\": %u,\n "
	    "\"intermediate_size\": %u,\n \"num_attention_heads\": %u,\n "
	    "\"num_key_value_heads\": %u,\n \"vocab_size\": %u,\n "
	    "\"rms_norm_eps\": 1e-05,\n \"rope_theta\": 10000,\n "
	    "\"bos_token_id\": 1,\n \"eos_token_id\": 2,\n "
	    "\"attention_bias\": false,\n \"mlp_bias\": false,\n "
	    "\"tie_word_embeddings\": %s\n}\n", n[context], n[dim],
	    n[layers], n[hidden], n[heads], n[kv_heads], n[vocab],
	    tied ? "true" : "false"));
}

/* bin_numbers - are they those of a model */
static int
bin_numbers(const uint32_t *n, struct err *e)
{
	for (int i = 0; i < NUMBERS; i++)
		if (n[i] < 1 || n[i] > LARGEST)
			return err_set(e, FATE_REJECT, "it is no safetensors "
			    "directory, no GGUF file and no .bin of llama2.c "
			    "(number %d of its header is %u)", i + 1, n[i]);
	if (n[layers] > 1024 || n[heads] > 65536 || n[dim] > 1 << 20 ||
	    n[dim] % n[heads] != 0 || n[heads] % n[kv_heads] != 0 ||
	    n[dim] / n[heads] % 2 != 0)
		return err_set(e, FATE_REJECT, "the numbers of its header do "
		    "not fit one another: %u channels, %u layers, %u and %u "
		    "heads", n[dim], n[layers], n[heads], n[kv_heads]);
	return 0;
}

int
llama2c_open(struct arena *a, int fd, struct view head, uint64_t size,
    struct source *s, struct err *e)
{
	struct bin b = { .arena = a, .t = &s->tensors, .size = size, .fd = fd,
	    .e = e };
	uint32_t n[NUMBERS], version = 0;
	size_t from = 0;
	bool tied;

	if (head.n < HEAD)
		return err_set(e, FATE_REJECT, "it is too short for a model");
	if (word_at(head, 0) == MAGIC) {
		version = word_at(head, 4);
		if (version < 1 || version > 2)
			return err_set(e, FATE_REJECT, "it is of version %u "
			    "of llama2.c's files: 1 and 2 are read", version);
		from = 8;
	}
	for (size_t i = 0; i < NUMBERS; i++)
		n[i] = word_at(head, from + 4 * i);
	tied = version > 0 ? head.p[36] != 0 : (int32_t)n[vocab] > 0;
	if (version == 0 && !tied)
		n[vocab] = -n[vocab];	/* how a head of its own is said */
	if (bin_numbers(n, e) == -1)
		return -1;
	b.group = version == 2 ? word_at(head, 37) : 0;
	if (version == 2 && (b.group < 1 || b.group > LARGEST))
		return err_set(e, FATE_REJECT, "its groups of %u numbers are "
		    "none", b.group);
	b.at = version == 0 ? 28 : HEAD;
	s->kind = SOURCE_LLAMA2C;
	s->tensors = (struct tensors){ .metadata = { "", 0 } };
	s->tensors.v = arena_array(a, n[layers] * 9 + 3,
	    sizeof(struct tensor));
	if (!bin_tensors(&b, n, version == 0, tied) || b.at != size)
		return err_set(e, FATE_REJECT, "its tensors end at byte %llu "
		    "of %llu: it is cut short, has more, or is no model",
		    (unsigned long long)b.at, (unsigned long long)size);
	tensors_sort(&s->tensors);
	s->config = bin_config(a, n, tied);
	return 0;
}

/* what this format has no place for */
static int
writable(const struct convert *c, struct view root, uint32_t *n, bool *tied,
    struct err *e)
{
	static const char *const names[NUMBERS] = { "hidden_size",
	    "intermediate_size", "num_hidden_layers", "num_attention_heads",
	    "num_key_value_heads", "vocab_size", "max_position_embeddings" };
	struct view raw;
	int64_t x;
	double theta;

	if (!json_get(root, "model_type", &raw) || !view_is(raw, "\"llama\""))
		return err_set(e, FATE_REJECT, "a .bin file holds models of "
		    "the family llama alone");
	for (int i = 0; i < NUMBERS; i++) {
		x = i == kv_heads ? n[heads] : 0;
		if ((json_get(root, names[i], &raw) && !json_integer(raw,
		    &x) && !json_is_null(raw)) || x < 1 || x > LARGEST)
			return err_set(e, FATE_REJECT, "config.json has no "
			    "'%s'", names[i]);
		n[i] = (uint32_t)x;
	}
	if (bin_numbers(n, e) == -1)
		return -1;
	if (json_get(root, "head_dim", &raw) && json_integer(raw, &x) &&
	    (uint64_t)x * n[heads] != n[dim])
		return err_set(e, FATE_REJECT, "a .bin file holds no heads of "
		    "another size than channels / heads");
	if ((json_get(root, "rope_theta", &raw) && json_number(raw, &theta) &&
	    theta != 10000) || (json_get(root, "rope_scaling", &raw) &&
	    !json_is_null(raw)))
		return err_set(e, FATE_REJECT, "a .bin file holds no RoPE but "
		    "that of base 10000");
	*tied = false;
	if (json_get(root, "tie_word_embeddings", &raw))
		json_bool(raw, tied);
	return c->form == NULL || c->form->form == GGUF_FORM_F32 ||
	    c->form->form == GGUF_FORM_Q8_0 ? 0 : err_set(e, FATE_REJECT,
	    "a .bin file holds f32 or q8_0, not %s", c->form->name);
}

/* write_scaled - bytes, then a scale for each GROUP of them */
static int
write_scaled(struct convert *c, int fd, const struct tensor *t,
    const float *v, struct err *e)
{
	size_t n = (size_t)t->count, k;
	int8_t *q = mem_alloc(n);
	float *scale = mem_alloc(n / GROUP * sizeof(*scale)), most, off;
	int rc = 0;

	for (size_t i = 0; i < n; i += GROUP) {
		most = 0;
		for (k = i; k < i + GROUP; k++)
			most = fabsf(v[k]) > most ? fabsf(v[k]) : most;
		scale[i / GROUP] = most / 127;
		for (k = i; k < i + GROUP; k++) {
			q[k] = most == 0 ? 0 : (int8_t)rintf(v[k] /
			    (most / 127));
			off = fabsf((float)q[k] * scale[i / GROUP] - v[k]);
			c->loss.lost += (double)off * off;
			c->loss.squares += (double)v[k] * v[k];
			if (off > c->loss.worst) {
				c->loss.worst = off;
				c->loss.where = t->name;
			}
		}
	}
	c->loss.numbers += n;
	c->loss.tensors++;
	if (file_put(fd, q, n) == -1 ||
	    file_put(fd, scale, n / GROUP * sizeof(*scale)) == -1)
		rc = err_errno(e, "cannot write");
	mem_free(q);
	mem_free(scale);
	return rc;
}

/* write_one - the source's tensor as the layout has it */
static int
write_one(struct convert *c, int fd, const struct tensor *place,
    struct err *e)
{
	const struct tensor *from = tensors_find(&c->source->tensors,
	    place->name);
	struct tensor t;
	float *v;
	int rc;

	if (from == NULL || from->count != place->count ||
	    from->ndims != place->ndims || from->shape[0] != place->shape[0])
		return err_set(e, FATE_REJECT, "tensor '%.100s' is %s",
		    place->name, from == NULL ? "missing" : "of another shape "
		    "than config.json says");
	t = *from;
	if (place->change == TENSOR_HALVED)
		tensor_changed(&t, TENSOR_PAIRED, place->heads);
	v = mem_alloc((size_t)t.count * sizeof(*v));
	rc = tensor_read(&t, v, e);
	if (rc == 0 && c->prune != NULL && prune_takes(c->prune, &t))
		prune_tensor(c->prune, &t, v);
	c->numbers += t.count;
	c->bytes += t.count * (place->group > 0 ? 1 : sizeof(*v)) +
	    (place->group > 0 ? t.count / place->group * sizeof(*v) : 0);
	for (uint64_t i = 0; rc == 0 && place->group > 0 && i < t.count; i++)
		if (!isfinite(v[i]))
			rc = err_set(e, FATE_REJECT, "tensor '%.100s' holds "
			    "%g at %llu, which q8_0 cannot", t.name, v[i],
			    (unsigned long long)i);
	if (rc == 0 && place->group > 0)
		rc = write_scaled(c, fd, &t, v, e);
	else if (rc == 0 && file_put(fd, v, (size_t)t.count * sizeof(*v)) ==
	    -1)
		rc = err_errno(e, "cannot write");
	mem_free(v);
	return rc;
}

/* write_head - seven numbers, and before them the version where it is not the
 * first */
static int
write_head(int fd, const uint32_t *n, bool legacy, bool tied, struct err *e)
{
	unsigned char head[HEAD] = { 0 };
	const uint32_t version[2] = { MAGIC, 2 };
	size_t at = legacy ? 0 : 8;
	uint32_t x;

	for (size_t i = 0; i < NUMBERS + at / 4; i++) {
		x = i < at / 4 ? version[i] : n[i - at / 4];
		if (legacy && i == vocab && !tied)
			x = -x;
		for (size_t k = 0; k < 4; k++)
			head[4 * i + k] = (unsigned char)(x >> 8 * k);
	}
	if (!legacy) {
		head[36] = tied;
		head[37] = GROUP;
	}
	return file_put(fd, head, legacy ? 28 : HEAD) == 0 ? 0 :
	    err_errno(e, "cannot write");
}

/* write_turns - tables that nobody reads, as zeros */
static int
write_turns(int fd, const uint32_t *n, struct err *e)
{
	uint64_t bytes = 4ull * n[context] * (n[dim] / n[heads] / 2) * 2;
	static const char zeros[4096];
	size_t k;

	for (; bytes > 0; bytes -= k) {
		k = bytes < sizeof(zeros) ? (size_t)bytes : sizeof(zeros);
		if (file_put(fd, zeros, k) == -1)
			return err_errno(e, "cannot write");
	}
	return 0;
}

int
convert_llama2c(struct convert *c, int to, const char *name, struct err *e)
{
	bool legacy = c->form == NULL || c->form->block == 1, tied;
	struct tensors t = { .metadata = { "", 0 } };
	struct bin b = { .arena = c->arena, .t = &t, .size = UINT64_MAX,
	    .group = legacy ? 0 : GROUP, .fd = -1, .e = e };
	uint32_t n[NUMBERS] = { 0 };
	struct view root;
	int fd, rc;

	if (json_value(c->source->config, &root, e) == -1)
		return err_prefix(e, "config.json: ");
	if (writable(c, root, n, &tied, e) == -1)
		return -1;
	t.v = arena_array(c->arena, n[layers] * 9 + 3, sizeof(*t.v));
	if (!bin_tensors(&b, n, legacy, tied) || (!legacy &&
	    (n[dim] % GROUP != 0 || n[hidden] % GROUP != 0)))
		return err_set(e, FATE_REJECT, "%u or %u channels are no "
		    "whole groups of %d", n[dim], n[hidden], GROUP);
	if (t.n != c->source->tensors.n)
		return err_set(e, FATE_REJECT, "the model has %zu tensors, a "
		    ".bin file %zu: biases have no place in it",
		    c->source->tensors.n, t.n);
	fd = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
	if (fd == -1)
		return err_errno(e, "cannot create '%s'", name);
	rc = write_head(fd, n, legacy, tied, e);
	for (size_t i = 0; rc == 0 && i < t.n; i++) {
		rc = write_one(c, fd, &t.v[i], e);
		if (rc == 0 && legacy && strcmp(t.v[i].name,
		    "model.norm.weight") == 0)
			rc = write_turns(fd, n, e);
	}
	if (rc == 0)
		file_sync(fd, name);
	close(fd);
	return rc;
}
