/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/rec.h"

/* rec_room - place for one more member */
static struct field *
rec_room(struct arena *a, struct rec *r)
{
	if (r->nfields == r->cap) {
		r->cap = r->cap == 0 ? 8 : r->cap * 2;
		r->field = arena_grow(a, r->field, r->nfields, r->cap,
		    sizeof(*r->field));
	}
	return &r->field[r->nfields++];
}

int
rec_parse(struct arena *a, struct view line, struct rec *r, struct err *e)
{
	struct json_iter it;
	struct view value, key, v;
	struct field *f;
	size_t bad = utf8_check(line.p, line.n);

	memset(r, 0, sizeof(*r));
	if (bad != line.n)
		return err_set(e, FATE_REJECT, "byte %zu is not UTF-8",
		    bad + 1);
	if (json_value(line, &value, e) == -1)
		return -1;
	if (!json_open(&it, value, '{'))
		return err_set(e, FATE_REJECT, "not a JSON object");
	while (json_member(&it, &key, &v)) {
		f = rec_room(a, r);
		f->name = key;
		f->raw = v;
	}
	return 0;
}

/* rec_find - a member by its plain name */
static struct field *
rec_find(const struct rec *r, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < r->nfields; i++)
		if (r->field[i].name.n == n + 2 &&
		    memcmp(r->field[i].name.p + 1, name, n) == 0)
			return &r->field[i];
	return NULL;
}

/* print_facts - those that came in and were not measured anew, then ours */
static void
print_facts(struct buf *b, const struct rec *r)
{
	const struct field *old = rec_find(r, "facts");
	struct json_iter it;
	struct view key, v;
	const char *sep = "";
	bool again;

	buf_char(b, '{');
	if (old != NULL && json_open(&it, old->raw, '{'))
		while (json_member(&it, &key, &v)) {
			again = false;
			for (uint32_t i = 0; i < r->nfacts; i++)
				again |= key.n == strlen(r->fact[i].name) + 2 &&
				    memcmp(key.p + 1, r->fact[i].name,
				    key.n - 2) == 0;
			if (again)
				continue;
			buf_str(b, sep);
			buf_view(b, key);
			buf_char(b, ':');
			buf_view(b, v);
			sep = ",";
		}
	for (uint32_t i = 0; i < r->nfacts; i++) {
		buf_printf(b, "%s\"%s\":", sep, r->fact[i].name);
		buf_json_num(b, r->fact[i].value);
		sep = ",";
	}
	buf_char(b, '}');
}

void
rec_print(struct buf *b, const struct rec *r)
{
	const struct field *facts = r->nfacts > 0 ? rec_find(r, "facts") : NULL;

	buf_char(b, '{');
	for (uint32_t i = 0; i < r->nfields; i++) {
		if (i > 0)
			buf_char(b, ',');
		buf_view(b, r->field[i].name);
		buf_char(b, ':');
		if (&r->field[i] == facts)
			print_facts(b, r);
		else
			buf_view(b, r->field[i].raw);
	}
	if (r->nfacts > 0 && facts == NULL) {
		buf_str(b, r->nfields > 0 ? ",\"facts\":" : "\"facts\":");
		print_facts(b, r);
	}
	buf_char(b, '}');
}

bool
rec_raw(const struct rec *r, const char *name, struct view *raw)
{
	const struct field *f = rec_find(r, name);

	if (f == NULL)
		return false;
	*raw = f->raw;
	return true;
}

bool
rec_str(struct arena *a, const struct rec *r, const char *name, struct view *v)
{
	struct view raw;

	return rec_raw(r, name, &raw) && json_string(a, raw, v);
}

bool
rec_int(const struct rec *r, const char *name, int64_t *x)
{
	struct view raw;

	return rec_raw(r, name, &raw) && json_integer(raw, x);
}

void
rec_set_raw(struct arena *a, struct rec *r, const char *name, struct view raw)
{
	struct field *f = rec_find(r, name);

	if (f == NULL) {
		f = rec_room(a, r);
		f->name = view_of(arena_printf(a, "\"%s\"", name));
	}
	f->raw = raw;
}

void
rec_set_str(struct arena *a, struct rec *r, const char *name, struct view v)
{
	struct buf b;

	buf_init(&b, v.n * 6 + 16);
	buf_reserve(&b, v.n + 16);
	buf_json(&b, v);
	rec_set_raw(a, r, name, view_keep(a, buf_get(&b)));
	buf_free(&b);
}

void
rec_set_int(struct arena *a, struct rec *r, const char *name, int64_t x)
{
	rec_set_raw(a, r, name,
	    view_of(arena_printf(a, "%lld", (long long)x)));
}

void
rec_unset(struct rec *r, const char *name)
{
	struct field *f = rec_find(r, name);
	size_t i;

	if (f == NULL)
		return;
	i = (size_t)(f - r->field);
	memmove(f, f + 1, (r->nfields - i - 1) * sizeof(*f));
	r->nfields--;
}

void
rec_fact(struct arena *a, struct rec *r, const char *name, double x)
{
	for (uint32_t i = 0; i < r->nfacts; i++)
		if (strcmp(r->fact[i].name, name) == 0) {
			r->fact[i].value = x;
			return;
		}
	if ((r->nfacts & (r->nfacts - 1)) == 0)
		r->fact = arena_grow(a, r->fact, r->nfacts,
		    r->nfacts == 0 ? 1 : r->nfacts * 2, sizeof(*r->fact));
	r->fact[r->nfacts++] = (struct fact){ name, x };
}

bool
rec_fact_get(const struct rec *r, const char *name, double *x)
{
	struct view facts, v;

	for (uint32_t i = 0; i < r->nfacts; i++)
		if (strcmp(r->fact[i].name, name) == 0) {
			*x = r->fact[i].value;
			return true;
		}
	return rec_raw(r, "facts", &facts) && json_get(facts, name, &v) &&
	    json_number(v, x);
}

void
rec_drop(struct rec *r, const char *rule, double value, double threshold)
{
	r->state = REC_DROPPED;
	r->rule = rule;
	r->value = value;
	r->threshold = threshold;
}

void
rec_fail(struct arena *a, struct rec *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->state = REC_FAILED;
	r->rule = arena_str(a, text);
}
