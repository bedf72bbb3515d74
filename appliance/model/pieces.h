/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PIECES_H
#define MODEL_PIECES_H

#include "appliance/model/weights.h"

/* pieces.h - for pieces.c, encoder_pieces.c and t5_pieces.c: a list of tensors'
 * names */

struct pieces {
	struct arena *arena;
	struct piece *v;
	size_t n;
	const char *front;		/* of every name */
};

struct piece *pieces_add(struct pieces *, const char *name, size_t at,
    size_t rows, size_t cols);

/* pieces_norm - "name.weight" and, if there is one, "name.bias" */
void pieces_norm(struct pieces *, const struct shape *, const char *name,
    size_t at, size_t b, size_t n);

/* pieces_linear - a matrix and its bias, if there is one; from row `from` of
 * ours on */
struct piece *pieces_linear(struct pieces *, const char *name, size_t w,
    size_t b, size_t from, size_t rows, size_t cols);

/* encoder_pieces - of a whole encoder, after a front ("bert.", or "") that its
 * head has not */
void encoder_pieces(struct pieces *, const struct weights *,
    const char *front);

/* encoder_tensor - a file's, which may have BERT's old gamma and beta */
const struct tensor *encoder_tensor(struct arena *, const struct tensors *,
    const char *name);

/* encoder_spare - a tensor that files carry beside those of this head: another
 * head's, the pooler's, a table of places */
bool encoder_spare(const struct weights *, const char *name);

/* t5_pieces - of a whole encoder-decoder; t5_spare - tensors that files carry
 * beside those: copies of the token table, a bias that nothing reads */
void t5_pieces(struct pieces *, const struct weights *);
bool t5_spare(const char *name);

#endif
