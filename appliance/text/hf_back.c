/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/words.h"
#include "appliance/text/hf.h"
#include "appliance/text/hf_back.h"
#include "appliance/text/slots.h"

#define TRIES	4096u		/* ids that are looked at for a word */
#define BYTE	(SLOT_OTHER - 1)	/* the first one's value */
#define LONGER	(SLOT_OTHER - 2)	/* two u32: bytes, where in the pool */

struct hf_back {
	const void *hf;
	hf_back_plain *plain;
	uint32_t size, word;		/* word: an id */
	size_t begin;			/* bytes of its text */
	struct buf pool;
	struct slot slot[];
};

/* behind - what ids are behind the word; false: that is not known */
static bool
behind(const struct hf_back *b, struct buf *work, const uint32_t *ids,
    size_t n, unsigned flags, struct view *v)
{
	work->n = 0;
	if (n == 0 || b->plain(b->hf, ids, n, flags, work) == -1 ||
	    work->n < b->begin)
		return false;
	*v = (struct view){ work->p + b->begin, work->n - b->begin };
	return true;
}

/* is_word - is an id two letters or more, which nothing is taken off from */
static bool
is_word(const struct hf_back *b, struct buf *work, uint32_t id)
{
	size_t i = 0;

	work->n = 0;
	if (b->plain(b->hf, &id, 1, 0, work) == -1 || work->n < 2)
		return false;
	while (i < work->n && (work->p[i] | 32) >= 'a' &&
	    (work->p[i] | 32) <= 'z')
		i++;
	return i == work->n;
}

/* slot_make - what a token becomes, known by asking for it */
static struct slot
slot_make(struct hf_back *b, struct buf *work, uint32_t id)
{
	uint32_t two[2] = { b->word, id }, at[2];
	struct slot s = { .n = SLOT_OTHER };
	struct view v;

	if (!behind(b, work, two, 2, 0, &v))
		return s;
	if (v.n <= SLOT_TEXT)
		return slot_of(v);
	at[0] = (uint32_t)v.n;
	at[1] = (uint32_t)b->pool.n;
	buf_view(&b->pool, v);
	memcpy(s.text, at, sizeof(at));
	s.n = b->pool.full ? SLOT_OTHER : LONGER;
	return s;
}

struct hf_back *
hf_back_make(const void *hf, hf_back_plain *plain, uint32_t size,
    const int16_t *bytes)
{
	struct hf_back *b = mem_alloc(sizeof(*b) + size * sizeof(b->slot[0]));
	struct buf work;

	*b = (struct hf_back){ .hf = hf, .plain = plain, .size = size };
	buf_init(&work, (size_t)1 << 20);
	while (b->word < size && b->word < TRIES &&
	    (bytes[b->word] != HF_BACK_TOKEN || !is_word(b, &work, b->word)))
		b->word++;
	b->begin = work.n;
	if (b->word == size || b->word == TRIES) {
		buf_free(&work);
		mem_free(b);
		return NULL;
	}
	buf_init(&b->pool, UINT32_MAX);
	for (uint32_t i = 0; i < size; i++)
		b->slot[i] = bytes[i] >= 0 ?
		    (struct slot){ { (char)bytes[i] }, BYTE } :
		    bytes[i] == HF_BACK_TOKEN ? slot_make(b, &work, i) :
		    (struct slot){ .n = SLOT_OTHER };
	buf_free(&work);
	return b;
}

void
hf_back_free(struct hf_back *b)
{
	if (b != NULL)
		buf_free(&b->pool);
	mem_free(b);
}

/* run_longer - one whose text is in the pool */
static void
run_longer(const struct hf_back *b, uint32_t id, struct buf *out)
{
	uint32_t at[2];

	memcpy(at, b->slot[id].text, sizeof(at));
	buf_add(out, b->pool.p + at[1], at[0]);
}

/* is_other - is an id one for the decoders */
static bool
is_other(const struct hf_back *b, uint32_t id)
{
	return id >= b->size || b->slot[id].n == SLOT_OTHER;
}

/* run_bytes - ids that are bytes; how many */
static size_t
run_bytes(const struct hf_back *b, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *out)
{
	size_t was = out->n, k = 0;
	char c;

	for (; k < n && ids[k] < b->size && b->slot[ids[k]].n == BYTE; k++) {
		c = b->slot[ids[k]].text[0];
		if (out->n < out->cap)
			out->p[out->n++] = c;
		else
			buf_char(out, c);
	}
	/* one by itself is most often the end of a line */
	if (k == 1 && (b->slot[ids[0]].text[0] & 0x80) == 0)
		return k;
	if (out->full || flags & HF_BYTES ||
	    utf8_check(out->p + was, out->n - was) == out->n - was)
		return k;
	out->n = was;
	for (size_t i = 0; i < k; i++)
		buf_str(out, "\xef\xbf\xbd");
	return k;
}

/* run_others - ids for the decoders; how many, 0: one is unknown */
static size_t
run_others(const struct hf_back *b, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *out)
{
	struct buf work;
	struct view v;
	uint32_t *two;
	size_t k = 0;

	while (k < n && is_other(b, ids[k]))
		k++;
	two = mem_alloc((k + 1) * sizeof(*two));
	two[0] = b->word;
	memcpy(two + 1, ids, k * sizeof(*ids));
	buf_init(&work, (size_t)1 << 31);
	if (behind(b, &work, two, k + 1, flags, &v))
		buf_view(out, v);
	else
		k = 0;
	buf_free(&work);
	mem_free(two);
	return k;
}

int
hf_back_run(const struct hf_back *b, const uint32_t *ids, size_t n,
    unsigned flags, struct buf *out)
{
	size_t was = out->n, i = 0, k;

	/* a text has begun when something of it is left, and whole */
	for (k = 1; i < n && out->n == was; i += k, k *= 2) {
		k = k < n - i ? k : n - i;
		while (i + k < n && (ids[i + k - 1] >= b->size ||
		    b->slot[ids[i + k - 1]].n > SLOT_TEXT))
			k++;
		out->n = was;
		if (b->plain(b->hf, ids, i + k, flags, out) == -1)
			return -1;
	}
	while ((i += slots_put(b->slot, b->size, ids + i, n - i, out)) < n) {
		if (ids[i] < b->size && b->slot[ids[i]].n == LONGER) {
			run_longer(b, ids[i], out);
			k = 1;
		} else if (is_other(b, ids[i]))
			k = run_others(b, ids + i, n - i, flags, out);
		else
			k = run_bytes(b, ids + i, n - i, flags, out);
		if (k == 0)
			return -1;
		i += k;
	}
	return 0;
}
