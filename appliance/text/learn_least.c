/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/text/learn_least.h"

#define COMMON	((int64_t)1 << 16)	/* larger counts are as this one */

void
least_init(struct least *l)
{
	l->words = mem_alloc((size_t)(COMMON + 1) * sizeof(*l->words));
}

void
least_word(struct least *l, const struct learn_rules *rules, uint32_t length,
    int64_t count)
{
	/* one that is too long never becomes a token */
	if (rules->max_length == 0 || length < rules->max_length)
		l->words[count < COMMON ? count : COMMON]++;
}

int64_t
least_end(struct least *l, const struct learn_rules *rules)
{
	int64_t least = rules->min_count < 1 ? 1 : rules->min_count, c;
	size_t n = 0;

	for (c = COMMON; c > least; c--)
		if ((n += l->words[c]) >= rules->size)
			break;
	mem_free(l->words);
	l->words = NULL;
	return c < least ? least : c;
}
