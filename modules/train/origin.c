/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <unistd.h>

#define PIECE	((size_t)1 << 20)

/* add_tensor - its name and bytes, as they are in the file */
static int
add_tensor(struct hash_state *h, const struct tensor *x, char *piece,
    struct err *e)
{
	uint64_t at = x->data + x->from, end = x->data + x->to;
	ssize_t n;

	hash_word(h, x->name);
	if (x->values != NULL)		/* no file has them */
		hash_add(h, x->values, x->count * sizeof(*x->values));
	while (x->values == NULL && at < end) {
		n = pread(x->fd, piece, end - at < PIECE ? (size_t)(end - at) :
		    PIECE, (off_t)at);
		if (n == 0)
			return err_set(e, FATE_REJECT, "'%s' ends early",
			    x->name);
		if (n == -1)
			return err_errno(e, "cannot read '%s'", x->name);
		hash_add(h, piece, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

/* base_read - the hash of all that the base's files say */
static int
base_read(struct train *t, struct err *e)
{
	const struct tensors *all = &t->model.tensors;
	char *piece = mem_alloc(PIECE);
	struct hash_state h;
	int rc = 0;

	hash_begin(&h, NULL);
	hash_add(&h, t->model.config.p, t->model.config.n);
	for (size_t i = 0; rc == 0 && i < all->n; i++)
		rc = add_tensor(&h, &all->v[i], piece, e);
	mem_free(piece);
	t->origin.base = hash_end(&h);
	t->origin.read = rc == 0;
	return rc == 0 ? 0 : err_prefix(e, "'%s': ", t->conf->base);
}

/* add_tokens - with their number, so that no two lists are one */
static void
add_tokens(struct hash_state *h, const struct tokens *x)
{
	uint64_t n[2] = { x->n, x->nside };

	hash_add(h, n, sizeof(n));
	hash_add(h, x->v, x->n * sizeof(*x->v));
	hash_add(h, x->side, x->nside);
}

int
origin_of(struct train *t, struct err *e)
{
	struct buf *b = buf_new(t->stage->arena, (size_t)1 << 20);
	struct hash_state h;

	if (t->conf->base != NULL && !t->origin.read && base_read(t, e) == -1)
		return -1;
	hash_begin(&h, NULL);
	for (const struct opt *o = train_opts; o->name != NULL; o++) {
		if (o->flags & OPT_NOKEY)
			continue;
		b->n = 0;
		opt_value(o, t->conf, b);
		hash_word(&h, o->name);
		hash_word(&h, buf_cstr(b));
	}
	hash_add(&h, t->origin.base.b, HASH_LEN);
	add_tokens(&h, &t->train);
	add_tokens(&h, &t->valid);
	t->origin.run = hash_end(&h);
	return 0;
}
