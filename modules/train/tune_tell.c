/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of trials: kept from run to run, and told. */
#include "appliance/base/base.h"
#include "appliance/text/json.h"
#include "modules/train/train.h"

#include <math.h>

#define TOLD_MOST	((size_t)1 << 26)

static const char *const endings[] = { "open", "done", "stopped early",
	"diverged", "refused", "halted", "same" };

static size_t
number_of(const struct tune *u, const struct trial *r)
{
	return (size_t)(r - u->v) + 1;
}

/* trial_json - all of it, to the last bit */
static void
trial_json(const struct tune *u, const struct trial *r, struct buf *b)
{
	buf_printf(b, "{\"end\":\"%s\",\"rungs\":%lld,\"steps\":%lld,"
	    "\"best_step\":%lld,\"seconds\":%.3f", endings[r->end],
	    (long long)r->rungs, (long long)r->steps,
	    (long long)r->best_step, r->seconds);
	if (isfinite(r->loss))
		buf_printf(b, ",\"loss\":%.17g", r->loss);
	if (r->why != NULL) {
		buf_str(b, ",\"why\":");
		buf_json_str(b, r->why);
	}
	buf_str(b, ",\"x\":[");
	for (size_t i = 0; r->x != NULL && i < u->space.n; i++)
		buf_printf(b, "%s%.17g", i > 0 ? "," : "", r->x[i]);
	buf_str(b, "]}");
}

int
trials_write(const struct tune *u, struct err *e)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, TOLD_MOST);
	int rc;

	buf_char(b, '[');
	for (size_t i = 0; i < u->n && u->v[i].x != NULL; i++) {
		buf_str(b, i > 0 ? ",\n" : "\n");
		trial_json(u, &u->v[i], b);
	}
	buf_str(b, "\n]\n");
	rc = b->full ? err_set(e, FATE_REJECT, "the table of trials is too "
	    "large") : file_replace(u->t->dir, "trials", buf_get(b), 0640,
	    true, e);
	arena_free(a);
	return rc;
}

static bool
whole(struct view v, const char *name, int64_t *out)
{
	struct view raw;

	return json_get(v, name, &raw) && json_integer(raw, out);
}

/* trial_parse - false: it is not what trial_json writes */
static bool
trial_parse(const struct tune *u, struct view v, struct trial *r)
{
	struct arena *a = u->t->stage->arena;
	struct view raw, text;
	struct json_iter it;
	size_t n = 0;

	if (!json_get(v, "end", &raw) || !json_string(a, raw, &text) ||
	    !whole(v, "rungs", &r->rungs) || !whole(v, "steps", &r->steps) ||
	    !whole(v, "best_step", &r->best_step) ||
	    !json_get(v, "seconds", &raw) || !json_number(raw, &r->seconds))
		return false;
	while (n < BASE_COUNT(endings) && !view_is(text, endings[n]))
		n++;
	if (n == BASE_COUNT(endings))
		return false;
	r->end = (enum ending)n;
	if (json_get(v, "loss", &raw) && !json_number(raw, &r->loss))
		return false;
	if (json_get(v, "why", &raw) && json_string(a, raw, &text))
		r->why = arena_strn(a, text.p, text.n);
	r->x = arena_array(a, u->space.n, sizeof(*r->x));
	if (!json_get(v, "x", &raw) || !json_open(&it, raw, '['))
		return false;
	for (n = 0; n < u->space.n && json_element(&it, &raw); n++)
		if (!json_number(raw, &r->x[n]))
			return false;
	return n == u->space.n && !json_element(&it, &raw);
}

int
trials_read(struct tune *u, struct err *e)
{
	struct arena *a = u->t->stage->arena;
	struct view file, root, v;
	struct json_iter it;
	size_t n = 0;

	if (!file_exists(u->t->dir, "trials"))
		return 0;
	if (file_read(a, u->t->dir, "trials", TOLD_MOST, &file, e) == -1 ||
	    json_value(file, &root, e) == -1)
		return -1;
	if (!json_open(&it, root, '['))
		return err_set(e, FATE_REJECT, "the table of trials is "
		    "damaged; rerun the job");
	while (json_element(&it, &v))
		if (n == u->n || !trial_parse(u, v, &u->v[n++]))
			return err_set(e, FATE_REJECT, "the table of trials is "
			    "damaged; rerun the job");
	msg_info("resumed with %zu of %zu trials begun", n, u->n);
	return 1;
}

/* values_text - lr=0.001 rank=8 */
static void
values_text(const struct tune *u, const struct trial *r, struct buf *b)
{
	struct arena *a = u->t->stage->arena;

	for (size_t i = 0; i < u->space.n; i++)
		buf_printf(b, "%s%s=%s", i > 0 ? " " : "",
		    u->space.v[i].opt->name, axis_text(a, &u->space.v[i],
		    r->x[i]));
}

/* trial_line - how it ended */
static const char *
trial_line(const struct tune *u, const struct trial *r)
{
	struct buf *b = buf_new(u->t->stage->arena, 4096);

	values_text(u, r, b);
	if (isfinite(r->loss))
		buf_printf(b, ": validation loss %.4f at step %lld", r->loss,
		    (long long)r->best_step);
	if (r->end == TRIAL_OPEN)
		buf_printf(b, ", paused after %lld steps",
		    (long long)r->steps);
	else if (r->end == TRIAL_SAME)
		buf_printf(b, ", %s", r->why);
	else
		buf_printf(b, ", %s after %lld steps%s%s", endings[r->end],
		    (long long)r->steps, r->why == NULL ? "" : ": ",
		    r->why == NULL ? "" : r->why);
	return buf_cstr(b);
}

