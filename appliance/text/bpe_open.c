/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tokenizer.json: what is understood, and a reason for the rest */
#include "appliance/base/base.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/utf8.h"

uint32_t
bpe_byte_char(unsigned char c)
{
	uint32_t n = 0;

	if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174)
		return c;
	/* the others in order: 0 to 32, 127 to 160, 173 */
	n = c <= 32 ? c : c <= 160 ? (uint32_t)c - 127 + 33 : 67;
	return 256 + n;
}

/* char_byte - the byte that a character of the alphabet stands for; -1 */
static int
char_byte(uint32_t c)
{
	static const unsigned char gap[68] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
		18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
		127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138,
		139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149, 150,
		151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 173
	};

	if (c >= 256 && c < 256 + sizeof(gap))
		return gap[c - 256];
	return c < 256 && bpe_byte_char((unsigned char)c) == c ? (int)c : -1;
}

struct opening {
	struct bpe_source *b;
	struct arena *a;
	struct view *key;		/* tokens as written, by id */
	uint32_t nvocab;		/* ids of these are below it */
	struct bpe_names keys;
	int64_t nkeys, last;		/* keys; the largest added id */
	bool *named;
	struct bpe_added *added;	/* to find what is there twice */
};

/* token_bytes - a token as written to its bytes; false if it is none of the
 * alphabet, and so never what text is made into */
static bool
token_bytes(struct arena *a, struct view text, struct view *bytes)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n, len = 0;
	int c;

	for (size_t i = 0; i < text.n; i += n) {
		c = char_byte(utf8_get(text.p + i, &n));
		if (c == -1)
			return false;
		out[len++] = (char)c;
	}
	*bytes = (struct view){ out, len };
	return true;
}

/* open_vocab - the object token: id, then the bytes that tokens stand for */
static int
open_vocab(struct opening *o, struct view vocab, struct err *e)
{
	struct bpe_source *b = o->b;
	struct json_iter it;
	struct view key, value, text;
	int64_t id;
	uint32_t *at;

	if (!json_open(&it, vocab, '{'))
		return err_set(e, FATE_REJECT, "model.vocab is no object");
	while (json_member(&it, &key, &value)) {
		if (!json_string(o->a, key, &text) ||
		    !json_integer(value, &id) ||
		    !bpe_source_put(b, o->a, id, text))
			return err_set(e, FATE_REJECT, "model.vocab: %.*s has "
			    "no good id of its own", key.n < 40 ? (int)key.n :
			    40, key.p);
		o->nkeys++;
	}
	o->nvocab = b->size;
	o->key = arena_array(o->a, b->size + 1, sizeof(*o->key));
	o->named = arena_alloc(o->a, b->size + 1);
	o->keys = bpe_names_new(o->a, b->size);
	for (uint32_t i = 0; i < b->size; i++) {
		if (b->token[i].p == NULL)
			continue;
		text = o->key[i] = b->token[i];
		at = &o->keys.id[bpe_names_place(&o->keys, o->key, text)];
		*at = i;	/* of a key that is there twice, the last */
		o->named[i] = token_bytes(o->a, text, &b->token[i]);
	}
	return bpe_source_name(b, o->a, o->named, e);
}

/* open_merge - one rule; all three tokens must be in the vocabulary */
static int
open_merge(struct opening *o, struct view v, uint32_t rank, struct err *e)
{
	struct bpe_source *b = o->b;
	struct view left, right, l, r;
	uint32_t li, ri, bi;
	char *joined;

	b->rule[rank].id = BPE_NONE;
	if (!bpe_merge_sides(o->a, v, &left, &right))
		return err_set(e, FATE_REJECT, "model.merges: rule %u is no "
		    "pair", rank);
	if (!token_bytes(o->a, left, &l) || !token_bytes(o->a, right, &r))
		return 0;		/* no text has these */
	joined = arena_alloc(o->a, l.n + r.n + 1);
	memcpy(joined, l.p, l.n);
	memcpy(joined + l.n, r.p, r.n);
	li = bpe_source_find(b, l);
	ri = bpe_source_find(b, r);
	bi = bpe_source_find(b, (struct view){ joined, l.n + r.n });
	if (li == BPE_NONE || ri == BPE_NONE || bi == BPE_NONE)
		return err_set(e, FATE_REJECT, "model.merges: rule %u speaks "
		    "of a token that model.vocab lacks", rank);
	b->rule[rank] = (struct bpe_rule){ li, ri, bi };
	return 0;
}

