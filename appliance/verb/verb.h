/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VERB_VERB_H
#define VERB_VERB_H

#include "appliance/base/conf.h"
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

/* verb_version - a reference that must mean a version */
int verb_version(struct verb_call *, const char *ref, struct version *,
    const char **split, struct err *);

int data_main(struct verb_call *, struct err *);	/* data, models */
int models_import(struct verb_call *, struct err *);
int models_export(struct verb_call *, struct err *);
int runs_main(struct verb_call *, struct err *);
int why_main(struct verb_call *, struct err *);
int gc_main(struct verb_call *, struct err *);
int store_main(struct verb_call *, struct err *);
int backup_main(struct verb_call *, struct err *);
int restore_main(struct verb_call *, struct err *);

#endif
