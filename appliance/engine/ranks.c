/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/engine/ranks.h"

#include <dlfcn.h>
#include <fcntl.h>

/* ranks_load - the shared object's table */
static const struct ranks_table *
ranks_load(struct arena *a, const char *name, struct err *e)
{
	const char *path = arena_printf(a, "%s/kernels/ranks-%s.so",
	    file_library(a), name);
	const struct ranks_table *(*table)(void), *t;
	void *so;

	if (!file_exists(AT_FDCWD, path)) {
		err_set(e, FATE_REJECT, "this quern was built without "
		    "ranks=%s", name);
		return NULL;
	}
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (so == NULL) {
		err_set(e, FATE_REJECT, "ranks=%s cannot be loaded: %s", name,
		    dlerror());
		return NULL;
	}
	*(void **)&table = dlsym(so, "ranks");
	t = table == NULL ? NULL : table();
	if (t == NULL || t->abi != RANKS_ABI) {
		err_set(e, FATE_REJECT, "ranks=%s is of another version",
		    name);
		return NULL;
	}
	return t;
}

void
ranks_alone(struct ranks *r)
{
	*r = (struct ranks){ .at = { .size = 1, .here = 1 } };
}

int
ranks_open(struct arena *a, const char *name, struct ranks *r, struct err *e)
{
	char why[256] = "";

	ranks_alone(r);
	r->t = ranks_load(a, name, e);
	if (r->t == NULL)
		return -1;
	r->own = r->t->open(&r->at, why, sizeof(why));
	if (r->own == NULL)
		return err_set(e, FATE_RETRY, "ranks=%s cannot be opened: %s",
		    name, why);
	return 0;
}

void
ranks_close(struct ranks *r)
{
	if (r->t != NULL)
		r->t->close(r->own);
	ranks_alone(r);
}
