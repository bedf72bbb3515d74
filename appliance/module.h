/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPLIANCE_MODULE_H
#define APPLIANCE_MODULE_H

#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/base/msg.h"
#include "appliance/base/opt.h"
#include "appliance/text/rec.h"

/*
 * module.h - the contract of a module: a folder, a .so, a page, a word in a job
 * file, a command.  It exports one symbol, `module`; modules/pass is the
 * template and says in which order to write one.
 *
 * Order of calls: plan (at check and before a run; options only, no files),
 * open, then batch for each batch in order, finish until it returns 1, close.
 * A stateless stage's batch runs in several threads at once, each with the
 * scratch that thread() made; all others see batches one by one and in order.
 */

#define MODULE_ABI	1

/* What the rooms make of the same input: raised, as a module's own revision, in
 * the commit that changes output bytes; all are part of a result's key */
#define ROOM_REVISIONS	"text 6, index 1, engine 1, model 4, kernels 4"

struct stage;

/* A batch of records; borders depend on input bytes alone */
#define BATCH_RECORDS	1024
#define BATCH_BYTES	((size_t)1 << 20)

struct batch {
	struct arena *arena;		/* everything dies with the batch */
	struct rec *rec;
	size_t n, cap;
	size_t bytes;			/* the source's sum of line lengths */
};

/* batch_add - room for one more record, zeroed */
struct rec *batch_add(struct batch *);

/* batch_full - has the source put in what a batch holds */
bool batch_full(const struct batch *);

enum kind { KIND_NONE, KIND_DATASET, KIND_TOKENIZER, KIND_MODEL, KIND_INDEX };

/* What a stage is and needs, said by plan from its options */
struct needs {
	bool source;			/* makes records, takes none */
	bool sink;			/* takes records, hands none on */
	bool report;			/* may end a pipeline though no sink */
	bool stateless;			/* batches in any order, many threads */
	bool store;			/* the store is opened for it */
	bool unmarked;			/* its state cannot be kept at a mark:
					 * a stopped pipeline begins anew */
	const char *saves;		/* the name that it publishes */
	bool appends;
	enum kind makes;		/* what the save after it publishes */
	const char *gates;		/* a model that it must let pass before
					 * `latest` moves to it */
	int gated;			/* the plan's: gates on what it saves */
	struct opt_list reads, writes;	/* paths beyond those of options */
	const char *exec;		/* a program that it starts */
	int gpus;
};

struct module {
	unsigned abi, revision;		/* revision: raised with output bytes */
	const char *name, *summary;
	const struct opt *options;
	size_t conf_size;
	int (*plan)(const void *conf, struct needs *, struct err *);
	int (*key)(const void *conf, struct hash_state *, struct err *);
	/* a source's: what it would read; without it nothing is reused */
	int (*open)(struct stage *, struct err *);
	int (*thread)(struct stage *, void **scratch, struct err *);
	int (*batch)(struct stage *, void *scratch, struct batch *,
	    struct err *);		/* 0; a source returns 1 at its end */
	int (*finish)(struct stage *, struct batch *out, struct err *);
	void (*close)(struct stage *);
};

struct run;
struct store;
struct version;
struct ref;

struct stage {
	const struct module *module;
	const void *conf;
	void *state;			/* the module's own */
	struct arena *arena;		/* lives until close */
	struct run *run;		/* the house's */
	struct stage_own *own;		/* the house's */
};

/* MODULE - the exported symbol */
#define MODULE	__attribute__((visibility("default"))) \
	const struct module module
extern const struct module module;

/*
 * What the house does for a stage.
 *
 * The journal is how a stateful stage resumes: what it appends for a batch is
 * kept exactly if that batch is before the mark; stage_journal gives it back at
 * open.  Other files that a stage writes are given to stage_sync, which flushes
 * them before each mark.  stage_dir is for files that must outlive a restart;
 * -1 in a shell, where nothing is resumed.
 */
struct view stage_journal(struct stage *);
void stage_append(struct stage *, const void *, size_t);
void stage_sync(struct stage *, int fd);
int stage_dir(struct stage *);

/* stage_key - hashes of records are keyed with it */
const struct hash_key *stage_key(struct stage *);
int stage_threads(const struct stage *);
const char *stage_gpus(const struct stage *);

