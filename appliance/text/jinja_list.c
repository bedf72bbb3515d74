/* SPDX-License-Identifier: Apache-2.0 */
/* The filters that go through a list */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"
#include "appliance/text/utf8.h"

/* list_attr - a.b.0 of a value: items by name or place, as map does it */
static int
list_attr(struct jrun *r, struct jv v, struct jv path, struct jv *out)
{
	struct jv key;
	const char *p, *end, *dot;

	*out = v;
	if (path.kind != J_STR)
		return jinja_item(r, v, path, out);
	p = path.s.p;
	end = p + path.s.n;
	for (;; p = dot + 1) {
		dot = memchr(p, '.', (size_t)(end - p));
		if (dot == NULL)
			dot = end;
		key = jinja_key((struct view){ p, (size_t)(dot - p) });
		if (dot > p && strspn(p, "0123456789") >= (size_t)(dot - p) &&
		    dot - p < 10) {
			int64_t n = 0;

			for (; p < dot; p++)
				n = n * 10 + *p - '0';
			key = jv_int(n);
		}
		if (jinja_item(r, *out, key, out) == -1)
			return -1;
		if (dot == end)
			return 0;
	}
}

/* list_fold - for comparing: texts in small letters unless told otherwise */
static int
list_fold(struct jrun *r, struct jv v, const struct jv *sensitive,
    struct jv *out)
{
	*out = v;
	if (v.kind != J_STR || (sensitive != NULL && jv_true(*sensitive)))
		return 0;
	return jinja_str_method(r, v, VIEW("lower"), &(struct jargs){ 0 },
	    out);
}

/* list_rest - a call's arguments without the first ones */
static struct jargs
list_rest(const struct jargs *args, size_t n)
{
	struct jargs rest = *args;

	n = n > args->n - args->nnamed ? args->n - args->nnamed : n;
	rest.v += n;
	rest.n -= n;
	return rest;
}

/* list_select - select, reject: by a test; selectattr, rejectattr: of a part */
static int
list_select(struct jrun *r, struct view name, const struct jseq *q,
    const struct jargs *args, struct jv *out)
{
	bool part = name.n > 6, keep = name.p[0] == 's', yes;
	struct jargs rest;
	struct jv v;

	if (part && args->n == 0)
		return jinja_error(r, "'%.*s' needs a name", (int)name.n,
		    name.p);
	*out = jv_seq(r, SEQ_ONCE);
	for (size_t i = 0; i < q->n; i++) {
		v = q->v[i];
		if (part && list_attr(r, v, args->v[0], &v) == -1)
			return -1;
		rest = list_rest(args, part + 1);
		if (args->n <= part)
			yes = jv_true(v);
		else if (args->v[part].kind != J_STR)
			return jinja_error(r, "a test's name is a text");
		else if (jinja_test(r, (struct view){ args->v[part].s.p,
		    args->v[part].s.n }, v, &rest, &yes) == -1)
			return -1;
		if (yes == keep && jv_push(r, *out, q->v[i]) == -1)
			return -1;
	}
	return 0;
}

/* list_map - map(attribute=..) or map(filter, ..) */
static int
list_map(struct jrun *r, const struct jseq *q, const struct jargs *args,
    struct jv *out)
{
	const struct jv *path = jinja_arg(args, SIZE_MAX, "attribute"),
	    *def = jinja_arg(args, SIZE_MAX, "default");
	struct jargs rest = list_rest(args, 1);
	struct jv v;

	if (path == NULL && (args->n == 0 || args->v[0].kind != J_STR))
		return jinja_error(r, "map takes attribute= or a filter");
	*out = jv_seq(r, SEQ_ONCE);
	for (size_t i = 0; i < q->n; i++) {
		if (path != NULL) {
			if (list_attr(r, q->v[i], *path, &v) == -1)
				return -1;
			if (v.kind == J_UNDEFINED && def != NULL)
				v = *def;
		} else if (jinja_filter(r, (struct view){ args->v[0].s.p,
		    args->v[0].s.n }, q->v[i], &rest, &v) == -1)
			return -1;
		if (jv_push(r, *out, v) == -1)
			return -1;
	}
	return 0;
}

