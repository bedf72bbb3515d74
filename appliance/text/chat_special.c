/* SPDX-License-Identifier: Apache-2.0 */
/* The special tokens of a vocabulary, whatever file it came in */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/chat_own.h"

/* special_json - added tokens that are special, of a tokenizer.json */
static size_t
special_json(struct arena *a, struct view file, struct chat_special **out)
{
	struct view root, list, one, raw;
	struct json_iter it;
	struct err e;
	size_t n = 0;
	int64_t id;
	bool yes;

	if (json_value(file, &root, &e) == -1 ||
	    !json_get(root, "added_tokens", &list) ||
	    !json_open(&it, list, '['))
		return 0;
	*out = arena_array(a, list.n / 16 + 1, sizeof(**out));
	while (json_element(&it, &one)) {
		struct chat_special *s = &(*out)[n];

		*s = (struct chat_special){ 0 };
		if (!json_get(one, "special", &raw) || !json_bool(raw, &yes) ||
		    !view_is(raw, "true") || !json_get(one, "id", &raw) ||
		    !json_integer(raw, &id) || id < 0 || id > INT32_MAX ||
		    !json_get(one, "content", &raw) ||
		    !json_string(a, raw, &s->text) || s->text.n == 0)
			continue;
		s->id = (uint32_t)id;
		s->lstrip = json_get(one, "lstrip", &raw) &&
		    view_is(raw, "true");
		s->rstrip = json_get(one, "rstrip", &raw) &&
		    view_is(raw, "true");
		n++;
	}
	return n;
}

#define TAIL	4096		/* ids at the end, among which they are */

/* special_tail - of other files: what is spelt <|..|> and is not made from
 * text, and the two that begin and end a text */
static size_t
special_tail(const struct tokenizer *t, struct arena *a,
    struct chat_special **out)
{
	uint32_t from = t->size > TAIL ? t->size - TAIL : 0, *ids;
	struct buf *b = buf_new(a, (size_t)1 << 16);
	size_t n = 0;

	*out = arena_array(a, t->size - from + 2, sizeof(**out));
	for (uint32_t id = from; id < t->size; id++) {
		b->n = 0;
		if (tokenizer_decode(t, &id, 1, b) == -1 || b->full ||
		    b->n < 5 || memcmp(b->p, "<|", 2) != 0 ||
		    memcmp(b->p + b->n - 2, "|>", 2) != 0 ||
		    utf8_check(b->p, b->n) != b->n ||
		    tokenizer_encode(t, a, buf_get(b), &ids) == 1)
			continue;
		(*out)[n++] = (struct chat_special){ view_keep(a, buf_get(b)),
		    id, false, false };
	}
	if (n > 0)
		return n;
	if (t->bos != -1)
		(*out)[n++] = (struct chat_special){ VIEW("<s>"),
		    (uint32_t)t->bos, false, false };
	if (t->end != -1)
		(*out)[n++] = (struct chat_special){ VIEW("</s>"),
		    (uint32_t)t->end, false, false };
	return n;
}

size_t
chat_specials(const struct tokenizer *t, struct view file, struct arena *a,
    struct chat_special **out)
{
	size_t i = 0;

	*out = NULL;
	while (i < file.n && i < 64 && strchr(" \t\r\n", file.p[i]) != NULL &&
	    file.p[i] != '\0')
		i++;
	return i < file.n && file.p[i] == '{' ? special_json(a, file, out) :
	    special_tail(t, a, out);
}
