/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_vocab.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct hf_vocab *
hf_vocab_new(struct arena *a, size_t n)
{
	struct hf_vocab *v = arena_alloc(a, sizeof(*v));
	size_t size = 16;

	while (size < n * 2)
		size *= 2;
	v->place = arena_array(a, size, sizeof(*v->place));
	v->mask = size - 1;
	v->text = arena_array(a, n + 1, sizeof(*v->text));
	v->id = arena_array(a, n + 1, sizeof(*v->id));
	return v;
}

/* vocab_place - where a text is or would be */
static size_t
vocab_place(const struct hf_vocab *v, struct view text)
{
	size_t i = XXH3_64bits(text.p, text.n) & v->mask;

	while (v->place[i] != 0 && !view_eq(hf_vocab_view(v,
	    v->text[v->place[i] - 1]), text))
		i = (i + 1) & v->mask;
	return i;
}

/* pool_add - a text's bytes; the pool may move */
static struct hf_ref
pool_add(struct hf_vocab *v, struct arena *a, struct view text)
{
	struct hf_ref r = { (uint32_t)v->used, (uint32_t)text.n };

	if (text.n > v->cap - v->used) {
		size_t cap = (v->cap + text.n) * 2 + 256;

		v->pool = arena_grow(a, v->pool, v->used, cap, 1);
		v->cap = cap;
	}
	memcpy(v->pool + v->used, text.p, text.n);
	v->used += text.n;
	return r;
}

/* tokens_grow - room for an id */
static void
tokens_grow(struct hf_vocab *v, struct arena *a, uint32_t id)
{
	uint32_t room = v->room == 0 ? 1024 : v->room;

	while (id >= room)
		room *= 2;
	v->token = arena_grow(a, v->token, v->end, room, sizeof(*v->token));
	for (uint32_t i = v->end; i < room; i++)
		v->token[i].n = HF_NONE;
	v->room = room;
}

bool
hf_vocab_put(struct hf_vocab *v, struct arena *a, struct view text, int64_t id)
{
	size_t i = vocab_place(v, text);

	if (id < 0 || id >= HF_TOKENS || text.n > UINT32_MAX / 2 - v->used)
		return false;
	if (v->place[i] == 0) {
		v->text[v->count++] = pool_add(v, a, text);
		v->place[i] = v->count;
	}
	v->id[v->place[i] - 1] = (uint32_t)id;
	if (id >= v->room)
		tokens_grow(v, a, (uint32_t)id);
	v->token[id] = v->text[v->place[i] - 1];
	if (id >= v->end)
		v->end = (uint32_t)id + 1;
	if (text.n > v->longest)
		v->longest = text.n;
	return true;
}

struct hf_vocab *
hf_vocab_open(struct arena *a, struct view json, struct err *e)
{
	struct json_iter it;
	struct view key, value, text;
	struct hf_vocab *v;
	size_t n = 0;
	int64_t id;

	if (!json_open(&it, json, '{')) {
		err_set(e, FATE_REJECT, "model.vocab is no object");
		return NULL;
	}
	while (json_member(&it, &key, &value))
		n++;
	v = hf_vocab_new(a, n);
	json_open(&it, json, '{');
	while (json_member(&it, &key, &value)) {
		if (json_string(a, key, &text) && json_integer(value, &id) &&
		    hf_vocab_put(v, a, text, id))
			continue;
		err_set(e, FATE_REJECT, "model.vocab: %.*s has no good id",
		    key.n < 40 ? (int)key.n : 40, key.p);
		return NULL;
	}
	return v;
}

uint32_t
hf_vocab_find(const struct hf_vocab *v, struct view text)
{
	uint32_t at = text.n > v->longest ? 0 : v->place[vocab_place(v, text)];

	return at == 0 ? HF_NONE : v->id[at - 1];
}

bool
hf_vocab_token(const struct hf_vocab *v, uint32_t id, struct view *text)
{
	if (id >= v->end || v->token[id].n == HF_NONE)
		return false;
	*text = hf_vocab_view(v, v->token[id]);
	return true;
}
