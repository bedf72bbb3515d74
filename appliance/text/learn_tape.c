/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_tape.h"

#include <errno.h>
#include <unistd.h>

#define CHUNK	((size_t)1 << 18)	/* bytes that are read or written */

struct head {
	uint32_t n, zero;
	int64_t count;
};

struct tape *
tape_new(struct arena *a, int file, off_t from)
{
	struct tape *t = arena_alloc(a, sizeof(*t));

	t->file = file;
	t->from = t->to = t->in = t->out = from;
	buf_init(&t->read, (size_t)UINT32_MAX * 4);
	buf_init(&t->write, (size_t)UINT32_MAX * 4);
	arena_defer(a, buf_free, &t->read);
	arena_defer(a, buf_free, &t->write);
	return t;
}

/* tape_flush - what waits to be written */
static int
tape_flush(struct tape *t, struct err *e)
{
	for (size_t done = 0; done < t->write.n; ) {
		ssize_t n = pwrite(t->file, t->write.p + done,
		    t->write.n - done, t->out);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(e, "cannot write words to a file");
		done += (size_t)n;
		t->out += n;
	}
	t->write.n = 0;
	return 0;
}

int
tape_put(struct tape *t, const struct tape_word *w, struct err *e)
{
	struct head h = { w->n, 0, w->count };

	if (t->out == t->from && t->write.n == 0)
		t->words = t->symbols = 0;
	buf_add(&t->write, &h, sizeof(h));
	buf_add(&t->write, w->symbol, w->n * sizeof(*w->symbol));
	t->words++;
	t->symbols += w->n;
	return t->write.n < CHUNK ? 0 : tape_flush(t, e);
}

/* tape_fill - n bytes of the file to be read */
static int
tape_fill(struct tape *t, size_t n, struct err *e)
{
	size_t left = t->read.n - t->at, want = n > CHUNK ? n : CHUNK;
	ssize_t got;

	if (left >= n)
		return 0;
	if (left > 0)
		memmove(t->read.p, t->read.p + t->at, left);
	t->at = 0;
	t->read.n = left;
	if ((off_t)(want - left) > t->to - t->in)
		want = left + (size_t)(t->to - t->in);
	buf_reserve(&t->read, want - left);
	while (t->read.n < want) {
		got = pread(t->file, t->read.p + t->read.n, want - t->read.n,
		    t->in);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_errno(e, "cannot read words from a file");
		t->read.n += (size_t)got;
		t->in += got;
	}
	return t->read.n >= n ? 0 : err_set(e, FATE_RETRY, "a file of words "
	    "is cut off");
}

int
tape_next(struct tape *t, struct tape_word *w, struct err *e)
{
	struct head h;

	if (t->at == t->read.n && t->in == t->to)
		return 0;
	if (tape_fill(t, sizeof(h), e) == -1)
		return -1;
	memcpy(&h, t->read.p + t->at, sizeof(h));
	t->at += sizeof(h);
	if (tape_fill(t, h.n * sizeof(*w->symbol), e) == -1)
		return -1;
	*w = (struct tape_word){ h.count, h.n,
	    (uint32_t *)(void *)(t->read.p + t->at) };
	t->at += h.n * sizeof(*w->symbol);
	return 1;
}

void
tape_back(struct tape *t)
{
	t->read.n = t->at = 0;
	t->in = t->out = t->from;
}

int
tape_turn(struct tape *t, struct err *e)
{
	if (t->out == t->from && t->write.n == 0)
		t->words = t->symbols = 0;
	if (tape_flush(t, e) == -1)
		return -1;
	t->to = t->out;
	tape_back(t);
	return 0;
}
