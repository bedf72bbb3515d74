/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_CGROUP_H
#define SPOOL_CGROUP_H

#include "appliance/base/err.h"

/*
 * cgroup.h - memory limits by cgroup v2 (Linux, cgroup-v2.rst), where quernd's
 * own group was handed to it: systemd's Delegate=memory, which marks the group
 * with the attribute user.delegate.  Elsewhere limits are RLIMIT_DATA and a
 * watched RSS (child.h).
 *
 * A group that hands controllers on may hold no processes itself, so quernd
 * moves to the group `quernd` below its own; each limited worker gets one of
 * its own beside it, in which the kernel kills all or nobody.
 */

/* cgroup_find - our group's directory if it was delegated to us; or -1 */
int cgroup_find(void);

/* cgroup_take - move below it and hand the memory controller on */
int cgroup_take(int group, struct err *);

/* cgroup_make - a group with a limit in bytes; its descriptor or -1 */
int cgroup_make(int group, const char *name, int64_t memory, struct err *);

/* cgroup_join - in a forked child: this process; safe between fork and exec */
int cgroup_join(int worker);

/* cgroup_killed - has the kernel killed in it for memory */
bool cgroup_killed(int group, const char *name);

/* cgroup_remove - when its last process has ended */
void cgroup_remove(int group, const char *name);

#endif
