/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_LEARN_SHARE_H
#define TEXT_LEARN_SHARE_H

#include <stddef.h>

/*
 * learn_share.h - work on 0 to n - 1 shared among threads.  Each takes the next
 * share that nobody has; which thread does what is not said, so sums must be of
 * integers.
 */

/* learn_share - calls work(arg, thread, from, to) until all is done; thread is
 * below `threads` */
void learn_share(int threads, size_t n, size_t share,
    void (*work)(void *, int thread, size_t from, size_t to), void *arg);

#endif
