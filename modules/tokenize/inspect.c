/* SPDX-License-Identifier: Apache-2.0 */
/* What a vocabulary is made of, as its file says it */
#include "appliance/base/base.h"
#include "modules/tokenize/compare.h"

/* part_types - the types of a part, those within a Sequence one by one */
static void
part_types(struct arena *a, struct view part, struct buf *b, int depth)
{
	static const char *const within[] = { "normalizers", "pretokenizers",
	    "processors", "decoders" };
	struct json_iter it;
	struct view type, list, one;

	if (depth == 8 || !json_get(part, "type", &type) ||
	    !json_string(a, type, &type))
		return;
	for (size_t i = 0; i < BASE_COUNT(within); i++) {
		if (!view_is(type, "Sequence") ||
		    !json_get(part, within[i], &list) ||
		    !json_open(&it, list, '['))
			continue;
		while (json_element(&it, &one))
			part_types(a, one, b, depth + 1);
		return;
	}
	buf_str(b, b->n > 0 ? " " : "");
	buf_view(b, type);
}

/* inspect_put - a member, and a line for people */
static void
inspect_put(struct buf *b, const char *name, struct view text)
{
	buf_str(b, b->n > 1 ? "," : "");
	buf_json_str(b, name);
	buf_char(b, ':');
	buf_json(b, text);
	msg_info("%-16s %.*s", name, (int)text.n, text.p);
}

/* inspect_number - the same of a number */
static void
inspect_number(struct buf *b, const char *name, int64_t n)
{
	buf_str(b, b->n > 1 ? "," : "");
	buf_json_str(b, name);
	buf_printf(b, ":%lld", (long long)n);
	msg_info("%-16s %lld", name, (long long)n);
}

/* inspect_parts - the steps of a tokenizer.json, in their order */
static void
inspect_parts(struct arena *a, struct view file, struct buf *b)
{
	static const char *const parts[] = { "normalizer", "pre_tokenizer",
	    "model", "post_processor", "decoder" };
	struct buf *types = buf_new(a, 1 << 16);
	struct view root, part, list, one;
	struct json_iter it;
	struct err e;
	int64_t n = 0;

	if (json_value(file, &root, &e) == -1 || root.p[0] != '{')
		return;
	for (size_t i = 0; i < BASE_COUNT(parts); i++) {
		types->n = 0;
		if (json_get(root, parts[i], &part))
			part_types(a, part, types, 0);
		inspect_put(b, parts[i], types->n > 0 ? buf_get(types) :
		    json_get(root, parts[i], &part) && part.p[0] == '{' ?
		    VIEW("of no type") : VIEW("none"));
	}
	if (json_get(root, "model", &part) &&
	    json_get(part, "merges", &list) && json_open(&it, list, '[')) {
		while (json_element(&it, &one))
			n++;
		inspect_number(b, "merges", n);
	}
	n = 0;
	if (json_get(root, "added_tokens", &list) &&
	    json_open(&it, list, '['))
		while (json_element(&it, &one))
			n++;
	inspect_number(b, "added_tokens", n);
}

/* inspect_special - the special tokens with their ids */
static void
inspect_special(struct arena *a, const struct known *v, struct buf *b)
{
	struct chat_special *k;
	size_t n = chat_specials(v->tokenizer, v->file, a, &k);

	buf_str(b, ",\"special\":[");
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i > 0 ? ",{\"id\":" : "{\"id\":");
		buf_printf(b, "%u,\"text\":", k[i].id);
		buf_json(b, k[i].text);
		buf_char(b, '}');
		if (i < 20)
			msg_info("%-16s %u %.*s", i == 0 ? "special" : "",
			    k[i].id, (int)k[i].text.n, k[i].text.p);
	}
	if (n > 20)
		msg_info("%-16s and %zu more", "", n - 20);
	buf_char(b, ']');
}

void
inspect_known(struct stage *s, const struct known *v, struct rec *r)
{
	const struct tokenizer *t = v->tokenizer;
	struct chat_from from = v->from;
	struct buf *b = buf_new(s->arena, REC_MAX);
	struct err e;

	buf_char(b, '{');
	inspect_put(b, "file", view_of(v->name));
	inspect_put(b, "kind", view_of(t->name));
	inspect_put(b, "path", t->bpe != NULL ? VIEW("byte-level BPE, cut by "
	    "a known pattern") : VIEW("general"));
	inspect_number(b, "size", t->size);
	inspect_number(b, "begins", t->bos);
	inspect_number(b, "ends", t->end);
	inspect_parts(s->arena, v->file, b);
	inspect_put(b, "template", chat_open(s->arena, &from, t, v->file,
	    &e) != NULL ? VIEW("yes") : view_of(e.text));
	inspect_special(s->arena, v, b);
	buf_char(b, '}');
	rec_set_str(s->arena, r, "id", view_of(v->name));
	rec_set_raw(s->arena, r, "tokenizer", buf_get(b));
}
