/* SPDX-License-Identifier: Apache-2.0 */
/* one container in several files: PREFIX-00001-of-00003.gguf and so on, whose
 * keys lie in the first */
#include "appliance/base/base.h"
#include "appliance/text/gguf.h"

#include <stdio.h>
#include <stdlib.h>

#define ENDING	20			/* bytes of -00001-of-00003.gguf */

bool
gguf_shard(const char *name, unsigned *number, unsigned *of)
{
	size_t n = strlen(name);
	int end = 0;

	return n > ENDING && sscanf(name + n - ENDING, "-%5u-of-%5u.gguf%n",
	    number, of, &end) == 2 && end == ENDING && *number >= 1 &&
	    *number <= *of;
}

/* is_part - do a file's own keys say that it is this one of them */
static int
is_part(const struct gguf *g, unsigned number, unsigned of, struct err *e)
{
	int64_t no = -1, count = -1;

	gguf_whole(g, "split.no", &no);
	gguf_whole(g, "split.count", &count);
	return no + 1 == number && count == of ? 0 : err_set(e, FATE_REJECT,
	    "its keys 'split.no' and 'split.count' do not say that it is "
	    "number %u of %u", number, of);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct gguf_tensor *const *)a)->name,
	    (*(const struct gguf_tensor *const *)b)->name);
}

/* check_names - no tensor is in two files, and there are as many as are said */
static int
check_names(struct arena *a, const struct gguf *g, struct err *e)
{
	const struct gguf_tensor **t = arena_array(a, g->ntensors + 1,
	    sizeof(*t));
	int64_t count;

	for (size_t i = 0; i < g->ntensors; i++)
		t[i] = &g->tensor[i];
	if (g->ntensors > 1)
		qsort(t, g->ntensors, sizeof(*t), by_name);
	for (size_t i = 1; i < g->ntensors; i++)
		if (strcmp(t[i - 1]->name, t[i]->name) == 0)
			return err_set(e, FATE_REJECT, "tensor '%s' is in two "
			    "files", t[i]->name);
	return !gguf_whole(g, "split.tensors.count", &count) ||
	    (uint64_t)count == g->ntensors ? 0 : err_set(e, FATE_REJECT,
	    "there are %zu tensors in all files, key 'split.tensors.count' "
	    "says %lld", g->ntensors, (long long)count);
}

int
gguf_shards(struct arena *a, int dir, const char *first, struct gguf *g,
    struct err *e)
{
	const char *name;
	unsigned number, of;
	struct gguf one;

	if (!gguf_shard(first, &number, &of) || number != 1)
		return err_set(e, FATE_BUG, "'%s' is no first file", first);
	for (unsigned i = 1; i <= of; i++) {
		name = arena_printf(a, "%.*s-%05u-of-%05u.gguf",
		    (int)(strlen(first) - ENDING), first, i, of);
		if (gguf_open(a, dir, name, &one, e) == -1)
			return -1;
		if (is_part(&one, i, of, e) == -1)
			return err_prefix(e, "'%s': ", name);
		if (i == 1) {
			*g = one;
			continue;
		}
		g->tensor = arena_grow(a, g->tensor, g->ntensors, g->ntensors +
		    one.ntensors, sizeof(one.tensor[0]));
		memcpy(g->tensor + g->ntensors, one.tensor, one.ntensors *
		    sizeof(one.tensor[0]));
		g->ntensors += one.ntensors;
	}
	return check_names(a, g, e);
}
