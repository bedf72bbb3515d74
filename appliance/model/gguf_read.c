/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/gguf_arch.h"
#include "appliance/model/gguf_model.h"

#include <math.h>
#include <stdlib.h>

#define CONFIG_MAX	((size_t)1 << 20)
#define ROPE_MAX	4096		/* numbers of a table of frequencies */

/* what Llama 3 was trained with; the file has only the outcome */
#define LLAMA3_LOW	1
#define LLAMA3_HIGH	4
#define LLAMA3_CONTEXT	8192	/* unless a key says another */

struct maker {
	struct arena *arena;
	const struct gguf *g;
	const struct gguf_arch *arch;
	struct buf *b;
	struct err *e;
};

/* put_float - the shortest decimal that is the same float, or null; never a
 * whole number's form, which strict readers take for none */
static void
put_float(struct buf *b, double x)
{
	char text[32] = "null";

	if (!isfinite((float)x)) {
		buf_str(b, text);
		return;
	}
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtof(text, NULL) == (float)x)
			break;
	}
	buf_str(b, text);
	if (strpbrk(text, ".e") == NULL)
		buf_str(b, ".0");
}

/* arch_key - "ARCH.name" */
static const char *
arch_key(struct maker *m, const char *name)
{
	return arena_printf(m->arena, "%s.%s", m->arch->arch, name);
}

static const struct gguf_tensor *
find_tensor(const struct gguf *g, const char *name)
{
	for (size_t i = 0; i < g->ntensors; i++)
		if (strcmp(g->tensor[i].name, name) == 0)
			return &g->tensor[i];
	return NULL;
}

/* make_numbers - the table's keys, in its order */
static int
make_numbers(struct maker *m)
{
	const char *key;
	double x;

	for (const struct gguf_number *n = m->arch->number; n->key != NULL;
	    n++) {
		key = arch_key(m, n->key);
		if (!gguf_number(m->g, key, &x)) {
			if (gguf_find(m->g, key) != NULL)
				return err_set(m->e, FATE_REJECT, "key '%s' "
				    "is no single number", key);
			if (n->needed)
				return err_set(m->e, FATE_REJECT, "key '%s' "
				    "is missing", key);
			continue;
		}
		if (!isfinite(x) || (n->whole && (x < 0 || x > 1 << 30)))
			return err_set(m->e, FATE_REJECT, "key '%s' is out "
			    "of all proportion", key);
		buf_printf(m->b, ",\n \"%s\": ", n->hf);
		if (n->whole)
			buf_printf(m->b, "%.0f", x);
		else
			put_float(m->b, x);
	}
	return 0;
}

void
gguf_llama3(double theta, size_t D, double factor, double low, double high,
    double context, float *out)
{
	double wave, smooth;

	for (size_t i = 0; i < D / 2; i++) {
		wave = 2 * M_PI * pow(theta, 2 * (double)i / (double)D);
		smooth = (context / wave - low) / (high - low);
		out[i] = (float)(wave < context / high ? 1 :
		    wave > context / low ? factor :
		    1 / ((1 - smooth) / factor + smooth));
	}
}

/* table_read - a tensor of frequencies, as floats */
static int
table_read(struct maker *m, const char *name, float *out, size_t *n)
{
	const struct gguf_tensor *t = find_tensor(m->g, name);

	*n = 0;
	if (t == NULL)
		return 0;
	if (t->form != GGUF_FORM_F32 || t->count > ROPE_MAX)
		return err_set(m->e, FATE_REJECT, "tensor '%s' is no short "
		    "table of F32", name);
	*n = (size_t)t->count;
	return gguf_read(t, 0, out, (size_t)t->bytes, m->e);
}

/* make_llama3 - find the numbers that give the table in the file */
static int
make_llama3(struct maker *m, double theta, const float *table, size_t n)
{
	float want[ROPE_MAX], factor = 1;
	double old = LLAMA3_CONTEXT;

	for (size_t i = 0; i < n; i++)
		factor = table[i] > factor ? table[i] : factor;
	gguf_number(m->g, arch_key(m, "rope.scaling.original_context_length"),
	    &old);
	if (!(old >= 1 && old < 1 << 30))
		return err_set(m->e, FATE_REJECT, "the context before scaling "
		    "is out of all proportion");
	gguf_llama3(theta, 2 * n, factor, LLAMA3_LOW, LLAMA3_HIGH, old, want);
	for (size_t i = 0; i < n; i++)
		if (!(fabsf(want[i] - table[i]) <= 0.001f * table[i]))
			return err_set(m->e, FATE_REJECT, "tensor "
			    "'rope_freqs.weight' is not Llama 3's table for "
			    "%.0f positions", old);
	buf_str(m->b, ",\n \"rope_scaling\": {\"rope_type\": \"llama3\", "
	    "\"factor\": ");
	put_float(m->b, factor);
	buf_printf(m->b, ", \"low_freq_factor\": %d, \"high_freq_factor\": "
	    "%d, \"original_max_position_embeddings\": %.0f}", LLAMA3_LOW,
	    LLAMA3_HIGH, old);
	return 0;
}

