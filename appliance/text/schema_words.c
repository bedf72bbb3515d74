/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/json.h"
#include "appliance/text/schema_words.h"

/* the keywords that are read; the first of them ask for something */
#define ASKING	((size_t)11)

static const char *const words[] = { "type", "properties", "required",
	"additionalProperties", "items", "minItems", "maxItems", "enum",
	"const", "anyOf", "$ref", "$defs", "definitions", "title",
	"description", "default", "examples", "$schema", "$id", "$comment",
	"deprecated", "readOnly", "writeOnly" };

int
schema_alone(struct view schema, const char *word, bool typed, struct err *e)
{
	struct view raw;

	for (size_t i = typed; i < ASKING; i++)
		if (strcmp(words[i], word) != 0 && json_get(schema, words[i],
		    &raw))
			return err_set(e, FATE_REJECT, "the schema's %s with "
			    "'%s' beside it is not supported", word, words[i]);
	return 0;
}

int
schema_known(struct view schema, struct err *e)
{
	struct json_iter it;
	struct view key, value;
	size_t i;

	if (!json_open(&it, schema, '{'))
		return err_set(e, FATE_REJECT, "a schema must be an object");
	while (json_member(&it, &key, &value)) {
		for (i = 0; i < BASE_COUNT(words); i++)
			if (key.n == strlen(words[i]) + 2 && memcmp(key.p + 1,
			    words[i], key.n - 2) == 0)
				break;
		if (i == BASE_COUNT(words))
			return err_set(e, FATE_REJECT, "the schema's keyword "
			    "%.*s is not supported", (int)(key.n < 80 ?
			    key.n : 80), key.p);
	}
	return 0;
}

static const char *const type_names[] = { "string", "number", "integer",
	"boolean", "null", "array", "object" };

int
schema_types(struct view schema, unsigned *mask, struct err *e)
{
	struct json_iter it;
	struct view raw, one;
	bool list, more;
	size_t i;

	*mask = 0;
	if (!json_get(schema, "type", &raw))
		return 0;
	list = json_open(&it, raw, '[');
	for (one = raw, more = !list || json_element(&it, &one); more;
	    more = list && json_element(&it, &one)) {
		for (i = 0; i < TYPES; i++)
			if (one.n == strlen(type_names[i]) + 2 &&
			    memcmp(one.p + 1, type_names[i], one.n - 2) == 0)
				break;
		if (i == TYPES)
			return err_set(e, FATE_REJECT, "the schema's type "
			    "%.*s is not known", (int)(one.n < 80 ? one.n :
			    80), one.p);
		*mask |= 1u << i;
	}
	return *mask != 0 ? 0 : err_set(e, FATE_REJECT, "the schema's type is "
	    "an empty list");
}

/* fits - is a value of a type */
static bool
fits(struct view value, unsigned type)
{
	char c = value.p[0];
	int64_t i;
	double x;

	if (type == T_INTEGER)
		return json_integer(value, &i);
	if (type == T_NUMBER)
		return json_number(value, &x);
	return c == (type == T_STRING ? '"' : type == T_OBJECT ? '{' : type ==
	    T_ARRAY ? '[' : type == T_NULL ? 'n' : c == 't' ? 't' : 'f');
}

bool
schema_typed(struct view value, unsigned mask)
{
	if (mask == 0)
		return true;
	for (unsigned i = 0; i < TYPES; i++)
		if ((mask & 1u << i) && fits(value, i))
			return true;
	return false;
}
