/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation lasts from microseconds to a second and they follow one another
 * closely, so a thread that has nothing to do looks again for a short while
 * before it sleeps.  The wait is bounded: on a core that others share, endless
 * spinning takes the time of the very thread that is waited for.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define POOL_SPIN	4000		/* looks, some 20 microseconds */

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	void *memory, *scratch;
	size_t bytes;
};

struct pool {
	int n;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	_Atomic unsigned round;		/* raised when there is work */
	_Atomic int busy;		/* threads that have not finished it */
	_Atomic size_t next;
	int sleeping;
	bool ending, waiting;
	void (*fn)(void *, size_t, void *);
	void *arg;
	size_t tasks, bytes;
	struct pool_thread *thread;	/* [0] is the caller */
};

static void
pool_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* pool_tasks - take tasks until none is left */
static void
pool_tasks(struct pool *p, struct pool_thread *t)
{
	size_t i;

	if (t->bytes < p->bytes) {
		mem_free(t->memory);
		t->bytes = p->bytes;
		t->memory = mem_alloc(t->bytes + 64);
		t->scratch = (char *)t->memory + 64 -
		    (uintptr_t)t->memory % 64;
	}
	while ((i = atomic_fetch_add(&p->next, 1)) < p->tasks)
		p->fn(p->arg, i, t->scratch);
}

/* pool_wait - until the round is another one; false when all ends */
static bool
pool_wait(struct pool *p, unsigned seen)
{
	bool ending;

	for (int i = 0; i < POOL_SPIN; i++) {
		if (atomic_load(&p->round) != seen)
			break;
		pool_pause();
	}
	pthread_mutex_lock(&p->lock);
	p->sleeping++;
	while (atomic_load(&p->round) == seen && !p->ending)
		pthread_cond_wait(&p->work, &p->lock);
	p->sleeping--;
	ending = p->ending;
	pthread_mutex_unlock(&p->lock);
	return !ending;
}

static void *
pool_loop(void *arg)
{
	struct pool_thread *t = arg;
	struct pool *p = t->pool;
	unsigned seen = 0;

	while (pool_wait(p, seen)) {
		seen = atomic_load(&p->round);
		pool_tasks(p, t);
		if (atomic_fetch_sub(&p->busy, 1) != 1)
			continue;
		pthread_mutex_lock(&p->lock);
		if (p->waiting)
			pthread_cond_signal(&p->idle);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

struct pool *
pool_open(int threads)
{
	struct pool *p = mem_alloc(sizeof(*p));

	p->n = threads < 1 ? 1 : threads;
	p->thread = mem_alloc((size_t)p->n * sizeof(*p->thread));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->idle, NULL);
	for (int i = 0; i < p->n; i++)
		p->thread[i].pool = p;
	for (int i = 1; i < p->n; i++)
		if (pthread_create(&p->thread[i].id, NULL, pool_loop,
		    &p->thread[i]) != 0)
			msg_fatal(75, "cannot start a thread");
	return p;
}

void
pool_close(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (int i = 1; i < p->n; i++)
		pthread_join(p->thread[i].id, NULL);
	for (int i = 0; i < p->n; i++)
		mem_free(p->thread[i].memory);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->idle);
	pthread_mutex_destroy(&p->lock);
	mem_free(p->thread);
	mem_free(p);
}

int
pool_threads(const struct pool *p)
{
	return p->n;
}

/* pool_join - until the others have finished the round */
static void
pool_join(struct pool *p)
{
	for (int i = 0; i < POOL_SPIN; i++) {
		if (atomic_load(&p->busy) == 0)
			return;
		pool_pause();
	}
	pthread_mutex_lock(&p->lock);
	p->waiting = true;
	while (atomic_load(&p->busy) != 0)
		pthread_cond_wait(&p->idle, &p->lock);
	p->waiting = false;
	pthread_mutex_unlock(&p->lock);
}

void
pool_run(struct pool *p, void (*fn)(void *, size_t, void *), void *arg,
    size_t n, size_t bytes)
{
	p->fn = fn;
	p->arg = arg;
	p->tasks = n;
	p->bytes = bytes;
	atomic_store(&p->next, 0);
	if (p->n == 1 || n < 2) {
		pool_tasks(p, &p->thread[0]);
		return;
	}
	atomic_store(&p->busy, p->n - 1);
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->round, 1);
	if (p->sleeping > 0)
		pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	pool_tasks(p, &p->thread[0]);
	pool_join(p);
}
