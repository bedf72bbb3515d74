/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_regex.h"

uint32_t *
hf_set_new(struct hf_parse *s)
{
	if (s->sets++ == HF_REGEX_SETS) {
		err_set(s->err, FATE_REJECT, "more than %d classes in one "
		    "pattern", HF_REGEX_SETS);
		return NULL;
	}
	if (s->nspare == 0)
		return arena_array(s->arena, HF_SET_WORDS, sizeof(uint32_t));
	return memset(s->spare[--s->nspare], 0, HF_SET_WORDS *
	    sizeof(uint32_t));
}

void
hf_set_drop(struct hf_parse *s, uint32_t *set)
{
	if (s->nspare < BASE_COUNT(s->spare))
		s->spare[s->nspare++] = set;
}

void
hf_set_add(uint32_t *set, uint32_t from, uint32_t to)
{
	uint32_t first = ~0u << (from & 31), last = ~0u >> (31 - (to & 31));

	if (from > to)
		return;
	if (from >> 5 == to >> 5) {
		set[from >> 5] |= first & last;
		return;
	}
	set[from >> 5] |= first;
	for (uint32_t i = (from >> 5) + 1; i < to >> 5; i++)
		set[i] = ~0u;
	set[to >> 5] |= last;
}

void
hf_set_not(uint32_t *set)
{
	for (size_t i = 0; i < HF_SET_WORDS; i++)
		set[i] = ~set[i];
}

/* of most words of a set all characters are alike */
void
hf_set_gc(const struct hf_chars *chars, uint32_t *set, uint32_t which)
{
	for (size_t i = 0; i < HF_SET_WORDS; i++) {
		const uint8_t *gc = chars->gc + 32 * i;

		if (memcmp(gc, gc + 1, 31 * sizeof(*gc)) == 0) {
			set[i] |= which >> gc[0] & 1 ? ~0u : 0;
			continue;
		}
		for (unsigned c = 0; c < 32; c++)
			set[i] |= (which >> gc[c] & 1) << c;
	}
}

void
hf_set_prop(const struct hf_chars *chars, uint32_t *set, enum hf_prop p)
{
	for (size_t i = 0; i < HF_SET_WORDS; i++) {
		const uint32_t *prop = chars->prop + 32 * i;

		if (memcmp(prop, prop + 1, 31 * sizeof(*prop)) == 0) {
			set[i] |= prop[0] >> p & 1 ? ~0u : 0;
			continue;
		}
		for (unsigned c = 0; c < 32; c++)
			set[i] |= (prop[c] >> p & 1) << c;
	}
}
