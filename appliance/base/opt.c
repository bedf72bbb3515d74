/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/base/msg.h"
#include "appliance/base/opt.h"
#include "appliance/base/when.h"

#include <errno.h>
#include <stdlib.h>

static const char *const type_names[] = {
	"end", "yes|no", "number", "size", "duration", "number", "word", "text",
	"list", "path", "path", "dataset", "model", "tokenizer", "index", "key"
};

const char *
opt_type_name(const struct opt *o)
{
	return o->type == OPT_ENUM ? o->words : type_names[o->type];
}

const struct opt *
opt_find(const struct opt *opts, const char *name)
{
	for (; opts->name != NULL; opts++)
		if (strcmp(opts->name, name) == 0)
			return opts;
	return NULL;
}

const char *
opt_nearest(const struct opt *opts, const char *name)
{
	const char *best = NULL;
	unsigned d, least = 3;

	for (; opts->name != NULL; opts++)
		if ((d = name_distance(opts->name, name)) < least) {
			least = d;
			best = opts->name;
		}
	return best;
}

/* opt_bool - yes or no */
static int
opt_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < BASE_COUNT(yes); i++) {
		if (strcmp(s, yes[i]) == 0) {
			*out = true;
			return 0;
		}
		if (strcmp(s, no[i]) == 0) {
			*out = false;
			return 0;
		}
	}
	return -1;
}

/* opt_enum - a word's place in "a|b|c" */
static int
opt_enum(const char *words, const char *s, int *out)
{
	size_t n = strlen(s), len;

	for (int i = 0; ; i++) {
		len = strcspn(words, "|");
		if (len == n && strncmp(words, s, n) == 0) {
			*out = i;
			return 0;
		}
		if (words[len] == '\0')
			return -1;
		words += len + 1;
	}
}

/* opt_number - int, size, duration or float within its range */
static int
opt_number(const struct opt *o, void *at, const char *s, struct err *e)
{
	int64_t i = 0;
	double x;
	char *end;

	errno = 0;
	if (o->type == OPT_SIZE) {
		if (when_size(s, &i, e) == -1)
			return err_prefix(e, "%s=: ", o->name);
	} else if (o->type == OPT_DURATION) {
		if (when_duration(s, &i, e) == -1)
			return err_prefix(e, "%s=: ", o->name);
	} else if (o->type == OPT_INT) {
		i = strtoll(s, &end, 10);
		if (*s == '\0' || *end != '\0' || errno != 0)
			return err_set(e, FATE_REJECT,
			    "%s=: '%s' is not a whole number", o->name, s);
	}
	x = (double)i;
	if (o->type == OPT_FLOAT) {
		x = strtod(s, &end);
		if (*s == '\0' || *end != '\0' || !(x - x == 0))
			return err_set(e, FATE_REJECT,
			    "%s=: '%s' is not a number", o->name, s);
	}
	if (o->min < o->max && (x < o->min || x > o->max))
		return err_set(e, FATE_REJECT, "%s=: '%s' is not within %g to "
		    "%g", o->name, s, o->min, o->max);
	if (o->type == OPT_FLOAT)
		*(double *)at = x;
	else
		*(int64_t *)at = i;
	return 0;
}

