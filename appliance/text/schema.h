/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SCHEMA_H
#define TEXT_SCHEMA_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * schema.h - JSON Schema (draft 2020-12) as a plan of what may be written, for
 * follow.h.  Of the language there are: type (one or a list), properties,
 * required, additionalProperties, items, minItems, maxItems, enum, const, anyOf
 * alone, and $ref to the schema's own $defs or definitions; titles,
 * descriptions, defaults and examples say nothing.  Any other keyword is
 * refused by name.
 *
 * What the plan writes is valid, but not all that is valid is written:
 * properties come in the schema's order and no others beside them, numbers have
 * at most 15 digits before and behind the point.
 */

#define SCHEMA_NODES	4096
#define SCHEMA_DEPTH	24		/* of values within values */
#define SCHEMA_CHOICES	128		/* values of an enum, properties */
#define SCHEMA_WORD	60000		/* bytes of such a value or name */

enum schema_kind {
	SCHEMA_ANY,			/* any value, but deep ones */
	SCHEMA_OR,			/* one of n nodes, at child[] */
	SCHEMA_LITERAL,			/* the bytes of text */
	SCHEMA_STRING, SCHEMA_NUMBER, SCHEMA_INTEGER,
	SCHEMA_ARRAY,			/* of child[0], min to max */
	SCHEMA_OBJECT,			/* n properties */
	SCHEMA_MAP			/* any names, values of child[0] */
};

struct schema_node {
	enum schema_kind kind;
	size_t n;
	uint32_t *child;
	struct view text;
	struct view *name;		/* of properties, as JSON */
	bool *required;
	uint32_t min, max;
};

struct schema {
	struct schema_node *v;
	size_t n;
	uint32_t root;
	/* of any value: any itself, a string, a number, an array, an object,
	 * and true, false, null */
	uint32_t any, name, number, list, map, word[3];
};

/* schema_read - of valid UTF-8; json p NULL: any object */
int schema_read(struct arena *, struct view json, struct schema *,
    struct err *);

#endif
