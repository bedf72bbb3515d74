/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_SHELL_H
#define JOB_SHELL_H

#include "appliance/base/err.h"

/*
 * shell.h - a module as a command: records come as JSON Lines on stdin, unless
 * it is a source, and leave on stdout, or through -o FILE (a temporary, fsync,
 * rename), unless it is a sink.  SIGPIPE ends it quietly.
 */

/* shell_main - argv: MODULE, program options, words; the exit status, or -1 */
int shell_main(int argc, char **argv, struct err *);

#endif
