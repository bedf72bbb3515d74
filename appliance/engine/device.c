/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/engine/device.h"
#include "kernels/drop.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>

/* the table is pointers from alloc on, in this order */
static const char *const op_names[] = {
	"alloc", "release", "put", "get", "fill", "precision",
	"gemm", "bias", "bias_grad", "add", "embed", "embed_grad",
	"layernorm", "layernorm_grad",
	"rmsnorm", "rmsnorm_grad", "headnorm", "headnorm_grad", "rope",
	"add_norm", "headnorm_rope", "headnorm_rope_grad",
	"attend", "attend_grad", "softmax", "softmax_grad", "act",
	"act_grad", "glu", "glu_grad",
	"weigh", "weigh_grad", "classify", "distill", "adamw", "sumsq",
	"gemm_part", "mix", "dropout", "dora_norm", "dora_turn",
	"dora_turn_grad",
	"packed_size", "pack", "product", "store", "look", "softcap",
	"widen", "narrow", "round",
	"quant_size", "quant_pack", "quant_product", "quant_embed",
	"store_half", "look_half",
	"halves", "classify_part", "distill_part",
	"graph_begin", "graph_end", "told", "chosen", "choose", "on_loss",
};

#define FIRST_OP	offsetof(struct kernels, alloc)
#define MAY_LACK	15		/* the last ones: kernel.h says so */

_Static_assert(sizeof(struct kernels) - FIRST_OP ==
    BASE_COUNT(op_names) * sizeof(void (*)(void)),
    "op_names must name every operation of the table");

const char *
device_missing(const struct kernels *k)
{
	void (*op)(void);

	for (size_t i = 0; i < BASE_COUNT(op_names) - MAY_LACK; i++) {
		memcpy(&op, (const char *)k + FIRST_OP + i * sizeof(op),
		    sizeof(op));
		if (op == NULL)
			return op_names[i];
	}
	return NULL;
}

/* device_load - the shared object's table */
static const struct kernels *
device_load(struct arena *a, const char *name, struct err *e)
{
	const char *path = arena_printf(a, "%s/kernels/%s.so",
	    file_library(a), name);
	const struct kernels *(*table)(void);
	const struct kernels *k;
	void *so;

	if (!file_exists(AT_FDCWD, path)) {
		err_set(e, FATE_REJECT, "this quern was built without the "
		    "device '%s'", name);
		return NULL;
	}
	/* its own threads would fight with ours for the same cores */
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so == NULL) {
		err_set(e, FATE_REJECT, "device '%s' cannot be loaded: %s",
		    name, dlerror());
		return NULL;
	}
	*(void **)&table = dlsym(so, "kernels");
	k = table == NULL ? NULL : table();
	if (k == NULL || k->abi != KERNEL_ABI) {
		err_set(e, FATE_REJECT, "device '%s' is of another version",
		    name);
		return NULL;
	}
	return k;
}

static void
device_close(void *arg)
{
	struct device *d = arg;

	d->k->close(d->dev);
}

struct device *
device_open(struct arena *a, const char *name, int number, struct err *e)
{
	struct device *d = arena_alloc(a, sizeof(*d));
	char why[256] = "";

	d->k = device_load(a, name, e);
	if (d->k == NULL)
		return NULL;
	d->dev = d->k->open(number, why, sizeof(why));
	if (d->dev == NULL) {
		err_set(e, FATE_RETRY, "device '%s' cannot be opened: %s",
		    name, why);
		return NULL;
	}
	arena_defer(a, device_close, d);
	return d;
}

struct device *
device_for(struct arena *a, const char *gpus, int threads, struct err *e)
{
	struct device *d;
	const char *missing;

	if (gpus == NULL || *gpus == '\0')
		return device_open(a, "cpu", threads, e);
	d = device_open(a, "cuda", atoi(gpus), e);
	missing = d == NULL ? NULL : device_missing(d->k);
	if (missing != NULL) {
		err_set(e, FATE_REJECT, "device 'cuda' has no '%s' yet: ask "
		    "for no GPU", missing);
		return NULL;
	}
	return d;
}

uint64_t
device_draws(uint64_t key, uint64_t first)
{
	return drop_from(key, first);
}
