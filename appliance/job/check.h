/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_CHECK_H
#define JOB_CHECK_H

#include "appliance/base/err.h"

/*
 * check.h - quern-worker --check: for people (faults on stderr, with --json the
 * plan on stdout), and with --admit for quernd (a ticket and plan.json, or
 * error, in each directory).
 */

/* check_main - argv behind --check; the exit status, or -1 */
int check_main(int argc, char **argv, struct err *);

#endif
