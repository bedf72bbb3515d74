/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERB_VERB_H
#define VERB_VERB_H

#include "appliance/base/conf.h"
#include "appliance/base/opt.h"
#include "appliance/store/store.h"

/*
 * verb.h - the verbs of `quern` that speak with the store: reserved words that
 * no module may take.  Each prints for people, or with --json for programs.
 */

struct verb_call {
	struct arena *arena;
	struct conf conf;
	struct store *store;
	bool json;
	int argc;			/* words behind the verb */
	char **argv;
};

bool verb_find(const char *word);
int verb_main(int argc, char **argv, struct err *);
int verb_help(const char *word);	/* NULL: a line each */

/* verb_store - open the store if it is not yet; make: create it the first
 * time */
int verb_store(struct verb_call *, bool make, struct err *);

/* verb_words - the words from argv[1] on into a conf; FATE_USAGE if they are
 * wrong */
int verb_words(struct verb_call *, const struct opt *, void *conf,
    struct err *);

/* verb_model - a model's directory or file by path, or by reference; a
 * descriptor, or -1 */
int verb_model(struct verb_call *, const char *name, struct err *);

/* verb_ends - does a path end so */
bool verb_ends(const char *path, const char *end);

/* verb_convert - a source to a path: a .gguf file, a .bin file or a directory,
 * through a temporary.  Says what was lost */
struct source;
struct prune;
struct shrink;
struct verb_write {
	const char *to, *dtype;		/* dtype NULL: without loss */
	int64_t max_shard;
	struct shrink *shrink;		/* fewer weights, measured; or NULL */
};
int verb_convert(struct verb_call *, const struct source *, int files,
    const struct verb_write *, struct err *);

/* verb_version - a reference that must mean a version */
int verb_version(struct verb_call *, const char *ref, struct version *,
    const char **split, struct err *);

int data_main(struct verb_call *, struct err *);	/* data, models */
int models_import(struct verb_call *, struct err *);
int models_export(struct verb_call *, struct err *);
int models_convert(struct verb_call *, struct err *);
int models_inspect(struct verb_call *, struct err *);
int models_merge(struct verb_call *, struct err *);
int runs_main(struct verb_call *, struct err *);
int why_main(struct verb_call *, struct err *);
int gc_main(struct verb_call *, struct err *);
int store_main(struct verb_call *, struct err *);
int backup_main(struct verb_call *, struct err *);
int restore_main(struct verb_call *, struct err *);

#endif
