/* SPDX-License-Identifier: Apache-2.0 */
/* A cache of 16 bits: a sequence behind a long past reads half as much memory.
 * Only where the instruction set turns eight halves into reals at once */
#ifdef __F16C__
#define KEPT_HALF
#include "kernels/cpu/look.c"
#include "kernels/cpu/store.c"
#endif