/* make_list - "name": [numbers] */
static void
make_list(struct maker *m, const char *name, const float *v, size_t n)
{
	buf_printf(m->b, ", \"%s\": [", name);
	for (size_t i = 0; i < n; i++) {
		buf_str(m->b, i > 0 ? ", " : "");
		put_float(m->b, v[i]);
	}
	buf_char(m->b, ']');
}

/* make_longrope - Phi-3's two tables; 1: there are none */
static int
make_longrope(struct maker *m)
{
	float table[ROPE_MAX];
	double old;
	size_t n;

	if (table_read(m, "rope_factors_long.weight", table, &n) == -1)
		return -1;
	if (n == 0)
		return 1;
	if (gguf_number(m->g, arch_key(m, "rope.scaling."
	    "original_context_length"), &old))
		buf_printf(m->b, ",\n \"original_max_position_embeddings\": "
		    "%.0f", old);
	buf_str(m->b, ",\n \"rope_scaling\": {\"type\": \"longrope\"");
	make_list(m, "long_factor", table, n);
	if (table_read(m, "rope_factors_short.weight", table, &n) == -1)
		return -1;
	make_list(m, "short_factor", table, n);
	buf_char(m->b, '}');
	return 0;
}

/* make_scaling - rope.scaling.*: linear and yarn as Hugging Face spells them */
static int
make_scaling(struct maker *m)
{
	struct view type = { "none", 4 };
	double factor = 1, old;

	if (!gguf_text(m->g, arch_key(m, "rope.scaling.type"), &type) ||
	    view_is(type, "none"))
		return 0;
	if (!view_is(type, "linear") && !view_is(type, "yarn"))
		return err_set(m->e, FATE_REJECT, "rope scaling '%.*s' is not "
		    "known", (int)(type.n < 40 ? type.n : 40), type.p);
	gguf_number(m->g, arch_key(m, "rope.scaling.factor"), &factor);
	buf_printf(m->b, ",\n \"rope_scaling\": {\"rope_type\": \"%.*s\", "
	    "\"factor\": ", (int)type.n, type.p);
	put_float(m->b, factor);
	if (gguf_number(m->g, arch_key(m, "rope.scaling."
	    "original_context_length"), &old))
		buf_printf(m->b, ", \"original_max_position_embeddings\": "
		    "%.0f", old);
	for (int i = 0; i < 2; i++)
		if (gguf_number(m->g, arch_key(m, i == 0 ? "rope.scaling."
		    "yarn_beta_fast" : "rope.scaling.yarn_beta_slow"), &old)) {
			buf_printf(m->b, ", \"beta_%s\": ", i == 0 ? "fast" :
			    "slow");
			put_float(m->b, old);
		}
	buf_char(m->b, '}');
	return 0;
}

/* make_part - how much of a head is turned, unless all of it */
static void
make_part(struct maker *m, bool neox)
{
	double turned, D = 0, C = 0, H = 0, part;

	if (!gguf_number(m->g, arch_key(m, "attention.key_length"), &D) &&
	    gguf_number(m->g, arch_key(m, "embedding_length"), &C) &&
	    gguf_number(m->g, arch_key(m, "attention.head_count"), &H) && H > 0)
		D = C / H;
	if (!gguf_number(m->g, arch_key(m, "rope.dimension_count"), &turned))
		turned = D;
	if (!(turned > 0 && (turned < D || (neox && turned == D))))
		return;
	for (part = turned / D; part * D < turned;)
		part = nextafter(part, 2);	/* it is rounded down */
	buf_printf(m->b, ",\n \"%s\": %.17g", neox ? "rotary_pct" :
	    "partial_rotary_factor", part);
}

static int
make_rope(struct maker *m)
{
	bool neox = strcmp(m->arch->arch, "gptneox") == 0;
	float table[ROPE_MAX];
	double theta = 10000;
	size_t n;
	int rc;

	make_part(m, neox);
	gguf_number(m->g, arch_key(m, "rope.freq_base"), &theta);
	buf_printf(m->b, ",\n \"%s\": ", neox ? "rotary_emb_base" :
	    "rope_theta");
	if (neox && theta == floor(theta) && theta < 1e15)
		buf_printf(m->b, "%.0f", theta);	/* an integer there */
	else
		put_float(m->b, theta);
	if (table_read(m, "rope_freqs.weight", table, &n) == -1)
		return -1;
	if (n > 0)
		return make_llama3(m, theta, table, n);
	rc = make_longrope(m);
	return rc == 1 ? make_scaling(m) : rc;
}

