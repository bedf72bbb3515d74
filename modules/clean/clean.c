/* SPDX-License-Identifier: Apache-2.0 */
/* clean - text made regular: NFC, no control characters, tidy blanks */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/utf8.h"

struct clean_conf {
	const char *text;
	bool nfc, controls, blanks;
	int64_t min_chars, max_chars;
};

static const struct opt clean_opts[] = {
	OPT_TEXT(struct clean_conf, text, "text", 0, "field that is cleaned"),
	OPT_BOOL(struct clean_conf, nfc, "yes", 0,
	    "bring text into Unicode normal form C"),
	OPT_BOOL(struct clean_conf, controls, "yes", 0,
	    "take away control and invisible formatting characters"),
	OPT_BOOL(struct clean_conf, blanks, "yes", 0,
	    "LF line ends, no blanks before them, at most one empty line"),
	OPT_INT(struct clean_conf, min_chars, "1", 0, 1e9, 0,
	    "drop texts of fewer characters"),
	OPT_INT(struct clean_conf, max_chars, "0", 0, 1e9, 0,
	    "drop texts of more characters; 0 is any length"),
	OPT_DONE
};

static int
clean_plan(const void *arg, struct needs *needs, struct err *e)
{
	(void)arg;
	(void)e;
	needs->stateless = true;
	return 0;
}

/* clean_control - characters that no reader sees: C0 without tab and LF, DEL,
 * C1, zero-width space, word joiner, byte order mark, interlinear annotation
 * and deprecated formats */
static bool
clean_control(uint32_t c)
{
	if (c < 0x20)
		return c != '\n' && c != '\t';
	return (c >= 0x7f && c <= 0x9f) || c == 0x200b || c == 0xfeff ||
	    (c >= 0x206a && c <= 0x206f) || (c >= 0xfff9 && c <= 0xfffb) ||
	    c == 0x2060;
}

/* clean_chars - line ends to LF, controls away */
static struct view
clean_chars(const struct clean_conf *conf, struct arena *a, struct view v,
    size_t *removed)
{
	char *out = arena_alloc(a, v.n + 1);
	size_t len = 0, n;
	uint32_t c;

	for (size_t i = 0; i < v.n; i += n) {
		c = utf8_get(v.p + i, &n);
		if (conf->blanks && c == '\r') {
			if (i + 1 == v.n || v.p[i + 1] != '\n')
				out[len++] = '\n';
			continue;
		}
		if (conf->controls && clean_control(c)) {
			++*removed;
			continue;
		}
		memcpy(out + len, v.p + i, n);
		len += n;
	}
	return (struct view){ out, len };
}

/* clean_blanks - in place: no blanks before a line end, one empty line at most,
 * none at either end */
static struct view
clean_blanks(struct view v)
{
	char *p = (char *)(uintptr_t)v.p;
	size_t len = 0, ends = 2;

	for (size_t i = 0; i < v.n; i++) {
		if (p[i] != '\n') {
			p[len++] = p[i];
			if (p[i] != ' ' && p[i] != '\t')
				ends = 0;
			continue;
		}
		while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (ends < 2) {
			p[len++] = '\n';
			ends++;
		}
	}
	while (len > 0 && strchr(" \t\n", p[len - 1]) != NULL)
		len--;
	return (struct view){ p, len };
}

/* clean_record - one record */
static void
clean_record(const struct clean_conf *conf, struct arena *a, struct rec *r)
{
	struct view old, v;
	size_t removed = 0, chars;

	if (!rec_str(a, r, conf->text, &old)) {
		rec_fail(a, r, "no text in '%s'", conf->text);
		return;
	}
	v = clean_chars(conf, a, old, &removed);
	if (conf->nfc)
		v = utf8_nfc(a, v);
	if (conf->blanks)
		v = clean_blanks(view_keep(a, v));
	chars = utf8_count(v);
	if (removed > 0)
		rec_fact(a, r, "controls_removed", (double)removed);
	rec_fact(a, r, "chars", (double)chars);
	if (!view_eq(old, v))
		rec_set_str(a, r, conf->text, v);
	if ((int64_t)chars < conf->min_chars)
		rec_drop(r, "min_chars", (double)chars,
		    (double)conf->min_chars);
	else if (conf->max_chars > 0 && (int64_t)chars > conf->max_chars)
		rec_drop(r, "max_chars", (double)chars,
		    (double)conf->max_chars);
}

static int
clean_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	(void)scratch;
	(void)e;
	for (size_t i = 0; i < b->n; i++)
		clean_record(s->conf, b->arena, &b->rec[i]);
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "clean", .summary = "make text regular: NFC, controls, blanks",
	.options = clean_opts, .conf_size = sizeof(struct clean_conf),
	.plan = clean_plan, .batch = clean_batch,
};
