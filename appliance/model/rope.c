/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/rope.h"
#include "appliance/text/json.h"

#include <math.h>

static const char *const kinds[] = {
	"default", "linear", "dynamic", "yarn", "longrope", "llama3"
};

/* number - a member's; def if it is absent or null */
static int
number(struct view o, const char *name, double def, double *out,
    struct err *e)
{
	struct view raw;

	*out = def;
	if (!json_get(o, name, &raw) || json_is_null(raw))
		return 0;
	if (json_number(raw, out) && *out > 0 && *out < 1e9)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: RoPE's '%s' is not a "
	    "number above 0", name);
}

/* kind_of - by 'rope_type', or 'type' as it was called before */
static int
kind_of(struct view o, enum rope_kind *kind, struct err *e)
{
	struct view raw = { "", 0 }, text;

	*kind = ROPE_PLAIN;
	if (!json_get(o, "rope_type", &raw) && !json_get(o, "type", &raw))
		return 0;
	text = raw.n > 2 ? (struct view){ raw.p + 1, raw.n - 2 } : raw;
	for (size_t i = 0; i < BASE_COUNT(kinds); i++)
		if (view_is(text, kinds[i])) {
			*kind = (enum rope_kind)i;
			return 0;
		}
	if (view_is(text, "su")) {	/* Phi-3's first name for it */
		*kind = ROPE_LONG;
		return 0;
	}
	return err_set(e, FATE_REJECT, "config.json: RoPE of the type '%.*s' "
	    "is not computed", (int)(text.n < 40 ? text.n : 40), text.p);
}

/* stretch_of - longrope's list, a number for each pair */
static int
stretch_of(struct view o, const char *name, size_t pairs, double *out,
    struct err *e)
{
	struct json_iter it;
	struct view raw, v;
	size_t n = 0;

	if (json_get(o, name, &raw) && json_open(&it, raw, '['))
		while (n < pairs && json_element(&it, &v) &&
		    json_number(v, &out[n]) && out[n] > 0)
			n++;
	if (n == pairs && !json_element(&it, &v))
		return 0;
	return err_set(e, FATE_REJECT, "config.json: RoPE's '%s' is not a list "
	    "of %zu numbers above 0", name, pairs);
}

/* attention_of - what cosine and sine are multiplied by, if not by rule */
static int
attention_of(struct view o, struct rope *r, struct err *e)
{
	double one, all;

	if (number(o, "attention_factor", 0, &r->attention, e) == -1 ||
	    number(o, "mscale", 0, &one, e) == -1 ||
	    number(o, "mscale_all_dim", 0, &all, e) == -1)
		return -1;
	if (r->attention == 0 && one > 0 && all > 0 && r->factor > 1)
		r->attention = (0.1 * one * log(r->factor) + 1) /
		    (0.1 * all * log(r->factor) + 1);
	if (r->attention < 1e6)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: RoPE's attention factor "
	    "is out of all proportion");
}

int
rope_parse(struct view o, size_t T, size_t N, struct rope *r, struct err *e)
{
	double original;
	struct view raw;
	bool whole;

	if (number(o, "rope_theta", r->theta, &r->theta, e) == -1 ||
	    kind_of(o, &r->kind, e) == -1)
		return -1;
	if (r->kind == ROPE_PLAIN)
		return 0;
	if (N / 2 > ROPE_PAIRS)
		return err_set(e, FATE_REJECT, "a head of %zu turned channels "
		    "is too wide for RoPE of the type '%s'", N,
		    kinds[r->kind]);
	/* a model that names it beside RoPE's own members means that one */
	original = (double)r->original;
	if ((r->original == 0 && number(o, "original_max_position_embeddings",
	    (double)T, &original, e) == -1) ||
	    number(o, "factor", (double)T / original, &r->factor, e) == -1 ||
	    number(o, "low_freq_factor", 1, &r->low, e) == -1 ||
	    number(o, "high_freq_factor", 4, &r->high, e) == -1 ||
	    number(o, "beta_fast", 32, &r->fast, e) == -1 ||
	    number(o, "beta_slow", 1, &r->slow, e) == -1)
		return -1;
	r->original = (size_t)original;
	if (r->original < 2)
		return err_set(e, FATE_REJECT, "config.json: RoPE's "
		    "'original_max_position_embeddings' is below 2");
	if (r->kind == ROPE_LLAMA3 && r->high <= r->low)
		return err_set(e, FATE_REJECT, "config.json: RoPE's "
		    "'high_freq_factor' is not above 'low_freq_factor'");
	r->exact = json_get(o, "truncate", &raw) && json_bool(raw, &whole) &&
	    !whole;
	if (r->kind == ROPE_YARN || r->kind == ROPE_LONG)
		if (attention_of(o, r, e) == -1)
			return -1;
	if (r->kind != ROPE_LONG)
		return 0;
	return stretch_of(o, "short_factor", N / 2, r->stretch[0], e) == -1 ||
	    stretch_of(o, "long_factor", N / 2, r->stretch[1], e) == -1 ?
	    -1 : 0;
}