/* open_merges - all rules; of two for one pair the last one counts */
static int
open_merges(struct opening *o, struct view merges, struct err *e)
{
	struct bpe_source *b = o->b;
	struct json_iter it;
	struct view v;
	uint32_t rank = 0;
	size_t count = 0;

	if (!json_open(&it, merges, '['))
		return err_set(e, FATE_REJECT, "model.merges is no array");
	while (json_element(&it, &v))
		count++;
	if (count >= BPE_RANKS)
		return err_set(e, FATE_REJECT, "%zu merges are too many",
		    count);
	b->rule = arena_array(o->a, count + 1, sizeof(*b->rule));
	b->nrules = (uint32_t)count;
	json_open(&it, merges, '[');
	while (json_element(&it, &v))
		if (open_merge(o, v, rank++, e) == -1)
			return -1;
	return 0;
}

/* member_is - is a member absent, null, or this string */
static bool
member_is(struct view object, const char *name, const char *want)
{
	struct view v;

	return !json_get(object, name, &v) || json_is_null(v) ||
	    (v.n == strlen(want) + 2 &&
	    memcmp(v.p + 1, want, v.n - 2) == 0);
}

/* member_bool - a member that is true or false; absent is what is given */
static bool
member_bool(struct view object, const char *name, bool absent)
{
	struct view v;
	bool on;

	return json_get(object, name, &v) && json_bool(v, &on) ? on : absent;
}

/* open_model - settings of the model that change what it does */
static int
open_model(struct opening *o, struct view model, struct err *e)
{
	struct view v;
	double x;

	if (!member_is(model, "type", "BPE"))
		return err_set(e, FATE_REJECT, "the model is not BPE");
	if (!member_is(model, "continuing_subword_prefix", "") ||
	    !member_is(model, "end_of_word_suffix", ""))
		return err_set(e, FATE_REJECT, "its BPE has a subword prefix "
		    "or suffix, which is not read");
	if (json_get(model, "dropout", &v) && json_number(v, &x) && x != 0)
		return err_set(e, FATE_REJECT, "its BPE has dropout: ids "
		    "would be random");
	o->b->whole = member_bool(model, "ignore_merges", false);
	return 0;
}

/* open_normalizer - none, NFC, or a sequence of these */
static int
open_normalizer(struct opening *o, struct view v, struct err *e)
{
	struct view type = VIEW("of no type"), list;
	struct json_iter it;

	if (json_is_null(v))
		return 0;
	json_get(v, "type", &type);
	if (view_is(type, "\"Sequence\"") &&
	    json_get(v, "normalizers", &list) && json_open(&it, list, '[')) {
		while (json_element(&it, &v))
			if (open_normalizer(o, v, e) == -1)
				return -1;
		return 0;
	}
	if (!view_is(type, "\"NFC\""))
		return err_set(e, FATE_REJECT, "its normalizer %.*s is not "
		    "read: only NFC is", type.n < 40 ? (int)type.n : 40,
		    type.p);
	o->b->nfc = true;
	return 0;
}

/* open_split - Split by a known pattern, then ByteLevel without its own */
static int
open_split(struct opening *o, struct view v, struct err *e)
{
	struct view list, one, two, pattern, regex;
	struct json_iter it;

	if (!json_get(v, "pretokenizers", &list) ||
	    !json_open(&it, list, '[') || !json_element(&it, &one) ||
	    !json_element(&it, &two) || json_element(&it, &v) ||
	    !member_is(one, "type", "Split") ||
	    !member_is(two, "type", "ByteLevel") ||
	    !json_get(one, "pattern", &pattern))
		return err_set(e, FATE_REJECT, "its pre-tokenizer is a "
		    "sequence of others than Split and ByteLevel");
	if (!json_get(pattern, "Regex", &regex) ||
	    !json_string(o->a, regex, &regex) ||
	    !member_is(one, "behavior", "Isolated") ||
	    member_bool(one, "invert", false) ||
	    member_bool(two, "use_regex", true) ||
	    member_bool(two, "add_prefix_space", false))
		return err_set(e, FATE_REJECT, "its Split or ByteLevel has "
		    "settings that are not read");
	o->b->pattern = bpe_pattern_of(regex);
	return o->b->pattern != NULL ? 0 : err_set(e, FATE_REJECT, "its "
	    "pattern is not known: %.*s", regex.n < 200 ? (int)regex.n : 200,
	    regex.p);
}

