/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/format.h"
#include "modules/ingest/unpack.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* archives, tables, manual pages, HTML: the first byte chooses */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct view v = { (const char *)p + 1, n - 1 }, title, *field;
	struct table t = { .separator = ',', .quotes = true };
	struct lines l;
	struct unpack *u;
	struct err e;
	char buf[4096];
	int64_t at;
	int fd, more = 1000;

	if (n > 0 && p[0] % 4 == 0)
		format_man(a, v);
	else if (n > 0 && p[0] % 4 == 1)
		format_html(a, v, &title);
	else if (n > 0) {
		fd = memfd_create("fuzz", 0);
		if (file_put(fd, v.p, v.n) == -1 || lseek(fd, 0, SEEK_SET))
			return 0;
		u = unpack_open(a, fd, "fuzz", &e);
		if (u != NULL && p[0] % 4 == 2) {
			while (more-- > 0 && unpack_read(u, buf,
			    sizeof(buf)) > 0)
				continue;
		} else if (u != NULL) {
			lines_open(&l, unpack_read, u, 4096);
			t.lines = &l;
			while (more-- > 0 && table_row(&t, a, &field, &at,
			    &e) > 0)
				continue;
			lines_close(&l);
		}
		format_guess("x", v);
	}
	arena_free(a);
	return 0;
}
