/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SCHEMA_WORDS_H
#define TEXT_SCHEMA_WORDS_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/* schema_words.h - for schema.c: keywords of JSON Schema, and its types */

enum { T_STRING, T_NUMBER, T_INTEGER, T_BOOLEAN, T_NULL, T_ARRAY, T_OBJECT,
	TYPES };

/* schema_known - an object of keywords that are read, or say nothing.
 * schema_alone - a keyword that says all by itself, but for a type if typed */
int schema_known(struct view schema, struct err *);
int schema_alone(struct view schema, const char *word, bool typed,
    struct err *);

/* schema_types - its types as bits; 0 that none is said */
int schema_types(struct view schema, unsigned *mask, struct err *);

/* schema_typed - is a value of one of these types; any is if there are none */
bool schema_typed(struct view value, unsigned mask);

#endif