/* opt_append - one more element of a list */
static void
opt_append(struct opt_list *l, struct arena *a, const char *s, size_t n)
{
	l->v = arena_grow(a, l->v, l->n, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = arena_strn(a, s, n);
}

/* is_ref - does it name what the store has, or its path */
static bool
is_ref(const struct opt *o)
{
	return o->type >= OPT_DATASET && o->type <= OPT_INDEX;
}

/* opt_text - strings and lists; paths are not split at commas.  What is given
 * takes the default's place, and adds to what was given before */
static void
opt_text(const struct opt *o, void *at, struct arena *a, const char *s,
    bool given)
{
	struct opt_list *list = at;
	size_t n;

	if (!(o->flags & OPT_MANY)) {
		*(const char **)at = arena_str(a, s);
		return;
	}
	if (given && !list->given)
		*list = (struct opt_list){ .given = true };
	if (o->type != OPT_LIST && !is_ref(o)) {
		opt_append(at, a, s, strlen(s));
		return;
	}
	for (; *s != '\0'; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		if (n > 0)
			opt_append(at, a, s, n);
	}
}

/* opt_store - parse a value into its member */
static int
opt_store(const struct opt *o, void *conf, struct arena *a, const char *s,
    bool given, struct err *e)
{
	void *at = (char *)conf + o->offset;

	switch (o->type) {
	case OPT_BOOL:
		if (opt_bool(s, at) == -1)
			return err_set(e, FATE_REJECT,
			    "%s=: '%s' is neither yes nor no", o->name, s);
		return 0;
	case OPT_ENUM:
		if (opt_enum(o->words, s, at) == -1)
			return err_set(e, FATE_REJECT,
			    "%s=: '%s' is not one of %s", o->name, s, o->words);
		return 0;
	case OPT_INT:
	case OPT_SIZE:
	case OPT_DURATION:
	case OPT_FLOAT:
		return opt_number(o, at, s, e);
	default:
		opt_text(o, at, a, s, given);
		return 0;
	}
}

const char *
opt_path(const struct opt *o, const void *conf, size_t i, size_t *n)
{
	const void *at = (const char *)conf + o->offset;
	const struct opt_list *l = at;
	const char *s, *eq;

	if (n != NULL)
		*n = 0;
	if (o->type < OPT_PATH_IN)
		return NULL;
	if (!(o->flags & OPT_MANY))
		return i == 0 ? *(const char *const *)at : NULL;
	s = i < l->n ? l->v[i] : NULL;
	if (s == NULL || !is_ref(o))
		return s;
	/* a slash before it: the sign is part of a path */
	eq = s[strcspn(s, "=/")] == '=' ? strchr(s, '=') : NULL;
	if (n != NULL)
		*n = eq == NULL ? 0 : (size_t)(eq - s);
	return eq == NULL ? s : eq + 1;
}

int
opt_defaults(const struct opt *opts, void *conf, struct arena *a,
    struct err *e)
{
	for (; opts->name != NULL; opts++)
		if (opts->def != NULL &&
		    opt_store(opts, conf, a, opts->def, false, e) == -1)
			return -1;
	return 0;
}

int
opt_set(const struct opt *opts, void *conf, struct arena *a, const char *name,
    const char *value, struct err *e)
{
	const struct opt *o = opt_find(opts, name);
	const char *near;

	if (o != NULL)
		return opt_store(o, conf, a, value, true, e);
	near = opt_nearest(opts, name);
	if (near != NULL)
		return err_set(e, FATE_REJECT,
		    "no option '%s' (did you mean '%s'?)", name, near);
	return err_set(e, FATE_REJECT, "no option '%s'", name);
}

/* opt_positional - the option that the next plain word fills */
static const struct opt *
opt_positional(const struct opt *opts, const bool *given)
{
	const struct opt *last = NULL;

	for (size_t i = 0; opts[i].name != NULL; i++) {
		if (!(opts[i].flags & OPT_POSITIONAL))
			continue;
		last = &opts[i];
		if (!given[i])
			return last;
	}
	return last != NULL && (last->flags & OPT_MANY) ? last : NULL;
}

/* opt_equals - where the name of name=value ends; NULL for a plain word */
static const char *
opt_equals(const struct word *w)
{
	const char *eq = w->quoted ? NULL : strchr(w->s, '=');

	if (eq == NULL || eq == w->s)
		return NULL;
	for (const char *p = w->s; p < eq; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || *p == '_' || *p == '-'))
			return NULL;
	return eq;
}

/* opt_word - one word; `given` marks the rows that have a value */
static int
opt_word(const struct opt *opts, void *conf, struct arena *a, bool *given,
    const struct word *w, struct err *e)
{
	const char *eq = opt_equals(w), *name;
	const struct opt *o;

	if (eq == NULL) {
		o = opt_positional(opts, given);
		if (o == NULL)
			return err_set(e, FATE_REJECT,
			    "'%s' is one word too many", w->s);
		given[o - opts] = true;
		return opt_store(o, conf, a, w->s, true, e);
	}
	name = arena_strn(a, w->s, (size_t)(eq - w->s));
	o = opt_find(opts, name);
	if (o != NULL && given[o - opts] && !(o->flags & OPT_MANY))
		return err_set(e, FATE_REJECT, "'%s' is given twice", name);
	if (o != NULL)
		given[o - opts] = true;
	return opt_set(opts, conf, a, name, eq + 1, e);
}

