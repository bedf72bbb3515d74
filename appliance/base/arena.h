/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * arena.h - memory named by its lifetime: process, job, batch.
 *
 * A function that returns memory takes its arena first; nothing is freed one
 * by one.  What is not memory (descriptor, transaction, handle) is given to
 * the arena with a closer; closers run in reverse at reset and free.  Memory
 * is zeroed and aligned to 16 bytes.  Out of memory ends the process with 75
 * (the job is tried again), so no caller tests for NULL.  One arena belongs to
 * one thread at a time.
 */

struct arena;

struct arena *arena_new(void);
void arena_reset(struct arena *);
void arena_free(struct arena *);

void *arena_alloc(struct arena *, size_t);
void *arena_array(struct arena *, size_t count, size_t size);
void *arena_copy(struct arena *, const void *, size_t);
char *arena_str(struct arena *, const char *);
char *arena_strn(struct arena *, const char *, size_t);
char *arena_printf(struct arena *, const char *, ...) BASE_PRINTF(2, 3);

/* arena_grow - a copy of an array with room for more; the old one stays */
void *arena_grow(struct arena *, const void *, size_t have, size_t want,
    size_t size);

/* arena_defer - call closer(arg) when the arena is reset or freed */
void arena_defer(struct arena *, void (*closer)(void *), void *arg);

/* arena_size - bytes taken from the system */
size_t arena_size(const struct arena *);

/*
 * mem_* - for base's own growable things and for large tables that double;
 * memory that a thing owns is given to its arena with arena_defer(a, mem_free)
 */
void *mem_alloc(size_t);
void *mem_grow(void *, size_t);

/* mem_table - as mem_alloc, for a large table that is read at random */
void *mem_table(size_t);
void mem_free(void *);

#endif
