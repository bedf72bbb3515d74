/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/reader.h"
#include "appliance/text/hf.h"
#include "appliance/text/json.h"

int
reader_open(struct arena *a, const struct model *m, size_t most,
    struct reader *r, struct err *e)
{
	const struct shape *s = &m->w.shape;
	const struct tokenizer *t = tokenizer_open_all(a, m->tokenizer_file, e);
	struct hf_encoding around;
	struct view nothing = { "", 0 };
	int64_t mask;

	if (t == NULL)
		return err_prefix(e, "%s: ", m->tokenizer_name);
	*r = (struct reader){ .hf = t->hf, .most = most == 0 || most > s->T ?
	    s->T : most };
	mask = hf_find(t->hf, "[MASK]");
	r->mask = (int32_t)(mask >= 0 ? mask : hf_find(t->hf, "<mask>"));
	if (hf_encode(t->hf, a, nothing, NULL, HF_TEMPLATE, &around, e) == -1)
		return -1;
	if (around.n == 0)
		return err_set(e, FATE_REJECT, "%s puts no special tokens "
		    "around a text: an encoder needs the first one",
		    m->tokenizer_name);
	if (around.n >= r->most)
		return err_set(e, FATE_REJECT, "of %zu tokens (context=, or "
		    "the most that the model has) %s puts %u around a text: "
		    "none is left for it", r->most, m->tokenizer_name,
		    (unsigned)around.n);
	return 0;
}

/* parts - how many ids are of the first text, and of the second */
static void
parts(const struct hf_encoding *x, size_t n[2], unsigned char *second)
{
	unsigned char in = 0;
	bool begun = false;

	n[0] = n[1] = 0;
	for (size_t i = 0; i < x->n; i++) {
		/* the second text begins behind special tokens behind the
		 * first, or anew at offset 0 */
		if (!x->v[i].special && begun && in == 0 && i > 0 &&
		    x->v[i - 1].special)
			in = 1;
		begun |= !x->v[i].special;
		second[i] = in;
		n[in] += !x->v[i].special;
	}
}

/* keep - how many of each text stay, of `most` in all: the shorter one as it
 * is, or both about a half */
static void
keep(size_t n[2], size_t most)
{
	size_t longer = n[0] > n[1] ? 0 : 1, *less = &n[!longer];

	if (n[0] + n[1] <= most)
		return;
	if (*less > most / 2)
		*less = most / 2;
	n[longer] = most - *less;
}

int
reader_read(const struct reader *r, struct arena *a, struct view text,
    const struct view *pair, bool find, struct reading *out, struct err *e)
{
	unsigned flags = HF_TEMPLATE | (find ? HF_SPECIAL : 0);
	size_t left[2], n = 0, specials;
	struct hf_encoding x;

	if (hf_encode(r->hf, a, text, pair, flags, &x, e) == -1)
		return -1;
	*out = (struct reading){ .cut = x.n > r->most };
	out->id = arena_array(a, x.n + 1, sizeof(*out->id));
	out->type = arena_array(a, x.n + 1, sizeof(*out->type));
	out->from = arena_array(a, x.n + 1, sizeof(*out->from));
	out->to = arena_array(a, x.n + 1, sizeof(*out->to));
	out->special = arena_array(a, x.n + 1, sizeof(*out->special));
	out->second = arena_array(a, x.n + 1, 1);
	parts(&x, left, out->second);
	specials = x.n - left[0] - left[1];
	keep(left, r->most > specials ? r->most - specials : 0);
	for (size_t i = 0; i < x.n; i++) {
		const struct hf_unit *u = &x.v[i];
		unsigned char in = out->second[i];

		if (!u->special && left[in] == 0)
			continue;
		left[in] -= !u->special;
		out->second[n] = in;
		out->id[n] = (int32_t)u->id;
		out->type[n] = (int32_t)u->type;
		out->from[n] = u->from;
		out->to[n] = u->to;
		out->special[n++] = u->special;
	}
	out->n = n;
	return 0;
}

bool
reader_words(struct arena *a, struct view raw, struct reader_words *w)
{
	struct buf *b = buf_new(a, raw.n + 16);
	struct json_iter it;
	struct view one;

	*w = (struct reader_words){ .n = 0 };
	w->from = arena_array(a, raw.n + 1, sizeof(*w->from));
	w->to = arena_array(a, raw.n + 1, sizeof(*w->to));
	if (!json_open(&it, raw, '['))
		return false;
	while (json_element(&it, &one)) {
		if (!json_string(a, one, &one))
			return false;
		if (w->n > 0)
			buf_char(b, ' ');
		w->from[w->n] = (uint32_t)b->n;
		buf_view(b, one);
		w->to[w->n++] = (uint32_t)b->n;
	}
	w->value = arena_array(a, w->n + 1, sizeof(*w->value));
	w->text = buf_get(b);
	return true;
}

void
reader_first(const struct reader_words *w, const struct reading *x,
    int32_t *word)
{
	size_t at = 0;

	for (size_t i = 0; i < x->n; i++) {
		word[i] = -1;
		if (x->special[i])
			continue;
		while (at < w->n && w->to[at] <= x->from[i])
			at++;
		if (at < w->n && x->to[i] > w->from[at])
			word[i] = (int32_t)at++;
	}
}