/* open_pieces - how text is cut */
static int
open_pieces(struct opening *o, struct view root, struct err *e)
{
	struct view v, type;

	if (!json_get(root, "pre_tokenizer", &v) || !json_get(v, "type",
	    &type))
		return err_set(e, FATE_REJECT, "it has no pre-tokenizer; only "
		    "byte-level BPE is read");
	if (view_is(type, "\"Sequence\""))
		return open_split(o, v, e);
	if (!view_is(type, "\"ByteLevel\""))
		return err_set(e, FATE_REJECT, "its pre-tokenizer %.*s is not "
		    "ByteLevel", type.n < 40 ? (int)type.n : 40, type.p);
	if (!member_bool(v, "use_regex", true))
		return err_set(e, FATE_REJECT, "its ByteLevel pre-tokenizer "
		    "does not cut (use_regex), which is not read");
	o->b->blank = member_bool(v, "add_prefix_space", false);
	o->b->pattern = bpe_pattern("gpt2");
	return 0;
}

/* added_one - an added token: to be decoded, and sought if it is not special */
static int
added_one(struct opening *o, struct view one, struct err *e)
{
	struct bpe_token t = { .special = member_bool(one, "special", true) };
	struct view content, v;
	int64_t id, want;
	uint32_t known;

	if (!json_get(one, "content", &v) ||
	    !json_string(o->a, v, &content) || !json_get(one, "id", &v) ||
	    !json_integer(v, &id))
		return err_set(e, FATE_REJECT, "an added token without "
		    "content or id");
	if (content.n == 0)
		return 0;
	known = o->keys.id[bpe_names_place(&o->keys, o->key, content)];
	want = o->nkeys > o->last + 1 ? o->nkeys : o->last + 1;
	want = known != BPE_NONE ? known : want;
	if (id != want && (id < 0 || (uint64_t)id >= o->nvocab ||
	    !view_eq(o->key[id], content)))
		return err_set(e, FATE_REJECT, "added token '%.*s' has id "
		    "%lld, where the library would count %lld",
		    content.n < 80 ? (int)content.n : 80, content.p,
		    (long long)id, (long long)want);
	o->last = id > o->last ? id : o->last;
	if (known == BPE_NONE && !bpe_source_put(o->b, o->a, id, content))
		return err_set(e, FATE_REJECT, "added token '%.*s' has an id "
		    "that is taken or too large", content.n < 80 ?
		    (int)content.n : 80, content.p);
	if (!t.special && member_bool(one, "single_word", false))
		return err_set(e, FATE_REJECT, "added token '%.*s' is "
		    "single_word, which is not read", content.n < 80 ?
		    (int)content.n : 80, content.p);
	t.id = (uint32_t)want;
	t.normalized = member_bool(one, "normalized", false);
	t.lstrip = member_bool(one, "lstrip", false);
	t.rstrip = member_bool(one, "rstrip", false);
	t.content = t.normalized && o->b->nfc ? utf8_nfc9(o->a, content) :
	    content;
	if (!bpe_added_put(o->added, &t))
		return err_set(e, FATE_REJECT, "added token '%.*s' is there "
		    "twice", content.n < 80 ? (int)content.n : 80, content.p);
	o->b->added[o->b->nadded++] = t;
	return 0;
}

/* open_added - added tokens */
static int
open_added(struct opening *o, struct view root, struct err *e)
{
	struct json_iter it;
	struct view list, one;
	size_t count = 0;

	if (!json_get(root, "added_tokens", &list) ||
	    !json_open(&it, list, '['))
		return 0;
	while (json_element(&it, &one))
		count++;
	/* a normalized token has at most three times the bytes */
	o->added = bpe_added_new(o->a, count, list.n * 3);
	o->b->added = arena_array(o->a, count + 1, sizeof(*o->b->added));
	json_open(&it, list, '[');
	while (json_element(&it, &one))
		if (added_one(o, one, e) == -1)
			return -1;
	return 0;
}

struct bpe *
bpe_open(struct arena *a, struct view json, struct err *e)
{
	struct bpe_source *b = arena_alloc(a, sizeof(*b));
	struct opening o = { .b = b, .a = a, .last = -1 };
	struct view root, model, vocab, merges, v;

	if (json_value(json, &root, e) == -1)
		return NULL;
	if (!json_get(root, "model", &model) ||
	    !json_get(model, "vocab", &vocab) ||
	    !json_get(model, "merges", &merges)) {
		err_set(e, FATE_REJECT, "no model with vocab and merges");
		return NULL;
	}
	if (open_model(&o, model, e) == -1 ||
	    (json_get(root, "normalizer", &v) &&
	    open_normalizer(&o, v, e) == -1) ||
	    open_pieces(&o, root, e) == -1 ||
	    open_vocab(&o, vocab, e) == -1 ||
	    open_merges(&o, merges, e) == -1 ||
	    open_added(&o, root, e) == -1)
		return NULL;
	return bpe_attach(a, bpe_compile(a, b), e);
}
