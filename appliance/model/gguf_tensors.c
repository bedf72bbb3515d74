/* SPDX-License-Identifier: Apache-2.0 */
/* the tensors of a GGUF file as Hugging Face has them */
#include "appliance/base/base.h"
#include "appliance/model/gguf_arch.h"
#include "appliance/model/gguf_model.h"

#define EXPERTS_MAX	1024
#define EXPERT_LEAST	256		/* numbers; so that a short file cannot
					 * claim a great many */

/* take_change - what is to be done to a tensor, if its shape allows it */
static int
take_change(const struct gguf_name *n, const double heads[2],
    struct tensor *t, struct err *e)
{
	unsigned H = (unsigned)heads[n->keys], of = n->change ==
	    TENSOR_HALVED ? 2 * H : 3 * H;

	if (n->change == TENSOR_TURNED && t->ndims != 2)
		return err_set(e, FATE_REJECT, "tensor '%s' is no matrix",
		    t->name);
	if ((n->change == TENSOR_HALVED || n->change == TENSOR_BY_HEAD) &&
	    (t->ndims == 0 || of == 0 || t->shape[0] % of != 0))
		return err_set(e, FATE_REJECT, "tensor '%s' cannot be shared "
		    "by %u heads", t->name, H);
	tensor_changed(t, n->change, H);
	return 0;
}

/* take_experts - a tensor for each expert of the one in the file */
static int
take_experts(struct arena *a, const struct gguf_arch *arch,
    const char *name, const struct tensor *all, struct tensors *t,
    struct err *e)
{
	size_t E = all->ndims == 3 ? (size_t)all->shape[0] : 0;
	uint64_t bytes;

	if (E == 0 || E > EXPERTS_MAX || all->count / E < EXPERT_LEAST)
		return err_set(e, FATE_REJECT, "tensor '%s' is not the "
		    "matrices of 1 to %d experts", name, EXPERTS_MAX);
	bytes = (all->to - all->from) / E;
	for (size_t i = 0; i < E; i++) {
		struct tensor *one = &t->v[t->n++];
		size_t expert = i;

		*one = *all;
		gguf_name(a, arch, name, true, &expert, &one->name);
		one->ndims = 2;
		one->shape[0] = all->shape[1];
		one->shape[1] = all->shape[2];
		one->count = all->count / E;
		one->from = all->from + i * bytes;
		one->to = one->from + bytes;
	}
	return 0;
}

/* take_tensor - shape the other way round, name and order of rows */
static int
take_tensor(struct arena *a, const struct gguf_arch *arch,
    const struct gguf_tensor *from, const double heads[2],
    struct tensors *all, struct err *e)
{
	struct tensor t = { .fd = from->fd };
	size_t expert = 0;
	const struct gguf_name *n = gguf_name(a, arch, from->name, true,
	    &expert, &t.name);
	unsigned block, bytes;

	if (n == NULL)
		return err_set(e, FATE_REJECT, "tensor '%s' is none of "
		    "architecture '%s' that is known", from->name,
		    arch->arch);
	t.form = quant_form(from->form);
	t.dtype = gguf_form(from->form, &block, &bytes);
	t.ndims = from->ndims;
	for (unsigned i = 0; i < from->ndims; i++)
		t.shape[i] = from->shape[from->ndims - 1 - i];
	t.count = from->count;
	t.from = from->at;
	t.to = from->at + from->bytes;
	if (gguf_has_all(n))
		return take_experts(a, arch, from->name, &t, all, e);
	if (strcmp(n->gguf, GGUF_SHARED_GATE) == 0 && t.ndims == 1) {
		t.shape[1] = t.shape[0];
		t.shape[0] = 1;
		t.ndims = 2;
	}
	if (take_change(n, heads, &t, e) == -1)
		return -1;
	all->v[all->n++] = t;
	return 0;
}

/* experts_in - how many a tensor may have */
static size_t
experts_in(const struct gguf_tensor *t)
{
	return t->ndims == 3 && t->shape[2] <= EXPERTS_MAX && t->count /
	    t->shape[2] >= EXPERT_LEAST ? (size_t)t->shape[2] : 1;
}

/* is_table - of frequencies, which config.json tells */
static bool
is_table(const char *name)
{
	return strncmp(name, "rope_f", 6) == 0;
}

int
gguf_tensors(struct arena *a, const struct gguf *g, struct tensors *t,
    struct err *e)
{
	const struct gguf_arch *arch = gguf_arch_in(a, g, e);
	double heads[2] = { 0, 0 };
	size_t most = 0;

	if (arch == NULL)
		return -1;
	gguf_number(g, arena_printf(a, "%s.attention.head_count", arch->arch),
	    &heads[0]);
	heads[1] = heads[0];
	gguf_number(g, arena_printf(a, "%s.attention.head_count_kv",
	    arch->arch), &heads[1]);
	if (!(heads[0] >= 0 && heads[0] < 65536 && heads[1] >= 0 &&
	    heads[1] < 65536))
		return err_set(e, FATE_REJECT, "the number of heads is out of "
		    "all proportion");
	*t = (struct tensors){ .metadata = { "", 0 } };
	for (size_t i = 0; i < g->ntensors; i++)
		most += experts_in(&g->tensor[i]);
	t->v = arena_array(a, most, sizeof(*t->v));
	for (size_t i = 0; i < g->ntensors; i++)
		if (!is_table(g->tensor[i].name) && take_tensor(a, arch,
		    &g->tensor[i], heads, t, e) == -1)
			return -1;
	tensors_sort(t);
	return 0;
}
