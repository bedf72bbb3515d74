/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/json.h"
#include "appliance/text/schema.h"
#include "appliance/text/schema_words.h"

struct reading {
	struct arena *arena;
	struct schema *s;
	struct view top;		/* where $ref points into */
	unsigned depth, calls;
	size_t cap;			/* of s->v */
};

static int read_schema(struct reading *, struct view, uint32_t *,
    struct err *);

static int
node(struct reading *r, enum schema_kind kind, uint32_t *at, struct err *e)
{
	if (r->s->n == SCHEMA_NODES)
		return err_set(e, FATE_REJECT, "the schema is too large");
	if (r->s->n == r->cap) {
		r->cap = r->cap == 0 ? 32 : 2 * r->cap;
		r->s->v = arena_grow(r->arena, r->s->v, r->s->n, r->cap,
		    sizeof(*r->s->v));
	}
	*at = (uint32_t)r->s->n++;
	r->s->v[*at] = (struct schema_node){ .kind = kind };
	return 0;
}

/* bare - a value without the blanks between its words */
static struct view
bare(struct arena *a, struct view json)
{
	char *to = arena_alloc(a, json.n + 1);
	bool inside = false;
	size_t n = 0;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (inside && c == '\\' && i + 1 < json.n)
			to[n++] = json.p[i++];
		else if (c == '"')
			inside = !inside;
		else if (!inside && strchr(" \t\r\n", c) != NULL)
			continue;
		to[n++] = json.p[i];
	}
	return (struct view){ to, n };
}

static int
literal(struct reading *r, struct view json, uint32_t *at, struct err *e)
{
	if (json.n > SCHEMA_WORD)
		return err_set(e, FATE_REJECT, "a value of the schema is too "
		    "long");
	if (node(r, SCHEMA_LITERAL, at, e) == -1)
		return -1;
	r->s->v[*at].text = bare(r->arena, json);
	return 0;
}

/* either - a node for those of child[n] */
static int
either(struct reading *r, const uint32_t *child, size_t n, uint32_t *at,
    struct err *e)
{
	struct schema_node *v;

	if (n == 1) {
		*at = child[0];
		return 0;
	}
	if (node(r, SCHEMA_OR, at, e) == -1)
		return -1;
	v = &r->s->v[*at];
	v->n = n;
	v->child = arena_copy(r->arena, child, n * sizeof(*child));
	return 0;
}

/* read_values - enum, or const as an enum of one */
static int
read_values(struct reading *r, struct view raw, bool list, unsigned mask,
    uint32_t *at, struct err *e)
{
	uint32_t child[SCHEMA_CHOICES];
	struct view one = raw;
	struct json_iter it;
	size_t n = 0;

	if (list && !json_open(&it, raw, '['))
		return err_set(e, FATE_REJECT, "the schema's enum is no list");
	while (!list || json_element(&it, &one)) {
		if (schema_typed(one, mask)) {
			if (n == SCHEMA_CHOICES)
				return err_set(e, FATE_REJECT, "an enum of "
				    "the schema has more than %d values",
				    SCHEMA_CHOICES);
			if (literal(r, one, &child[n++], e) == -1)
				return -1;
		}
		if (!list)
			break;
	}
	if (n == 0)
		return err_set(e, FATE_REJECT, "an enum or const of the schema "
		    "has no value of its type");
	return either(r, child, n, at, e);
}

/* read_ref - $ref: #/$defs/NAME, read again where it is used */
static int
read_ref(struct reading *r, struct view raw, uint32_t *at, struct err *e)
{
	static const char *const where[] = { "$defs", "definitions" };
	struct view text, defs, to;

	for (size_t i = 0; i < BASE_COUNT(where); i++) {
		const char *front = arena_printf(r->arena, "#/%s/", where[i]);
		size_t n = strlen(front);

		if (json_string(r->arena, raw, &text) && text.n > n &&
		    memcmp(text.p, front, n) == 0 && json_get(r->top,
		    where[i], &defs) && json_get(defs, arena_strn(r->arena,
		    text.p + n, text.n - n), &to))
			return read_schema(r, to, at, e);
	}
	return err_set(e, FATE_REJECT, "the schema's $ref %.*s leads nowhere",
	    (int)(raw.n < 80 ? raw.n : 80), raw.p);
}

