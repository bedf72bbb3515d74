/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/model/head.h"
#include "appliance/text/json.h"

#include <stdlib.h>

static const char *const ends[] = {
	[HEAD_NEXT] = "", [HEAD_MASKED] = "ForMaskedLM",
	[HEAD_EMBED] = "Model", [HEAD_CLASSES] = "ForSequenceClassification",
	[HEAD_TAGS] = "ForTokenClassification"
};

static const char *const problems[] = {
	[PROBLEM_ONE] = "single_label_classification",
	[PROBLEM_MANY] = "multi_label_classification",
	[PROBLEM_NUMBERS] = "regression"
};

const char *
head_class(enum head_kind kind)
{
	return ends[kind];
}

/* head_kind_of - the class that the file names first; none: the bare model */
static int
head_kind_of(struct view root, const char *prefix, struct shape_head *h,
    struct err *e)
{
	struct json_iter it;
	struct view list, class;
	size_t n = strlen(prefix);

	h->kind = HEAD_EMBED;
	if (!json_get(root, "architectures", &list) ||
	    !json_open(&it, list, '[') || !json_element(&it, &class))
		return 0;
	if (class.n >= n + 2 && memcmp(class.p + 1, prefix, n) == 0) {
		struct view end = { class.p + 1 + n, class.n - n - 2 };

		if (view_is(end, "ForPreTraining")) {
			h->kind = HEAD_MASKED;
			return 0;
		}
		for (size_t i = HEAD_MASKED; i < BASE_COUNT(ends); i++)
			if (view_is(end, ends[i])) {
				h->kind = (enum head_kind)i;
				return 0;
			}
	}
	return err_set(e, FATE_REJECT, "config.json: 'architectures' has %.*s, "
	    "which is not computed", (int)(class.n < 60 ? class.n : 60),
	    class.p);
}

/* head_labels - how many, and what they are called: transformers has two where
 * the file says nothing */
static int
head_labels(struct view root, struct shape_head *h, struct err *e)
{
	struct json_iter it;
	struct view k, v;
	size_t n = 0;

	if (json_get(root, "id2label", &v) && json_open(&it, v, '{')) {
		h->names = v;
		while (json_member(&it, &k, &v))
			n++;
	}
	return conf_size(root, "num_labels", n > 0 ? n : 2, &h->labels, e);
}

static int
head_problem(struct view root, struct shape_head *h, struct err *e)
{
	struct view v;

	h->problem = h->labels == 1 ? PROBLEM_NUMBERS : PROBLEM_ONE;
	if (!json_get(root, "problem_type", &v) || json_is_null(v))
		return 0;
	for (size_t i = 0; i < BASE_COUNT(problems); i++)
		if (conf_is(root, "problem_type", problems[i])) {
			h->problem = (enum problem)i;
			return 0;
		}
	return err_set(e, FATE_REJECT, "config.json: 'problem_type' is %.*s, "
	    "which is not computed", (int)(v.n < 60 ? v.n : 60), v.p);
}

int
head_parse(struct view root, const char *prefix, struct shape_head *h,
    struct err *e)
{
	*h = (struct shape_head){ .kind = HEAD_EMBED };
	if (head_kind_of(root, prefix, h, e) == -1)
		return -1;
	if (h->kind != HEAD_CLASSES && h->kind != HEAD_TAGS)
		return 0;
	if (head_labels(root, h, e) == -1)
		return -1;
	return h->kind == HEAD_TAGS ? 0 : head_problem(root, h, e);
}

/* number_of - a key of 'id2label', a number as a string; false: none below n */
static bool
number_of(struct view key, size_t n, size_t *i)
{
	char want[24];

	*i = (size_t)strtoull(key.p + 1, NULL, 10);
	snprintf(want, sizeof(want), "%zu", *i);
	return *i < n && view_is((struct view){ key.p + 1, key.n - 2 }, want);
}

void
head_names(const struct shape_head *h, struct arena *a, struct label_names *x)
{
	struct json_iter it;
	struct view k, v;
	size_t i;

	*x = (struct label_names){ h->labels, arena_array(a, h->labels + 1,
	    sizeof(*x->json)), arena_array(a, h->labels + 1,
	    sizeof(*x->text)) };
	if (h->names.n > 0 && json_open(&it, h->names, '{'))
		while (json_member(&it, &k, &v))
			if (number_of(k, x->n, &i) && x->json[i].p == NULL)
				x->json[i] = v;
	for (i = 0; i < x->n; i++) {
		if (x->json[i].p == NULL)
			x->json[i] = view_of(arena_printf(a, "\"LABEL_%zu\"",
			    i));
		if (!json_string(a, x->json[i], &x->text[i]))
			x->text[i] = (struct view){ NULL, 0 };
	}
}

int64_t
head_find(const struct label_names *x, struct view name)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->text[i].p != NULL && view_eq(x->text[i], name))
			return (int64_t)i;
	return -1;
}

void
head_named(struct shape_head *h, struct arena *a, const char *const *name,
    size_t n)
{
	struct buf *b = buf_new(a, (size_t)1 << 20);

	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s\"%zu\": ", i > 0 ? ", " : "{", i);
		buf_json_str(b, name[i]);
	}
	buf_char(b, '}');
	h->names = buf_get(b);
	h->labels = n;
}

void
head_print(const struct shape_head *h, struct buf *b)
{
	struct label_names x;
	struct arena *a;

	if (h->kind != HEAD_CLASSES && h->kind != HEAD_TAGS)
		return;
	a = arena_new();
	head_names(h, a, &x);
	buf_str(b, ",\n \"id2label\": {");
	for (size_t i = 0; i < h->labels; i++) {
		buf_printf(b, "%s\"%zu\": ", i > 0 ? ", " : "", i);
		buf_view(b, x.json[i]);
	}
	buf_str(b, "},\n \"label2id\": {");
	for (size_t i = 0; i < h->labels; i++) {
		buf_str(b, i > 0 ? ", " : "");
		buf_view(b, x.json[i]);
		buf_printf(b, ": %zu", i);
	}
	buf_char(b, '}');
	if (h->kind == HEAD_CLASSES)
		buf_printf(b, ",\n \"problem_type\": \"%s\"",
		    problems[h->problem]);
	arena_free(a);
}
