/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistral's tekken.json: tokens by rank with their bytes in base64, of which
 * only as many count as config.default_vocab_size leaves beside the special
 * ones.  These have the first ids; a token's id is its rank behind them.  Files
 * up to version v7 do not list the special ones, which are then those that
 * mistral-common 1.13 knows.
 */
#include "appliance/base/base.h"
#include "appliance/text/base64.h"
#include "appliance/text/bpe_table.h"

static const char *const specials[] = { "<unk>", "<s>", "</s>", "[INST]",
	"[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
	"[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
	"[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
	"[/SYSTEM_PROMPT]", "[TOOL_CONTENT]" };

/* bpe_is_tekken - by its first member, where writers put the configuration: no
 * file is read to its end for this */
bool
bpe_is_tekken(struct view file)
{
	struct view name, config, v;
	struct json_iter it;

	return json_open(&it, file, '{') && json_member(&it, &name, &config) &&
	    view_is(name, "\"config\"") && config.p[0] == '{' &&
	    json_get(config, "default_num_special_tokens", &v);
}

/* count_of - a number of the configuration */
static int
count_of(struct view config, const char *name, int64_t *n, struct err *e)
{
	struct view v;

	if (!json_get(config, name, &v) || !json_integer(v, n) || *n < 0 ||
	    *n > (int64_t)BPE_TOKENS)
		return err_set(e, FATE_REJECT, "config.%s is no number of "
		    "tokens", name);
	return 0;
}

/* put_special - one of them; those are not made from text */
static int
put_special(struct bpe_source *b, struct arena *a, int64_t id, int64_t most,
    struct view text, struct err *e)
{
	if (id < 0 || id >= most || !bpe_source_put(b, a, id, text))
		return err_set(e, FATE_REJECT, "special token '%.*s' has an "
		    "id that is taken or not below %lld", text.n < 80 ?
		    (int)text.n : 80, text.p, (long long)most);
	b->added[b->nadded++] = (struct bpe_token){ .content = text,
	    .id = (uint32_t)id, .special = true };
	return 0;
}

/* put_specials - those of the file, or those that are known; the others have
 * names by their numbers */
static int
put_specials(struct bpe_source *b, struct arena *a, struct view root,
    int64_t most, struct err *e)
{
	struct view list, one, v, text;
	struct json_iter it;
	int64_t id;

	b->added = arena_array(a, (size_t)most + 1, sizeof(*b->added));
	if (json_get(root, "special_tokens", &list) && !json_is_null(list)) {
		if (!json_open(&it, list, '['))
			return err_set(e, FATE_REJECT, "special_tokens is no "
			    "list");
		while (json_element(&it, &one))
			if (!json_get(one, "rank", &v) ||
			    !json_integer(v, &id) ||
			    !json_get(one, "token_str", &v) ||
			    !json_string(a, v, &text))
				return err_set(e, FATE_REJECT, "a special "
				    "token without rank or token_str");
			else if (put_special(b, a, id, most, text, e) == -1)
				return -1;
	} else
		for (size_t i = 0; i < BASE_COUNT(specials) &&
		    (int64_t)i < most; i++)
			if (put_special(b, a, (int64_t)i, most,
			    view_of(specials[i]), e) == -1)
				return -1;
	for (id = 0; id < most; id++)
		if ((id >= b->size || b->token[id].p == NULL) &&
		    put_special(b, a, id, most, view_of(arena_printf(a,
		    "<SPECIAL_%lld>", (long long)id)), e) == -1)
			return -1;
	return 0;
}

/* put_vocab - the tokens that count; the ranks up to the last must be there */
static int
put_vocab(struct bpe_source *b, struct arena *a, struct view root,
    int64_t first, int64_t all, struct err *e)
{
	struct view list, one, v, text, bytes;
	struct json_iter it;
	int64_t rank, count = 0;

	if (!json_get(root, "vocab", &list) || !json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "vocab is no list");
	for (size_t i = 0; json_element(&it, &one); i++) {
		if (!json_get(one, "rank", &v) || !json_integer(v, &rank) ||
		    rank < 0 || !json_get(one, "token_bytes", &v) ||
		    !json_string(a, v, &text) || !base64(a, text, &bytes))
			return err_set(e, FATE_REJECT, "vocab[%zu] has no "
			    "rank, or no token_bytes in base64", i);
		if (rank >= all - first)
			continue;
		if (bytes.n > BPE_RANKED)
			return err_set(e, FATE_REJECT, "vocab[%zu] has %zu "
			    "bytes; up to %zu are read", i, bytes.n,
			    BPE_RANKED);
		if (!bpe_source_put(b, a, first + rank, bytes))
			return err_set(e, FATE_REJECT, "vocab[%zu]: rank "
			    "%lld is taken or too large", i, (long long)rank);
		count++;
	}
	return count == all - first ? 0 : err_set(e, FATE_REJECT, "vocab has "
	    "%lld of the %lld tokens that config.default_vocab_size wants",
	    (long long)count, (long long)(all - first));
}

struct bpe *
bpe_open_tekken(struct arena *a, struct view file, struct err *e)
{
	struct bpe_source *b = arena_alloc(a, sizeof(*b));
	struct view root, config, v;
	int64_t all, first;
	bool *named;

	if (json_value(file, &root, e) == -1)
		return NULL;
	if (!json_get(root, "config", &config) ||
	    !json_get(config, "pattern", &v) || !json_string(a, v, &v)) {
		err_set(e, FATE_REJECT, "config has no pattern");
		return NULL;
	}
	if (count_of(config, "default_vocab_size", &all, e) == -1 ||
	    count_of(config, "default_num_special_tokens", &first, e) == -1 ||
	    bpe_source_pattern(b, a, v, e) == -1 ||
	    put_specials(b, a, root, first, e) == -1 ||
	    put_vocab(b, a, root, first, all, e) == -1)
		return NULL;
	named = arena_array(a, b->size + 1, sizeof(*named));
	for (uint32_t i = (uint32_t)first; i < b->size; i++)
		named[i] = true;
	b->whole = true;
	if (bpe_source_name(b, a, named, e) == -1)
		return NULL;
	return bpe_attach(a, bpe_compile(a, b), e);
}
