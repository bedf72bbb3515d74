/* SPDX-License-Identifier: Apache-2.0 */
/* Text to ids and back: from text to pieces here, from pieces to ids with the
 * scratch */
#include "appliance/base/base.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_scratch.h"
#include "appliance/text/hf_regex.h"
#include "appliance/text/utf8.h"

#define IDS_KEPT	((size_t)1 << 22)
#define TAIL		(BPE_BLOCK + 16u)	/* bytes that are read */

uint32_t
bpe_size(const struct bpe *b)
{
	return b->size;
}

bool
bpe_special(const struct bpe *b, uint32_t id)
{
	return bpe_added_special(b->added, id);
}

int64_t
bpe_find(const struct bpe *b, const char *text)
{
	uint32_t id = bpe_name_find(b, text, strlen(text));

	for (size_t i = 0; i < b->nother; i++)
		if (b->other[i] < id && view_is(bpe_token_at(b, b->other[i]),
		    text))
			return b->other[i];
	return id == BPE_NONE ? -1 : (int64_t)id;
}

const struct bpe_pattern *
bpe_cut(const struct bpe *b, struct view *regex)
{
	*regex = b->own_text;
	return b->own != NULL ? NULL : b->pattern;
}

/* encode_own - by an expression; what it does not match gets no ids, as in
 * tiktoken */
static void
encode_own(struct bpe_scratch *s, struct view v)
{
	struct hf_search *search = hf_search_new(s->bpe->own, v);
	size_t from, to;

	s->end = v.p + v.n;
	while (hf_search_next(search, &from, &to))
		if (to > from)
			bpe_one(s, v.p + from, to - from);
	bpe_flush(s);
	s->steps += hf_search_steps(search);
	hf_search_free(search);
}

/* encode_text - text without added tokens, normalized */
static void
encode_text(struct bpe_scratch *s, struct view v)
{
	const struct bpe *b = s->bpe;
	const char *p, *end;
	char last[TAIL + BPE_BLOCK] = { 0 };
	bool fast = bpe_block_here();
	size_t n, left;

	if (v.n > 0 && b->blank && v.p[0] != ' ') {
		char *copy = arena_alloc(s->work, v.n + 1);

		copy[0] = ' ';
		memcpy(copy + 1, v.p, v.n);
		v = (struct view){ copy, v.n + 1 };
	}
	if (b->own != NULL) {
		encode_own(s, v);
		return;
	}
	s->end = end = v.p + v.n;
	for (p = v.p; p < end; p += n) {
		left = (size_t)(end - p);
		if (left < TAIL && end == v.p + v.n) {
			p = memcpy(last, p, left);
			end = last + left;
			s->end = last + sizeof(last);
		}
		/* dense text beyond ASCII is not for blocks */
		if (fast && left > 1 && ((p[0] | p[1]) & 0x80) == 0) {
			n = bpe_pieces(s, p, bpe_block(b->pattern, p, left <
			    BPE_BLOCK ? left : BPE_BLOCK, end));
			if (n > 0)
				continue;
		}
		n = bpe_piece(b->pattern, p, left);
		bpe_one(s, p, n);
	}
	bpe_flush(s);
}

/* encode_split - text between the added tokens of one kind, and these */
static void
encode_split(struct bpe_scratch *s, struct view v, bool normalized)
{
	const struct bpe *b = s->bpe;
	struct bpe_split split = { b->added, v, normalized, 0, 0 };
	bool any = bpe_added_any(b->added, normalized);
	int64_t id = -1;

	while (any ? bpe_split_next(&split, &v, &id) : v.n > 0) {
		if (normalized)
			encode_text(s, v);
		else
			encode_split(s, b->nfc ? utf8_nfc9(s->work, v) : v,
			    true);
		if (id == -1)
			break;
		bpe_room(s, 1);
		s->id[s->n++] = (uint32_t)id;
	}
}

/* encode_small - with a scratch of its own, as large as is worth while */
static size_t
encode_small(const struct bpe *b, struct arena *a, struct view text,
    uint32_t **ids)
{
	struct arena *own = arena_new();
	size_t n = bpe_encode(b, bpe_scratch_of(own, b, text.n / 16), a, text,
	    ids);

	arena_free(own);
	return n;
}

size_t
bpe_encode(const struct bpe *b, struct bpe_scratch *s, struct arena *a,
    struct view text, uint32_t **ids)
{
	if (s == NULL)
		return encode_small(b, a, text, ids);
	arena_reset(s->work);
	s->n = 0;
	encode_split(s, text, false);
	*ids = arena_copy(a, s->id, s->n * sizeof(**ids));
	if (s->cap > IDS_KEPT) {
		mem_free(s->id);
		s->id = NULL;
		s->cap = 0;
	}
	return s->n;
}

int
bpe_decode(const struct bpe *b, const uint32_t *ids, size_t n,
    struct buf *out)
{
	struct view v;
	size_t i = 0;

	while ((i += slots_put(b->slot, b->size, ids + i, n - i, out)) < n) {
		if (ids[i] >= b->size)
			return -1;
		v = bpe_token_at(b, ids[i]);
		if (v.p == NULL)
			return -1;
		buf_view(out, v);
		i++;
	}
	return 0;
}
