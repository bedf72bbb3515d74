/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/lines.h"

#include <errno.h>
#include <unistd.h>

#define LINES_BLOCK	((size_t)256 << 10)

ssize_t
lines_fd(void *arg, void *p, size_t n)
{
	ssize_t r;

	while ((r = read(*(const int *)arg, p, n)) == -1 && errno == EINTR)
		continue;
	return r;
}

void
lines_open(struct lines *l, ssize_t (*rd)(void *, void *, size_t), void *arg,
    size_t max)
{
	*l = (struct lines){ .read = rd, .arg = arg, .max = max };
	l->cap = LINES_BLOCK;
	l->p = mem_alloc(l->cap);
}

void
lines_close(void *arg)
{
	struct lines *l = arg;

	mem_free(l->p);
	l->p = NULL;
}

/* lines_more - read on behind what is there; 0 at the end, -1 */
static int
lines_more(struct lines *l)
{
	ssize_t r;

	if (l->ended)
		return 0;
	if (l->at > 0) {
		memmove(l->p, l->p + l->at, l->n - l->at);
		l->n -= l->at;
		l->at = 0;
	}
	if (l->n == l->cap) {
		l->cap *= 2;
		l->p = mem_grow(l->p, l->cap);
	}
	r = l->read(l->arg, l->p + l->n, l->cap - l->n);
	if (r == -1)
		return -1;
	l->ended = r == 0;
	l->n += (size_t)r;
	return r > 0;
}

/* lines_skip - drop bytes up to and with the next LF */
static int
lines_skip(struct lines *l)
{
	char *nl;
	int more;

	for (;;) {
		nl = memchr(l->p + l->at, '\n', l->n - l->at);
		if (nl != NULL) {
			l->offset += nl + 1 - (l->p + l->at);
			l->at = (size_t)(nl + 1 - l->p);
			return LINES_LONG;
		}
		l->offset += (int64_t)(l->n - l->at);
		l->at = l->n;
		more = lines_more(l);
		if (more == -1)
			return LINES_ERROR;
		if (more == 0)
			return LINES_LONG;
	}
}

int
lines_next(struct lines *l, struct view *v, int64_t *offset)
{
	size_t seen = 0, len;
	char *nl;
	int more;

	*offset = l->offset;
	*v = (struct view){ "", 0 };
	for (;;) {
		nl = memchr(l->p + l->at + seen, '\n', l->n - l->at - seen);
		seen = l->n - l->at;
		if (nl != NULL || seen > l->max)
			break;
		more = lines_more(l);
		if (more == -1)
			return LINES_ERROR;
		if (more == 0)
			break;
	}
	if (nl == NULL && seen == 0)
		return LINES_END;
	l->number++;
	len = nl == NULL ? seen : (size_t)(nl - (l->p + l->at));
	if (len > l->max)
		return lines_skip(l);
	*v = (struct view){ l->p + l->at, len };
	l->at += len + (nl != NULL);
	l->offset += (int64_t)(len + (nl != NULL));
	if (v->n > 0 && v->p[v->n - 1] == '\r')
		v->n--;
	return LINES_LINE;
}
