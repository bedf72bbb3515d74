/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hf_side - our side of a comparison (tests/peer/hf.py): a line is an object,
 *   {"file": PATH} or {"json": TEXT}          a tokenizer from here on
 * or a question of hf_answer.h, and so is the answer.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "tests/hf_answer.h"

#include <fcntl.h>
#include <stdlib.h>

static struct arena *mine;		/* the tokenizer's */
static struct hf *tokenizer;

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
			hf_answer_refuse(b, e.text);
			return;
		}
	} else if (json_get(line, "json", &v))
		json_string(mine, v, &json);
	json = view_keep(mine, json);
	tokenizer = hf_open(mine, json, &e);
	if (tokenizer == NULL)
		hf_answer_refuse(b, e.text);
	else
		buf_printf(b, "{\"size\":%u}", hf_size(tokenizer));
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
			hf_answer_refuse(b, e.text);
		else if (tokenizer == NULL && (json_get(value, "text", &v) ||
		    json_get(value, "ids", &v)))
			hf_answer_refuse(b, "there is no tokenizer");
		else if (json_get(value, "text", &v) &&
		    json_string(a, v, &text))
			hf_answer_text(tokenizer, a, value, text, b);
		else if (json_get(value, "ids", &v))
			hf_answer_ids(tokenizer, a, value, v, b);
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
