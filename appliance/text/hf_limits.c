/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_post.h"

#define WINDOWS	((size_t)1 << 20)	/* of one encoding */

/* number_of - a member that is a whole number; false if it is none */
static bool
number_of(struct view json, const char *name, uint64_t *x)
{
	struct view v;
	int64_t i;

	if (!json_get(json, name, &v) || json_is_null(v))
		return true;
	if (!json_integer(v, &i) || i < 0)
		return false;
	*x = (uint64_t)i;
	return true;
}

/* side_of - "direction": "Right" if it is absent */
static enum hf_side
side_of(struct hf_open *o, struct view json)
{
	struct view v;

	return hf_text_of(o, json, "direction", &v) && view_is(v, "Left") ?
	    HF_LEFT : HF_RIGHT;
}

static int
open_cut(struct hf_open *o, struct view json, struct hf_limits *l,
    struct err *e)
{
	struct view v = VIEW("LongestFirst");

	l->cut = true;
	l->max = UINT64_MAX;
	l->side = side_of(o, json);
	if (!number_of(json, "max_length", &l->max) ||
	    !number_of(json, "stride", &l->stride) || l->max == UINT64_MAX)
		return err_set(e, FATE_REJECT, "its truncation has no good "
		    "max_length or stride");
	hf_text_of(o, json, "strategy", &v);
	l->strategy = view_is(v, "OnlyFirst") ? HF_ONLY_FIRST :
	    view_is(v, "OnlySecond") ? HF_ONLY_SECOND : HF_LONGEST_FIRST;
	if (l->strategy == HF_LONGEST_FIRST && !view_is(v, "LongestFirst"))
		return hf_unknown("truncation strategy", v, e);
	return 0;
}

static int
open_pad(struct hf_open *o, struct view json, struct hf_limits *l,
    struct err *e)
{
	uint64_t id = 0, type = 0;
	struct view v;

	l->pad = true;
	l->fixed = UINT64_MAX;
	l->pad_side = side_of(o, json);
	l->pad_text = VIEW("[PAD]");
	hf_text_of(o, json, "pad_token", &l->pad_text);
	if (!number_of(json, "pad_to_multiple_of", &l->multiple) ||
	    !number_of(json, "pad_id", &id) || id > UINT32_MAX ||
	    !number_of(json, "pad_type_id", &type) || type > UINT32_MAX ||
	    (json_get(json, "strategy", &v) &&
	    !number_of(v, "Fixed", &l->fixed)))
		return err_set(e, FATE_REJECT, "its padding has a wrong "
		    "number");
	if ((l->fixed > (1 << 24) && l->fixed < UINT64_MAX) ||
	    l->multiple > (1 << 24))
		return err_set(e, FATE_REJECT, "its padding is too long");
	l->pad_id = (uint32_t)id;
	l->pad_type = (uint32_t)type;
	return 0;
}

int
hf_limits_open(struct hf_open *o, struct view cut, struct view pad,
    struct hf_limits *l, struct err *e)
{
	if (cut.n > 0 && !json_is_null(cut) && open_cut(o, cut, l, e) == -1)
		return -1;
	return pad.n > 0 && !json_is_null(pad) ? open_pad(o, pad, l, e) : 0;
}

/* window - a part of an encoding */
static struct hf_encoding
window(const struct hf_encoding *x, size_t from, size_t to)
{
	return (struct hf_encoding){ .v = x->v + from, .n = to - from };
}