static int
read_any_of(struct reading *r, struct view raw, uint32_t *at, struct err *e)
{
	uint32_t child[SCHEMA_CHOICES];
	struct json_iter it;
	struct view one;
	size_t n = 0;

	if (!json_open(&it, raw, '['))
		return err_set(e, FATE_REJECT, "the schema's anyOf is no list");
	while (json_element(&it, &one)) {
		if (n == SCHEMA_CHOICES)
			return err_set(e, FATE_REJECT, "an anyOf of the schema "
			    "is too long");
		if (read_schema(r, one, &child[n++], e) == -1)
			return -1;
	}
	return n > 0 ? either(r, child, n, at, e) : err_set(e, FATE_REJECT,
	    "the schema's anyOf is empty");
}

/* count_of - minItems or maxItems */
static int
count_of(struct view schema, const char *name, uint32_t otherwise,
    uint32_t *out, struct err *e)
{
	struct view raw;
	int64_t x;

	*out = otherwise;
	if (!json_get(schema, name, &raw))
		return 0;
	if (!json_integer(raw, &x) || x < 0 || x > 65535)
		return err_set(e, FATE_REJECT, "the schema's %s must be a "
		    "number from 0 to 65535", name);
	*out = (uint32_t)x;
	return 0;
}

static int
read_array(struct reading *r, struct view schema, uint32_t *at, struct err *e)
{
	uint32_t item = r->s->any, min, max;
	struct schema_node *v;
	struct view raw;

	if (json_get(schema, "items", &raw) && read_schema(r, raw, &item,
	    e) == -1)
		return -1;
	if (count_of(schema, "minItems", 0, &min, e) == -1 ||
	    count_of(schema, "maxItems", UINT32_MAX, &max, e) == -1)
		return -1;
	if (min > max)
		return err_set(e, FATE_REJECT, "the schema's minItems is more "
		    "than its maxItems");
	if (node(r, SCHEMA_ARRAY, at, e) == -1)
		return -1;
	v = &r->s->v[*at];
	v->child = arena_copy(r->arena, &item, sizeof(item));
	v->min = min;
	v->max = max;
	return 0;
}

/* read_required - which properties must be there; each must be described */
static int
read_required(struct view schema, struct schema_node *v, struct err *e)
{
	struct json_iter it;
	struct view raw, one;

	if (!json_get(schema, "required", &raw))
		return 0;
	if (!json_open(&it, raw, '['))
		return err_set(e, FATE_REJECT, "the schema's 'required' is no "
		    "list");
	while (json_element(&it, &one)) {
		size_t i = 0;

		while (i < v->n && !view_eq(v->name[i], one))
			i++;
		if (i == v->n)
			return err_set(e, FATE_REJECT, "the schema requires "
			    "%.*s, which is none of its properties",
			    (int)(one.n < 80 ? one.n : 80), one.p);
		v->required[i] = true;
	}
	return 0;
}

static int
read_map(struct reading *r, struct view more, uint32_t *at, struct err *e)
{
	uint32_t value = r->s->any;

	if (more.p != NULL && more.p[0] == '{' &&
	    read_schema(r, more, &value, e) == -1)
		return -1;
	if (node(r, SCHEMA_MAP, at, e) == -1)
		return -1;
	r->s->v[*at].child = arena_copy(r->arena, &value, sizeof(value));
	return 0;
}

static int
read_object(struct reading *r, struct view schema, uint32_t *at,
    struct err *e)
{
	uint32_t child[SCHEMA_CHOICES];
	struct view name[SCHEMA_CHOICES], raw, more;
	struct schema_node v = { .kind = SCHEMA_OBJECT };
	struct json_iter it;

	if (!json_get(schema, "additionalProperties", &more))
		more.p = NULL;
	if (json_get(schema, "properties", &raw)) {
		if (!json_open(&it, raw, '{'))
			return err_set(e, FATE_REJECT, "the schema's "
			    "properties are no object");
		for (; json_member(&it, &name[v.n], &raw); v.n++) {
			if (name[v.n].n > SCHEMA_WORD)
				return err_set(e, FATE_REJECT, "a name of the "
				    "schema is too long");
			if (v.n == SCHEMA_CHOICES - 1)
				return err_set(e, FATE_REJECT, "an object of "
				    "the schema has more than %d properties",
				    SCHEMA_CHOICES - 1);
			if (read_schema(r, raw, &child[v.n], e) == -1)
				return -1;
		}
	}
	v.child = arena_copy(r->arena, child, v.n * sizeof(*child));
	v.name = arena_copy(r->arena, name, v.n * sizeof(*name));
	v.required = arena_array(r->arena, v.n + 1, sizeof(*v.required));
	if (read_required(schema, &v, e) == -1)
		return -1;
	if (v.n == 0 && (more.p == NULL || !view_is(more, "false")))
		return read_map(r, more, at, e);
	if (node(r, v.kind, at, e) == -1)
		return -1;
	r->s->v[*at] = v;
	return 0;
}

