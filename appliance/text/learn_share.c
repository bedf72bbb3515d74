/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_share.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS	64

struct share {
	atomic_size_t next;
	size_t n, share;
	void (*work)(void *, int, size_t, size_t);
	void *arg;
};

struct sharer {
	struct share *s;
	int thread;
	pthread_t id;
};

static void *
share_loop(void *arg)
{
	const struct sharer *w = arg;
	struct share *s = w->s;
	size_t from;

	while ((from = atomic_fetch_add(&s->next, s->share)) < s->n)
		s->work(s->arg, w->thread, from, s->n - from < s->share ?
		    s->n : from + s->share);
	return NULL;
}

void
learn_share(int threads, size_t n, size_t share,
    void (*work)(void *, int, size_t, size_t), void *arg)
{
	struct share s = { .n = n, .share = share, .work = work, .arg = arg };
	struct sharer w[THREADS];
	int started = 1;

	for (int i = 0; i < THREADS; i++)
		w[i] = (struct sharer){ .s = &s, .thread = i };
	/* a thread that cannot be had leaves its shares to the others */
	for (; started < threads && started < THREADS; started++)
		if (pthread_create(&w[started].id, NULL, share_loop,
		    &w[started]) != 0)
			break;
	share_loop(&w[0]);
	for (int i = 1; i < started; i++)
		pthread_join(w[i].id, NULL);
}
