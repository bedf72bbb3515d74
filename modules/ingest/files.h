/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_FILES_H
#define INGEST_FILES_H

#include "appliance/module.h"

/*
 * files.h - which files a source has: paths, globs and directories (walked
 * whole, links in them not followed, dot-files passed over), sorted bytewise,
 * each once.  The list is made when the pipeline starts and kept in its work
 * directory, so that a resumed source reads the same files and notices one that
 * has changed.
 */

struct source_file {
	const char *path;
	int64_t size, mtime;		/* mtime in ns */
	uint64_t ino;
};

struct files {
	struct source_file *file;
	size_t n, cap;
	int64_t bytes;
	size_t links;			/* passed over */
};

/* files_find - a path that matches nothing is an error */
int files_find(struct files *, struct arena *, const struct opt_list *paths,
    struct err *);

int files_save(const struct files *, int dir, struct err *);
int files_load(struct files *, struct arena *, int dir, struct err *);

/* files_add_stdin - standard input as the one file: inode 0, name "-" */
void files_add_stdin(struct files *, struct arena *);

/* files_open - a descriptor, if it is still the file that was listed */
int files_open(const struct source_file *, struct err *);

/* files_same - has it changed since it was opened */
bool files_same(const struct source_file *, int fd);

#endif
