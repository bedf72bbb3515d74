/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "modules/ingest/files.h"
#include "modules/ingest/format.h"
#include "modules/ingest/unpack.h"

/* ingest.h - the open file of a source, and the records that it gives */

struct ingest_conf {
	struct opt_list path;
	const char *subject, *text;
	int format, unit;
	bool repair;
};

enum { UNIT_FILE, UNIT_PARAGRAPH, UNIT_LINE };

/* the journal: where the next record begins */
struct ingest_place {
	uint64_t file;
	int64_t offset, number;
};

struct ingest {
	struct files files;
	struct ingest_place place;
	struct arena *arena;		/* of the open file */
	struct unpack *unpack;		/* NULL: no file is open */
	struct lines lines;
	struct table table;
	enum format format;
	int64_t done;
	int fd;
};

/* ingest_fault - a record that stands for what could not be read */
void ingest_fault(struct stage *, struct batch *, int64_t offset,
    const char *why);

/* ingest_some - one record, or a fault; 1 at the end of the file */
int ingest_some(struct stage *, struct ingest *, struct batch *);

#endif