/* stage_stopping - a long finish asks this and returns with FATE_STOP */
bool stage_stopping(const struct stage *);
int stage_stop(struct err *);		/* sets that error; -1 */

/* stage_total, stage_done - source bytes, for the progress line */
void stage_total(struct stage *, int64_t bytes);
void stage_done(struct stage *, int64_t bytes);
void stage_note(struct stage *, const char *, ...) BASE_PRINTF(2, 3);

/* stage_mark - a long finish reached a place to resume from: progress and
 * journal are flushed */
int stage_mark(struct stage *, struct err *);

/* stage_warn - comes first in the report; stage_result - a member of this
 * stage's entry in result.json, as JSON */
void stage_warn(struct stage *, const char *, ...) BASE_PRINTF(2, 3);
void stage_result(struct stage *, const char *name, struct view json);

/* stage_measured - a number beside the seconds of result.json: what may differ
 * from run to run, and is compared with nothing */
void stage_measured(struct stage *, const char *name, int64_t);

/* stage_output - a path option as a place to write: relative ones lie in the
 * job's result directory, or below the shell's own */
const char *stage_output(struct stage *, const char *path, int *at,
    struct err *);

/* stage_store - the store; NULL unless plan said needs->store.  stage_job and
 * stage_pipeline name us in it; stage_input notes a version as read */
struct store *stage_store(struct stage *);
const char *stage_job(const struct stage *);
const char *stage_pipeline(const struct stage *);
void stage_input(struct stage *, const char *version);

/*
 * What a reference NAME[@VERSION|@TAG][:SPLIT] means to this job: a version of
 * that kind, noted as read.  Options that take one also take a path with a
 * slash: stage_files opens either as a directory, stage_tokenizer reads either
 * as a file, whose hash it gives.  plan must ask for the store where there is
 * no slash (stage_named).
 */
bool stage_named(const char *ref);
int stage_version(struct stage *, const char *text, enum kind,
    struct version *, struct ref *, struct err *);
int stage_files(struct stage *, const char *text, enum kind, struct err *);
int stage_tokenizer(struct stage *, const char *text, struct view *,
    struct hash *, struct err *);

/*
 * stage_compiled - a directory for compiled vocabularies: the store's, or in a
 * shell without one the user's cache; to be closed; -1: there is none, and all
 * goes without
 */
int stage_compiled(struct stage *);

/* stage_records - a dataset (or one split of it) that is no stage's input;
 * stage_record - 1 the next record, in the arena, 0 at the end, -1 */
struct stage_records;
struct stage_records *stage_records(struct stage *, const char *ref,
    struct err *);
int stage_record(struct stage_records *, struct arena *, struct rec *,
    struct err *);

/* stage_make - an empty directory for what a stage makes; the save that follows
 * publishes what is in it (needs->makes).  With an `out`, the value of a path
 * option, stage_made gives it that name when all is in it */
int stage_make(struct stage *, const char *out, struct err *);
int stage_made(struct stage *, const char *out, struct err *);

/* stage_saves - the name that the save behind this stage publishes, or NULL */
const char *stage_saves(const struct stage *);

/* stage_passed - this stage's gate lets the version pass: when all gates on it
 * have, `latest` moves to it */
int stage_passed(struct stage *, const struct version *, struct err *);
const char *const *stage_inputs(const struct stage *, size_t *n);
const char *stage_result_key(const struct stage *);	/* hex, or NULL */
int stage_verdicts(const struct stage *);	/* the file, or -1 */

/*
 * What save and append share: records into a pack that is born in
 * STORE/work/JOB, verdicts of the pipeline into another, and at the end both
 * published as a version.  Append keeps the packs of the version before it; a
 * record with the same id is replaced.  Every record needs an id.  A save of no
 * record does not follow one that had some, unless told to.
 */
enum { SINK_APPEND = 1, SINK_EMPTY = 2 };

int sink_plan(const char *name, struct needs *, struct err *);
int sink_open(struct stage *, const char *name, unsigned how, struct err *);
int sink_batch(struct stage *, void *scratch, struct batch *, struct err *);
int sink_finish(struct stage *, struct batch *, struct err *);
void sink_close(struct stage *);

/* stage_is_shell - is this a command between | */
bool stage_is_shell(const struct stage *);

/* stage_ranks - is it one of several processes that a launcher has started, and
 * does quern.conf let them speak with one another */
bool stage_ranks(const struct stage *);

#endif
