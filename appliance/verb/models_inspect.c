/* SPDX-License-Identifier: Apache-2.0 */
/* models inspect: what a model is made of, what it needs, and what is wrong */
#include "appliance/base/base.h"
#include "appliance/model/convert.h"
#include "appliance/model/t5_shape.h"
#include "appliance/model/weights.h"
#include "appliance/text/json.h"
#include "appliance/text/tokenizer.h"
#include "appliance/verb/verb.h"

#include <math.h>
#include <unistd.h>

#define KINDS	32
#define INPUT	512		/* tokens that an encoder-decoder reads */
#define FAULTS	100

struct inspect_conf {
	const char *model;
	bool tensors, numbers;
};

static const struct opt inspect_opts[] = {
	OPT_TEXT(struct inspect_conf, model, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a directory, a file, or a version in the store"),
	OPT_BOOL(struct inspect_conf, tensors, "no", 0,
	    "list every tensor with its shape and type"),
	OPT_BOOL(struct inspect_conf, numbers, "yes", 0,
	    "read all numbers and look for those that are none"),
	OPT_DONE
};

struct kind {
	const char *dtype;
	uint64_t tensors, numbers, bytes;
};

struct inspect {
	struct arena *arena;
	const struct inspect_conf *conf;
	struct source s;
	struct shape shape;
	struct err why;				/* it cannot be computed */
	bool computed;
	struct kind kind[KINDS];
	size_t kinds;
	uint64_t numbers, bytes, odd;
	uint32_t words;				/* of the tokenizer */
	const char *fault[FAULTS];
	size_t faults;
};

/* a fault, as a sentence */
static void BASE_PRINTF(2, 3)
fault(struct inspect *x, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (x->faults < FAULTS)
		x->fault[x->faults++] = arena_str(x->arena, text);
}

/* count_kinds - tensors, numbers and bytes of each type */
static void
count_kinds(struct inspect *x)
{
	size_t k;

	for (size_t i = 0; i < x->s.tensors.n; i++) {
		const struct tensor *t = &x->s.tensors.v[i];

		for (k = 0; k < x->kinds; k++)
			if (strcmp(x->kind[k].dtype, t->dtype) == 0)
				break;
		if (k == KINDS)
			continue;
		if (k == x->kinds)
			x->kind[x->kinds++].dtype = t->dtype;
		x->kind[k].tensors++;
		x->kind[k].numbers += t->count;
		x->kind[k].bytes += t->to - t->from;
		x->numbers += t->count;
		x->bytes += t->to - t->from;
	}
}

/* look_numbers - those that are none or have no end, and where */
static int
look_numbers(struct inspect *x, const struct tensor *t, struct err *e)
{
	float *v = mem_alloc((size_t)t->count * sizeof(*v));
	uint64_t odd = 0, first = 0;
	int rc = tensor_read(t, v, e);

	for (uint64_t i = 0; rc == 0 && i < t->count; i++)
		if (!isfinite(v[i]) && odd++ == 0)
			first = i;
	if (odd > 0)
		fault(x, "tensor '%s' holds %llu numbers that are NaN or "
		    "infinite, the first (%g) at %llu", t->name,
		    (unsigned long long)odd, v[first],
		    (unsigned long long)first);
	x->odd += odd;
	mem_free(v);
	return rc;
}

/* look_tensors - missing, of another shape, none of the model's, unreadable */
static void
look_tensors(struct inspect *x)
{
	const struct tensors *t = &x->s.tensors;
	const char *first = "";
	struct weights w;
	size_t extra;
	struct err e;

	if (x->computed) {
		weights_layout(x->arena, &x->shape, &w);
		if (weights_check(x->arena, &w, t, &extra, &first, &e) == -1)
			fault(x, "%s", e.text);
		else if (extra > 0)
			fault(x, "%zu tensors are none of the model's, the "
			    "first is '%s'", extra, first);
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].form == NULL)
			fault(x, "tensor '%s' is of type %s, which is not "
			    "computed", t->v[i].name, t->v[i].dtype);
		else if (x->conf->numbers && look_numbers(x, &t->v[i],
		    &e) == -1)
			fault(x, "%s", e.text);
}

