/* SPDX-License-Identifier: Apache-2.0 */
/* What a vocabulary is made of, as its file says it, and how it is read */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/spm.h"
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
	msg_info("%-18s %.*s", name, (int)text.n, text.p);
}

/* inspect_raw - the same of JSON as it is */
static void
inspect_raw(struct buf *b, const char *name, struct view raw)
{
	buf_str(b, b->n > 1 ? "," : "");
	buf_json_str(b, name);
	buf_char(b, ':');
	buf_view(b, raw);
	msg_info("%-18s %.*s", name, (int)raw.n, raw.p);
}

/* inspect_number - and of a number */
static void
inspect_number(struct buf *b, const char *name, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	inspect_raw(b, name, view_of(text));
}

/* inspect_token - an id and what it is, -1: none */
static void
inspect_token(struct arena *a, const struct known *v, struct buf *b,
    const char *name, int32_t id)
{
	struct chat_special *k;
	size_t n = chat_specials(v->tokenizer, v->file, a, &k), i = 0;

	buf_printf(b, ",\"%s\":%d", name, id);
	while (i < n && k[i].id != (uint32_t)id)
		i++;
	if (id == -1)
		msg_info("%-18s none", name);
	else
		msg_info("%-18s %d %.*s", name, id, i < n ? (int)k[i].text.n :
		    0, i < n ? k[i].text.p : "");
}

/* part_patterns - the patterns by which a pre-tokenizer cuts, one a line */
static void
part_patterns(struct arena *a, struct view part, struct buf *b, int depth)
{
	struct json_iter it;
	struct view list, one, text;

	if (depth == 8)
		return;
	if (json_get(part, "pretokenizers", &list) && json_open(&it, list,
	    '['))
		while (json_element(&it, &one))
			part_patterns(a, one, b, depth + 1);
	if (!json_get(part, "pattern", &one) ||
	    (!json_get(one, "Regex", &text) &&
	    !json_get(one, "String", &text)) || !json_string(a, text, &text))
		return;
	buf_str(b, b->n > 0 ? "\n" : "");
	buf_view(b, text);
}

/* inspect_way - which of the readers has it, how it looks for where pieces
 * end, and by what */
static void
inspect_way(struct arena *a, const struct known *v, struct view root,
    struct buf *b)
{
	const struct tokenizer *t = v->tokenizer;
	const struct bpe_pattern *p;
	struct view regex;
	struct buf *cut = buf_new(a, 1 << 16);
	struct view part;
	struct err e;

	if (t->bpe != NULL) {
		p = bpe_cut(t->bpe, &regex);
		inspect_put(b, "path", VIEW("byte-level BPE"));
		/* of the machine, so no part of the record */
		msg_info("%-18s %s", "cut by", p == NULL ? "an expression" :
		    bpe_block_here() ? "blocks of 64 bytes" : "characters: "
		    "this machine lacks AVX2");
		inspect_put(b, "pattern", p == NULL ? VIEW("the file's own") :
		    view_of(bpe_pattern_name(p)));
		if (p != NULL && bpe_regex(p) != NULL)
			regex = view_of(bpe_regex(p));
		if (p == NULL || bpe_regex(p) != NULL)
			inspect_put(b, "regex", regex);
		return;
	}
	if (t->spm != NULL) {
		inspect_put(b, "path", VIEW("SentencePiece's"));
		return;
	}
	inspect_put(b, "path", bpe_open(a, v->file, &e) != NULL ?
	    VIEW("general") : view_of(arena_printf(a, "general, not that of "
	    "byte-level BPE: %s", e.text)));
	if (json_get(root, "pre_tokenizer", &part))
		part_patterns(a, part, cut, 0);
	inspect_put(b, "pattern", cut->n > 0 ? buf_get(cut) : VIEW("none"));
}

/* model_type - files of old versions do not say it, but have other members */
static struct view
model_type(struct arena *a, struct view model)
{
	struct view v;

	if (json_get(model, "type", &v) && json_string(a, v, &v))
		return v;
	return json_get(model, "merges", &v) ? VIEW("BPE") :
	    json_get(model, "continuing_subword_prefix", &v) ?
	    VIEW("WordPiece") : json_get(model, "unk_id", &v) ?
	    VIEW("Unigram") : VIEW("WordLevel");
}

/* inspect_model - the model's own members, but for the long ones */
static void
inspect_model(struct arena *a, struct view model, struct buf *b)
{
	struct view name, v;
	struct json_iter it;
	int64_t n = 0;

	inspect_put(b, "model", model_type(a, model));
	if (!json_open(&it, model, '{'))
		return;
	while (json_member(&it, &name, &v)) {
		if (v.p[0] == '[' || v.p[0] == '{' || json_is_null(v) ||
		    !json_string(a, name, &name) || view_is(name, "type"))
			continue;
		if (v.p[0] != '"')
			inspect_raw(b, arena_strn(a, name.p, name.n), v);
		else if (json_string(a, v, &v) && v.n > 0)
			inspect_put(b, arena_strn(a, name.p, name.n), v);
	}
	if (!json_get(model, "merges", &v) || !json_open(&it, v, '['))
		return;
	while (json_element(&it, &v))
		n++;
	inspect_number(b, "merges", n);
}

