/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/store/dataset.h"
#include "appliance/text/rec.h"
#include "appliance/verb/verb.h"

#include <stdlib.h>

/* list_json - a version as an object */
static void
list_json(struct verb_call *c, const struct version *v)
{
	struct buf *b = buf_new(c->arena, (size_t)64 << 20);

	buf_printf(b, "{\"name\":\"%s\",\"version\":%u,\"kind\":\"%s\","
	    "\"created\":%lld,\"records\":%lld,\"bytes\":%lld,\"tags\":",
	    v->name, v->number, store_kinds[v->kind], (long long)v->created,
	    (long long)v->records, (long long)v->bytes);
	buf_json_str(b, store_tags(c->store, c->arena, v->name, v->number));
	buf_str(b, ",\"job\":");
	buf_json_str(b, v->job == NULL ? "" : v->job);
	buf_str(b, ",\"inputs\":[");
	for (size_t i = 0; i < v->ninputs; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_json_str(b, v->input[i]);
	}
	buf_str(b, "],\"splits\":[");
	for (size_t i = 0; i < v->nsplits; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_json_str(b, v->split[i]);
	}
	printf("%s]}\n", buf_cstr(b));
}

struct list {
	struct verb_call *c;
	bool models;
	struct version *v;
	size_t n;
};

/* list_take - keep those of the right kind; tags are looked up afterwards, for
 * one transaction is open already */
