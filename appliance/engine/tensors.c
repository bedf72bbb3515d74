/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/engine/tensors.h"
#include "appliance/text/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* every dtype of the format; form -1: is not computed, only copied */
static const struct {
	const char *name;
	int form;
	unsigned bits;
} dtypes[] = {
	{ "F32", GGUF_FORM_F32, 32 }, { "F16", GGUF_FORM_F16, 16 },
	{ "BF16", GGUF_FORM_BF16, 16 }, { "F64", GGUF_FORM_F64, 64 },
	{ "I64", -1, 64 }, { "I32", -1, 32 }, { "U8", -1, 8 },
	{ "I8", -1, 8 }, { "BOOL", -1, 8 }, { "I16", -1, 16 },
	{ "U16", -1, 16 }, { "U32", -1, 32 }, { "U64", -1, 64 },
	{ "C64", -1, 64 }, { "F8_E4M3", -1, 8 }, { "F8_E5M2", -1, 8 },
	{ "F8_E8M0", -1, 8 }, { "F8_E4M3FNUZ", -1, 8 },
	{ "F8_E5M2FNUZ", -1, 8 }, { "F4", -1, 4 }, { "F6_E2M3", -1, 6 },
	{ "F6_E3M2", -1, 6 },
};

/* tensor_numbers - a JSON array of at most max whole numbers from 0 on */
static int
tensor_numbers(struct view raw, uint64_t *out, size_t max, unsigned *n)
{
	struct json_iter it;
	struct view v;
	int64_t x;

	*n = 0;
	if (!json_open(&it, raw, '['))
		return -1;
	while (json_element(&it, &v)) {
		if (*n == max || !json_integer(v, &x) || x < 0)
			return -1;
		out[(*n)++] = (uint64_t)x;
	}
	return it.bad ? -1 : 0;
}

/* tensor_dtype - name, size of an element */
static int
tensor_dtype(struct arena *a, struct view raw, struct tensor *t,
    unsigned *bits)
{
	struct view name;

	if (!json_string(a, raw, &name))
		return -1;
	for (size_t i = 0; i < BASE_COUNT(dtypes); i++)
		if (view_is(name, dtypes[i].name)) {
			t->form = dtypes[i].form < 0 ? NULL :
			    quant_form((unsigned)dtypes[i].form);
			*bits = dtypes[i].bits;
			t->dtype = dtypes[i].name;
			return 0;
		}
	return -1;
}

/* tensor_entry - one member of the header */
static int
tensor_entry(struct arena *a, struct view key, struct view value,
    struct tensor *t, struct err *e)
{
	struct view name, dtype, shape, offsets;
	uint64_t at[2], all;
	unsigned n, bits;

	if (!json_string(a, key, &name) || memchr(name.p, 0, name.n) != NULL)
		return err_set(e, FATE_REJECT, "a tensor's name is no text");
	t->name = arena_strn(a, name.p, name.n);
	t->fd = -1;
	if (!json_get(value, "dtype", &dtype) ||
	    tensor_dtype(a, dtype, t, &bits) == -1)
		return err_set(e, FATE_REJECT, "tensor '%.100s' has no dtype "
		    "that is known", t->name);
	if (!json_get(value, "shape", &shape) ||
	    tensor_numbers(shape, t->shape, TENSORS_DIMS, &t->ndims) == -1)
		return err_set(e, FATE_REJECT, "tensor '%.100s' has no shape "
		    "of at most %d dimensions", t->name, TENSORS_DIMS);
	if (!json_get(value, "data_offsets", &offsets) ||
	    tensor_numbers(offsets, at, 2, &n) == -1 || n != 2 ||
	    at[0] > at[1])
		return err_set(e, FATE_REJECT, "tensor '%.100s' has no "
		    "data_offsets", t->name);
	t->from = at[0];
	t->to = at[1];
	t->count = 1;
	for (unsigned i = 0; i < t->ndims; i++)
		if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
			return err_set(e, FATE_REJECT, "tensor '%.100s' is "
			    "too large", t->name);
	if (__builtin_mul_overflow(t->count, (uint64_t)bits, &all) ||
	    all % 8 != 0 || all / 8 != t->to - t->from)
		return err_set(e, FATE_REJECT, "tensor '%.100s' has %llu bytes "
		    "where its shape says otherwise", t->name,
		    (unsigned long long)(t->to - t->from));
	return 0;
}

