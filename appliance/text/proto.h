/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_PROTO_H
#define TEXT_PROTO_H

#include "appliance/base/buf.h"

/*
 * proto.h - the wire format of Protocol Buffers (encoding of proto2 and
 * proto3), read in place: fields come in the order of the bytes, with no
 * schema.
 */

enum proto_wire { PROTO_VARINT = 0, PROTO_64 = 1, PROTO_BYTES = 2,
	PROTO_32 = 5 };

struct proto {
	const char *p, *end;
};

struct proto_field {
	uint32_t number;
	enum proto_wire wire;
	uint64_t value;			/* of a number, little-endian as read */
	struct view bytes;		/* of PROTO_BYTES: text or a message */
};

struct proto proto_of(struct view message);

/* proto_next - 1: a field; 0: the end; -1: no wire format from here on (a
 * length beyond the message, a number too long, the groups of old) */
int proto_next(struct proto *, struct proto_field *);

/* proto_float - a field of 32 bits as the float it is */
float proto_float(const struct proto_field *);

#endif