static void
print_number(struct buf *b, const char *name, double x)
{
	buf_printf(b, ", \"%s\": ", name);
	buf_json_num(b, x);
}

void
rope_print(const struct rope *r, size_t N, struct buf *b)
{
	static const char *const lists[] = { "short_factor", "long_factor" };

	buf_printf(b, "\"rope_type\": \"%s\", \"type\": \"%s\"",
	    kinds[r->kind], kinds[r->kind]);
	if (r->kind == ROPE_PLAIN)
		return;
	print_number(b, "factor", r->factor);
	if (r->kind == ROPE_LINEAR || r->kind == ROPE_DYNAMIC)
		return;
	buf_printf(b, ", \"original_max_position_embeddings\": %zu",
	    r->original);
	if (r->attention > 0)
		print_number(b, "attention_factor", r->attention);
	if (r->kind == ROPE_LLAMA3) {
		print_number(b, "low_freq_factor", r->low);
		print_number(b, "high_freq_factor", r->high);
	}
	if (r->kind == ROPE_YARN) {
		print_number(b, "beta_fast", r->fast);
		print_number(b, "beta_slow", r->slow);
		buf_printf(b, ", \"truncate\": %s", r->exact ? "false" :
		    "true");
	}
	for (size_t i = 0; r->kind == ROPE_LONG && i < 2; i++) {
		buf_printf(b, ", \"%s\": [", lists[i]);
		for (size_t k = 0; k < N / 2; k++) {
			buf_str(b, k > 0 ? "," : "");
			buf_json_num(b, r->stretch[i][k]);
		}
		buf_char(b, ']');
	}
}

/* yarn_end - the pair that turns `rotations` times in the original length */
static double
yarn_end(const struct rope *r, double N, double rotations)
{
	return N * log((double)r->original / (rotations * 2 * M_PI)) /
	    (2 * log(r->theta));
}

/* yarn - fast pairs stay, slow ones are stretched, a ramp between them */
static double
yarn(const struct rope *r, double N, size_t i, double inverse)
{
	double low = yarn_end(r, N, r->fast), high = yarn_end(r, N, r->slow);
	double ramp;

	low = r->exact ? low : floor(low);
	high = r->exact ? high : ceil(high);
	low = low > 0 ? low : 0;
	high = high < N - 1 ? high : N - 1;
	if (low == high)
		high += 0.001;
	ramp = ((double)i - low) / (high - low);
	ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
	return inverse / r->factor * ramp + inverse * (1 - ramp);
}

static double
llama3(const struct rope *r, double inverse)
{
	double wave = 2 * M_PI / inverse, smooth;
	double original = (double)r->original;

	if (wave < original / r->high)
		return inverse;
	if (wave > original / r->low)
		return inverse / r->factor;
	smooth = (original / wave - r->low) / (r->high - r->low);
	return (1 - smooth) * inverse / r->factor + smooth * inverse;
}

/* frequency - how far pair i turns from one place to the next */
static double
frequency(const struct rope *r, size_t N, size_t i, size_t n)
{
	double inverse = pow(r->theta, -2 * (double)i / (double)N);

	switch (r->kind) {
	case ROPE_LINEAR:
		return inverse / r->factor;
	case ROPE_YARN:
		return yarn(r, (double)N, i, inverse);
	case ROPE_LONG:
		return inverse / r->stretch[n > r->original][i];
	case ROPE_LLAMA3:
		return llama3(r, inverse);
	case ROPE_DYNAMIC:
		/* it begins past max_position_embeddings, which is as far as
		 * a model is let */
	default:
		return inverse;
	}
}

/* attention - what cosine and sine are multiplied by */
static double
attention(const struct rope *r)
{
	if (r->kind != ROPE_YARN && r->kind != ROPE_LONG)
		return 1;
	if (r->attention > 0)
		return r->attention;
	if (r->factor <= 1)
		return 1;
	return r->kind == ROPE_YARN ? 0.1 * log(r->factor) + 1 :
	    sqrt(1 + log(r->factor) / log((double)r->original));
}

void
rope_table(const struct rope *r, size_t N, size_t n, real *out)
{
	double m = attention(r), f, angle;

	for (size_t i = 0; i < N / 2; i++) {
		f = frequency(r, N, i, n);
		for (size_t t = 0; t < n; t++) {
			angle = (double)t * f;
			out[t * N + i] = (real)(m * cos(angle));
			out[t * N + N / 2 + i] = (real)(m * sin(angle));
		}
	}
}