/* rows_of - of the table of words: the largest id and one */
static uint64_t
rows_of(const struct tensors *t)
{
	static const char *const names[] = { "model.embed_tokens.weight",
	    "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight",
	    "model.decoder.embed_tokens.weight",
	    "embeddings.word_embeddings.weight" };
	const struct tensor *one;

	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		one = tensors_find(t, names[i]);
		if (one != NULL && one->ndims == 2)
			return one->shape[0];
	}
	return 0;
}

/* look_tokenizer - is it there, readable, and the model's */
static void
look_tokenizer(struct inspect *x)
{
	uint64_t rows = rows_of(&x->s.tensors);
	struct tokenizer *t;
	struct err e;

	if (x->s.tokenizer_name == NULL) {
		if (x->s.kind != SOURCE_LLAMA2C)	/* they have none */
			fault(x, "it has no tokenizer");
		return;
	}
	t = tokenizer_open(x->arena, x->s.tokenizer_file, &e);
	if (t == NULL) {
		fault(x, "%s: %s", x->s.tokenizer_name, e.text);
		return;
	}
	x->words = t->size;
	if (rows > 0 && t->size > rows)
		fault(x, "%s has %u tokens, the model %llu: it is not the "
		    "model's tokenizer", x->s.tokenizer_name, t->size,
		    (unsigned long long)rows);
}

/* text_of - a member of config.json, or "" */
static struct view
text_of(struct inspect *x, const char *name)
{
	struct view root, raw, text = { "", 0 };
	struct err e;

	if (json_value(x->s.config, &root, &e) == 0 &&
	    json_get(root, name, &raw))
		json_string(x->arena, raw, &text);
	return text;
}

/* run_bytes - weights as floats and the keys and values of one full context */
static uint64_t
run_bytes(const struct inspect *x)
{
	const struct shape *s = &x->shape;

	return 4 * (x->numbers + 2 * (uint64_t)s->L * s->T * s->G * s->D);
}

static const char *
format_of(struct inspect *x)
{
	switch (x->s.kind) {
	case SOURCE_GGUF:
		return arena_printf(x->arena, "GGUF %u", x->s.gguf.version);
	case SOURCE_LLAMA2C:
		return "llama2.c";
	default:
		return "safetensors";
	}
}

/* layers_of - which of an encoder-decoder's layers are the encoder's */
static const char *
layers_of(struct inspect *x)
{
	return x->shape.seq2seq ? arena_printf(x->arena, " (%zu of them the "
	    "encoder's)", x->shape.LE) : "";
}

#define MIB(n)	((double)(n) / (1 << 20))

static void
told_people(struct inspect *x)
{
	const struct shape *s = &x->shape;
	struct view family = text_of(x, "model_type");

	printf("format      %s\nfamily      %.*s\nparameters  %llu in %zu "
	    "tensors, %.1f MiB\n", format_of(x), (int)family.n, family.p,
	    (unsigned long long)x->numbers, x->s.tensors.n, MIB(x->bytes));
	for (size_t i = 0; i < x->kinds; i++)
		printf("            %-5s %6llu tensors %14llu numbers %10.1f "
		    "MiB\n", x->kind[i].dtype,
		    (unsigned long long)x->kind[i].tensors,
		    (unsigned long long)x->kind[i].numbers,
		    MIB(x->kind[i].bytes));
	if (x->computed)
		printf("shape       %zu layers%s, %zu channels, %zu heads "
		    "of %zu, %zu for keys and values, %zu in the MLP\n"
		    "words       %zu, context %zu%s\nmemory      %.1f MiB to "
		    "run (one sequence of %zu), %.1f MiB and activations to "
		    "train (AdamW)\n", s->L, layers_of(x), s->C, s->H, s->D,
		    s->G, s->F, s->V, s->T, s->tied ? ", tied" : "",
		    MIB(run_bytes(x)), s->T, MIB(16 * x->numbers));
	else
		printf("not run     %s\n", x->why.text);
	if (x->words > 0)
		printf("tokenizer   %s, %u tokens\n", x->s.tokenizer_name,
		    x->words);
	if (x->conf->tensors)
		for (size_t i = 0; i < x->s.tensors.n; i++)
			printf("%-48s %-6s %s\n", x->s.tensors.v[i].name,
			    x->s.tensors.v[i].dtype, tensor_shape(x->arena,
			    &x->s.tensors.v[i]));
	for (size_t i = 0; i < x->faults; i++)
		printf("fault       %s\n", x->fault[i]);
	if (x->faults == 0)
		puts("checks      no fault was found");
}

