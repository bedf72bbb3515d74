/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLIANCE_LOAD_H
#define APPLIANCE_LOAD_H

#include "appliance/module.h"

/*
 * load.h - modules by name from LIBRARY/modules/NAME.so.  A file or folder that
 * others could have written is refused; so is another ABI.  A module stays
 * loaded until the process ends.
 */

/* load_module - FATE_REJECT with the nearest name if there is none */
const struct module *load_module(struct arena *, const char *name,
    struct err *);

/* load_names - all modules there are, sorted */
int load_names(struct arena *, char ***, size_t *, struct err *);

#endif
