/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_GGUF_H
#define TEXT_GGUF_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * gguf.h - the container GGUF, versions 2 and 3, little-endian: keys with
 * typed values, then tensors' names, shapes, types and places, then their data.
 * All of the header is tested before anything of it is handed out: counts and
 * lengths against the bytes that are there, depth of arrays, no key or tensor
 * twice, shapes that do not overflow, rows of whole blocks, data inside the
 * file, aligned, and no two in one place.  An error says at which byte.
 */

#define GGUF_HEADER	((size_t)512 << 20)	/* bytes before the data */
#define GGUF_DIMS	4
#define GGUF_NAME	64			/* of a tensor, with its NUL */
#define GGUF_DEPTH	4			/* arrays in arrays */

enum gguf_type {				/* of a value */
	GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32,
	GGUF_BOOL, GGUF_TEXT, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
	GGUF_TYPES
};

enum gguf_form {				/* of a tensor's numbers */
	GGUF_FORM_F32 = 0, GGUF_FORM_F16 = 1, GGUF_FORM_Q4_0 = 2,
	GGUF_FORM_Q4_1 = 3, GGUF_FORM_Q5_0 = 6, GGUF_FORM_Q5_1 = 7,
	GGUF_FORM_Q8_0 = 8, GGUF_FORM_Q2_K = 10, GGUF_FORM_Q3_K = 11,
	GGUF_FORM_Q4_K = 12, GGUF_FORM_Q5_K = 13, GGUF_FORM_Q6_K = 14,
	GGUF_FORM_IQ4_NL = 20, GGUF_FORM_IQ4_XS = 23, GGUF_FORM_I32 = 26,
	GGUF_FORM_F64 = 28, GGUF_FORM_BF16 = 30, GGUF_FORM_MXFP4 = 39
};

struct gguf_array {
	enum gguf_type type;			/* of its elements */
	uint64_t n;
	struct view raw;			/* the elements one by one */
};

struct gguf_key {
	struct view name;
	enum gguf_type type;
	struct view raw;	/* the value; a text without its length */
	struct gguf_array array;		/* of GGUF_ARRAY */
};

struct gguf_tensor {
	const char *name;
	unsigned form, ndims;		/* form: enum gguf_form or another */
	uint64_t shape[GGUF_DIMS];		/* [0]: side by side */
	uint64_t count, at, bytes;		/* at: from the file's begin */
	int fd;					/* -1: from memory */
};

struct gguf {
	unsigned version;
	uint64_t align, data;			/* data: where they begin */
	struct gguf_key *key;			/* in the file's order */
	size_t nkeys;
	struct gguf_tensor *tensor;		/* in the file's order */
	size_t ntensors;
	const struct gguf_key **by_name;	/* the keys */
};

/* gguf_parse - head: a file's first bytes, at least its header, which must
 * outlive what is returned; size: of the whole file */
int gguf_parse(struct arena *, struct view head, uint64_t size, struct gguf *,
    struct err *);

/* gguf_open - a file below a directory, or `at` itself if path is NULL; closed
 * with the arena */
int gguf_open(struct arena *, int at, const char *path, struct gguf *,
    struct err *);

/* gguf_shard - is it a file's name as one of several; gguf_shards - all of
 * them, from the first one's name: its keys, and everyone's tensors */
bool gguf_shard(const char *name, unsigned *number, unsigned *of);
int gguf_shards(struct arena *, int dir, const char *first, struct gguf *,
    struct err *);

/* gguf_is - do a file's first bytes say GGUF */
bool gguf_is(struct view file);

/* gguf_read - n bytes of a tensor's data from `from` on */
int gguf_read(const struct gguf_tensor *, uint64_t from, void *, size_t n,
    struct err *);

/* gguf_form - an id's name, its numbers to a block and bytes; NULL: unknown */
const char *gguf_form(unsigned form, unsigned *block, unsigned *bytes);

/*
 * Values by key: false if it is absent or of another type.  gguf_whole takes
 * any integer type, gguf_number those and floats, gguf_array an array of texts
 * (GGUF_TEXT), of bools, of integers (any, say GGUF_I64) or of numbers (any,
 * say GGUF_F64).
 */
const struct gguf_key *gguf_find(const struct gguf *, const char *name);
bool gguf_text(const struct gguf *, const char *name, struct view *);
bool gguf_whole(const struct gguf *, const char *name, int64_t *);
bool gguf_number(const struct gguf *, const char *name, double *);
bool gguf_bool(const struct gguf *, const char *name, bool *);
bool gguf_array(const struct gguf *, const char *name, enum gguf_type,
    struct gguf_array *);

/* gguf_next - the next text of an array of texts; *rest begins as array.raw */
bool gguf_next(struct view *rest, struct view *text);

/* gguf_at - element i of an array of numbers or bools */
double gguf_at(const struct gguf_array *, uint64_t i);
int64_t gguf_whole_at(const struct gguf_array *, uint64_t i);

#endif
