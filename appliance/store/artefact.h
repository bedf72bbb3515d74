/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_ARTEFACT_H
#define STORE_ARTEFACT_H

#include "appliance/store/store.h"

/*
 * artefact.h - versions that are a directory of files: models and indexes.
 * The manifest has a line HASH NAME for each file and the directory's path:
 * below the store, or a whole path for what was imported by reference.
 */

/* artefact_place - where a kind's directories lie: "models", "indexes" */
const char *artefact_place(enum store_kind);

/* artefact_files - hash every regular file of a directory into the version;
 * to != -1: copy them there, flushed */
int artefact_files(struct arena *, int from, int to, struct version *,
    struct err *);

/* artefact_file - the same of one file alone */
int artefact_file(struct arena *, int from, int to, const char *name,
    struct version *, struct err *);

/* artefact_take - a finished directory `from` of a work directory becomes
 * PLACE/id and the version's path; done before: the one that is there */
int artefact_take(struct store *, int work, const char *from, const char *id,
    struct version *, struct err *);

/* artefact_open - the version's directory */
int artefact_open(const struct store *, const struct version *, struct err *);

/* artefact_copy - the i-th file to another directory (to -1: none), if it still
 * is what the manifest says */
int artefact_copy(int from, int to, const struct version *, size_t i,
    struct err *);

/* artefact_link - the same file under another name as well, or a copy where the
 * file system cannot; it is read and compared with the manifest */
int artefact_link(int from, int to, const struct version *, size_t i,
    struct err *);

/* artefact_make - PLACE itself */
int artefact_make(const struct store *, enum store_kind, struct err *);

#endif
