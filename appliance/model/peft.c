/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/peft.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define CONFIG		"adapter_config.json"
#define TENSORS		"adapter_model.safetensors"
#define CONFIG_MAX	((size_t)1 << 20)
#define FRONT		"base_model.model."

bool
peft_is(int dir)
{
	return file_exists(dir, CONFIG);
}

static void
warn(struct peft *p, const char *text)
{
	for (size_t i = 0; i < p->nwarnings; i++)
		if (strcmp(p->warning[i], text) == 0)
			return;
	if (p->nwarnings < PEFT_WARNINGS)
		p->warning[p->nwarnings++] = text;
}

/* cut - the name without an end; false if it has another */
static bool
cut(struct arena *a, const char *name, const char *end, const char **out)
{
	size_t n = strlen(name), k = strlen(end);

	if (n <= k || strcmp(name + n - k, end) != 0)
		return false;
	*out = arena_strn(a, name, n - k);
	return true;
}

/* without - the name without a segment that old files have */
static const char *
without(struct arena *a, struct peft *p, const char *name, const char *segment)
{
	const char *at = strstr(name, segment);

	if (at == NULL)
		return name;
	if (strcmp(at, ".base_layer.bias") != 0)	/* today's name */
		warn(p, arena_printf(a, TENSORS ": names have '%s' in them, as "
		    "old files do; they are read without it", segment));
	return arena_printf(a, "%.*s.%s", (int)(at - name), name,
	    at + strlen(segment));
}

