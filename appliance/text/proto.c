/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/proto.h"

struct proto
proto_of(struct view message)
{
	return (struct proto){ message.p, message.p + message.n };
}

/* proto_varint - seven bits a byte, the lowest first; at most ten bytes */
static bool
proto_varint(struct proto *r, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 70 && r->p < r->end; shift += 7) {
		uint64_t c = (unsigned char)*r->p++;

		if (shift == 63 && c > 1)
			return false;
		*value |= (c & 127) << shift;
		if (c < 128)
			return true;
	}
	return false;
}

/* proto_fixed - n bytes, little-endian */
static bool
proto_fixed(struct proto *r, unsigned n, uint64_t *value)
{
	*value = 0;
	if ((size_t)(r->end - r->p) < n)
		return false;
	for (unsigned i = 0; i < n; i++)
		*value |= (uint64_t)(unsigned char)*r->p++ << 8 * i;
	return true;
}

int
proto_next(struct proto *r, struct proto_field *f)
{
	uint64_t key;

	if (r->p == r->end)
		return 0;
	if (!proto_varint(r, &key) || key >> 3 == 0 || key > UINT32_MAX)
		return -1;
	*f = (struct proto_field){ .number = (uint32_t)(key >> 3),
	    .wire = (enum proto_wire)(key & 7) };
	switch (f->wire) {
	case PROTO_VARINT:
		return proto_varint(r, &f->value) ? 1 : -1;
	case PROTO_64:
		return proto_fixed(r, 8, &f->value) ? 1 : -1;
	case PROTO_32:
		return proto_fixed(r, 4, &f->value) ? 1 : -1;
	case PROTO_BYTES:
		if (!proto_varint(r, &f->value) ||
		    f->value > (uint64_t)(r->end - r->p))
			return -1;
		f->bytes = (struct view){ r->p, (size_t)f->value };
		r->p += f->bytes.n;
		return 1;
	}
	return -1;
}

float
proto_float(const struct proto_field *f)
{
	uint32_t bits = (uint32_t)f->value;
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}
