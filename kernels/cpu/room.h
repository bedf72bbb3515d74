/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_ROOM_H
#define CPU_ROOM_H

#include "appliance/base/arena.h"
#include "kernels/cpu/cpu.h"

/* cpu_room - the device's memory for one call, until the next asks for it;
 * aligned to 64 bytes */
static inline void *
cpu_room(void *dev, size_t bytes)
{
	struct cpu *c = dev;

	if (c->room_bytes < bytes) {
		mem_free(c->room);
		c->room = mem_alloc(bytes + 64);
		c->room_bytes = bytes;
	}
	return (char *)c->room + 64 - (uintptr_t)c->room % 64;
}

#endif
