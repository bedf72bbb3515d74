/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include "appliance/base/base.h"

#include <stdlib.h>

/* tap.h - what a test program prints: one line a case, and a plan at the end */

static int tap_cases, tap_failures;

/* tap - one case; says what it is either way */
static inline void BASE_PRINTF(2, 3)
tap(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++tap_cases);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	tap_failures += !ok;
}

/* tap_str - are two texts the same; shows both if not */
static inline void
tap_str(const char *got, const char *want, const char *name)
{
	bool ok = strcmp(got, want) == 0;

	tap(ok, "%s", name);
	if (!ok)
		printf("# got:  %s\n# want: %s\n", got, want);
}

/* tap_dir - the path of a new directory, below TMPDIR if there is one; four of
 * them at a time */
static inline const char *
tap_dir(void)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(paths[0]), "%.200s/quern-test-XXXXXX", tmp == NULL ?
	    "/tmp" : tmp);
	if (mkdtemp(path) == NULL) {
		printf("Bail out! no directory %s\n", path);
		exit(1);
	}
	return path;
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_cases);
	return tap_failures > 0;
}

#endif
