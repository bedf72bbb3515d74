/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "spool/ticket.h"
#include "tests/fuzz/dir.h"

/* entry, ticket and state files: parts of the input between 0xff bytes */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "entry", "ticket", "state" };
	int dir = fuzz_dir();
	struct job *j;
	struct err e;

	if (dir == -1)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *end = memchr(p, 0xff, n);
		size_t len = end == NULL || i == 2 ? n : (size_t)(end - p);

		file_replace(dir, names[i], (struct view){ (const char *)p,
		    len }, 0600, false, &e);
		p += len + (len < n);
		n -= len + (len < n);
	}
	j = ticket_load(dir, "20260101-000000-00000000", PLACE_QUEUE, &e);
	if (j != NULL) {
		ticket_save(j, dir, &e);
		ticket_free(j);
	}
	return 0;
}
