/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_CONVERT_H
#define MODEL_CONVERT_H

#include "appliance/model/prune.h"
#include "appliance/model/source.h"

/*
 * convert.h - a source written in another format or in other numbers, tensor
 * by tensor: the memory is that of the largest as floats, twice.  What is
 * written is flushed; a caller removes what an error leaves.
 *
 * form NULL keeps numbers without loss: as they are where the format can say
 * them, else as F32.  In a directory all numbers become `form`, which is F32,
 * F16 or BF16.  In a GGUF file vectors, GPT-2's table of places and what
 * chooses experts are F32;
 * matrices are `form`, or what quant_of says where their rows are no whole
 * blocks; the table of words and the head are Q8_0 where others are of four
 * bits, since their errors meet every word.
 * With `prune` matrices lose weights before they are written.
 */

struct loss {				/* by rounding */
	uint64_t numbers, tensors;	/* that were rounded */
	double squares, lost;		/* sums: of squares, of errors' */
	double worst;			/* the largest error */
	const char *where;		/* its tensor */
};

struct convert {
	struct arena *arena;
	const struct source *source;
	const struct quant *form;
	struct prune *prune;		/* or NULL */
	const struct tensor *only;	/* of the source: the one that form and
					 * prune are for; NULL: all */
	unsigned pool;			/* BERT in GGUF: its pooling_type; 0:
					 * is not said */
	uint64_t max_shard;		/* bytes of tensors in a file; 0: any */
	uint64_t numbers, bytes;	/* out: in all tensors */
	struct loss loss;
};

/* convert_directory - config.json, model.safetensors or shards with their
 * index, and what the source has of a tokenizer, into an empty directory;
 * files: a source's own directory, whose other files are kept (-1: none) */
int convert_directory(struct convert *, int files, int to, struct err *);

/* convert_pool - how a source makes embeddings, if it does; files: as above.
 * To be asked before convert_gguf */
int convert_pool(struct convert *, int files, struct shape_head *,
    struct err *);

/* convert_gguf - one file below a directory */
int convert_gguf(struct convert *, int to, const char *name, struct err *);

/* convert_llama2c - a .bin file of llama2.c: legacy with floats (form NULL or
 * F32), or version 2 with bytes and a scale for each 64 (form Q8_0); models of
 * Llama's family as that program computes it */
int convert_llama2c(struct convert *, int to, const char *name, struct err *);

/* convert_asked - the form that a tensor is to have; NULL: without loss */
const struct quant *convert_asked(const struct convert *,
    const struct tensor *);

/* convert_size - bytes that a tensor has in a form; convert_form - what one
 * becomes in a GGUF file */
uint64_t convert_size(const struct tensor *, const struct quant *);
const struct quant *convert_form(const struct convert *,
    const struct tensor *);

/* convert_tensor - one tensor's bytes to a descriptor, in a form; NULL: as the
 * file has them */
int convert_tensor(struct convert *, int fd, const struct tensor *,
    const struct quant *, struct err *);

#endif
