/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TENSORS_H
#define ENGINE_TENSORS_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/engine/quant.h"

/*
 * tensors.h - safetensors files (huggingface/safetensors 0.4): u64 length of a
 * header, the header in JSON, the data.  Read with every rule of the format:
 * the header is an object, names are unique, tensors lie side by side from 0 to
 * the file's end, their sizes fit dtype and shape.  Files are read, not mapped.
 */

#define TENSORS_HEADER	((size_t)100000000)
#define TENSORS_DIMS	8

/* how a tensor of another format differs from Hugging Face's of its name */
enum tensor_change {
	TENSOR_SAME,
	TENSOR_TURNED,		/* the file has [columns, rows] */
	TENSOR_PAIRED,		/* rows of a head: channel i beside i + D/2 */
	TENSOR_HALVED,		/* the inverse: pairs to halves */
	TENSOR_BY_HEAD,		/* queries, keys, values: to those of a head */
	TENSOR_BY_KIND,		/* the inverse */
	TENSOR_LESS_ONE, TENSOR_PLUS_ONE	/* every number */
};

struct tensor {
	const char *name;
	const char *dtype;		/* as the file calls it */
	const struct quant *form;	/* NULL: cannot be read as numbers */
	unsigned ndims;
	uint64_t shape[TENSORS_DIMS];
	uint64_t count, from, to;	/* elements; bytes in the data */
	int fd;
	uint64_t data;			/* where the file's data begin */
	enum tensor_change change;	/* is done while it is read */
	unsigned heads;			/* of PAIRED to BY_KIND */
	uint64_t scales;		/* unless 0: where floats lie, */
	unsigned group;			/* one for each so many bytes */
	const float *values;		/* unless NULL: no file's, but these */
	struct tensor *part;		/* unless NULL: of these `parts`, one */
	unsigned parts;			/* behind the other */
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

/* tensors_sort - by name, after a list has been made by hand */
void tensors_sort(struct tensors *);

/* tensor_shape - "[2,3]" for messages */
const char *tensor_shape(struct arena *, const struct tensor *);

/* tensor_read - all elements as floats, changed as `change` says; a damaged
 * file is told.  tensor_changed - one more change to be done while reading:
 * none is there yet, or the one that it takes back.  tensor_back - a change's
 * inverse */
int tensor_read(const struct tensor *, float *, struct err *);
void tensor_changed(struct tensor *, enum tensor_change, unsigned heads);
enum tensor_change tensor_back(enum tensor_change);

/* tensors_print - a header: names, shapes and dtypes in the order given, padded
 * with blanks; data follow in the same order.  metadata: an object.  form: F32
 * if NULL; dtype: instead of it, for raw copies of `bytes` bytes */
struct tensor_out {
	const char *name;
	unsigned ndims;
	uint64_t shape[TENSORS_DIMS];
	const struct quant *form;
	const char *dtype;
	uint64_t bytes;
};

void tensors_print(struct buf *, const struct tensor_out *, size_t n,
    struct view metadata);

#endif
