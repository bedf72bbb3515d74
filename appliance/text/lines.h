/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LINES_H
#define TEXT_LINES_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

#include <sys/types.h>

/*
 * lines.h - lines of a stream, each at most max bytes.  A longer one is told as
 * such and reading goes on behind its end, with bounded memory.  CR before LF
 * is cut off; a last line without LF counts.
 */

struct lines {
	ssize_t (*read)(void *arg, void *p, size_t n);	/* -1 with errno */
	void *arg;
	size_t max;
	char *p;			/* the buffer, lines_close frees it */
	size_t at, n, cap;
	int64_t offset;			/* of the next line, in the stream */
	int64_t number;			/* of the last line, from 1 */
	bool ended;
};

enum { LINES_END, LINES_LINE, LINES_LONG, LINES_ERROR };

void lines_open(struct lines *, ssize_t (*)(void *, void *, size_t), void *arg,
    size_t max);
void lines_close(void *);

/* lines_next - the view is good until the next call; *offset is where it began
 * (for LINES_LONG the view is empty) */
int lines_next(struct lines *, struct view *, int64_t *offset);

/* lines_fd - a read function for a descriptor; arg points to it */
ssize_t lines_fd(void *arg, void *p, size_t n);

#endif
