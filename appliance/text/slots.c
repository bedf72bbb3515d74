/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/slots.h"

struct slot
slot_of(struct view v)
{
	struct slot s = { .n = SLOT_OTHER };

	if (v.n > SLOT_TEXT)
		return s;
	memcpy(s.text, v.p, v.n);
	s.n = (unsigned char)v.n;
	return s;
}

#define AHEAD	48u		/* ids, whose slots are asked for */
#define STEP	8u

/* put_some - while there is room for a whole slot */
static size_t
put_some(const struct slot *slot, uint32_t size, const uint32_t *ids, size_t n,
    struct buf *out)
{
	char *p = out->p + out->n, *end = out->p + out->cap;
	const struct slot *t;
	size_t i;

	for (i = 0; i < n && end - p >= (ptrdiff_t)sizeof(*t); i++) {
		if (ids[i] >= size)
			break;
		t = &slot[ids[i]];
		memcpy(p, t, sizeof(*t));
		if (t->n > SLOT_TEXT)
			break;
		p += t->n;
	}
	out->n = (size_t)(p - out->p);
	return i;
}

/* put_many - while there are many and there is room for all: large vocabularies
 * do not fit into the cache, and more slots are on their way than there would
 * be by themselves */
static size_t
put_many(const struct slot *slot, uint32_t size, const uint32_t *ids, size_t n,
    struct buf *out)
{
	char *p = out->p + out->n, *end = out->p + out->cap;
	const struct slot *t;
	size_t i, k, to;
	uint32_t id;

	for (i = 0; n - i >= STEP + AHEAD && end - p >= (ptrdiff_t)(STEP *
	    sizeof(*t)); i = to) {
		to = i + STEP;
		for (k = i; k < to; k++) {
			id = ids[k + AHEAD];
			__builtin_prefetch(&slot[id < size ? id : 0]);
			if (ids[k] >= size)
				break;
			t = &slot[ids[k]];
			memcpy(p, t, sizeof(*t));
			if (t->n > SLOT_TEXT)
				break;
			p += t->n;
		}
		if (k < to) {
			i = k;
			break;
		}
	}
	out->n = (size_t)(p - out->p);
	return i;
}

size_t
slots_put(const struct slot *slot, uint32_t size, const uint32_t *ids,
    size_t n, struct buf *out)
{
	size_t done = 0, want;

	while (done < n) {
		/* most tokens are shorter; never more than the buffer may be */
		want = (n - done) * 8 + sizeof(*slot);
		if (want > out->max - out->n)
			want = out->max - out->n;
		if (want > 0 && want > out->cap - out->n)
			buf_reserve(out, want);
		done += put_many(slot, size, ids + done, n - done, out);
		done += put_some(slot, size, ids + done, n - done, out);
		/* near the greatest size, one by one */
		if (done < n && ids[done] < size && slot[ids[done]].n <=
		    SLOT_TEXT && out->cap - out->n < sizeof(*slot)) {
			buf_add(out, slot[ids[done]].text,
			    slot[ids[done]].n);
			done++;
			continue;
		}
		if (done < n && (ids[done] >= size || slot[ids[done]].n >
		    SLOT_TEXT))
			break;
	}
	return done;
}
