/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SOURCE_H
#define MODEL_SOURCE_H

#include "appliance/base/hash.h"
#include "appliance/engine/tensors.h"
#include "appliance/model/shape.h"
#include "appliance/text/gguf.h"

/*
 * source.h - a model as it arrives, whatever it comes in, as a config.json,
 * tensors by Hugging Face's names, and the files of its tokenizer:
 *
 *   a directory   config.json, model.safetensors or shards, a tokenizer's file;
 *                 or no config.json but one .gguf file, or all the parts of
 *                 one (-00001-of-00003.gguf)
 *   a .gguf file  gguf_model.h
 *   a .bin file   llama2.c's: legacy, version 1, and version 2 (bytes with a
 *                 scale for each group of them); it has no tokenizer
 */

enum source_kind { SOURCE_DIRECTORY, SOURCE_GGUF, SOURCE_LLAMA2C };

struct source {
	enum source_kind kind;
	struct view config;			/* config.json */
	struct tensors tensors;
	const char *tokenizer_name;		/* NULL: there is none */
	struct view tokenizer_file;
	struct hash tokenizer_hash;
	struct view tokenizer_config;		/* or empty */
	struct view spm;			/* tokenizer.model beside it */
	struct view chat_template;		/* the .jinja, or empty */
	struct gguf gguf;			/* of SOURCE_GGUF */
};

/* source_open - at: a directory or an open file.  All of it lives in the arena;
 * tensors are read from files that stay open with it.  images: as vocab_read
 * has them, or -1.  shape: unless NULL, the model must be one that is computed,
 * or is refused before tensors are looked at */
int source_open(struct arena *, int at, int images, struct source *,
    struct shape *shape, struct err *);

/* source_gguf_is - is it a GGUF file, or a directory of one, of this
 * architecture */
bool source_gguf_is(int at, const char *arch);

/* llama2c_open - config and tensors of a .bin file of `size` bytes, whose first
 * ones are head */
int llama2c_open(struct arena *, int fd, struct view head, uint64_t size,
    struct source *, struct err *);

#endif
