/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/gguf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST	((size_t)1 << 20)	/* bytes that are read at first */
#define ALIGN	32			/* unless general.alignment says more */
#define KEY_MAX	65535
#define KEYS_MAX	(1 << 16)	/* no file has near as many */
#define TENSORS_MAX	(1 << 20)
#define LEAST_KEY	(8 + 1 + 4 + 1)	/* bytes of the shortest key, tensor */
#define LEAST_TENSOR	(8 + 1 + 4 + 4 + 8)

static const unsigned char width[GGUF_TYPES] = {
	[GGUF_U8] = 1, [GGUF_I8] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2,
	[GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
	[GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

struct reader {
	const char *p;
	size_t n, at;
	uint64_t size;			/* of the file */
	bool more;			/* the file has it, the view does not */
	struct err *e;
};

/* reader_bad - what is wrong and where */
static int BASE_PRINTF(2, 3)
reader_bad(struct reader *r, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, FATE_REJECT, "%s, at byte %zu", text, r->at);
}

/* reader_has - are n more bytes there */
static int
reader_has(struct reader *r, uint64_t n, const char *what)
{
	if (n <= r->n - r->at)
		return 0;
	r->more = n <= r->size - r->at;
	return reader_bad(r, "%s of %llu bytes does not fit the file: it is "
	    "cut short or damaged", what, (unsigned long long)n);
}

/* little - n bytes as a number */
static uint64_t
little(const char *p, unsigned n)
{
	uint64_t x = 0;

	while (n-- > 0)
		x = x << 8 | (unsigned char)p[n];
	return x;
}

/* reader_number - an unsigned number of n bytes */
static int
reader_number(struct reader *r, unsigned n, uint64_t *out, const char *what)
{
	if (reader_has(r, n, what) == -1)
		return -1;
	*out = little(r->p + r->at, n);
	r->at += n;
	return 0;
}

/* reader_text - a length and so many bytes */
static int
reader_text(struct reader *r, struct view *out, const char *what)
{
	uint64_t n;

	if (reader_number(r, 8, &n, what) == -1)
		return -1;
	if (reader_has(r, n, what) == -1)
		return -1;
	*out = (struct view){ r->p + r->at, (size_t)n };
	r->at += (size_t)n;
	return 0;
}

static int reader_array(struct reader *, struct gguf_array *, unsigned depth);

/* reader_skip - n values of a type, none of them kept */
static int
reader_skip(struct reader *r, enum gguf_type type, uint64_t n, unsigned depth)
{
	struct gguf_array inner;
	struct view text;

	if (width[type] > 0) {
		if (n > r->size / width[type])
			return reader_bad(r, "an array of %llu values is "
			    "longer than the file", (unsigned long long)n);
		if (reader_has(r, n * width[type], "an array") == -1)
			return -1;
		r->at += (size_t)n * width[type];
		return 0;
	}
	if (n > r->size / 8)
		return reader_bad(r, "an array of %llu values is longer than "
		    "the file", (unsigned long long)n);
	for (uint64_t i = 0; i < n; i++)
		if (type == GGUF_TEXT ? reader_text(r, &text, "a text") == -1 :
		    reader_array(r, &inner, depth + 1) == -1)
			return -1;
	return 0;
}

static int
reader_array(struct reader *r, struct gguf_array *out, unsigned depth)
{
	uint64_t type, n;
	size_t from;

	if (depth > GGUF_DEPTH)
		return reader_bad(r, "arrays lie more than %d deep",
		    GGUF_DEPTH);
	if (reader_number(r, 4, &type, "an array's type") == -1 ||
	    reader_number(r, 8, &n, "an array's length") == -1)
		return -1;
	if (type >= GGUF_TYPES)
		return reader_bad(r, "an array's values are of the unknown "
		    "type %llu", (unsigned long long)type);
	from = r->at;
	if (reader_skip(r, (enum gguf_type)type, n, depth) == -1)
		return -1;
	*out = (struct gguf_array){ (enum gguf_type)type, n,
	    { r->p + from, r->at - from } };
	return 0;
}

static int
reader_key(struct reader *r, struct gguf_key *k)
{
	uint64_t type;
	size_t from;

	if (reader_text(r, &k->name, "a key's name") == -1)
		return -1;
	if (k->name.n == 0 || k->name.n > KEY_MAX ||
	    memchr(k->name.p, 0, k->name.n) != NULL ||
	    utf8_check(k->name.p, k->name.n) != k->name.n)
		return reader_bad(r, "a key's name is no text of 1 to %d "
		    "bytes", KEY_MAX);
	if (reader_number(r, 4, &type, "a key's type") == -1)
		return -1;
	if (type >= GGUF_TYPES)
		return reader_bad(r, "key '%.*s' is of the unknown type %llu",
		    (int)(k->name.n < 100 ? k->name.n : 100), k->name.p,
		    (unsigned long long)type);
	k->type = (enum gguf_type)type;
	if (k->type == GGUF_TEXT)
		return reader_text(r, &k->raw, "a text");
	from = r->at;
	if (k->type == GGUF_ARRAY) {
		if (reader_array(r, &k->array, 1) == -1)
			return -1;
	} else if (reader_skip(r, k->type, 1, 0) == -1)
		return -1;
	k->raw = (struct view){ r->p + from, r->at - from };
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	return view_cmp((*(const struct gguf_key *const *)a)->name,
	    (*(const struct gguf_key *const *)b)->name);
}

static int
by_tensor(const void *a, const void *b)
{
	return strcmp((*(const struct gguf_tensor *const *)a)->name,
	    (*(const struct gguf_tensor *const *)b)->name);
}

static int
by_place(const void *va, const void *vb)
{
	const struct gguf_tensor *a = *(const struct gguf_tensor *const *)va;
	const struct gguf_tensor *b = *(const struct gguf_tensor *const *)vb;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static int
read_keys(struct arena *a, struct reader *r, struct gguf *g)
{
	const struct gguf_key **order;

	g->key = arena_array(a, g->nkeys, sizeof(*g->key));
	order = arena_array(a, g->nkeys, sizeof(*order));
	g->by_name = order;
	for (size_t i = 0; i < g->nkeys; i++) {
		if (reader_key(r, &g->key[i]) == -1)
			return -1;
		order[i] = &g->key[i];
	}
	if (g->nkeys > 1)
		qsort(order, g->nkeys, sizeof(*order), by_key);
	for (size_t i = 1; i < g->nkeys; i++)
		if (view_eq(order[i - 1]->name, order[i]->name))
			return reader_bad(r, "key '%.*s' is there twice",
			    (int)(order[i]->name.n < 100 ? order[i]->name.n :
			    100), order[i]->name.p);
	return 0;
}

/* read_align - general.alignment: a power of two */
static int
read_align(struct reader *r, struct gguf *g)
{
	const struct gguf_key *k = gguf_find(g, "general.alignment");
	uint64_t align = ALIGN;

	if (k != NULL && k->type != GGUF_U32)
		return reader_bad(r, "key 'general.alignment' is no u32");
	if (k != NULL)
		align = little(k->raw.p, 4);
	if (align == 0 || (align & (align - 1)) != 0)
		return reader_bad(r, "key 'general.alignment' is %llu, no "
		    "power of two", (unsigned long long)align);
	g->align = align;
	return 0;
}

/* tensor_size - shape and form to elements and bytes */
static int
tensor_size(struct reader *r, struct gguf_tensor *t)
{
	unsigned block, bytes;

	if (gguf_form(t->form, &block, &bytes) == NULL)
		return reader_bad(r, "tensor '%s' is of the unknown type %u",
		    t->name, t->form);
	t->count = 1;
	for (unsigned i = 0; i < t->ndims; i++)
		if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
			return reader_bad(r, "tensor '%s' is too large",
			    t->name);
	/* else a shape of zeros could claim any number of words */
	if (t->count == 0)
		return reader_bad(r, "tensor '%s' has no numbers", t->name);
	if (block > 1 && (t->ndims == 0 || t->shape[0] % block != 0))
		return reader_bad(r, "tensor '%s' has rows of %llu, no whole "
		    "blocks of %u", t->name, t->ndims == 0 ? 1ull :
		    (unsigned long long)t->shape[0], block);
	if (__builtin_mul_overflow(t->count / block, (uint64_t)bytes,
	    &t->bytes))
		return reader_bad(r, "tensor '%s' is too large", t->name);
	return 0;
}

/* read_tensor - one entry; its place is still that within the data */
static int
read_tensor(struct arena *a, struct reader *r, struct gguf *g,
    struct gguf_tensor *t)
{
	struct view name;
	uint64_t n;

	if (reader_text(r, &name, "a tensor's name") == -1)
		return -1;
	if (name.n == 0 || name.n >= GGUF_NAME ||
	    memchr(name.p, 0, name.n) != NULL ||
	    utf8_check(name.p, name.n) != name.n)
		return reader_bad(r, "a tensor's name is no text of 1 to %d "
		    "bytes", GGUF_NAME - 1);
	t->name = arena_strn(a, name.p, name.n);
	if (reader_number(r, 4, &n, "a tensor's dimensions") == -1)
		return -1;
	if (n > GGUF_DIMS)
		return reader_bad(r, "tensor '%s' has %llu dimensions",
		    t->name, (unsigned long long)n);
	t->ndims = (unsigned)n;
	for (unsigned i = 0; i < t->ndims; i++)
		if (reader_number(r, 8, &t->shape[i], "a tensor's shape") ==
		    -1)
			return -1;
	if (reader_number(r, 4, &n, "a tensor's type") == -1 ||
	    reader_number(r, 8, &t->at, "a tensor's place") == -1)
		return -1;
	t->form = (unsigned)n;
	t->fd = -1;
	if (t->at % g->align != 0)
		return reader_bad(r, "tensor '%s' begins at byte %llu of the "
		    "data, no multiple of %llu", t->name,
		    (unsigned long long)t->at, (unsigned long long)g->align);
	return tensor_size(r, t);
}

/* read_places - the data's begin; every tensor within the file, and alone */
static int
read_places(struct arena *a, struct reader *r, struct gguf *g)
{
	struct gguf_tensor **t = arena_array(a, g->ntensors, sizeof(*t));

	g->data = (r->at + g->align - 1) / g->align * g->align;
	for (size_t i = 0; i < g->ntensors; i++) {
		t[i] = &g->tensor[i];
		if (g->data > r->size || t[i]->at > r->size - g->data ||
		    t[i]->bytes > r->size - g->data - t[i]->at)
			return reader_bad(r, "tensor '%s' of %llu bytes at "
			    "byte %llu of the data ends beyond the file: it "
			    "is cut short or damaged", t[i]->name,
			    (unsigned long long)t[i]->bytes,
			    (unsigned long long)t[i]->at);
		t[i]->at += g->data;
	}
	if (g->ntensors < 2)
		return 0;
	qsort(t, g->ntensors, sizeof(*t), by_tensor);
	for (size_t i = 1; i < g->ntensors; i++)
		if (strcmp(t[i - 1]->name, t[i]->name) == 0)
			return reader_bad(r, "tensor '%s' is there twice",
			    t[i]->name);
	qsort(t, g->ntensors, sizeof(*t), by_place);
	for (size_t i = 1; i < g->ntensors; i++)
		if (t[i - 1]->at + t[i - 1]->bytes > t[i]->at)
			return reader_bad(r, "tensors '%s' and '%s' lie in "
			    "the same place", t[i - 1]->name, t[i]->name);
	return 0;
}

/* read_head - magic, version, counts that can be true */
static int
read_head(struct reader *r, struct gguf *g)
{
	uint64_t n;

	if (!gguf_is((struct view){ r->p, r->n }))
		return reader_bad(r, "it does not begin with GGUF");
	r->at = 4;
	if (reader_number(r, 4, &n, "its version") == -1)
		return -1;
	if (n != 2 && n != 3)
		return reader_bad(r, (n & 0xffff) == 0 ? "it is big-endian "
		    "(version %#llx)" : "it is of version %llu: 2 and 3 are "
		    "read", (unsigned long long)n);
	g->version = (unsigned)n;
	if (reader_number(r, 8, &n, "its tensors' count") == -1)
		return -1;
	if (n > r->size / LEAST_TENSOR || n > TENSORS_MAX)
		return reader_bad(r, "%llu tensors do not fit the file",
		    (unsigned long long)n);
	g->ntensors = (size_t)n;
	if (reader_number(r, 8, &n, "its keys' count") == -1)
		return -1;
	if (n > r->size / LEAST_KEY || n > KEYS_MAX)
		return reader_bad(r, "%llu keys do not fit the file",
		    (unsigned long long)n);
	g->nkeys = (size_t)n;
	return 0;
}

static int
read_all(struct arena *a, struct reader *r, struct gguf *g)
{
	*g = (struct gguf){ .version = 0 };
	if (read_head(r, g) == -1 || read_keys(a, r, g) == -1 ||
	    read_align(r, g) == -1)
		return -1;
	g->tensor = arena_array(a, g->ntensors, sizeof(*g->tensor));
	for (size_t i = 0; i < g->ntensors; i++)
		if (read_tensor(a, r, g, &g->tensor[i]) == -1)
			return -1;
	return read_places(a, r, g);
}

int
gguf_parse(struct arena *a, struct view head, uint64_t size, struct gguf *g,
    struct err *e)
{
	struct reader r = { .p = head.p, .n = head.n, .size = size, .e = e };

	return read_all(a, &r, g);
}

static void
gguf_close(void *arg)
{
	close((int)(intptr_t)arg);
}

/* gguf_head - read more of the file until its header is whole */
static int
gguf_head(struct arena *a, int fd, struct gguf *g, struct err *e)
{
	struct reader r = { .more = true, .e = e };
	struct arena *try;
	struct stat st;
	char *p = NULL;
	int rc = -1;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return err_set(e, FATE_REJECT, "it is no regular file");
	r.size = (uint64_t)st.st_size;
	for (size_t n = FIRST; rc == -1 && r.more; n *= 4) {
		if (r.n >= GGUF_HEADER)
			return err_set(e, FATE_REJECT, "its header is longer "
			    "than %zu MiB", GGUF_HEADER >> 20);
		r.at = 0;
		r.more = false;
		r.n = n < r.size ? n : (size_t)r.size;
		p = mem_grow(p, r.n);
		r.p = p;
		if (pread(fd, p, r.n, 0) != (ssize_t)r.n) {
			mem_free(p);
			return err_errno(e, "cannot read its header");
		}
		try = arena_new();
		rc = read_all(try, &r, g);
		arena_free(try);
	}
	if (rc == 0) {
		r.p = arena_copy(a, p, r.n = r.at);
		r.at = 0;
		rc = read_all(a, &r, g);
	}
	mem_free(p);
	return rc;
}

int
gguf_open(struct arena *a, int at, const char *path, struct gguf *g,
    struct err *e)
{
	int fd = path == NULL ? fcntl(at, F_DUPFD_CLOEXEC, 0) :
	    openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd == -1)
		return err_errno(e, "cannot open '%s'", path == NULL ?
		    "the file" : path);
	arena_defer(a, gguf_close, (void *)(intptr_t)fd);
	if (gguf_head(a, fd, g, e) == -1)
		return path == NULL ? -1 : err_prefix(e, "'%s': ", path);
	for (size_t i = 0; i < g->ntensors; i++)
		g->tensor[i].fd = fd;
	return 0;
}

bool
gguf_is(struct view file)
{
	return file.n >= 4 && memcmp(file.p, "GGUF", 4) == 0;
}
