/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"

#include <time.h>

#define RANGE_MAX	100000		/* as Jinja's sandbox has it */

const struct jv *
jinja_arg(const struct jargs *args, size_t at, const char *name)
{
	for (size_t i = 0; name != NULL && i < args->nnamed; i++)
		if (view_is(args->name[i], name))
			return &args->v[args->n - args->nnamed + i];
	return at < args->n - args->nnamed ? &args->v[at] : NULL;
}

/* what values can do; what the sandbox forbids is told apart */
#define STR_METHODS	"capitalize|count|endswith|find|isalnum|isalpha|" \
	"isascii|isdecimal|isdigit|islower|isspace|isupper|join|lower|lstrip|" \
	"removeprefix|removesuffix|replace|rfind|rsplit|rstrip|split|" \
	"splitlines|startswith|strip|title|upper|center|ljust|rjust|zfill|" \
	"casefold|encode|expandtabs|format|format_map|index|isidentifier|" \
	"isnumeric|isprintable|istitle|maketrans|partition|rindex|rpartition|" \
	"swapcase|translate"
#define DICT_METHODS	"get|items|keys|values|copy"
#define DICT_CHANGES	"clear|pop|popitem|setdefault|update|fromkeys"
#define LIST_METHODS	"index|count|copy"
#define LIST_CHANGES	"append|clear|extend|insert|pop|remove|reverse|sort"

bool
jinja_has_method(struct jv v, struct view name)
{
	switch (v.kind) {
	case J_STR:
		return jinja_among(STR_METHODS, name);
	case J_DICT:
		return jinja_among(DICT_METHODS "|" DICT_CHANGES, name);
	case J_SEQ:
		return (v.seq->form == SEQ_LIST && jinja_among(LIST_METHODS
		    "|" LIST_CHANGES, name)) || ((v.seq->form ==
		    SEQ_TUPLE || v.seq->form == SEQ_RANGE) &&
		    jinja_among("index|count", name));
	case J_LOOP:
		return jinja_among("cycle|changed", name);
	default:
		return false;
	}
}

bool
jinja_has_function(const struct jrun *r, struct view name)
{
	return jinja_among("range|namespace|dict|raise_exception", name) ||
	    (r->now != NULL && view_is(name, "strftime_now"));
}

/* method_pairs - what items() gives: tuples of key and value */
static int
method_pairs(struct jrun *r, const struct jdict *d, enum jform form,
    struct jv *out)
{
	struct jv pair;

	*out = jv_seq(r, form);
	for (size_t i = 0; i < d->n; i++) {
		pair = jv_seq(r, SEQ_TUPLE);
		if (jv_push(r, pair, d->key[i]) == -1 ||
		    jv_push(r, pair, d->value[i]) == -1 ||
		    jv_push(r, *out, pair) == -1)
			return -1;
	}
	return 0;
}

/* dict_method - one of DICT_METHODS */
static int
dict_method(struct jrun *r, const struct jdict *d, struct view name,
    const struct jargs *args, struct jv *out)
{
	const struct jv *got;

	if (view_is(name, "items"))
		return method_pairs(r, d, SEQ_VIEW, out);
	if (view_is(name, "get")) {
		if (args->n == 0 || args->n > 2)
			return jinja_error(r, "get takes a key and a default");
		got = dict_get(d, args->v[0]);
		*out = got != NULL ? *got : args->n > 1 ? args->v[1] : JV_NONE;
		return 0;
	}
	if (view_is(name, "copy")) {
		*out = jv_dict(r);
		for (size_t i = 0; i < d->n; i++)
			if (dict_set(r, out->dict, d->key[i],
			    d->value[i]) == -1)
				return -1;
		return 0;
	}
	*out = jv_seq(r, SEQ_VIEW);
	for (size_t i = 0; i < d->n; i++)
		if (jv_push(r, *out, view_is(name, "keys") ? d->key[i] :
		    d->value[i]) == -1)
			return -1;
	return 0;
}

/* list_method - one of LIST_METHODS */
static int
list_method(struct jrun *r, const struct jseq *q, struct view name,
    const struct jargs *args, struct jv *out)
{
	int64_t n = 0;

	if (view_is(name, "copy")) {
		*out = jv_seq(r, q->form);
		for (size_t i = 0; i < q->n; i++)
			if (jv_push(r, *out, q->v[i]) == -1)
				return -1;
		return 0;
	}
	if (args->n == 0)
		return jinja_error(r, "'%.*s' needs a value", (int)name.n,
		    name.p);
	for (size_t i = 0; i < q->n; i++) {
		if (!jv_same(r, q->v[i], args->v[0]))
			continue;
		if (view_is(name, "index")) {
			*out = jv_int((int64_t)i);
			return 0;
		}
		n++;
	}
	if (view_is(name, "index"))
		return jinja_error(r, "what is sought is not in the list");
	*out = jv_int(n);
	return jinja_step(r, q->n);
}

/* loop_method - cycle and changed */
static int
loop_method(struct jrun *r, struct jloop *l, struct view name,
    const struct jargs *args, struct jv *out)
{
	struct jv now;

	if (args->n == 0)
		return jinja_error(r, "loop.%.*s needs a value", (int)name.n,
		    name.p);
	if (view_is(name, "cycle")) {
		*out = args->v[l->at % args->n];
		return 0;
	}
	now = jv_seq(r, SEQ_TUPLE);
	for (size_t i = 0; i < args->n; i++)
		if (jv_push(r, now, args->v[i]) == -1)
			return -1;
	*out = jv_bool(!l->seen || !jv_same(r, now, l->last));
	l->seen = true;
	l->last = now;
	return 0;
}

