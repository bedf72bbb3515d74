/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/store/manifest.h"

#include <stdlib.h>

/* print_list - a line with all of them, if there are any */
static void
print_list(struct buf *b, const char *word, const char *const *v, size_t n)
{
	if (n == 0)
		return;
	buf_str(b, word);
	for (size_t i = 0; i < n; i++) {
		buf_char(b, ' ');
		buf_word(b, v[i]);
	}
	buf_char(b, '\n');
}

void
manifest_print(const struct version *v, struct buf *b)
{
	buf_printf(b, "version 1\nkind %s\ncreated %lld\nrecords %lld\n"
	    "bytes %lld\n", store_kinds[v->kind], (long long)v->created,
	    (long long)v->records, (long long)v->bytes);
	if (v->job != NULL)
		buf_printf(b, "job %s\n", v->job);
	if (v->pipeline != NULL)
		buf_printf(b, "pipeline %s\n", v->pipeline);
	if (v->key != NULL)
		buf_printf(b, "key %s\n", v->key);
	if (v->path != NULL) {
		buf_str(b, "path ");
		buf_word(b, v->path);
		buf_char(b, '\n');
	}
	print_list(b, "packs", v->pack, v->npacks);
	print_list(b, "verdicts", v->verdict, v->nverdicts);
	print_list(b, "inputs", v->input, v->ninputs);
	print_list(b, "splits", v->split, v->nsplits);
}

/* parse_list - the words behind the first */
static void
parse_list(struct arena *a, const struct line *l, const char ***v, size_t *n)
{
	*n = l->n - 1;
	*v = arena_array(a, *n, sizeof(**v));
	for (size_t i = 0; i < *n; i++)
		(*v)[i] = l->word[i + 1].s;
}

/* parse_line - one line; words of a later quern are passed over */
static void
parse_line(struct arena *a, const struct line *l, struct version *v)
{
	const char *k = l->word[0].s, *one = l->n > 1 ? l->word[1].s : "";

	if (strcmp(k, "kind") == 0) {
		for (int i = 0; i < 4; i++)
			if (strcmp(one, store_kinds[i]) == 0)
				v->kind = (enum store_kind)i;
	} else if (strcmp(k, "created") == 0)
		v->created = (time_t)strtoll(one, NULL, 10);
	else if (strcmp(k, "records") == 0)
		v->records = strtoll(one, NULL, 10);
	else if (strcmp(k, "bytes") == 0)
		v->bytes = strtoll(one, NULL, 10);
	else if (strcmp(k, "job") == 0)
		v->job = one;
	else if (strcmp(k, "pipeline") == 0)
		v->pipeline = one;
	else if (strcmp(k, "key") == 0)
		v->key = one;
	else if (strcmp(k, "path") == 0)
		v->path = one;
	else if (strcmp(k, "packs") == 0)
		parse_list(a, l, &v->pack, &v->npacks);
	else if (strcmp(k, "verdicts") == 0)
		parse_list(a, l, &v->verdict, &v->nverdicts);
	else if (strcmp(k, "inputs") == 0)
		parse_list(a, l, &v->input, &v->ninputs);
	else if (strcmp(k, "splits") == 0)
		parse_list(a, l, &v->split, &v->nsplits);
}

int
manifest_parse(struct arena *a, const char *key, struct view text,
    struct version *v, struct err *e)
{
	const char *at = strchr(key, '@');
	struct words w;
	struct line l;

	memset(v, 0, sizeof(*v));
	if (at == NULL)
		return err_set(e, FATE_REJECT, "store: bad key '%s'", key);
	v->name = arena_strn(a, key, (size_t)(at - key));
	v->number = (uint32_t)strtoul(at + 1, NULL, 10);
	if (words_open(&w, a, text.p, text.n, e) == -1)
		return err_prefix(e, "store: manifest of '%s': ", key);
	for (;;) {
		if (words_next(&w, &l, e) == -1)
			return err_prefix(e, "store: manifest of '%s': ", key);
		if (l.n == 0)
			return 0;
		parse_line(a, &l, v);
	}
}

bool
manifest_same(const struct version *a, const struct version *b)
{
	if (a->npacks != b->npacks)
		return false;
	for (size_t i = 0; i < a->npacks; i++)
		if (strcmp(a->pack[i], b->pack[i]) != 0)
			return false;
	return true;
}