/* json_tensors - name, type and shape of each */
static void
json_tensors(struct inspect *x, struct buf *b)
{
	buf_str(b, ",\"tensors\":[");
	for (size_t i = 0; x->conf->tensors && i < x->s.tensors.n; i++) {
		const struct tensor *t = &x->s.tensors.v[i];

		buf_str(b, i > 0 ? ",{\"name\":" : "{\"name\":");
		buf_json_str(b, t->name);
		buf_printf(b, ",\"type\":\"%s\",\"shape\":%s}", t->dtype,
		    tensor_shape(x->arena, t));
	}
	buf_char(b, ']');
}

static void
told_json(struct inspect *x)
{
	struct buf *b = buf_new(x->arena, (size_t)64 << 20);

	buf_printf(b, "{\"format\":\"%s\",\"family\":", format_of(x));
	buf_json(b, text_of(x, "model_type"));
	buf_printf(b, ",\"parameters\":%llu,\"bytes\":%llu,\"types\":{",
	    (unsigned long long)x->numbers, (unsigned long long)x->bytes);
	for (size_t i = 0; i < x->kinds; i++)
		buf_printf(b, "%s\"%s\":{\"tensors\":%llu,\"numbers\":%llu,"
		    "\"bytes\":%llu}", i > 0 ? "," : "", x->kind[i].dtype,
		    (unsigned long long)x->kind[i].tensors,
		    (unsigned long long)x->kind[i].numbers,
		    (unsigned long long)x->kind[i].bytes);
	buf_char(b, '}');
	if (x->computed && x->shape.seq2seq)
		buf_printf(b, ",\"encoder_layers\":%zu", x->shape.LE);
	if (x->computed)
		buf_printf(b, ",\"layers\":%zu,\"channels\":%zu,\"heads\":%zu,"
		    "\"kv_heads\":%zu,\"head_size\":%zu,\"mlp\":%zu,"
		    "\"words\":%zu,\"context\":%zu,\"tied\":%s,"
		    "\"run_bytes\":%llu,\"train_bytes\":%llu", x->shape.L,
		    x->shape.C, x->shape.H, x->shape.G, x->shape.D,
		    x->shape.F, x->shape.V, x->shape.T,
		    x->shape.tied ? "true" : "false",
		    (unsigned long long)run_bytes(x),
		    (unsigned long long)(16 * x->numbers));
	else {
		buf_str(b, ",\"not_run\":");
		buf_json_str(b, x->why.text);
	}
	buf_printf(b, ",\"tokens\":%u", x->words);
	json_tensors(x, b);
	buf_str(b, ",\"faults\":[");
	for (size_t i = 0; i < x->faults; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_json_str(b, x->fault[i]);
	}
	buf_str(b, "]}");
	puts(buf_cstr(b));
}

int
models_inspect(struct verb_call *c, struct err *e)
{
	struct inspect_conf conf = { .model = NULL };
	struct inspect x = { .arena = c->arena, .conf = &conf };
	int at, rc;

	if (verb_words(c, inspect_opts, &conf, e) == -1)
		return -1;
	at = verb_model(c, conf.model, e);
	if (at == -1)
		return -1;
	rc = source_open(c->arena, at, -1, &x.s, NULL, e);
	close(at);
	if (rc == -1)
		return err_prefix(e, "'%s': ", conf.model);
	x.computed = shape_parse(x.s.config, &x.shape, &x.why) == 0;
	if (x.computed && x.shape.seq2seq) {
		t5_head(&x.shape, &x.s.tensors);
		x.shape.T = INPUT;
	}
	count_kinds(&x);
	look_tensors(&x);
	look_tokenizer(&x);
	if (c->json)
		told_json(&x);
	else
		told_people(&x);
	return x.faults == 0 ? 0 : err_set(e, FATE_REJECT, "'%s' has %zu "
	    "faults", conf.model, x.faults);
}
