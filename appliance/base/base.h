/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

/*
 * base.h - first in every .c: the configuration and the few standard headers
 * that everything uses.  Nothing is declared here that belongs to a noun.
 *
 * Banned by tests/banned.sh: strcpy strcat sprintf strtok system popen gets,
 * and outside base also malloc calloc realloc free exit abort.
 */

#include "config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BASE_COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define BASE_PRINTF(f, a)	__attribute__((format(printf, f, a)))

#endif
