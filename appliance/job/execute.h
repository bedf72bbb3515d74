/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_EXECUTE_H
#define JOB_EXECUTE_H

#include "appliance/base/err.h"

/*
 * execute.h - quern-worker --run DIR PIPELINE --lock FD --threads N --gpus L:
 * one pipeline of an admitted job, in the sandbox.  The last act is the file
 * fate.PIPELINE ("fate STATUS WORDS" or "signal N"), flushed; a restarted
 * quernd reads it when it cannot wait for us.
 */

/* execute_main - argv behind --run; the exit status */
int execute_main(int argc, char **argv);

#endif