static struct peft_part *
part_of(struct peft *p, const char *name)
{
	for (size_t i = p->n; i-- > 0; )
		if (p->v[i].whole == NULL && strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	p->v[p->n] = (struct peft_part){ .name = name };
	return &p->v[p->n++];
}

/* open_tensor - which part of what module it is */
static int
open_tensor(struct arena *a, struct peft *p, const struct tensor *t,
    struct err *e)
{
	static const char *const old[] = { ".base_layer.",
	    ".original_module.", ".modules_to_save." };
	const char *name = t->name, *module;
	const struct tensor **to = NULL;

	if (strncmp(name, FRONT, sizeof(FRONT) - 1) != 0)
		return err_set(e, FATE_REJECT, "tensor '%.200s' is no part of "
		    "a LoRA adapter", name);
	name += sizeof(FRONT) - 1;
	for (size_t i = 0; i < BASE_COUNT(old); i++)
		name = without(a, p, name, old[i]);
	if (strstr(name, ".lora_embedding_") != NULL || strstr(name,
	    ".lora_B.bias") != NULL)
		return err_set(e, FATE_REJECT, "tensor '%.200s': adapters on "
		    "tables and biases are not computed", t->name);
	if (cut(a, name, ".lora_A.weight", &module))
		to = &part_of(p, module)->a;
	else if (cut(a, name, ".lora_B.weight", &module))
		to = &part_of(p, module)->b;
	else if (cut(a, name, ".lora_magnitude_vector", &module) ||
	    cut(a, name, ".lora_magnitude_vector.weight", &module))
		to = &part_of(p, module)->m;
	else if (strstr(name, ".lora_") != NULL)
		return err_set(e, FATE_REJECT, "tensor '%.200s' is not known",
		    t->name);
	else
		p->v[p->n++] = (struct peft_part){ .name = name, .whole = t };
	if (to != NULL && *to != NULL)
		return err_set(e, FATE_REJECT, "tensor '%.200s' stands there "
		    "twice", t->name);
	if (to != NULL)
		*to = t;
	return 0;
}

/* part_check - a module has A and B that fit one another */
static int
part_check(struct arena *a, const struct peft *p, const struct peft_part *x,
    struct err *e)
{
	if (x->whole != NULL)
		return 0;
	if (x->a == NULL || x->b == NULL || (x->m == NULL) != !p->conf.dora)
		return err_set(e, FATE_REJECT, "'%.200s' has no %s", x->name,
		    x->a == NULL ? "lora_A" : x->b == NULL ? "lora_B" :
		    x->m == NULL ? "lora_magnitude_vector" : "use_dora in "
		    CONFIG);
	if (x->a->ndims != 2 || x->b->ndims != 2 || x->a->shape[0] == 0 ||
	    x->a->shape[0] != x->b->shape[1] || (x->m != NULL &&
	    x->m->count != x->b->shape[0]))
		return err_set(e, FATE_REJECT, "'%.200s': lora_A %s and "
		    "lora_B %s do not fit one another", x->name,
		    tensor_shape(a, x->a), tensor_shape(a, x->b));
	return 0;
}

int
peft_open(struct arena *a, int dir, struct peft *p, struct err *e)
{
	struct view json;

	*p = (struct peft){ .n = 0 };
	if (file_read(a, dir, CONFIG, CONFIG_MAX, &json, e) == -1 ||
	    peft_conf(a, json, p, e) == -1 ||
	    tensors_open(a, dir, TENSORS, &p->tensors, e) == -1)
		return -1;
	p->v = arena_array(a, p->tensors.n + 1, sizeof(*p->v));
	for (size_t i = 0; i < p->tensors.n; i++)
		if (open_tensor(a, p, &p->tensors.v[i], e) == -1)
			return -1;
	for (size_t i = 0; i < p->n; i++)
		if (part_check(a, p, &p->v[i], e) == -1)
			return -1;
	return 0;
}

/* base_says - for messages: what the adapter was made for */
static const char *
base_says(struct arena *a, const struct peft *p)
{
	return p->conf.base == NULL ? "" : arena_printf(a, "; it was made for "
	    "'%.200s'", p->conf.base);
}

/* piece_of - the base's tensor of that name; the front that one of the two
 * classes of a model lacks is not asked for */
static const struct piece *
piece_of(struct arena *a, const struct piece *v, size_t n, const char *name)
{
	static const char *const front[] = { "", "transformer.", "model." };
	const char *full;

	for (size_t f = 0; f < BASE_COUNT(front); f++) {
		full = arena_printf(a, "%s%s", front[f], name);
		for (size_t i = 0; i < n; i++)
			if (strcmp(v[i].name, full) == 0)
				return &v[i];
	}
	return NULL;
}

/* fit_module - a module's place in the base */
static int
fit_module(struct arena *a, const struct peft *p, const struct peft_part *x,
    const struct piece *at, struct adapter *d, struct err *e)
{
	const struct adapter_conf *c = &p->conf;
	struct adapter_module *m = &d->v[d->n];
	size_t n;

	if (at == NULL || at->rows == 0)
		return err_set(e, FATE_REJECT, "the adapter is for the module "
		    "'%.200s', which this base does not have%s", x->name,
		    base_says(a, p));
	if (x->a->shape[1] != at->cols || x->b->shape[0] != at->rows)
		return err_set(e, FATE_REJECT, "'%.200s': the adapter is for "
		    "%llu in and %llu out, the base has %zu and %zu%s",
		    x->name, (unsigned long long)x->a->shape[1],
		    (unsigned long long)x->b->shape[0], at->cols, at->rows,
		    base_says(a, p));
	n = (size_t)x->a->shape[0];
	*m = (struct adapter_module){ arena_strn(a, at->name,
	    strlen(at->name) - sizeof("weight")), at->at, at->rows, at->cols,
	    .r = n, .m = NO_WEIGHT, .head = at->head };
	m->scale = match_value(c->alphas, c->nalphas, x->name, c->alpha) /
	    (c->rslora ? sqrt((double)n) : (double)n);
	d->n++;
	return 0;
}

/* fit_saved - a tensor that replaces one of the base's */
static int
fit_saved(struct arena *a, const struct peft *p, const struct peft_part *x,
    const struct weights *w, const struct piece *at, struct adapter *d,
    struct err *e)
{
	const struct tensor *t = x->whole;
	size_t rows, cols;

	if (at == NULL)
		return err_set(e, FATE_REJECT, "the adapter brings '%.200s', "
		    "which this base does not have (task_type %.40s)%s",
		    x->name, p->conf.task == NULL ? "null" : p->conf.task,
		    base_says(a, p));
	rows = at->turned ? at->cols : at->rows;
	cols = at->turned ? at->rows : at->cols;
	if (at->rows == 0 ? t->ndims != 1 || t->shape[0] != at->cols :
	    t->ndims != 2 || t->shape[0] != rows || t->shape[1] != cols)
		return err_set(e, FATE_REJECT, "'%.200s' has shape %s, the "
		    "base [%zu,%zu]%s", x->name, tensor_shape(a, t), rows,
		    cols, base_says(a, p));
	d->saved[d->nsaved++] = *at;
	return adapter_saves(w, at, e);
}

/* take - a tensor's numbers in our order */
static int
take(const struct tensor *t, real *to, const struct piece *p, struct err *e)
{
	float *flat = mem_alloc((size_t)t->count * sizeof(*flat) + 1);
	size_t rows = p->rows == 0 ? 1 : p->rows;
	int rc = tensor_read(t, flat, e);

	for (size_t r = 0; rc == 0 && r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			*to++ = flat[piece_place(p, r, c)] + p->less_one;
	mem_free(flat);
	return rc;
}

/* take_module - A, B and magnitude of the module at a place of the base */
static int
take_module(const struct peft_part *x, size_t at, struct adapter *d,
    struct err *e)
{
	const struct adapter_module *m = d->v;
	struct piece p[3];

	while (m->at != at)
		m++;
	adapter_pieces(m, p);
	if (take(x->a, d->run + m->a, &p[0], e) == -1 ||
	    take(x->b, d->run + m->b, &p[1], e) == -1)
		return -1;
	return m->m == NO_WEIGHT ? 0 : take(x->m, d->run + m->m, &p[2], e);
}

/* fit_numbers - everything has its place, at[] of the base: read it */
static int
fit_numbers(const struct peft *p, const size_t *at, struct adapter *d,
    struct err *e)
{
	const struct piece *s = d->saved;
	size_t done = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct peft_part *x = &p->v[i];

		if (x->whole == NULL) {
			if (take_module(x, at[i], d, e) == -1)
				return -1;
			continue;
		}
		if (take(x->whole, d->base + done, s, e) == -1)
			return -1;
		done += (s->rows == 0 ? 1 : s->rows) * s->cols;
		s++;
	}
	return 0;
}

int
peft_fit(struct arena *a, const struct peft *p, const struct weights *w,
    struct adapter *d, struct err *e)
{
	size_t n, *at = arena_array(a, p->n + 1, sizeof(*at));
	const struct piece *v = weights_pieces(a, w, &n), *to;

	*d = (struct adapter){ .conf = p->conf };
	d->v = arena_array(a, p->n + 1, sizeof(*d->v));
	d->saved = arena_array(a, p->n + 1, sizeof(*d->saved));
	for (size_t i = 0; i < p->n; i++) {
		const struct peft_part *x = &p->v[i];

		to = piece_of(a, v, n, x->whole != NULL ? x->name :
		    arena_printf(a, "%s.weight", x->name));
		if ((x->whole != NULL ? fit_saved(a, p, x, w, to, d, e) :
		    fit_module(a, p, x, to, d, e)) == -1)
			return -1;
		at[i] = to->at;
		for (size_t k = 0; k < i; k++)
			if (at[k] == at[i])
				return err_set(e, FATE_REJECT, "'%.200s' "
				    "stands in the adapter twice", x->name);
	}
	adapter_layout(a, w, d);
	return fit_numbers(p, at, d, e);
}
