/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/gguf_put.h"

static void
put(struct buf *b, uint64_t x, unsigned n)
{
	for (; n > 0; n--, x >>= 8)
		buf_char(b, (char)x);
}

static void
put_key(struct buf *b, const char *key, enum gguf_type type)
{
	gguf_put_element(b, view_of(key));
	put(b, type, 4);
}

void
gguf_put_begin(struct buf *b, uint64_t tensors, uint64_t keys)
{
	buf_str(b, "GGUF");
	put(b, 3, 4);
	put(b, tensors, 8);
	put(b, keys, 8);
}

void
gguf_put_element(struct buf *b, struct view v)
{
	put(b, v.n, 8);
	buf_view(b, v);
}

void
gguf_put_word(struct buf *b, const void *four_bytes)
{
	uint32_t x;

	memcpy(&x, four_bytes, 4);
	put(b, x, 4);
}

void
gguf_put_text(struct buf *b, const char *key, struct view v)
{
	put_key(b, key, GGUF_TEXT);
	gguf_put_element(b, v);
}

void
gguf_put_u32(struct buf *b, const char *key, uint32_t x)
{
	put_key(b, key, GGUF_U32);
	put(b, x, 4);
}

void
gguf_put_f32(struct buf *b, const char *key, double x)
{
	float f = (float)x;

	put_key(b, key, GGUF_F32);
	gguf_put_word(b, &f);
}

void
gguf_put_bool(struct buf *b, const char *key, bool x)
{
	put_key(b, key, GGUF_BOOL);
	put(b, x, 1);
}

void
gguf_put_array(struct buf *b, const char *key, enum gguf_type type, uint64_t n)
{
	put_key(b, key, GGUF_ARRAY);
	put(b, type, 4);
	put(b, n, 8);
}

void
gguf_put_tensor(struct buf *b, const char *name, unsigned ndims,
    const uint64_t *shape, unsigned form, uint64_t at)
{
	gguf_put_element(b, view_of(name));
	put(b, ndims, 4);
	for (unsigned i = ndims; i > 0; i--)
		put(b, shape[i - 1], 8);
	put(b, form, 4);
	put(b, at, 8);
}

void
gguf_put_end(struct buf *b)
{
	while (b->n % GGUF_ALIGN != 0)
		buf_char(b, 0);
}