int
opt_words(const struct opt *opts, void *conf, struct arena *a,
    const struct word *w, size_t n, struct err *e)
{
	size_t count = 0;
	bool *given;

	while (opts[count].name != NULL)
		count++;
	given = arena_array(a, count + 1, sizeof(*given));
	for (size_t i = 0; i < n; i++)
		if (opt_word(opts, conf, a, given, &w[i], e) == -1)
			return err_prefix(e, "%u:%u: ", w[i].line, w[i].col);
	for (size_t i = 0; i < count; i++)
		if ((opts[i].flags & OPT_NEEDED) && !given[i])
			return err_set(e, FATE_REJECT, "'%s' is missing: %s",
			    opts[i].name, opts[i].help);
	return 0;
}

void
opt_value(const struct opt *o, const void *conf, struct buf *b)
{
	const void *at = (const char *)conf + o->offset;
	const struct opt_list *l;
	const char *s = o->words;

	switch (o->type) {
	case OPT_BOOL:
		buf_str(b, *(const bool *)at ? "yes" : "no");
		return;
	case OPT_INT:
	case OPT_SIZE:
	case OPT_DURATION:
		buf_printf(b, "%lld", (long long)*(const int64_t *)at);
		return;
	case OPT_FLOAT:
		buf_json_num(b, *(const double *)at);
		return;
	case OPT_ENUM:
		for (int i = *(const int *)at; i > 0; i--)
			s += strcspn(s, "|") + 1;
		buf_add(b, s, strcspn(s, "|"));
		return;
	default:
		break;
	}
	if (!(o->flags & OPT_MANY)) {
		if (*(const char *const *)at != NULL)
			buf_str(b, *(const char *const *)at);
		return;
	}
	l = at;
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_char(b, ',');
		buf_str(b, l->v[i]);
	}
}

void
opt_json(const struct opt *opts, const void *conf, struct buf *b)
{
	const char *sep = "";
	struct buf v;

	buf_init(&v, WORDS_MAX);
	buf_char(b, '{');
	for (const struct opt *o = opts; o->name != NULL; o++) {
		v.n = 0;
		opt_value(o, conf, &v);
		if (v.n == 0 || o->type == OPT_SECRET)
			continue;
		buf_str(b, sep);
		buf_json_str(b, o->name);
		buf_char(b, ':');
		buf_json(b, buf_get(&v));
		sep = ",";
	}
	buf_char(b, '}');
	buf_free(&v);
}

/* opt_range - "default 5, 1 to 10" */
static void
opt_range(const struct opt *o, struct buf *b)
{
	const char *sep = "";

	if (o->flags & OPT_NEEDED) {
		buf_str(b, "must be given");
		sep = ", ";
	}
	if (o->def != NULL && *o->def != '\0') {
		buf_printf(b, "%sdefault %s", sep, o->def);
		sep = ", ";
	}
	if (o->min < o->max)
		buf_printf(b, "%s%.15g to %.15g", sep, o->min, o->max);
}

void
opt_help(const struct opt *opts, struct buf *b)
{
	for (const struct opt *o = opts; o->name != NULL; o++) {
		struct buf range;
		char head[160];

		buf_init(&range, 4096);
		opt_range(o, &range);
		snprintf(head, sizeof(head), "%s=%s", o->name,
		    opt_type_name(o));
		buf_printf(b, "  %-28s %s%s", head, o->help,
		    o->flags & OPT_POSITIONAL ? " [plain word]" : "");
		if (range.n > 0)
			buf_printf(b, " (%s)", buf_cstr(&range));
		buf_char(b, '\n');
		buf_free(&range);
	}
}

void
opt_mdoc(const struct opt *opts, struct buf *b)
{
	if (opts->name == NULL) {
		buf_str(b, "There are no options.\n");
		return;
	}
	buf_str(b, ".Bl -tag -width Ds\n");
	for (const struct opt *o = opts; o->name != NULL; o++) {
		size_t from = b->n;

		buf_printf(b, ".It Cm %s Ns = Ns Ar %s\n", o->name,
		    opt_type_name(o));
		buf_printf(b, "%s", o->help);
		if (o->flags & OPT_POSITIONAL)
			buf_str(b, "; a plain word fills it");
		buf_str(b, ".\n(");
		from = b->n;
		opt_range(o, b);
		if (b->n == from)
			b->n -= 1;
		else
			buf_str(b, ".)\n");
	}
	buf_str(b, ".El\n");
}
