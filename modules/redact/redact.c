/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact - personal data is masked, replaced or given a pseudonym.  A pseudonym
 * is a keyed hash: the same value the same name everywhere under one key, and
 * nothing to be guessed once the key is gone.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "modules/redact/find.h"

#include <ctype.h>

struct redact_conf {
	const char *text;
	struct opt_list what;
	int how;
};

enum { HOW_MASK, HOW_REPLACE, HOW_PSEUDONYM };

static const struct opt redact_opts[] = {
	OPT_ENUM(struct redact_conf, how, "mask", "mask|replace|pseudonym",
	    OPT_POSITIONAL, "[EMAIL], a made-up value, or [EMAIL-9f3c...]"),
	OPT_LIST(struct redact_conf, what, "email,ip,phone,card,iban", 0,
	    "kinds of data that are looked for"),
	OPT_TEXT(struct redact_conf, text, "text", 0, "field that is redacted"),
	OPT_DONE
};

static const char *const facts[FIND_KINDS] = { "redacted_email",
	"redacted_ip", "redacted_phone", "redacted_card", "redacted_iban" };

/* made-up values that belong to nobody: RFC 2606, RFC 5737, the numbers that
 * regulators set aside, a test card, an IBAN of a bank that does not exist */
static const char *const dummies[FIND_KINDS] = { "someone@example.com",
	"192.0.2.1", "+44 1632 960001", "4111 1111 1111 1111",
	"GB33BUKB20201555555555" };

/* redact_kinds - the bit set of the kinds wanted; 0 and the wrong name */
static unsigned
redact_kinds(const struct redact_conf *conf, const char **wrong)
{
	unsigned set = 0;
	size_t k;

	for (size_t i = 0; i < conf->what.n; i++) {
		for (k = 0; k < FIND_KINDS; k++)
			if (strcmp(conf->what.v[i], find_names[k]) == 0)
				break;
		if (k == FIND_KINDS) {
			*wrong = conf->what.v[i];
			return 0;
		}
		set |= 1u << k;
	}
	return set;
}

static int
redact_plan(const void *arg, struct needs *needs, struct err *e)
{
	const char *wrong = "";

	needs->stateless = true;
	if (redact_kinds(arg, &wrong) == 0)
		return err_set(e, FATE_REJECT, "what=: '%s' is not one of "
		    "email,ip,phone,card,iban", wrong);
	return 0;
}

/* redact_plain - a value as its pseudonym sees it: without separators and in
 * lower case, so that two spellings of a number are one */
static size_t
redact_plain(enum find_kind k, struct view v, char *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n && n < max; i++)
		if (k == FIND_EMAIL || k == FIND_IP ||
		    isalnum((unsigned char)v.p[i]) || v.p[i] == '+')
			out[n++] = (char)tolower((unsigned char)v.p[i]);
	return n;
}

/* redact_put - what stands in the place of a value */
static void
redact_put(struct stage *s, struct buf *b, enum find_kind k, struct view v)
{
	const struct redact_conf *conf = s->conf;
	char name[16], plain[400], hex[HASH_HEX + 1];
	struct hash_state h;
	size_t n = 0;

	if (conf->how == HOW_REPLACE) {
		buf_str(b, dummies[k]);
		return;
	}
	for (; find_names[k][n] != '\0'; n++)
		name[n] = (char)toupper((unsigned char)find_names[k][n]);
	name[n] = '\0';
	if (conf->how == HOW_MASK) {
		buf_printf(b, "[%s]", name);
		return;
	}
	hash_begin(&h, stage_key(s));
	hash_word(&h, find_names[k]);
	hash_add(&h, plain, redact_plain(k, v, plain, sizeof(plain)));
	hash_hex(hash_end(&h), hex);
	buf_printf(b, "[%s-%.12s]", name, hex);
}

/* redact_record - one record; facts count what was found */
static void
redact_record(struct stage *s, struct arena *a, struct rec *r, unsigned kinds)
{
	const struct redact_conf *conf = s->conf;
	size_t at = 0, from = 0, count[FIND_KINDS] = { 0 };
	struct view text, v;
	enum find_kind k;
	struct buf *b;

	if (!rec_str(a, r, conf->text, &text)) {
		rec_fail(a, r, "no text in '%s'", conf->text);
		return;
	}
	b = buf_new(a, text.n * 24 + 64);
	while (find_next(text, &at, kinds, &k, &v)) {
		buf_add(b, text.p + from, (size_t)(v.p - text.p) - from);
		redact_put(s, b, k, v);
		from = at;
		count[k]++;
	}
	if (from == 0)
		return;
	buf_add(b, text.p + from, text.n - from);
	rec_set_str(a, r, conf->text, buf_get(b));
	for (size_t i = 0; i < FIND_KINDS; i++)
		if (count[i] > 0)
			rec_fact(a, r, facts[i], (double)count[i]);
}

static int
redact_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const char *wrong;
	unsigned kinds = redact_kinds(s->conf, &wrong);

	(void)scratch;
	(void)e;
	for (size_t i = 0; i < b->n; i++)
		redact_record(s, b->arena, &b->rec[i], kinds);
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 3,
	.name = "redact", .summary = "mask, replace or pseudonymise personal "
	    "data",
	.options = redact_opts, .conf_size = sizeof(struct redact_conf),
	.plan = redact_plan, .batch = redact_batch,
};
