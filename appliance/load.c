/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* load_trusted - is it ours or root's, and can nobody else write it */
static int
load_trusted(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return err_errno(e, "cannot stat '%s'", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & S_IWOTH) ||
	    ((st.st_mode & S_IWGRP) && st.st_gid != 0 &&
	    st.st_gid != getegid()))
		return err_set(e, FATE_PERM, "'%s' is refused: others can "
		    "write it", path);
	return 0;
}

int
load_names(struct arena *a, char ***names, size_t *n, struct err *e)
{
	const char *dir = arena_printf(a, "%s/modules", file_library(a));
	size_t all, kept = 0, len;

	if (file_list(a, AT_FDCWD, dir, names, &all, e) == -1)
		return -1;
	for (size_t i = 0; i < all; i++) {
		len = strlen((*names)[i]);
		if (len < 4 || strcmp((*names)[i] + len - 3, ".so") != 0)
			continue;
		(*names)[i][len - 3] = '\0';
		(*names)[kept++] = (*names)[i];
	}
	*n = kept;
	return 0;
}

/* load_missing - there is none of that name: say which comes nearest */
static void
load_missing(struct arena *a, const char *name, struct err *e)
{
	const char *near = NULL;
	unsigned d, least = 3;
	struct err ignored;
	char **names;
	size_t n = 0;

	if (load_names(a, &names, &n, &ignored) == -1)
		n = 0;
	for (size_t i = 0; i < n; i++)
		if ((d = name_distance(names[i], name)) < least) {
			least = d;
			near = names[i];
		}
	if (near != NULL)
		err_set(e, FATE_REJECT, "no module '%s' (did you mean '%s'?)",
		    name, near);
	else
		err_set(e, FATE_REJECT, "no module '%s'", name);
}

const struct module *
load_module(struct arena *a, const char *name, struct err *e)
{
	const struct module *m;
	const char *path, *dir;
	void *so;

	if (!name_valid(name, strlen(name))) {
		err_set(e, FATE_REJECT, "'%s' is no module's name", name);
		return NULL;
	}
	dir = arena_printf(a, "%s/modules", file_library(a));
	path = arena_printf(a, "%s/%s.so", dir, name);
	if (!file_exists(AT_FDCWD, path)) {
		load_missing(a, name, e);
		return NULL;
	}
	if (load_trusted(dir, e) == -1 || load_trusted(path, e) == -1)
		return NULL;
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	m = so == NULL ? NULL : dlsym(so, "module");
	if (m == NULL)
		err_set(e, FATE_REJECT, "module '%s' cannot be loaded: %s",
		    name, dlerror());
	else if (m->abi != MODULE_ABI || strcmp(m->name, name) != 0)
		err_set(e, FATE_REJECT, "module '%s' is of ABI %u, this is %u",
		    name, m->abi, MODULE_ABI);
	else
		return m;
	return NULL;
}
