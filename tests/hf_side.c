/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hf_side - our side of a comparison (tests/peer/hf.py): a line is an object,
 *   {"file": PATH} or {"json": TEXT}          a tokenizer from here on
 *   {"text": TEXT, "pair": TEXT, "flags": N}  ids, types, offsets, masks
 *   {"ids": [N, ...], "skip": BOOL}           text
 * and so is the answer.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/hf.h"

#include <fcntl.h>
#include <stdlib.h>

static struct arena *mine;		/* the tokenizer's */
static struct hf *tokenizer;

/* refuse - the reason as an answer */
static void
refuse(struct buf *b, const char *why)
{
	buf_str(b, "{\"refused\":");
	buf_json_str(b, why);
	buf_char(b, '}');
}

/* load - a new tokenizer */
static void
load(struct view line, struct buf *b)
{
	struct err e = { .text = "" };
	struct view v, json = { NULL, 0 };

	if (mine != NULL)
		arena_free(mine);
	mine = arena_new();
	tokenizer = NULL;
	if (json_get(line, "file", &v) && json_string(mine, v, &json)) {
		const char *path = arena_strn(mine, json.p, json.n);

		if (file_read(mine, AT_FDCWD, path, (size_t)1 << 28, &json,
		    &e) == -1) {
			refuse(b, e.text);
			return;
		}
	} else if (json_get(line, "json", &v))
		json_string(mine, v, &json);
	json = view_keep(mine, json);
	tokenizer = hf_open(mine, json, &e);
	if (tokenizer == NULL)
		refuse(b, e.text);
	else
		buf_printf(b, "{\"size\":%u}", hf_size(tokenizer));
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

static void
encode(struct arena *a, struct view line, struct view text, struct buf *b)
{
	struct hf_encoding x;
	struct view pair, v;
	struct err e = { .text = "" };
	int64_t flags = 0;
	bool two = json_get(line, "pair", &v) && json_string(a, v, &pair);

	if (json_get(line, "flags", &v))
		json_integer(v, &flags);
	if (hf_encode(tokenizer, a, text, two ? &pair : NULL, (unsigned)flags |
	    HF_TEXTS, &x, &e) == -1) {
		refuse(b, e.text);
		return;
	}
	buf_str(b, "{\"units\":");
	print_encoding(&x, b);
	buf_str(b, ",\"over\":");
	print_windows(&x, b);
	buf_char(b, '}');
}

static void
decode(struct arena *a, struct view line, struct view list, struct buf *b)
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
	if (json_get(line, "skip", &v))
		json_bool(v, &skip);
	if (hf_decode(tokenizer, ids, n, skip ? HF_SKIP : 0, text) == -1) {
		refuse(b, "an id is unknown");
		return;
	}
	buf_str(b, "{\"text\":");
	buf_json(b, buf_get(text));
	buf_char(b, '}');
}

int
main(void)
{
	struct arena *a = arena_new();
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct buf *b = buf_new(a, (size_t)1 << 30);
		struct view in = { line, (size_t)n }, value, v, text;
		struct err e;

		if (json_value(in, &value, &e) == -1)
			refuse(b, e.text);
		else if (tokenizer == NULL && (json_get(value, "text", &v) ||
		    json_get(value, "ids", &v)))
			refuse(b, "there is no tokenizer");
		else if (json_get(value, "text", &v) &&
		    json_string(a, v, &text))
			encode(a, value, text, b);
		else if (json_get(value, "ids", &v))
			decode(a, value, v, b);
		else
			load(value, b);
		buf_char(b, '\n');
		fwrite(b->p, 1, b->n, stdout);
		fflush(stdout);
		arena_reset(a);
	}
	free(line);
	arena_free(a);
	if (mine != NULL)
		arena_free(mine);
	return 0;
}
