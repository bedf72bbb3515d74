/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JINJA_RUN_H
#define TEXT_JINJA_RUN_H

#include "appliance/text/jinja_str.h"

/*
 * jinja_run.h - names, loops, macros and what can be called; for jinja's own
 * files.
 */

struct jloop {
	const struct jseq *seq;
	size_t at, depth;
	struct jv last;			/* of changed() */
	bool seen;
};

struct jscope {
	struct jscope *up;
	struct jdict vars;
};

struct jmacro {
	const struct jnode *node;
	struct jscope *scope;		/* where it was defined */
};

struct jbound {
	struct view name;
	struct jv of;
	bool method;
};

/* what a call, filter or test was given */
struct jargs {
	const struct jv *v;
	size_t n;
	const struct view *name;	/* of the last nnamed ones */
	size_t nnamed;
};

/* jinja_arg - the argument at a place or of a name; NULL if not given */
const struct jv *jinja_arg(const struct jargs *, size_t at, const char *name);

/* jinja_args - the arguments of a call, filter or test */
int jinja_args(struct jrun *, const struct jnode *, struct jargs *);

/* jinja_key - a name as a dict's key */
struct jv jinja_key(struct view);

/* jinja_assign - to a name, to a namespace's, or to each of a tuple */
int jinja_assign(struct jrun *, const struct jnode *target, struct jv);

/* jinja_eval - an expression's value */
int jinja_eval(struct jrun *, const struct jnode *, struct jv *);

/* jinja_body - run statements */
int jinja_body(struct jrun *, const struct jnode *);

/* jinja_macro - call one; what it wrote */
int jinja_macro(struct jrun *, const struct jmacro *, const struct jargs *,
    const struct jv *caller, struct jv *);

/* jinja_call - call a value */
int jinja_call(struct jrun *, struct jv, const struct jargs *, struct jv *);

/* jinja_method, jinja_function - what J_BOUND values are */
int jinja_method(struct jrun *, const struct jbound *, const struct jargs *,
    struct jv *);
int jinja_function(struct jrun *, struct view name, const struct jargs *,
    struct jv *);
bool jinja_has_method(struct jv, struct view name);
bool jinja_has_function(const struct jrun *, struct view name);

/* jinja_str_method - those of strings; 1: no such method */
int jinja_str_method(struct jrun *, struct jv, struct view name,
    const struct jargs *, struct jv *);

/* jinja_filter, jinja_test */
int jinja_filter(struct jrun *, struct view name, struct jv,
    const struct jargs *, struct jv *);
int jinja_test(struct jrun *, struct view name, struct jv,
    const struct jargs *, bool *);

/* jinja_list_filter - those that go through a list; 1: no such filter */
int jinja_list_filter(struct jrun *, struct view name, struct jv,
    const struct jargs *, struct jv *);

/* jinja_attr - a.name; jinja_item - a[key] */
int jinja_attr(struct jrun *, struct jv, struct view name, struct jv *);
int jinja_item(struct jrun *, struct jv, struct jv key, struct jv *);

/* jinja_binary - a op b */
int jinja_binary(struct jrun *, struct view op, struct jv, struct jv,
    struct jv *);

/* jinja_in - is it in what holds things */
int jinja_in(struct jrun *, struct jv, struct jv holds, bool *);

#endif