/* truncate - to max ids; the rest as windows that overlap by the stride */
static int
truncate_to(const struct hf_limits *l, struct arena *a, struct hf_encoding *x,
    uint64_t max, bool keep, struct err *e)
{
	struct hf_encoding all = *x, *w;
	size_t n = x->n, count, step, from, to;

	if (max >= n)
		return 0;
	if (max == 0) {
		*x = (struct hf_encoding){ .v = NULL };
		if (keep) {
			x->over = arena_copy(a, &all, sizeof(all));
			x->nover = 1;
		}
		return 0;
	}
	if (l->stride >= max)
		return err_set(e, FATE_REJECT, "the stride is not smaller than "
		    "what truncation leaves");
	step = (size_t)(max - l->stride);
	count = 1 + (n - (size_t)max + step - 1) / step;
	if (count > WINDOWS)
		return err_set(e, FATE_REJECT, "truncation would make %zu "
		    "windows", count);
	w = arena_array(a, count, sizeof(*w));
	for (size_t i = 0; i < count; i++) {
		from = l->side == HF_RIGHT ? i * step : 0;
		to = l->side == HF_RIGHT ? from + (size_t)max : n - i * step;
		if (l->side == HF_RIGHT)
			to = to > n ? n : to;
		else
			from = to > max ? to - (size_t)max : 0;
		w[i] = window(&all, from, to);
	}
	*x = w[0];
	if (keep) {
		x->over = w + 1;
		x->nover = count - 1;
	}
	return 0;
}

/* cut_both - the longer one first, then both to halves */
static int
cut_both(const struct hf_limits *l, struct arena *arena, uint64_t max,
    struct hf_encoding *a, struct hf_encoding *b, bool keep, struct err *e)
{
	uint64_t n1 = a->n, n2 = b->n, t;
	bool swap = n1 > n2;

	if (swap) {
		t = n1;
		n1 = n2;
		n2 = t;
	}
	n2 = n1 > max || n1 > max - n1 ? n1 : max - n1;
	if (n1 + n2 > max) {
		n1 = max / 2;
		n2 = n1 + max % 2;
	}
	return truncate_to(l, arena, a, swap ? n2 : n1, keep, e) == -1 ? -1 :
	    truncate_to(l, arena, b, swap ? n1 : n2, keep, e);
}

int
hf_limits_cut(const struct hf_limits *l, struct arena *arena, uint64_t max,
    struct hf_encoding *a, struct hf_encoding *b, bool keep, struct err *e)
{
	uint64_t total = a->n + (b == NULL ? 0 : b->n), gone;
	struct hf_encoding *x = l->strategy == HF_ONLY_FIRST ? a : b;

	if (max == 0)
		return truncate_to(l, arena, a, 0, keep, e) == -1 ||
		    (b != NULL && truncate_to(l, arena, b, 0, keep, e) == -1) ?
		    -1 : 0;
	if (total <= max)
		return 0;
	gone = total - max;
	if (l->strategy == HF_LONGEST_FIRST)
		return b == NULL ? truncate_to(l, arena, a, max, keep, e) :
		    cut_both(l, arena, max, a, b, keep, e);
	if (x == NULL)
		return err_set(e, FATE_REJECT, "truncation is of a second text "
		    "only, and there is none");
	if (x->n <= gone)
		return err_set(e, FATE_REJECT, "a text is too short to be "
		    "truncated to max_length");
	return truncate_to(l, arena, x, x->n - gone, keep, e);
}

/* pad_to - one encoding and its windows */
static void
pad_to(const struct hf_limits *l, struct arena *a, struct hf_encoding *x,
    size_t n)
{
	struct hf_unit pad = { .id = l->pad_id, .type = l->pad_type,
	    .special = true, .text = l->pad_text }, *v;
	size_t more;

	for (size_t i = 0; i < x->nover; i++)
		pad_to(l, a, &x->over[i], n);
	if (x->n >= n)
		return;
	more = n - x->n;
	v = arena_array(a, n, sizeof(*v));
	if (x->n > 0)
		memcpy(v + (l->pad_side == HF_LEFT ? more : 0), x->v,
		    x->n * sizeof(*v));
	for (size_t i = 0; i < more; i++)
		v[l->pad_side == HF_LEFT ? i : x->n + i] = pad;
	x->v = v;
	x->n = n;
}

void
hf_limits_pad(const struct hf_limits *l, struct arena *a,
    struct hf_encoding *x)
{
	size_t n = l->fixed < UINT64_MAX ? (size_t)l->fixed : x->n;

	if (l->multiple > 0 && n % l->multiple > 0)
		n += (size_t)l->multiple - n % (size_t)l->multiple;
	pad_to(l, a, x, n);
}