int
jinja_method(struct jrun *r, const struct jbound *b, const struct jargs *args,
    struct jv *out)
{
	struct view name = b->name;
	int rc;

	if (b->of.kind == J_STR) {
		rc = jinja_str_method(r, b->of, name, args, out);
		return rc != 1 ? rc : jinja_error(r, "the method '%.*s' of "
		    "texts is not supported", (int)name.n, name.p);
	}
	if (b->of.kind == J_LOOP)
		return loop_method(r, b->of.loop, name, args, out);
	if (jinja_among(b->of.kind == J_DICT ? DICT_CHANGES : LIST_CHANGES,
	    name))
		return jinja_error(r, "'%.*s' would change a %s, which a "
		    "template may not; make a new one", (int)name.n, name.p,
		    jv_type(b->of));
	return b->of.kind == J_DICT ? dict_method(r, b->of.dict, name, args,
	    out) : list_method(r, b->of.seq, name, args, out);
}

/* function_range - range(n), range(from, to, step) */
static int
function_range(struct jrun *r, const struct jargs *args, struct jv *out)
{
	int64_t from = 0, to, step = 1;

	if (args->n == 0 || args->n > 3 || args->nnamed > 0)
		return jinja_error(r, "range takes one to three numbers");
	for (size_t i = 0; i < args->n; i++)
		if (args->v[i].kind != J_INT && args->v[i].kind != J_BOOL)
			return jinja_error(r, "range of a %s",
			    jv_type(args->v[i]));
	to = args->v[args->n > 1].i;
	if (args->n > 1)
		from = args->v[0].i;
	if (args->n > 2)
		step = args->v[2].i;
	if (step == 0)
		return jinja_error(r, "a step of 0");
	*out = jv_seq(r, SEQ_RANGE);
	for (; step > 0 ? from < to : from > to; ) {
		if (out->seq->n == RANGE_MAX)
			return jinja_error(r, "a range of more than %d",
			    RANGE_MAX);
		if (jv_push(r, *out, jv_int(from)) == -1)
			return -1;
		if (__builtin_add_overflow(from, step, &from))
			break;
	}
	return 0;
}

/* function_time - strftime_now(format), in C's locale */
static int
function_time(struct jrun *r, const struct jargs *args, struct jv *out)
{
	char s[256];
	struct jout o = { 0 };
	const char *format;

	if (args->n != 1 || args->v[0].kind != J_STR || args->v[0].s.n > 200)
		return jinja_error(r, "strftime_now takes a short format");
	format = arena_strn(r->arena, args->v[0].s.p, args->v[0].s.n);
	s[0] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	strftime(s, sizeof(s), format, r->now);
#pragma GCC diagnostic pop
	out_text(r, &o, s, JINJA_VALUE);
	*out = out_end(&o);
	return 0;
}

int
jinja_function(struct jrun *r, struct view name, const struct jargs *args,
    struct jv *out)
{
	struct jv text;

	if (view_is(name, "range"))
		return function_range(r, args, out);
	if (view_is(name, "strftime_now"))
		return function_time(r, args, out);
	if (view_is(name, "raise_exception")) {
		if (args->n != 1 || jv_str(r, args->v[0], &text) == -1)
			return jinja_error(r, "raise_exception takes a text");
		return jinja_error(r, "%.*s", text.s.n < 300 ?
		    (int)text.s.n : 300, text.s.p);
	}
	*out = jv_dict(r);
	if (args->n > args->nnamed + 1 || (args->n > args->nnamed &&
	    args->v[0].kind != J_DICT))
		return jinja_error(r, "'%.*s' takes name=value", (int)name.n,
		    name.p);
	if (args->n > args->nnamed)
		for (size_t i = 0; i < args->v[0].dict->n; i++)
			if (dict_set(r, out->dict, args->v[0].dict->key[i],
			    args->v[0].dict->value[i]) == -1)
				return -1;
	for (size_t i = 0; i < args->nnamed; i++)
		if (dict_set(r, out->dict, jinja_key(args->name[i]),
		    args->v[args->n - args->nnamed + i]) == -1)
			return -1;
	if (view_is(name, "namespace"))
		out->kind = J_SPACE;
	return 0;
}

int
jinja_call(struct jrun *r, struct jv what, const struct jargs *args,
    struct jv *out)
{
	if (what.kind == J_MACRO)
		return jinja_macro(r, what.macro, args, NULL, out);
	if (what.kind == J_BOUND)
		return what.bound->method ? jinja_method(r, what.bound, args,
		    out) : jinja_function(r, what.bound->name, args, out);
	if (what.kind != J_UNDEFINED)
		return jinja_error(r, "a %s cannot be called", jv_type(what));
	if (view_is((struct view){ what.s.p, what.s.n }, "strftime_now"))
		return jinja_error(r, "'strftime_now' is undefined: no date "
		    "was given");
	return jinja_error(r, "'%.*s' is undefined", (int)what.s.n, what.s.p);
}
