/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ARENA_CHUNK	((size_t)1 << 10)
#define HUGE_PAGE	((size_t)2 << 20)
#define ARENA_KEEP	((size_t)4 << 20)	/* a reset keeps up to this */

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(16) char data[];
};

struct closer {
	struct closer *next;
	void (*call)(void *);
	void *arg;
};

struct arena {
	struct chunk *chunks;		/* the first is filled */
	struct closer *closers;
	size_t size;
};

void *
mem_alloc(size_t n)
{
	void *p = calloc(1, n == 0 ? 1 : n);

	if (p == NULL)
		msg_fatal(75, "out of memory for %zu bytes", n);
	return p;
}

void *
mem_table(size_t n)
{
	char *p = mem_alloc(n);
	uintptr_t at = (uintptr_t)p;
	size_t skip = (size_t)(-at & (HUGE_PAGE - 1));

	/* fewer pages, so that one's address is seldom looked up in vain */
	if (n > skip + HUGE_PAGE)
		(void)madvise(p + skip, (n - skip) & ~(HUGE_PAGE - 1),
		    MADV_HUGEPAGE);
	return p;
}

void *
mem_grow(void *old, size_t n)
{
	void *p = realloc(old, n == 0 ? 1 : n);

	if (p == NULL)
		msg_fatal(75, "out of memory for %zu bytes", n);
	return p;
}

void
mem_free(void *p)
{
	free(p);
}

/* chunk_new - a chunk that holds at least n bytes */
static struct chunk *
chunk_new(size_t n, struct chunk *next)
{
	struct chunk *c;

	if (n > SIZE_MAX - sizeof(*c))
		msg_fatal(75, "out of memory for %zu bytes", n);
	c = mem_grow(NULL, sizeof(*c) + n);
	c->next = next;
	c->size = n;
	c->used = 0;
	return c;
}

struct arena *
arena_new(void)
{
	return mem_alloc(sizeof(struct arena));
}

/* arena_close - run the closers, newest first */
static void
arena_close(struct arena *a)
{
	struct closer *c;

	while ((c = a->closers) != NULL) {
		a->closers = c->next;
		c->call(c->arg);
	}
}

void
arena_reset(struct arena *a)
{
	struct chunk *c, *next, *keep = NULL;

	arena_close(a);
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		if (c->size <= ARENA_KEEP &&
		    (keep == NULL || c->size > keep->size)) {
			free(keep);
			keep = c;
		} else
			free(c);
	}
	if (keep != NULL) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->chunks = keep;
	a->size = keep == NULL ? 0 : keep->size;
}

void
arena_free(struct arena *a)
{
	struct chunk *c, *next;

	if (a == NULL)
		return;
	arena_close(a);
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

/*
 * arena_alloc - chunks double up to 1 MiB, so a batch arena settles after a
 * few batches on one chunk that a reset keeps
 */
void *
arena_alloc(struct arena *a, size_t n)
{
	struct chunk *c = a->chunks;
	size_t want;
	void *p;

	if (n > SIZE_MAX - 15)
		msg_fatal(75, "out of memory for %zu bytes", n);
	n = (n + 15) & ~(size_t)15;
	if (c == NULL || c->size - c->used < n) {
		want = c == NULL ? ARENA_CHUNK : c->size * 2;
		if (want > ((size_t)1 << 20))
			want = (size_t)1 << 20;
		if (want < n)
			want = n;
		c = a->chunks = chunk_new(want, c);
		a->size += want;
	}
	p = c->data + c->used;
	c->used += n;
	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		msg_fatal(75, "out of memory for %zu x %zu", count, size);
	return arena_alloc(a, n);
}

void *
arena_copy(struct arena *a, const void *from, size_t n)
{
	void *p = arena_alloc(a, n);

	if (n > 0)
		memcpy(p, from, n);
	return p;
}

char *
arena_strn(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(p, s, n);
	return p;
}

char *
arena_str(struct arena *a, const char *s)
{
	return arena_strn(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		panic("bad format '%s'", fmt);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

void *
arena_grow(struct arena *a, const void *old, size_t have, size_t want,
    size_t size)
{
	char *p = arena_array(a, want, size);

	if (have > 0)
		memcpy(p, old, have * size);
	return p;
}

void
arena_defer(struct arena *a, void (*call)(void *), void *arg)
{
	struct closer *c = arena_alloc(a, sizeof(*c));

	c->next = a->closers;
	c->call = call;
	c->arg = arg;
	a->closers = c;
}

size_t
arena_size(const struct arena *a)
{
	return a->size;
}