/* list_sort - stable; by an attribute; dictsort by key or value */
static int
list_sort(struct jrun *r, const struct jseq *q, const struct jv *path,
    const struct jv *sensitive, bool reverse, struct jv *out)
{
	struct jv *key = arena_array(r->arena, q->n + 1, sizeof(*key)), k, v;
	bool less;
	size_t at;

	*out = jv_seq(r, SEQ_LIST);
	for (size_t i = 0; i < q->n; i++) {
		v = k = q->v[i];
		if ((path != NULL && path->kind != J_NONE &&
		    list_attr(r, v, *path, &k) == -1) ||
		    list_fold(r, k, sensitive, &k) == -1 ||
		    jv_push(r, *out, v) == -1)
			return -1;
		for (at = i; at > 0; at--) {
			if (jinja_step(r, 1) == -1 || (reverse ?
			    jv_less(r, key[at - 1], k, &less) :
			    jv_less(r, k, key[at - 1], &less)) == -1)
				return -1;
			if (!less)
				break;
			key[at] = key[at - 1];
			out->seq->v[at] = out->seq->v[at - 1];
		}
		key[at] = k;
		out->seq->v[at] = v;
	}
	return 0;
}

/* list_best - min and max */
static int
list_best(struct jrun *r, const struct jseq *q, bool max,
    const struct jargs *args, struct jv *out)
{
	const struct jv *sensitive = jinja_arg(args, 0, "case_sensitive"),
	    *path = jinja_arg(args, 1, "attribute");
	struct jv best = JV_NONE, k;
	bool less;

	*out = jv_undefined(VIEW("the best of nothing"));
	for (size_t i = 0; i < q->n; i++) {
		k = q->v[i];
		if ((path != NULL && list_attr(r, k, *path, &k) == -1) ||
		    list_fold(r, k, sensitive, &k) == -1)
			return -1;
		if (i > 0 && (max ? jv_less(r, best, k, &less) :
		    jv_less(r, k, best, &less)) == -1)
			return -1;
		if (i > 0 && !less)
			continue;
		best = k;
		*out = q->v[i];
	}
	return jinja_step(r, q->n);
}

/* list_unique - the first of each */
static int
list_unique(struct jrun *r, const struct jseq *q, const struct jargs *args,
    struct jv *out)
{
	const struct jv *sensitive = jinja_arg(args, 0, "case_sensitive"),
	    *path = jinja_arg(args, 1, "attribute");
	struct jv seen = jv_dict(r), k;

	*out = jv_seq(r, SEQ_ONCE);
	for (size_t i = 0; i < q->n; i++) {
		k = q->v[i];
		if ((path != NULL && list_attr(r, k, *path, &k) == -1) ||
		    list_fold(r, k, sensitive, &k) == -1)
			return -1;
		if (k.kind == J_UNDEFINED)
			k = jv_seq(r, SEQ_TUPLE);
		if (dict_get(seen.dict, k) != NULL)
			continue;
		if (dict_set(r, seen.dict, k, JV_NONE) == -1 ||
		    jv_push(r, *out, q->v[i]) == -1)
			return -1;
	}
	return 0;
}

/* list_join - texts with a separator */
static int
list_join(struct jrun *r, const struct jseq *q, const struct jargs *args,
    struct jv *out)
{
	const struct jv *sep = jinja_arg(args, 0, "d"),
	    *path = jinja_arg(args, 1, "attribute");
	struct jout o = { 0 };
	struct jv v;

	for (size_t i = 0; i < q->n; i++) {
		if (i > 0 && sep != NULL && jv_show(r, &o, *sep, false) == -1)
			return -1;
		v = q->v[i];
		if ((path != NULL && path->kind != J_NONE &&
		    list_attr(r, v, *path, &v) == -1) ||
		    jv_show(r, &o, v, false) == -1)
			return -1;
	}
	*out = out_end(&o);
	return 0;
}

/* list_reverse - a text's characters or a list from the end */
static int
list_reverse(struct jrun *r, struct jv v, const struct jseq *q, struct jv *out)
{
	struct jout o = { 0 };

	*out = jv_seq(r, SEQ_ONCE);
	for (size_t i = q->n; i-- > 0; )
		if (v.kind == J_STR)
			out_add(r, &o, q->v[i].s);
		else if (jv_push(r, *out, q->v[i]) == -1)
			return -1;
	if (v.kind == J_STR)
		*out = out_end(&o);
	return jinja_step(r, q->n);
}