/* make_gemma - what llama.cpp knows by the number of layers alone */
static void
make_gemma(struct maker *m)
{
	double layers = 0, heads = 1, width = 0, scalar;

	gguf_number(m->g, arch_key(m, "block_count"), &layers);
	gguf_number(m->g, arch_key(m, "attention.head_count"), &heads);
	gguf_number(m->g, arch_key(m, "embedding_length"), &width);
	scalar = 256;
	gguf_number(m->g, arch_key(m, "attention.key_length"), &scalar);
	if (layers == (m->arch->arch[5] == '2' ? 46 : 62))
		scalar = width / heads;
	buf_printf(m->b, ",\n \"query_pre_attn_scalar\": %.0f", scalar);
	if (m->arch->arch[5] == '3')
		buf_str(m->b, ",\n \"rope_local_base_freq\": 10000, "
		    "\"sliding_window_pattern\": 6");
}

/* make_ends - ids of the first and the last token, where words are tied */
static int
make_ends(struct maker *m)
{
	static const char *const ends[][2] = {
		{ "bos_token_id", "tokenizer.ggml.bos_token_id" },
		{ "eos_token_id", "tokenizer.ggml.eos_token_id" },
		{ "pad_token_id", "tokenizer.ggml.padding_token_id" },
	};
	const struct gguf_tensor *t = find_tensor(m->g, "token_embd.weight");
	int64_t id;

	if (t == NULL || t->ndims != 2)
		return err_set(m->e, FATE_REJECT, "tensor 'token_embd.weight' "
		    "is missing");
	buf_printf(m->b, ",\n \"vocab_size\": %llu",
	    (unsigned long long)t->shape[1]);
	for (size_t i = 0; i < BASE_COUNT(ends); i++) {
		buf_printf(m->b, ",\n \"%s\": ", ends[i][0]);
		if (gguf_whole(m->g, ends[i][1], &id))
			buf_printf(m->b, "%lld", (long long)id);
		else		/* absent, a family's own would be taken */
			buf_str(m->b, "null");
	}
	buf_printf(m->b, ",\n \"tie_word_embeddings\": %s", find_tensor(m->g,
	    "output.weight") == NULL ? "true" : "false");
	return 0;
}

/* make_switches - what the presence of tensors and flags say */
static void
make_switches(struct maker *m)
{
	static const struct {
		const char *hf, *gguf;
	} switches[] = {
		{ "attention_bias", "blk.0.attn_output.bias" },
		{ "mlp_bias", "blk.0.ffn_up.bias" },
		{ "qkv_bias", "blk.0.attn_q.bias" },
	};
	bool parallel = true;

	for (size_t i = 0; i < BASE_COUNT(switches); i++)
		buf_printf(m->b, ",\n \"%s\": %s", switches[i].hf,
		    find_tensor(m->g, switches[i].gguf) == NULL ? "false" :
		    "true");
	if (strcmp(m->arch->arch, "gptneox") != 0)
		return;
	gguf_bool(m->g, "gptneox.use_parallel_residual", &parallel);
	buf_printf(m->b, ",\n \"use_parallel_residual\": %s", parallel ?
	    "true" : "false");
}

/* make_types - rows of BERT's table of segments */
static void
make_types(struct maker *m)
{
	const struct gguf_tensor *t = find_tensor(m->g, "token_types.weight");

	if (t != NULL && t->ndims == 2)
		buf_printf(m->b, ",\n \"type_vocab_size\": %llu",
		    (unsigned long long)t->shape[1]);
}

int
gguf_pool(const struct gguf *g, struct shape_head *h, struct err *e)
{
	int64_t pool = GGUF_POOL_MEAN;

	gguf_whole(g, "bert.pooling_type", &pool);
	if (pool != GGUF_POOL_MEAN && pool != GGUF_POOL_CLS)
		return err_set(e, FATE_REJECT, "key 'bert.pooling_type' is "
		    "%lld, which is not computed: %d, the mean, and %d, the "
		    "first row, are", (long long)pool, GGUF_POOL_MEAN,
		    GGUF_POOL_CLS);
	h->pool = pool == GGUF_POOL_CLS ? POOL_CLS : POOL_MEAN;
	h->normalize = false;
	return 0;
}

int
gguf_config(struct arena *a, const struct gguf *g, struct view *config,
    struct err *e)
{
	struct maker m = { a, g, gguf_arch_in(a, g, e), buf_new(a, CONFIG_MAX),
	    e };

	if (m.arch == NULL)
		return -1;
	buf_printf(m.b, "{\n \"architectures\": [\"%s\"],\n \"model_type\": "
	    "\"%s\",\n %s", m.arch->class, m.arch->model_type, m.arch->fixed);
	if (make_numbers(&m) == -1 || make_ends(&m) == -1)
		return -1;
	if (strcmp(m.arch->arch, "bert") == 0) {
		make_types(&m);
	} else if (strcmp(m.arch->arch, "gpt2") != 0) {
		make_switches(&m);
		if (make_rope(&m) == -1)
			return -1;
	}
	if (strcmp(m.arch->arch, "gemma2") == 0 ||
	    strcmp(m.arch->arch, "gemma3") == 0)
		make_gemma(&m);
	buf_str(m.b, "\n}\n");
	*config = buf_get(m.b);
	return 0;
}