void
trial_tell(const struct tune *u, const struct trial *r)
{
	msg_info("trial %zu of %zu, %.1f s: %s", number_of(u, r), u->n,
	    r->seconds, trial_line(u, r));
}

/* value_json - of an axis: a number as such */
static void
value_json(const struct tune *u, size_t axis, const struct trial *r,
    struct buf *b)
{
	const struct axis *x = &u->space.v[axis];
	const char *text = axis_text(u->t->stage->arena, x, r->x[axis]);
	bool number = x->opt->type == OPT_FLOAT || x->opt->type == OPT_INT;
	double value;

	/* choices are the user's words, and 1. or 08 are no JSON */
	if (number && json_number(view_of(text), &value))
		buf_str(b, text);
	else
		buf_json_str(b, text);
}

/* row_json - a row of the table */
static void
row_json(const struct tune *u, const struct trial *r, bool measured,
    struct buf *b)
{
	buf_printf(b, "{\"trial\":%zu,\"loss\":", number_of(u, r));
	if (isfinite(r->loss))
		buf_printf(b, "%.6g", r->loss);
	else
		buf_str(b, "null");
	for (size_t i = 0; i < u->space.n; i++) {
		buf_char(b, ',');
		buf_json_str(b, u->space.v[i].opt->name);
		buf_char(b, ':');
		value_json(u, i, r, b);
	}
	buf_printf(b, ",\"best_step\":%lld,\"steps\":%lld,\"end\":",
	    (long long)r->best_step, (long long)r->steps);
	buf_json_str(b, r->end == TRIAL_SAME ? r->why : endings[r->end]);
	if (r->why != NULL && r->end != TRIAL_SAME) {
		buf_str(b, ",\"why\":");
		buf_json_str(b, r->why);
	}
	if (measured)
		buf_printf(b, ",\"measured\":{\"seconds\":%.1f}", r->seconds);
	buf_char(b, '}');
}

static void
table_json(const struct tune *u, bool measured, struct buf *b)
{
	buf_char(b, '[');
	for (size_t i = 0; i < u->n; i++) {
		buf_str(b, i > 0 ? "," : "");
		row_json(u, &u->v[i], measured, b);
	}
	buf_char(b, ']');
}

/* points_json - losses against an option's values */
static void
points_json(const struct tune *u, size_t axis, struct buf *b)
{
	const struct axis *x = &u->space.v[axis];
	const char *sep = "";

	buf_printf(b, "{%s\"words\":[", x->log ? "\"scale\":\"log\"," : "");
	for (size_t i = 0; i < x->n; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_json_str(b, x->word[i]);
	}
	buf_str(b, "],\"points\":[");
	for (size_t i = 0; i < u->n; i++) {
		const struct trial *r = &u->v[i];

		if (!isfinite(r->loss) || r->end == TRIAL_SAME)
			continue;
		buf_printf(b, "%s[", sep);
		if (x->n > 0)
			buf_json_str(b, axis_text(u->t->stage->arena, x,
			    r->x[axis]));
		else
			value_json(u, axis, r, b);
		buf_printf(b, ",%.6g]", r->loss);
		sep = ",";
	}
	buf_str(b, "]}");
}

/* search_json - what was searched and found */
static void
search_json(const struct tune *u, struct buf *b)
{
	const struct trial *best = tune_best(u);
	struct buf *text = buf_new(u->t->stage->arena, 4096);
	size_t lost = 0, refused = 0;

	for (size_t i = 0; i < u->n; i++) {
		lost += u->v[i].end == TRIAL_DIVERGED;
		refused += u->v[i].end == TRIAL_REFUSED;
	}
	buf_printf(b, "{\"trials\":%zu,\"diverged\":%zu,\"refused\":%zu",
	    u->n, lost, refused);
	if (best == NULL)
		return;
	values_text(u, best, text);
	buf_printf(b, ",\"best_trial\":%zu,\"best_valid_loss\":%.6g,"
	    "\"best\":", number_of(u, best), best->loss);
	buf_json(b, buf_get(text));
}

void
tune_tell(struct tune *u)
{
	struct arena *a = u->t->stage->arena;
	struct buf *b = buf_new(a, TOLD_MOST), *told = buf_new(a, TOLD_MOST);
	const struct trial *best = tune_best(u);

	msg_info("the trials:");
	for (size_t i = 0; i < u->n; i++)
		msg_info("%c %4zu  %s", &u->v[i] == best ? '*' : ' ', i + 1,
		    trial_line(u, &u->v[i]));
	search_json(u, b);
	for (size_t i = 0; i < u->space.n; i++) {
		buf_str(b, ",");
		buf_json_str(b, arena_printf(a, "loss by %s",
		    u->space.v[i].opt->name));
		buf_char(b, ':');
		points_json(u, i, b);
	}
	buf_char(b, '}');
	stage_result(u->t->stage, "search", buf_get(b));
	b->n = 0;
	table_json(u, true, b);
	stage_result(u->t->stage, "trials", buf_get(b));
	buf_str(told, ",\"search\":");
	search_json(u, told);
	buf_str(told, ",\"table\":");
	table_json(u, false, told);
	buf_char(told, '}');
	u->t->part.told = buf_get(told);
}
