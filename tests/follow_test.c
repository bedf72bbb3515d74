/* SPDX-License-Identifier: Apache-2.0 */
/* JSON by a schema: what may be written and what may not, schemas that are
 * refused, and random texts, all of which must be what the schema says */
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/text/follow.h"
#include "appliance/text/json.h"

#if defined(__SANITIZE_ADDRESS__)
#define ROUNDS	40
#else
#define ROUNDS	300
#endif

#define PERSON	"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":" \
    "\"string\"},\"age\":{\"type\":\"integer\"},\"tags\":{\"type\":\"array\"," \
    "\"items\":{\"enum\":[\"a\",\"ab\",5,null]},\"minItems\":1,\"maxItems\":2}" \
    "},\"required\":[\"name\",\"tags\"],\"additionalProperties\":false}"

/* schema NULL: any object; good and bad texts, each up to NULL */
static const struct {
	const char *schema, *good[6], *bad[9];
} cases[] = {
	{ NULL, { "{}", "{\"a\":[1,{\"b\":null}],\n  \"c\": -0.5e+7}",
	    "{\"\\u00e9\\ud7ff\": \"\xf0\x9f\x98\x80\\n\"}" }, { "[]", "{,}",
	    "{\"a\":01}", "{\"a\":1,}", "{\"\\ud800\":1}", "{\"a\" \n1}",
	    "{\"a\":\"\xc0\xaf\"}", "{\"a\":  1}" } },
	{ PERSON, { "{\"name\":\"x\",\"tags\":[\"ab\"]}",
	    "{\"name\":\"\",\"age\":-7,\"tags\":[5,null]}" },
	    { "{}", "{\"age\":1}", "{\"name\":\"x\"}",
	    "{\"name\":\"x\",\"tags\":[]}", "{\"name\":1,\"tags\":[5]}",
	    "{\"name\":\"x\",\"age\":1.5,\"tags\":[5]}",
	    "{\"name\":\"x\",\"tags\":[5,5,5]}",
	    "{\"name\":\"x\",\"tags\":[5],\"more\":1}" } },
	{ "{\"anyOf\":[{\"type\":\"number\"},{\"const\":{\"a\" : [1, \" \"]}},"
	    "{\"type\":[\"boolean\",\"null\"]},{\"$ref\":\"#/$defs/s\"}],"
	    "\"$defs\":{\"s\":{\"enum\":[\"s\",\"st\"],\"title\":\"x\"}}}",
	    { "0", "12.25", "{\"a\":[1,\" \"]}", "true", "null", "\"st\"" },
	    { "\"str\"", "{\"a\":[1,\"\"]}", "nul", "-", "1.", "1e", "00" } },
	{ "{\"type\":\"object\",\"additionalProperties\":{\"type\":"
	    "\"integer\"}}", { "{}", "{\"x\":1,\"y\":2}" }, { "{\"x\":1.5}",
	    "{\"x\":\"1\"}" } },
	{ "{\"type\":\"object\",\"additionalProperties\":false}", { "{}" },
	    { "{\"a\":1}" } },
	{ "{\"type\":\"string\",\"enum\":[\"x\",3]}", { "\"x\"" }, { "3" } },
	{ "{\"type\":\"array\",\"maxItems\":0}", { "[]" }, { "[1]" } },
	{ "{}", { "1", "[[[]]]", "\"\"" }, { "" } },
};

static bool
takes(struct arena *a, const struct schema *s, const char *text)
{
	struct follow f;

	follow_room(&f, a);
	follow_begin(&f, s);
	return follow_bytes(&f, view_of(text)) && follow_done(&f);
}

static void
test_cases(struct arena *a)
{
	struct schema s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct view json = { NULL, 0 };

		if (cases[i].schema != NULL)
			json = view_of(cases[i].schema);
		if (schema_read(a, json, &s, &e) == -1) {
			tap(false, "case %zu: %s", i, e.text);
			continue;
		}
		for (size_t k = 0; k < 6 && cases[i].good[k] != NULL; k++)
			tap(takes(a, &s, cases[i].good[k]), "%zu: takes "
			    "%zu", i, k);
		for (size_t k = 0; k < 9 && cases[i].bad[k] != NULL; k++)
			tap(!takes(a, &s, cases[i].bad[k]), "%zu: not %zu", i,
			    k);
	}
}