/* read_type - a node for one type */
static int
read_type(struct reading *r, struct view schema, unsigned type, uint32_t *at,
    struct err *e)
{
	uint32_t two[2];

	switch (type) {
	case T_STRING:
	case T_NUMBER:
	case T_INTEGER:
		return node(r, type == T_STRING ? SCHEMA_STRING : type ==
		    T_NUMBER ? SCHEMA_NUMBER : SCHEMA_INTEGER, at, e);
	case T_BOOLEAN:
		return literal(r, VIEW("true"), &two[0], e) == -1 ||
		    literal(r, VIEW("false"), &two[1], e) == -1 ? -1 :
		    either(r, two, 2, at, e);
	case T_NULL:
		return literal(r, VIEW("null"), at, e);
	case T_ARRAY:
		return read_array(r, schema, at, e);
	default:
		return read_object(r, schema, at, e);
	}
}

/* read_typed - of types, or of what the other keywords are for */
static int
read_typed(struct reading *r, struct view schema, unsigned mask, uint32_t *at,
    struct err *e)
{
	static const struct {
		const char *word;
		unsigned type;
	} means[] = { { "properties", T_OBJECT }, { "required", T_OBJECT },
	    { "additionalProperties", T_OBJECT }, { "items", T_ARRAY },
	    { "minItems", T_ARRAY }, { "maxItems", T_ARRAY } };
	uint32_t child[TYPES];
	struct view raw;
	size_t n = 0;

	for (size_t i = 0; mask == 0 && i < BASE_COUNT(means); i++)
		if (json_get(schema, means[i].word, &raw))
			mask = 1u << means[i].type;
	if (mask == 0) {
		*at = r->s->any;
		return 0;
	}
	for (unsigned i = 0; i < TYPES; i++)
		if ((mask & 1u << i) && read_type(r, schema, i, &child[n++],
		    e) == -1)
			return -1;
	return either(r, child, n, at, e);
}

static int
read_schema(struct reading *r, struct view schema, uint32_t *at,
    struct err *e)
{
	struct view raw;
	unsigned mask;
	int rc;

	if (++r->calls > SCHEMA_NODES)
		return err_set(e, FATE_REJECT, "the schema is too large");
	if (view_is(schema, "true")) {
		*at = r->s->any;
		return 0;
	}
	if (++r->depth > SCHEMA_DEPTH)
		return err_set(e, FATE_REJECT, "the schema is deeper than %d, "
		    "or refers to itself", SCHEMA_DEPTH);
	if (schema_known(schema, e) == -1 ||
	    schema_types(schema, &mask, e) == -1)
		return -1;
	if (json_get(schema, "anyOf", &raw))
		rc = schema_alone(schema, "anyOf", false, e) == -1 ? -1 :
		    read_any_of(r, raw, at, e);
	else if (json_get(schema, "$ref", &raw))
		rc = schema_alone(schema, "$ref", false, e) == -1 ? -1 :
		    read_ref(r, raw, at, e);
	else if (json_get(schema, "const", &raw))
		rc = schema_alone(schema, "const", true, e) == -1 ? -1 :
		    read_values(r, raw, false, mask, at, e);
	else if (json_get(schema, "enum", &raw))
		rc = schema_alone(schema, "enum", true, e) == -1 ? -1 :
		    read_values(r, raw, true, mask, at, e);
	else
		rc = read_typed(r, schema, mask, at, e);
	r->depth--;
	return rc;
}

/* read_any - what any value can be */
static int
read_any(struct reading *r, struct err *e)
{
	static const char *const words[] = { "true", "false", "null" };
	const struct view none = VIEW("{}");
	struct schema *s = r->s;

	if (node(r, SCHEMA_ANY, &s->any, e) == -1 ||
	    node(r, SCHEMA_STRING, &s->name, e) == -1 ||
	    node(r, SCHEMA_NUMBER, &s->number, e) == -1 ||
	    read_array(r, none, &s->list, e) == -1 ||
	    read_map(r, none, &s->map, e) == -1)
		return -1;
	for (size_t i = 0; i < BASE_COUNT(words); i++)
		if (literal(r, view_of(words[i]), &s->word[i], e) == -1)
			return -1;
	return 0;
}

int
schema_read(struct arena *a, struct view json, struct schema *s,
    struct err *e)
{
	struct reading r = { .arena = a, .s = s };

	s->v = NULL;
	s->n = 0;
	if (read_any(&r, e) == -1)
		return -1;
	s->root = s->map;
	if (json.p == NULL)
		return 0;
	if (json_value(json, &r.top, e) == -1)
		return -1;
	return read_schema(&r, r.top, &s->root, e);
}
