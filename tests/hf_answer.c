/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "tests/hf_answer.h"

void
hf_answer_refuse(struct buf *b, const char *why)
{
	buf_str(b, "{\"refused\":");
	buf_json_str(b, why);
	buf_char(b, '}');
}

static void
print_encoding(const struct hf_encoding *x, struct buf *b)
{
	buf_char(b, '[');
	for (size_t i = 0; i < x->n; i++) {
		const struct hf_unit *u = &x->v[i];

		buf_printf(b, "%s[%u,%u,%u,%u,%d,%d,", i > 0 ? "," : "",
		    u->id, u->type, u->from, u->to, u->special, u->attended);
		buf_json(b, u->text);
		buf_char(b, ']');
	}
	buf_char(b, ']');
}

/* print_windows - windows before what is in them, as a tree */
static void
print_windows(const struct hf_encoding *x, struct buf *b)
{
	buf_char(b, '[');
	for (size_t i = 0; i < x->nover; i++) {
		buf_str(b, i > 0 ? ",[" : "[");
		print_encoding(&x->over[i], b);
		buf_char(b, ',');
		print_windows(&x->over[i], b);
		buf_char(b, ']');
	}
	buf_char(b, ']');
}

void
hf_answer_text(const struct hf *t, struct arena *a, struct view question,
    struct view text, struct buf *b)
{
	struct hf_encoding x;
	struct view pair, v;
	struct err e = { .text = "" };
	int64_t flags = 0;
	bool two = json_get(question, "pair", &v) && json_string(a, v, &pair);

	if (json_get(question, "flags", &v))
		json_integer(v, &flags);
	if (hf_encode(t, a, text, two ? &pair : NULL, (unsigned)flags |
	    HF_TEXTS, &x, &e) == -1) {
		hf_answer_refuse(b, e.text);
		return;
	}
	buf_str(b, "{\"units\":");
	print_encoding(&x, b);
	buf_str(b, ",\"over\":");
	print_windows(&x, b);
	buf_char(b, '}');
}

void
hf_answer_ids(const struct hf *t, struct arena *a, struct view question,
    struct view list, struct buf *b)
{
	struct buf *text = buf_new(a, 1 << 26);
	uint32_t *ids = arena_array(a, list.n, sizeof(*ids));
	struct json_iter it;
	struct view v;
	size_t n = 0;
	int64_t id;
	bool skip = false;

	json_open(&it, list, '[');
	while (json_element(&it, &v) && json_integer(v, &id))
		ids[n++] = (uint32_t)id;
	if (json_get(question, "skip", &v))
		json_bool(v, &skip);
	if (hf_decode(t, ids, n, skip ? HF_SKIP : 0, text) == -1) {
		hf_answer_refuse(b, "an id is unknown");
		return;
	}
	buf_str(b, "{\"text\":");
	buf_json(b, buf_get(text));
	buf_char(b, '}');
}