static int
by_offset(const void *va, const void *vb)
{
	const struct tensor *a = va, *b = vb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

static int
by_name(const void *va, const void *vb)
{
	const struct tensor *a = va, *b = vb;

	return strcmp(a->name, b->name);
}

/* tensors_order - side by side from 0 to the end of the data; no name twice */
static int
tensors_order(struct tensors *t, uint64_t bytes, struct err *e)
{
	uint64_t at = 0;

	if (t->n > 1)
		qsort(t->v, t->n, sizeof(*t->v), by_offset);
	for (size_t i = 0; i < t->n; at = t->v[i++].to)
		if (t->v[i].from != at)
			return err_set(e, FATE_REJECT, "tensor '%.100s' begins "
			    "at byte %llu of the data, not at %llu",
			    t->v[i].name, (unsigned long long)t->v[i].from,
			    (unsigned long long)at);
	if (at != bytes)
		return err_set(e, FATE_REJECT, "the tensors end at byte %llu "
		    "of %llu bytes of data: the file is cut short or has "
		    "more", (unsigned long long)at,
		    (unsigned long long)bytes);
	if (t->n > 1)
		qsort(t->v, t->n, sizeof(*t->v), by_name);
	for (size_t i = 1; i < t->n; i++)
		if (strcmp(t->v[i - 1].name, t->v[i].name) == 0)
			return err_set(e, FATE_REJECT, "tensor '%.100s' is "
			    "there twice", t->v[i].name);
	return 0;
}

int
tensors_parse(struct arena *a, struct view header, uint64_t size,
    struct tensors *t, struct err *e)
{
	struct json_iter it;
	struct view root, key, value;
	size_t cap = 0;

	*t = (struct tensors){ .v = NULL, .metadata = { "", 0 } };
	if (header.n == 0 || header.p[0] != '{' ||
	    utf8_check(header.p, header.n) != header.n)
		return err_set(e, FATE_REJECT, "its header is no JSON object");
	if (json_value(header, &root, e) == -1)
		return err_prefix(e, "its header: ");
	if (!json_open(&it, root, '{'))
		return err_set(e, FATE_REJECT, "its header is no JSON object");
	while (json_member(&it, &key, &value)) {
		if (view_is(key, "\"__metadata__\"")) {
			t->metadata = view_keep(a, value);
			continue;
		}
		if (t->n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			t->v = arena_grow(a, t->v, t->n, cap, sizeof(*t->v));
		}
		if (tensor_entry(a, key, value, &t->v[t->n], e) == -1)
			return -1;
		t->v[t->n++].data = 8 + header.n;
	}
	return tensors_order(t, size - 8 - header.n, e);
}

static void
tensors_close(void *arg)
{
	close((int)(intptr_t)arg);
}

/* tensors_head - length and header of an open file */
static int
tensors_head(struct arena *a, int fd, struct tensors *t, struct err *e)
{
	unsigned char len[8];
	uint64_t n = 0;
	struct stat st;
	char *p;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return err_set(e, FATE_REJECT, "it is no regular file");
	if (file_get(fd, len, 8) != 8)
		return err_set(e, FATE_REJECT, "it is shorter than 8 bytes");
	for (int i = 7; i >= 0; i--)
		n = n << 8 | len[i];
	if (n > TENSORS_HEADER || n > (uint64_t)st.st_size - 8)
		return err_set(e, FATE_REJECT, "its header of %llu bytes does "
		    "not fit: no safetensors file, or cut short",
		    (unsigned long long)n);
	p = arena_alloc(a, n + 1);
	if (file_get(fd, p, n) != (ssize_t)n)
		return err_errno(e, "cannot read its header");
	return tensors_parse(a, (struct view){ p, n }, (uint64_t)st.st_size,
	    t, e);
}

int
tensors_open(struct arena *a, int at, const char *path, struct tensors *t,
    struct err *e)
{
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd == -1)
		return err_errno(e, "cannot open '%s'", path);
	arena_defer(a, tensors_close, (void *)(intptr_t)fd);
	if (tensors_head(a, fd, t, e) == -1)
		return err_prefix(e, "'%s': ", path);
	for (size_t i = 0; i < t->n; i++)
		t->v[i].fd = fd;
	return 0;
}

/* tensors_join - one more shard's tensors */
static int
tensors_join(struct arena *a, int at, const char *path, struct tensors *all,
    struct err *e)
{
	struct tensors t;

