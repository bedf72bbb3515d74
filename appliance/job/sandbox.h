/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_SANDBOX_H
#define JOB_SANDBOX_H

#include "appliance/base/err.h"

/*
 * sandbox.h - what a worker gives up, in two single-threaded steps.
 *
 * sandbox_first, before any dlopen: no new privileges, and a seccomp filter
 * without sockets and without the calls that reach other processes or the
 * kernel's insides.  sandbox_last, when the plan is read and before a stage
 * opens: Landlock to the paths allowed with sandbox_allow, the system's
 * libraries and our own; and no more processes.  What the kernel lacks is
 * passed over here and said by `quern status`.
 */

int sandbox_first(bool sockets, struct err *);

enum { SANDBOX_READ = 1, SANDBOX_WRITE = 2, SANDBOX_EXEC = 4 };

struct sandbox {
	int ruleset;			/* -1: no Landlock in this kernel */
	uint64_t handled;
};

int sandbox_open(struct sandbox *, struct err *);
int sandbox_allow(struct sandbox *, const char *path, int how, struct err *);
int sandbox_last(struct sandbox *, struct err *);

#endif
