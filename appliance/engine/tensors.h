/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TENSORS_H
#define ENGINE_TENSORS_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * tensors.h - safetensors files (huggingface/safetensors 0.4): u64 length of a
 * header, the header in JSON, the data.  Read with every rule of the format:
 * the header is an object, names are unique, tensors lie side by side from 0 to
 * the file's end, their sizes fit dtype and shape.  Files are read, not mapped.
 */

#define TENSORS_HEADER	((size_t)100000000)
#define TENSORS_DIMS	8

enum tensor_type {
	TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_F64, TENSOR_I64,
	TENSOR_I32, TENSOR_U8, TENSOR_OTHER
};

struct tensor {
	const char *name;
	enum tensor_type type;
	const char *dtype;
	unsigned bits;			/* of an element */
	unsigned ndims;
	uint64_t shape[TENSORS_DIMS];
	uint64_t count, from, to;	/* elements; bytes in the data */
	int fd;
	uint64_t data;			/* where the file's data begin */
};

struct tensors {
	struct tensor *v;		/* by name */
	size_t n;
	struct view metadata;		/* of the (last) file, or empty */
};

/* tensors_parse - a header for a file of `size` bytes in all; it need not
 * outlive the call */
int tensors_parse(struct arena *, struct view header, uint64_t size,
    struct tensors *, struct err *);

/* tensors_open - one file below a directory; closed with the arena */
int tensors_open(struct arena *, int at, const char *path, struct tensors *,
    struct err *);

/* tensors_model - model.safetensors, or the shards that its index names */
int tensors_model(struct arena *, int at, struct tensors *, struct err *);

const struct tensor *tensors_find(const struct tensors *, const char *name);

/* tensor_shape - "[2,3]" for messages */
const char *tensor_shape(struct arena *, const struct tensor *);

/* tensor_read - all elements as floats; a damaged file is told */
int tensor_read(const struct tensor *, float *, struct err *);

/* tensors_print - a header: names, shapes and dtype F32 in the order given,
 * padded with blanks; data follow in the same order.  metadata: an object */
struct tensor_out {
	const char *name;
	unsigned ndims;
	uint64_t shape[TENSORS_DIMS];
};

void tensors_print(struct buf *, const struct tensor_out *, size_t n,
    struct view metadata);

#endif
