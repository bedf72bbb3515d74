/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include <stddef.h>

/*
 * pool.h - threads that share out numbered tasks.  The caller works too; which
 * thread takes which task is open, so tasks write to places of their own.
 */

struct pool;

struct pool *pool_open(int threads);
void pool_close(struct pool *);
int pool_threads(const struct pool *);

/* pool_run - fn(arg, task, scratch) for each task from 0 to n - 1; scratch is
 * the thread's, of at least `bytes`, aligned to 64 */
void pool_run(struct pool *, void (*fn)(void *arg, size_t task, void *scratch),
    void *arg, size_t n, size_t bytes);

#endif
