/* SPDX-License-Identifier: Apache-2.0 */
/* what lies in a container once it has been tested */
#include "appliance/base/base.h"
#include "appliance/text/gguf.h"

#include <stdlib.h>
#include <unistd.h>

static const unsigned char width[GGUF_TYPES] = {
	[GGUF_U8] = 1, [GGUF_I8] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2,
	[GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
	[GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

/* every form that has been given an id; what is computed is quant.h's */
static const struct {
	unsigned char id;
	const char *name;
	unsigned short block, bytes;
} forms[] = {
	{ 0, "F32", 1, 4 }, { 1, "F16", 1, 2 }, { 2, "Q4_0", 32, 18 },
	{ 3, "Q4_1", 32, 20 }, { 6, "Q5_0", 32, 22 }, { 7, "Q5_1", 32, 24 },
	{ 8, "Q8_0", 32, 34 }, { 9, "Q8_1", 32, 40 }, { 10, "Q2_K", 256, 84 },
	{ 11, "Q3_K", 256, 110 }, { 12, "Q4_K", 256, 144 },
	{ 13, "Q5_K", 256, 176 }, { 14, "Q6_K", 256, 210 },
	{ 15, "Q8_K", 256, 292 }, { 16, "IQ2_XXS", 256, 66 },
	{ 17, "IQ2_XS", 256, 74 }, { 18, "IQ3_XXS", 256, 98 },
	{ 19, "IQ1_S", 256, 50 }, { 20, "IQ4_NL", 32, 18 },
	{ 21, "IQ3_S", 256, 110 }, { 22, "IQ2_S", 256, 82 },
	{ 23, "IQ4_XS", 256, 136 }, { 24, "I8", 1, 1 }, { 25, "I16", 1, 2 },
	{ 26, "I32", 1, 4 }, { 27, "I64", 1, 8 }, { 28, "F64", 1, 8 },
	{ 29, "IQ1_M", 256, 56 }, { 30, "BF16", 1, 2 },
	{ 34, "TQ1_0", 256, 54 }, { 35, "TQ2_0", 256, 66 },
	{ 39, "MXFP4", 32, 17 }, { 40, "NVFP4", 64, 36 },
	{ 41, "Q1_0", 128, 18 },
};

/* little - n bytes as a number */
static uint64_t
little(const char *p, unsigned n)
{
	uint64_t x = 0;

	while (n-- > 0)
		x = x << 8 | (unsigned char)p[n];
	return x;
}

static int
by_key(const void *a, const void *b)
{
	return view_cmp((*(const struct gguf_key *const *)a)->name,
	    (*(const struct gguf_key *const *)b)->name);
}

const char *
gguf_form(unsigned form, unsigned *block, unsigned *bytes)
{
	for (size_t i = 0; i < BASE_COUNT(forms); i++)
		if (forms[i].id == form) {
			*block = forms[i].block;
			*bytes = forms[i].bytes;
			return forms[i].name;
		}
	return NULL;
}

int
gguf_read(const struct gguf_tensor *t, uint64_t from,
    void *out, size_t n, struct err *e)
{
	char *p = out;
	ssize_t got;

	if (from > t->bytes || n > t->bytes - from)
		return err_set(e, FATE_BUG, "tensor '%s' has no byte %llu",
		    t->name, (unsigned long long)(from + n));
	for (size_t have = 0; have < n; have += (size_t)got) {
		got = pread(t->fd, p + have, n - have,
		    (off_t)(t->at + from + have));
		if (got <= 0)
			return err_set(e, FATE_REJECT, "tensor '%s' cannot be "
			    "read at byte %llu: the file is cut short",
			    t->name, (unsigned long long)(t->at + from +
			    have));
	}
	return 0;
}

const struct gguf_key *
gguf_find(const struct gguf *g, const char *name)
{
	struct gguf_key key = { .name = view_of(name) };
	const struct gguf_key *p = &key, **found;

	if (g->nkeys == 0)
		return NULL;
	found = bsearch(&p, g->by_name, g->nkeys, sizeof(p), by_key);
	return found == NULL ? NULL : *found;
}

static bool
is_whole(enum gguf_type type)
{
	return type <= GGUF_I32 || type == GGUF_U64 || type == GGUF_I64;
}

static bool
is_number(enum gguf_type type)
{
	return is_whole(type) || type == GGUF_F32 || type == GGUF_F64;
}

/* whole_of - an integer of a type; beyond int64 it is its greatest */
static int64_t
whole_of(enum gguf_type type, const char *p)
{
	uint64_t x = little(p, width[type]);

	switch (type) {
	case GGUF_I8:
		return (int8_t)x;
	case GGUF_I16:
		return (int16_t)x;
	case GGUF_I32:
		return (int32_t)x;
	case GGUF_I64:
		return (int64_t)x;
	default:
		return x > INT64_MAX ? INT64_MAX : (int64_t)x;
	}
}

static double
number_of(enum gguf_type type, const char *p)
{
	uint64_t x = little(p, width[type]);
	uint32_t half = (uint32_t)x;
	float f;
	double d;

	if (type == GGUF_F32) {
		memcpy(&f, &half, 4);
		return f;
	}
	if (type == GGUF_F64) {
		memcpy(&d, &x, 8);
		return d;
	}
	return (double)whole_of(type, p);
}

bool
gguf_text(const struct gguf *g, const char *name, struct view *out)
{
	const struct gguf_key *k = gguf_find(g, name);

	if (k == NULL || k->type != GGUF_TEXT)
		return false;
	*out = k->raw;
	return true;
}

bool
gguf_whole(const struct gguf *g, const char *name, int64_t *out)
{
	const struct gguf_key *k = gguf_find(g, name);

	if (k == NULL || !is_whole(k->type))
		return false;
	*out = whole_of(k->type, k->raw.p);
	return true;
}

bool
gguf_number(const struct gguf *g, const char *name, double *out)
{
	const struct gguf_key *k = gguf_find(g, name);

	if (k == NULL || !is_number(k->type))
		return false;
	*out = number_of(k->type, k->raw.p);
	return true;
}

bool
gguf_bool(const struct gguf *g, const char *name, bool *out)
{
	const struct gguf_key *k = gguf_find(g, name);

	if (k == NULL || k->type != GGUF_BOOL)
		return false;
	*out = k->raw.p[0] != 0;
	return true;
}

bool
gguf_array(const struct gguf *g, const char *name, enum gguf_type type,
    struct gguf_array *out)
{
	const struct gguf_key *k = gguf_find(g, name);

	if (k == NULL || k->type != GGUF_ARRAY)
		return false;
	*out = k->array;
	return out->type == type ||
	    (is_whole(type) && is_whole(out->type)) ||
	    (type == GGUF_F64 && is_number(out->type));
}

bool
gguf_next(struct view *rest, struct view *text)
{
	if (rest->n < 8)
		return false;
	text->p = rest->p + 8;
	text->n = (size_t)little(rest->p, 8);
	*rest = (struct view){ text->p + text->n, rest->n - 8 - text->n };
	return true;
}

double
gguf_at(const struct gguf_array *v, uint64_t i)
{
	return number_of(v->type, v->raw.p + i * width[v->type]);
}

int64_t
gguf_whole_at(const struct gguf_array *v, uint64_t i)
{
	return whole_of(v->type, v->raw.p + i * width[v->type]);
}