static int
list_take(void *arg, const struct version *v)
{
	struct list *l = arg;

	if ((v->kind != STORE_DATASET) != l->models)
		return 0;
	l->v = arena_grow(l->c->arena, l->v, l->n, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = *v;
	return 0;
}

static int
data_list(struct verb_call *c, bool models, struct err *e)
{
	struct list l = { .c = c, .models = models };
	char size[32], when[32], full[96];

	if (store_each(c->store, c->arena, c->argc > 1 ? c->argv[1] : NULL,
	    list_take, &l, e) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (c->json) {
			list_json(c, &l.v[i]);
			continue;
		}
		if (i == 0)
			printf("%-28s %-9s %10s %8s  %-20s %s\n",
			    "NAME@VERSION", "KIND", models ? "FILES" :
			    "RECORDS", "SIZE", "CREATED", "TAGS");
		snprintf(full, sizeof(full), "%s@%u", l.v[i].name,
		    l.v[i].number);
		printf("%-28s %-9s %10lld %8s  %-20s %s\n", full,
		    store_kinds[l.v[i].kind],
		    (long long)(models ? (int64_t)l.v[i].npacks :
		    l.v[i].records),
		    when_show_size((double)l.v[i].bytes, size),
		    when_show_time(l.v[i].created, when),
		    store_tags(c->store, c->arena, l.v[i].name,
		    l.v[i].number));
	}
	if (l.n == 0 && !c->json)
		puts(models ? "no models" : "no datasets");
	return 0;
}

static int
data_show(struct verb_call *c, struct err *e)
{
	struct version v;
	const char *split;
	char buf[32];

	if (c->argc != 2)
		return err_set(e, FATE_USAGE, "%s", "");
	if (verb_version(c, c->argv[1], &v, &split, e) == -1)
		return -1;
	if (c->json) {
		list_json(c, &v);
		return 0;
	}
	printf("%s@%u, a %s\ncreated   %s\n", v.name, v.number,
	    store_kinds[v.kind], when_show_time(v.created, buf));
	printf("records   %lld\nsize      %s\ntags      %s\n",
	    (long long)v.records, when_show_size((double)v.bytes, buf),
	    store_tags(c->store, c->arena, v.name, v.number));
	if (v.job != NULL)
		printf("made by   %s, pipeline %s\n", v.job,
		    v.pipeline == NULL ? "?" : v.pipeline);
	for (size_t i = 0; i < v.ninputs; i++)
		printf("from      %s\n", v.input[i]);
	for (size_t i = 0; i < v.nsplits; i++)
		printf("split     %s\n", v.split[i]);
	if (v.path != NULL)
		printf("path      %s\n", v.path);
	for (size_t i = 0; i < v.npacks; i++)
		printf("%s      %s\n", v.path != NULL ? "file" : "pack",
		    v.pack[i]);
	return 0;
}

/* data_version - one that has records */
static int
data_version(struct verb_call *c, const char *text, struct version *v,
    const char **split, struct err *e)
{
	if (verb_version(c, text, v, split, e) == -1)
		return -1;
	return v->kind == STORE_DATASET ? 0 : err_set(e, FATE_REJECT,
	    "'%s' is no dataset but a %s: quern models export", text,
	    store_kinds[v->kind]);
}

static int
data_export(struct verb_call *c, struct err *e)
{
	struct version v;
	struct dataset *d;
	struct view line, own;
	struct arena *a;
	const char *split;
	struct rec r;
	int rc;

	if (c->argc != 2)
		return err_set(e, FATE_USAGE, "%s", "");
	if (data_version(c, c->argv[1], &v, &split, e) == -1 ||
	    (d = dataset_open(c->store, c->arena, &v, e)) == NULL)
		return -1;
	a = arena_new();
	while ((rc = dataset_next(d, &line, e)) == 1) {
		arena_reset(a);
		if (split != NULL && (rec_parse(a, line, &r, e) == -1 ||
		    !rec_str(a, &r, "split", &own) || !view_is(own, split)))
			continue;
		fwrite(line.p, 1, line.n, stdout);
		putchar('\n');
	}
	arena_free(a);
	return rc;
}

/* diff_side - records of one that the other lacks or has otherwise */
static int
diff_side(struct verb_call *c, struct dataset *of, struct dataset *in,
    char sign, int64_t *only, int64_t *changed, struct err *e)
{
	struct arena *a = arena_new();
	struct view line, id, other;
	struct rec r;
	int rc, found;

	while ((rc = dataset_next(of, &line, e)) == 1) {
		arena_reset(a);
		line = view_keep(a, line);
		if (rec_parse(a, line, &r, e) == -1 ||
		    !rec_str(a, &r, "id", &id))
			continue;
		found = dataset_find(in, a, id, &other, e);
		if (found == -1) {
			rc = -1;
			break;
		}
		if (found == 0) {
			++*only;
			if (!c->json)
				printf("%c %.*s\n", sign, (int)id.n, id.p);
		} else if (sign == '+' && !view_eq(line, other)) {
			++*changed;
			if (!c->json)
				printf("~ %.*s\n", (int)id.n, id.p);
		}
	}
	arena_free(a);
	return rc;
}

static int
data_diff(struct verb_call *c, struct err *e)
{
	struct version va, vb;
	struct dataset *a, *b;
	const char *split;
	int64_t less = 0, more = 0, changed = 0;

	if (c->argc != 3)
		return err_set(e, FATE_USAGE, "%s", "");
	if (data_version(c, c->argv[1], &va, &split, e) == -1 ||
	    data_version(c, c->argv[2], &vb, &split, e) == -1 ||
	    (a = dataset_open(c->store, c->arena, &va, e)) == NULL ||
	    (b = dataset_open(c->store, c->arena, &vb, e)) == NULL ||
	    diff_side(c, a, b, '-', &less, &changed, e) == -1)
		return -1;
	dataset_seek(b, 0, 0);
	if (diff_side(c, b, a, '+', &more, &changed, e) == -1)
		return -1;
	if (c->json)
		printf("{\"added\":%lld,\"removed\":%lld,\"changed\":%lld}\n",
		    (long long)more, (long long)less, (long long)changed);
	else
		printf("+%lld -%lld ~%lld\n", (long long)more,
		    (long long)less, (long long)changed);
	return 0;
}

static int
data_rm(struct verb_call *c, struct err *e)
{
	struct version v;
	const char *split, *tags;

	if (c->argc != 2 || strchr(c->argv[1], '@') == NULL)
		return err_set(e, FATE_USAGE, "%s", "");
	if (verb_version(c, c->argv[1], &v, &split, e) == -1)
		return -1;
	tags = store_tags(c->store, c->arena, v.name, v.number);
	if (*tags != '\0' && strcmp(tags, "latest") != 0)
		return err_set(e, FATE_REJECT, "'%s@%u' bears the tags '%s'; "
		    "move them first", v.name, v.number, tags);
	if (*tags != '\0' &&
	    store_untag(c->store, v.name, "latest", e) == -1)
		return -1;
	return store_rm(c->store, v.name, v.number, e);
}

static int
data_tag(struct verb_call *c, struct err *e)
{
	struct version v;
	const char *split;

	if (c->argc != 3)
		return err_set(e, FATE_USAGE, "%s", "");
	if (verb_version(c, c->argv[1], &v, &split, e) == -1)
		return -1;
	return store_tag(c->store, v.name, c->argv[2], v.number, e);
}

int
data_main(struct verb_call *c, struct err *e)
{
	const char *act = c->argc > 0 ? c->argv[0] : "list";
	bool models = strcmp(c->argv[-1], "models") == 0;

	if (strcmp(act, "convert") == 0 && models)
		return models_convert(c, e);
	if (strcmp(act, "inspect") == 0 && models)
		return models_inspect(c, e);
	if (strcmp(act, "merge") == 0 && models)
		return models_merge(c, e);
	if (verb_store(c, strcmp(act, "import") == 0, e) == -1)
		return -1;
	if (strcmp(act, "list") == 0)
		return data_list(c, models, e);
	if (strcmp(act, "show") == 0)
		return data_show(c, e);
	if (strcmp(act, "rm") == 0)
		return data_rm(c, e);
	if (strcmp(act, "tag") == 0)
		return data_tag(c, e);
	if (strcmp(act, "import") == 0 && models)
		return models_import(c, e);
	if (strcmp(act, "export") == 0 && models)
		return models_export(c, e);
	if (strcmp(act, "export") == 0)
		return data_export(c, e);
	if (strcmp(act, "diff") == 0 && !models)
		return data_diff(c, e);
	return err_set(e, FATE_USAGE, "%s", "");
}