/* list_sum - of numbers, from start on */
static int
list_sum(struct jrun *r, const struct jseq *q, const struct jargs *args,
    struct jv *out)
{
	const struct jv *path = jinja_arg(args, 0, "attribute"),
	    *start = jinja_arg(args, 1, "start");
	struct jv v;

	*out = start != NULL ? *start : jv_int(0);
	for (size_t i = 0; i < q->n; i++) {
		v = q->v[i];
		if ((path != NULL && path->kind != J_NONE &&
		    list_attr(r, v, *path, &v) == -1) ||
		    jinja_binary(r, VIEW("+"), *out, v, out) == -1)
			return -1;
	}
	return jinja_step(r, q->n);
}

/* list_copy - list: what can be gone through, as a list */
static int
list_copy(struct jrun *r, const struct jseq *q, struct jv *out)
{
	*out = jv_seq(r, SEQ_LIST);
	for (size_t i = 0; i < q->n; i++)
		if (jv_push(r, *out, q->v[i]) == -1)
			return -1;
	return 0;
}

/* list_dictsort - a dict's pairs in order */
static int
list_dictsort(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	struct jbound b = { VIEW("items"), v, true };
	const struct jv *by = jinja_arg(args, 1, "by"),
	    *reverse = jinja_arg(args, 2, "reverse");
	struct jv place = jv_int(by != NULL && jv_is(*by, "value")), pairs;

	if (v.kind != J_DICT)
		return jinja_error(r, "dictsort of a %s", jv_type(v));
	if (jinja_method(r, &b, &(struct jargs){ 0 }, &pairs) == -1)
		return -1;
	return list_sort(r, pairs.seq, &place, jinja_arg(args, 0,
	    "case_sensitive"), reverse != NULL && jv_true(*reverse), out);
}

int
jinja_list_filter(struct jrun *r, struct view name, struct jv v,
    const struct jargs *args, struct jv *out)
{
	const struct jv *reverse = jinja_arg(args, 0, "reverse");
	struct jseq q;

	if (!jinja_among("select|reject|selectattr|rejectattr|map|sort|min|"
	    "max|unique|join|reverse|sum|list|first|last|dictsort", name))
		return 1;
	if (view_is(name, "dictsort"))
		return list_dictsort(r, v, args, out);
	if (view_is(name, "last") && v.kind == J_SEQ &&
	    v.seq->form == SEQ_ONCE)
		return jinja_error(r, "a generator has no last item; put "
		    "'| list' in front");
	if (view_is(name, "first") && v.kind == J_SEQ &&
	    v.seq->form == SEQ_ONCE && v.seq->at < v.seq->n) {
		*out = v.seq->v[v.seq->at++];
		return 0;
	}
	/* these look into nothing that is false, None for one */
	if (!jv_true(v) && jinja_among("select|reject|selectattr|rejectattr|"
	    "map", name))
		v = jv_seq(r, SEQ_LIST);
	if (jv_iter(r, v, &q) == -1)
		return -1;
	if (view_is(name, "join"))
		return list_join(r, &q, args, out);
	if (view_is(name, "list"))
		return list_copy(r, &q, out);
	if (view_is(name, "map"))
		return list_map(r, &q, args, out);
	if (view_is(name, "sort"))
		return list_sort(r, &q, jinja_arg(args, 2, "attribute"),
		    jinja_arg(args, 1, "case_sensitive"), reverse != NULL &&
		    jv_true(*reverse), out);
	if (view_is(name, "min") || view_is(name, "max"))
		return list_best(r, &q, name.p[1] == 'a', args, out);
	if (view_is(name, "unique"))
		return list_unique(r, &q, args, out);
	if (view_is(name, "reverse"))
		return list_reverse(r, v, &q, out);
	if (view_is(name, "sum"))
		return list_sum(r, &q, args, out);
	if (view_is(name, "first") || view_is(name, "last")) {
		*out = q.n == 0 ? jv_undefined(VIEW("an item of an empty "
		    "list")) : q.v[name.p[0] == 'f' ? 0 : q.n - 1];
		return 0;
	}
	return list_select(r, name, &q, args, out);
}