static void
test_refused(struct arena *a)
{
	static const char *const bad[][2] = {
		{ "5", "must be an object" }, { "{", "" },
		{ "{\"pattern\":\"x\"}", "\"pattern\" is not supported" },
		{ "{\"oneOf\":[]}", "\"oneOf\"" },
		{ "{\"type\":\"text\"}", "\"text\" is not known" },
		{ "{\"type\":[]}", "empty" },
		{ "{\"enum\":[]}", "no value" },
		{ "{\"type\":\"string\",\"const\":5}", "no value" },
		{ "{\"anyOf\":[],\"type\":\"null\"}", "with 'type' beside" },
		{ "{\"$ref\":\"#/$defs/x\",\"items\":{}}", "with 'items'" },
		{ "{\"enum\":[[1]],\"minItems\":2}", "with 'minItems'" },
		{ "{\"$ref\":\"#/$defs/x\"}", "leads nowhere" },
		{ "{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"items\":"
		    "{\"$ref\":\"#/$defs/x\"}}}}", "refers to itself" },
		{ "{\"required\":[\"x\"]}", "none of its properties" },
		{ "{\"type\":\"array\",\"minItems\":2,\"maxItems\":1}",
		    "more than its" },
		{ "{\"minItems\":-1}", "minItems" },
		{ "{\"properties\":[]}", "no object" },
		{ "{\"properties\":{\"a\":false}}", "must be an object" },
	};
	struct schema s;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(bad); i++)
		tap(schema_read(a, view_of(bad[i][0]), &s, &e) == -1 &&
		    strstr(e.text, bad[i][1]) != NULL, "%s: %s", bad[i][0],
		    e.text);
}

/* walk - a random byte of those that may follow, until it may end; the more
 * likely it ends the longer it is */
static bool
walk(struct arena *a, const struct schema *s, struct buf *out)
{
	static const char often[] = "\"\"\"}}]],,::0159ab";
	struct follow f, try;
	char c;

	follow_room(&f, a);
	follow_room(&try, a);
	follow_begin(&f, s);
	for (size_t tries = 0; tries < 100000; ) {
		if (follow_over(&f) || (follow_done(&f) &&
		    random_below(4) == 0))
			return true;
		c = random_below(3) > 0 ? often[random_below(sizeof(often) -
		    1)] : (char)random_below(256);
		tries++;
		follow_copy(&try, &f);
		if (!follow_bytes(&try, (struct view){ &c, 1 }))
			continue;
		follow_copy(&f, &try);
		buf_char(out, c);
	}
	return false;
}

/* holds - by hand, of PERSON: another reader of JSON agrees */
static bool
holds(struct arena *a, struct view json)
{
	struct view value, raw, one;
	struct json_iter it;
	struct err e;
	int64_t x;
	size_t n = 0;

	if (json_value(json, &value, &e) == -1 || !json_get(value, "name",
	    &raw) || !json_string(a, raw, &one) || !json_get(value, "tags",
	    &raw) || !json_open(&it, raw, '['))
		return false;
	for (; json_element(&it, &one); n++)
		if (!view_is(one, "\"a\"") && !view_is(one, "\"ab\"") &&
		    !view_is(one, "5") && !view_is(one, "null"))
			return false;
	if (json_get(value, "age", &raw) && !json_integer(raw, &x))
		return false;
	return n == 1 || n == 2;
}

static void
test_walks(void)
{
	struct schema s;
	struct err e;
	size_t ended = 0, good = 0, all = 0;

	for (size_t i = 0; i < BASE_COUNT(cases); i++)
		for (size_t k = 0; k < ROUNDS; k++) {
			struct arena *a = arena_new();
			struct buf *b = buf_new(a, 1 << 20);
			struct view value, json = { NULL, 0 };

			if (cases[i].schema != NULL)
				json = view_of(cases[i].schema);
			if (schema_read(a, json, &s, &e) == -1)
				panic("%s", e.text);
			all++;
			ended += walk(a, &s, b);
			good += json_value(buf_get(b), &value, &e) == 0 &&
			    utf8_check(b->p, b->n) == b->n && (i != 1 || holds(a,
			    buf_get(b)));
			arena_free(a);
		}
	tap(ended == all, "%zu of %zu random texts end", ended, all);
	tap(good == all, "%zu are JSON, and what the schema says", good);
}

int
main(void)
{
	struct arena *a = arena_new();

	test_cases(a);
	test_refused(a);
	test_walks();
	arena_free(a);
	return tap_done();
}
