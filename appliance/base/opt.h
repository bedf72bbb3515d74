/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/base/words.h"

/*
 * opt.h - one options table per module and program.
 *
 * A row is name, type, place in the conf struct, default as text, range and a
 * sentence.  Parsing, defaults, `quern help`, the page's list and the result
 * key all come from it.  Order of calls: opt_defaults, opt_set for each value,
 * opt_finish.  Strings in the struct live in the arena given.
 */

enum opt_type {
	OPT_END, OPT_BOOL, OPT_INT, OPT_SIZE, OPT_DURATION, OPT_FLOAT, OPT_ENUM,
	OPT_TEXT, OPT_LIST, OPT_PATH_IN, OPT_PATH_OUT, OPT_DATASET, OPT_MODEL,
	OPT_TOKENIZER, OPT_INDEX, OPT_SECRET
};

enum {
	OPT_POSITIONAL = 1,	/* a plain word fills it */
	OPT_NEEDED = 2,		/* must be given */
	OPT_MANY = 4,		/* a struct opt_list; the words add up */
	OPT_NOKEY = 8,		/* does not change output bytes */
};

struct opt_list {
	const char **v;
	size_t n;
	bool given;		/* no longer the default */
};

struct opt {
	const char *name;
	enum opt_type type;
	unsigned flags;
	size_t offset;
	const char *def;	/* as text; NULL: unset (NULL, 0, empty) */
	double min, max;	/* of numbers */
	const char *words;	/* of enums: "exact|minhash" */
	const char *help;	/* a sentence without a full stop */
};

/* rows; S is the conf struct, f its member and the option's name */
#define OPT_ROW(t, S, f, d, lo, hi, w, fl, h)				\
	{ .name = #f, .type = t, .flags = fl, .offset = offsetof(S, f),	\
	  .def = d, .min = lo, .max = hi, .words = w, .help = h }
#define OPT_BOOL(S, f, d, fl, h)					\
	OPT_ROW(OPT_BOOL, S, f, d, 0, 0, NULL, fl, h)	/* bool */
#define OPT_INT(S, f, d, lo, hi, fl, h)					\
	OPT_ROW(OPT_INT, S, f, d, lo, hi, NULL, fl, h)	/* int64_t */
#define OPT_SIZE(S, f, d, lo, hi, fl, h)				\
	OPT_ROW(OPT_SIZE, S, f, d, lo, hi, NULL, fl, h)	/* int64_t */
#define OPT_DURATION(S, f, d, lo, hi, fl, h)				\
	OPT_ROW(OPT_DURATION, S, f, d, lo, hi, NULL, fl, h) /* int64_t */
#define OPT_FLOAT(S, f, d, lo, hi, fl, h)				\
	OPT_ROW(OPT_FLOAT, S, f, d, lo, hi, NULL, fl, h) /* double */
#define OPT_ENUM(S, f, d, w, fl, h)					\
	OPT_ROW(OPT_ENUM, S, f, d, 0, 0, w, fl, h)	/* int: its place */
#define OPT_TEXT(S, f, d, fl, h)					\
	OPT_ROW(OPT_TEXT, S, f, d, 0, 0, NULL, fl, h)	/* const char * */
#define OPT_LIST(S, f, d, fl, h)					\
	OPT_ROW(OPT_LIST, S, f, d, 0, 0, NULL, (fl) | OPT_MANY, h)
#define OPT_PATH_IN(S, f, d, fl, h)					\
	OPT_ROW(OPT_PATH_IN, S, f, d, 0, 0, NULL, fl, h)
#define OPT_PATH_OUT(S, f, d, fl, h)					\
	OPT_ROW(OPT_PATH_OUT, S, f, d, 0, 0, NULL, fl, h)
#define OPT_REF(t, S, f, d, fl, h)		/* t: OPT_MODEL ... */	\
	OPT_ROW(t, S, f, d, 0, 0, NULL, fl, h)
#define OPT_SECRET(S, f, d, fl, h)					\
	OPT_ROW(OPT_SECRET, S, f, d, 0, 0, NULL, (fl) | OPT_NOKEY, h)
#define OPT_DONE	{ .name = NULL, .type = OPT_END }

int opt_defaults(const struct opt *, void *conf, struct arena *, struct err *);

/* opt_set - name=value; the error names what is allowed */
int opt_set(const struct opt *, void *conf, struct arena *, const char *name,
    const char *value, struct err *);

/*
 * opt_words - a stage's words: name=value (unless quoted) sets, others fill the
 * positional options in order; errors carry "line:col: "
 */
int opt_words(const struct opt *, void *conf, struct arena *,
    const struct word *, size_t n, struct err *);

/*
 * opt_path - the i-th path or reference of an option of such a type; NULL:
 * there are no more.  A list of references is split at commas, and each may
 * have a name before it, as in NAME=REFERENCE: it is left out, and *n says how
 * long it is (n may be NULL).
 */
const char *opt_path(const struct opt *, const void *conf, size_t i,
    size_t *n);

const struct opt *opt_find(const struct opt *, const char *name);
const char *opt_nearest(const struct opt *, const char *name);
const char *opt_type_name(const struct opt *);

/* opt_value - the value as text; empty if unset */
void opt_value(const struct opt *, const void *conf, struct buf *);

/* opt_json - the options that are set, secrets aside, as an object */
void opt_json(const struct opt *, const void *conf, struct buf *);

/* opt_help - a line per option; opt_mdoc - a mdoc(7) list */
void opt_help(const struct opt *, struct buf *);
void opt_mdoc(const struct opt *, struct buf *);

#endif
