/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JINJA_VALUE_H
#define TEXT_JINJA_VALUE_H

#include "appliance/text/jinja_own.h"

/*
 * jinja_value.h - values as Python has them, and a rendering; for jinja's own
 * files.  All is in the rendering's arena.  Functions that may fail return -1
 * and have set the rendering's error.
 */

enum jkind {
	J_UNDEFINED,		/* s: what was not there */
	J_NONE, J_BOOL, J_INT, J_FLOAT, J_STR, J_SEQ, J_DICT,
	J_SPACE,		/* a namespace; dict */
	J_LOOP, J_MACRO,
	J_BOUND			/* method s of *of; of NULL: a function */
};

struct jstr {
	const char *p;			/* UTF-8 */
	const unsigned char *mark;	/* of each byte; NULL: all 0 */
	size_t n;
};

struct jv {
	enum jkind kind;
	bool safe;			/* J_STR: Markup, which escapes what
					 * is added to it */
	union {
		int64_t i;		/* J_INT, J_BOOL */
		double f;
		struct jstr s;
		struct jseq *seq;
		struct jdict *dict;
		struct jloop *loop;
		struct jmacro *macro;
		struct jbound *bound;
	};
};

/* J_SEQ; SEQ_ONCE: a generator, which gives each value once */
enum jform { SEQ_LIST, SEQ_TUPLE, SEQ_VIEW, SEQ_RANGE, SEQ_ONCE, SEQ_SLICE };

struct jseq {
	enum jform form;
	struct jv *v;
	size_t n, cap, at;		/* at: of a generator, the next */
};

struct jdict {
	struct jv *key, *value;
	size_t n, cap;
	uint32_t *slot;			/* place + 1 by hash; mask + 1 */
	size_t mask;
};

struct jrun {
	struct arena *arena;
	struct jscope *scope;
	struct jout *out;
	const struct tm *now;
	struct err *e;
	unsigned line, generation;	/* generation: the mark to be set */
	int depth;
	int64_t steps;			/* left */
	size_t made;			/* bytes of strings */
	size_t size;			/* the arena's when it began */
	bool full;			/* too many; -1 at the next step */
	enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
};

int jinja_error(struct jrun *, const char *, ...) BASE_PRINTF(2, 3);
int jinja_step(struct jrun *, size_t n);	/* n more steps of work */

#define JV_NONE		((struct jv){ .kind = J_NONE })
struct jv jv_bool(bool);
struct jv jv_int(int64_t);
struct jv jv_text(const char *);		/* the template's own */
struct jv jv_undefined(struct view name);
struct jv jv_seq(struct jrun *, enum jform);
struct jv jv_dict(struct jrun *);
int jv_push(struct jrun *, struct jv seq, struct jv);
bool jv_is(struct jv, const char *);		/* that text */

/* jv_json - a JSON value; mark: of its texts' bytes */
int jv_json(struct jrun *, struct view, unsigned mark, struct jv *);

struct jv *dict_get(const struct jdict *, struct jv key);
int dict_set(struct jrun *, struct jdict *, struct jv key, struct jv);

bool jv_true(struct jv);
bool jv_same(struct jrun *, struct jv, struct jv);
int jv_less(struct jrun *, struct jv, struct jv, bool *);
const char *jv_type(struct jv);			/* Python's name */
bool jv_number(struct jv, double *);

/* jv_iter - a list of what a value holds, for loops and filters */
int jv_iter(struct jrun *, struct jv, struct jseq *);

#endif
