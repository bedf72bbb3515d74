/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_DIR_H
#define TESTS_FUZZ_DIR_H

#include "appliance/base/base.h"
#include "appliance/base/file.h"

#include <fcntl.h>
#include <stdlib.h>

/* dir.h - a directory for what a fuzz target reads from files */

static char fuzz_path[64];

static inline void
fuzz_end(void)
{
	struct err e;

	file_remove(AT_FDCWD, fuzz_path, &e);
}

/* fuzz_dir - made at the first call, removed at the end; -1: it cannot be */
static inline int
fuzz_dir(void)
{
	static int dir = -1;
	const char *tmp = getenv("TMPDIR");
	struct err e;

	if (dir != -1)
		return dir;
	snprintf(fuzz_path, sizeof(fuzz_path), "%.40s/quern-fuzz-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(fuzz_path) == NULL)
		return -1;
	atexit(fuzz_end);
	dir = file_dir(AT_FDCWD, fuzz_path, &e);
	return dir;
}

#endif
