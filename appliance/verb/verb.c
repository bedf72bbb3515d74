/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/store/ref.h"
#include "appliance/verb/verb.h"

static const struct {
	const char *name;
	int (*main)(struct verb_call *, struct err *);
	const char *args, *help;
	bool store;			/* is always opened */
} table[] = {
	{ "data", data_main, "list [NAME] | show REF | diff REF REF | "
	    "export REF | rm NAME@VERSION | tag REF TAG",
	    "datasets and their versions", false },
	{ "models", data_main, "list [NAME] | show REF | "
	    "import PATH NAME [reference=yes] | "
	    "export REF TO [dtype=...] [max_shard=N] | "
	    "convert MODEL TO [dtype=...] [max_shard=N] [tokenizer=FILE] "
	    "[prune=PART|KEEP:OF] [wanda=FILE] "
	    "[on=FILE [each=yes]] | "
	    "merge MODEL ADAPTER TO | "
	    "inspect MODEL [tensors=yes] [numbers=no] | rm NAME@VERSION",
	    "models, their versions and their formats", false },
	{ "runs", runs_main, "list [JOB] | show JOB | export [JOB] | rm JOB",
	    "pipelines that used the store, and what they made", true },
	{ "why", why_main, "ID", "what became of a record, and for what reason",
	    true },
	{ "gc", gc_main, "", "remove what no version names any more", true },
	{ "store", store_main, "check | migrate",
	    "read everything and test checksums; bring it to today's format",
	    false },
	{ "backup", backup_main, "DIR", "a consistent copy, while work goes on",
	    true },
	{ "restore", restore_main, "DIR", "a backup becomes the store", false },
};

/* verb_place - where a word stands in the table; its size if nowhere */
static size_t
verb_place(const char *word)
{
	size_t i = 0;

	while (i < BASE_COUNT(table) && strcmp(table[i].name, word) != 0)
		i++;
	return i;
}

bool
verb_find(const char *word)
{
	return verb_place(word) < BASE_COUNT(table);
}

int
verb_help(const char *word)
{
	size_t i;

	if (word != NULL) {
		i = verb_place(word);
		printf("usage: quern %s %s\n%s\n", table[i].name,
		    table[i].args, table[i].help);
		return 0;
	}
	puts("\nThe store:");
	for (i = 0; i < BASE_COUNT(table); i++)
		printf("  %-9s %s\n", table[i].name, table[i].help);
	return 0;
}

int
verb_version(struct verb_call *c, const char *text, struct version *v,
    const char **split, struct err *e)
{
	struct ref ref;
	int rc;

	if (ref_parse(c->arena, text, &ref, e) == -1)
		return -1;
	*split = ref.split;
	rc = store_resolve(c->store, c->arena, ref.name, ref.at, NULL, v, e);
	if (rc == 0)
		return err_set(e, FATE_NOINPUT, "there is no '%s'", text);
	return rc == -1 ? -1 : 0;
}

int
verb_store(struct verb_call *c, bool make, struct err *e)
{
	if (c->store != NULL)
		return 0;
	c->store = store_open(c->arena, c->conf.store, make, e);
	return c->store == NULL ? -1 : store_seals(c->store, &c->conf.seal, e);
}

int
verb_words(struct verb_call *c, const struct opt *opts, void *conf,
    struct err *e)
{
	struct word *w = arena_array(c->arena, (size_t)c->argc, sizeof(*w));

	for (int i = 1; i < c->argc; i++)
		w[i - 1] = (struct word){ c->argv[i], 1, (unsigned)i, false };
	if (opt_defaults(opts, conf, c->arena, e) == 0 &&
	    opt_words(opts, conf, c->arena, w, (size_t)c->argc - 1, e) == 0)
		return 0;
	e->fate = FATE_USAGE;
	return -1;
}

int
verb_main(int argc, char **argv, struct err *e)
{
	struct verb_call c = { .arena = arena_new() };
	size_t i = verb_place(argv[0]);
	int n = 0, rc;

	for (int k = 1; k < argc; k++) {
		if (strcmp(argv[k], "--json") == 0)
			c.json = true;
		else
			argv[1 + n++] = argv[k];
	}
	c.argc = n;
	c.argv = argv + 1;
	if (conf_load(&c.conf, c.arena, NULL, e) == -1)
		return -1;
	if (table[i].store && verb_store(&c, false, e) == -1)
		return -1;
	rc = table[i].main(&c, e);
	if (rc == -1 && e->fate == FATE_USAGE && e->text[0] == '\0')
		err_set(e, FATE_USAGE, "usage: quern %s %s", table[i].name,
		    table[i].args);
	if (rc != -1 && fflush(stdout) != 0)
		rc = err_errno(e, "cannot write");
	arena_free(c.arena);
	return rc;
}