/* inspect_added - how many are added to the model's tokens */
static void
inspect_added(struct view root, struct buf *b)
{
	struct view list, one, flag;
	struct json_iter it;
	int64_t n = 0, special = 0;

	if (json_get(root, "added_tokens", &list) &&
	    json_open(&it, list, '['))
		for (; json_element(&it, &one); n++)
			special += json_get(one, "special", &flag) &&
			    view_is(flag, "true");
	inspect_number(b, "added_tokens", n);
	inspect_number(b, "added_special", special);
}

/* inspect_parts - the steps of a tokenizer.json, in their order */
static void
inspect_parts(struct arena *a, struct view root, struct buf *b)
{
	static const char *const parts[] = { "normalizer", "pre_tokenizer",
	    "model", "post_processor", "decoder" };
	struct buf *types = buf_new(a, 1 << 16);
	struct view part;

	for (size_t i = 0; i < BASE_COUNT(parts); i++) {
		bool any = json_get(root, parts[i], &part);

		if (i == 2) {
			inspect_model(a, part, b);
			continue;
		}
		types->n = 0;
		if (any)
			part_types(a, part, types, 0);
		inspect_put(b, parts[i], types->n > 0 ? buf_get(types) :
		    any && part.p[0] == '{' ? VIEW("of no type") :
		    VIEW("none"));
	}
	inspect_added(root, b);
}

/* inspect_pieces - what SentencePiece's file says */
static void
inspect_pieces(struct arena *a, struct view file, struct buf *b)
{
	static const char *const kinds[] = { "", "Unigram", "BPE", "word",
	    "char" };
	static const struct {
		const char *name;
		enum spm_type type;
	} types[] = { { "control", SPM_CONTROL }, { "user_defined",
	    SPM_USER_DEFINED }, { "unused", SPM_UNUSED }, { "bytes",
	    SPM_BYTE } };
	struct spm_spec spec;
	struct err e;
	int64_t n;

	if (spm_read(a, file, &spec, &e) == -1 &&
	    spm_read_bin(a, file, &spec, &e) == -1)
		return;
	inspect_put(b, "model", view_of(kinds[spec.kind]));
	inspect_put(b, "normalizer", view_of(arena_printf(a,
	    "%s%s%s", spec.rules.charsmap.n > 0 ? "table" : "no table",
	    spec.rules.dummy_prefix ? ", a blank in front" : "",
	    spec.rules.squeeze ? ", extra white space removed" : "")));
	inspect_raw(b, "byte_fallback", spec.byte_fallback ?
	    VIEW("true") : VIEW("false"));
	for (size_t i = 0; i < BASE_COUNT(types); i++) {
		n = 0;
		for (size_t k = 0; k < spec.n; k++)
			n += spec.piece[k].type == types[i].type;
		inspect_number(b, types[i].name, n);
	}
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
			msg_info("%-18s %u %.*s", i == 0 ? "special" : "",
			    k[i].id, (int)k[i].text.n, k[i].text.p);
	}
	if (n > 20)
		msg_info("%-18s and %zu more", "", n - 20);
	buf_char(b, ']');
}

void
inspect_known(struct stage *s, const struct known *v, struct rec *r)
{
	const struct tokenizer *t = v->tokenizer;
	struct chat_from from = v->from;
	struct buf *b = buf_new(s->arena, REC_MAX);
	struct view root;
	struct err e;
	bool json = json_value(v->file, &root, &e) == 0 && root.p[0] == '{';

	buf_char(b, '{');
	inspect_put(b, "file", view_of(v->name));
	inspect_put(b, "kind", view_of(t->name));
	inspect_way(s->arena, v, root, b);
	inspect_number(b, "size", t->size);
	inspect_token(s->arena, v, b, "begins", t->bos);
	inspect_token(s->arena, v, b, "ends", t->end);
	if (json)
		inspect_parts(s->arena, root, b);
	else if (t->spm != NULL)
		inspect_pieces(s->arena, v->file, b);
	inspect_put(b, "template", chat_open(s->arena, &from, t, v->file,
	    &e) != NULL ? VIEW("yes") : view_of(e.text));
	inspect_special(s->arena, v, b);
	buf_char(b, '}');
	rec_set_str(s->arena, r, "id", view_of(v->name));
	rec_set_raw(s->arena, r, "tokenizer", buf_get(b));
}
