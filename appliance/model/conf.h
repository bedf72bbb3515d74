/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_CONF_H
#define MODEL_CONF_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/* conf.h - members of a config.json, for shape.c */

#define CONF_LARGEST	((int64_t)1 << 24)	/* of any one number */

/* conf_is - is a member this text */
bool conf_is(struct view root, const char *name, const char *text);

/* conf_size - a whole number from 1 on; def if absent or null, 0: needed */
int conf_size(struct view root, const char *name, size_t def, size_t *out,
    struct err *);

/* conf_count - a whole number from 0 on; def if it is anything else */
size_t conf_count(struct view root, const char *name, size_t def);

/* conf_number, conf_bool - def if it is absent or something else */
double conf_number(struct view root, const char *name, double def);
bool conf_bool(struct view root, const char *name, bool def);

/* conf_must - a switch that is computed in one position only */
int conf_must(struct view root, const char *name, bool want, struct err *);

#endif