	if (strchr(path, '/') != NULL)
		return err_set(e, FATE_REJECT, "its index names '%s', which "
		    "is not in the same directory", path);
	if (tensors_open(a, at, path, &t, e) == -1)
		return -1;
	all->v = arena_grow(a, all->v, all->n, all->n + t.n, sizeof(*t.v));
	memcpy(all->v + all->n, t.v, t.n * sizeof(*t.v));
	all->n += t.n;
	all->metadata = t.metadata;
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* tensors_shards - every file that the index names, once */
static int
tensors_shards(struct arena *a, int at, struct view index, struct tensors *t,
    struct err *e)
{
	struct json_iter it;
	struct view root, map, key, value, name;
	const char **file = NULL;
	size_t n = 0, cap = 0;

	if (json_value(index, &root, e) == -1)
		return err_prefix(e, "model.safetensors.index.json: ");
	if (!json_get(root, "weight_map", &map) || !json_open(&it, map, '{'))
		return err_set(e, FATE_REJECT, "model.safetensors.index.json "
		    "has no weight_map");
	while (json_member(&it, &key, &value)) {
		if (!json_string(a, value, &name))
			return err_set(e, FATE_REJECT, "a file's name in "
			    "model.safetensors.index.json is no text");
		if (n == cap) {
			cap = cap == 0 ? 256 : cap * 2;
			file = arena_grow(a, file, n, cap, sizeof(*file));
		}
		file[n++] = arena_strn(a, name.p, name.n);
	}
	if (n > 1)
		qsort(file, n, sizeof(*file), by_text);
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || strcmp(file[i - 1], file[i]) != 0) &&
		    tensors_join(a, at, file[i], t, e) == -1)
			return -1;
	tensors_sort(t);
	return 0;
}

int
tensors_model(struct arena *a, int at, struct tensors *t, struct err *e)
{
	struct view index;

	*t = (struct tensors){ .v = NULL, .metadata = { "", 0 } };
	if (file_exists(at, "model.safetensors"))
		return tensors_open(a, at, "model.safetensors", t, e);
	if (!file_exists(at, "model.safetensors.index.json"))
		return err_set(e, FATE_NOINPUT, "there is neither "
		    "model.safetensors nor model.safetensors.index.json");
	if (file_read(a, at, "model.safetensors.index.json", TENSORS_HEADER,
	    &index, e) == -1)
		return -1;
	return tensors_shards(a, at, index, t, e);
}

const struct tensor *
tensors_find(const struct tensors *t, const char *name)
{
	struct tensor key = { .name = name };

	return t->n == 0 ? NULL :
	    bsearch(&key, t->v, t->n, sizeof(*t->v), by_name);
}

/* dtype_of - how the format spells it */
static const char *
dtype_of(const struct quant *form)
{
	for (size_t i = 0; i < BASE_COUNT(dtypes); i++)
		if (dtypes[i].form == (int)form->form)
			return dtypes[i].name;
	panic("safetensors has no %s", form->name);
}

void
tensors_print(struct buf *b, const struct tensor_out *t, size_t n,
    struct view metadata)
{
	uint64_t at = 0, bytes;

	buf_str(b, "{\"__metadata__\":");
	buf_view(b, metadata);
	for (size_t i = 0; i < n; i++) {
		const struct quant *form = t[i].form != NULL ? t[i].form :
		    quant_form(GGUF_FORM_F32);

		buf_char(b, ',');
		buf_json_str(b, t[i].name);
		buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[",
		    t[i].dtype != NULL ? t[i].dtype : dtype_of(form));
		bytes = form->bytes;
		for (unsigned k = 0; k < t[i].ndims; k++) {
			buf_printf(b, "%s%llu", k > 0 ? "," : "",
			    (unsigned long long)t[i].shape[k]);
			bytes *= t[i].shape[k];
		}
		if (t[i].dtype != NULL)
			bytes = t[i].bytes;
		buf_printf(b, "],\"data_offsets\":[%llu,%llu]}",
		    (unsigned long long)at, (unsigned long long)(at + bytes));
		at += bytes;
	}
	buf_char(b, '}');
	while (b->n % 8 != 0)
		buf_char(b, ' ');
}

void
tensors_sort(struct tensors *t)
{
	if (t->n > 1)
		qsort(t->v, t->n, sizeof(*t->v), by_name);
}
