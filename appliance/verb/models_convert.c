/* SPDX-License-Identifier: Apache-2.0 */
/* models convert: from one format and one kind of numbers to another */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/store/artefact.h"
#include "appliance/text/tokenizer.h"
#include "appliance/verb/shrink.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOLD_MAX	(1 << 28)

struct convert_conf {
	const char *model, *to, *dtype, *tokenizer, *prune, *wanda, *on;
	int64_t max_shard, threads;
	bool each;
};

static const struct opt convert_opts[] = {
	OPT_TEXT(struct convert_conf, model, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a directory, a .gguf file, a .bin file of llama2.c, or a "
	    "version in the store"),
	OPT_PATH_OUT(struct convert_conf, to, NULL, OPT_POSITIONAL |
	    OPT_NEEDED, "a directory that is made, or a .gguf or .bin file"),
	OPT_TEXT(struct convert_conf, dtype, NULL, 0,
	    "f32, f16, bf16, q8_0, q4_0 or q4_k; unset: without loss"),
	OPT_SIZE(struct convert_conf, max_shard, "0", 0, 1e18, 0,
	    "most bytes of one file of weights; 0: one file"),
	OPT_PATH_IN(struct convert_conf, tokenizer, NULL, 0,
	    "file of a tokenizer, for a model that has none"),
	OPT_TEXT(struct convert_conf, prune, NULL, 0,
	    "the part of each matrix's weights that becomes 0, as 0.5, or of "
	    "how many neighbours how many stay, as 2:4"),
	OPT_PATH_IN(struct convert_conf, wanda, NULL, 0,
	    "records to read: weights count with the length of their inputs, "
	    "not by magnitude alone"),
	OPT_PATH_IN(struct convert_conf, on, NULL, 0,
	    "records to measure perplexity on, before and after"),
	OPT_BOOL(struct convert_conf, each, "no", 0,
	    "the same for every matrix alone: which of them costs most"),
	OPT_INT(struct convert_conf, threads, "0", 0, 1024, 0,
	    "of measuring; 0: as many as there are cores"),
	OPT_DONE
};

bool
verb_ends(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n > k && strcmp(path + n - k, end) == 0;
}

int
verb_model(struct verb_call *c, const char *name, struct err *e)
{
	struct version v;
	struct stat st;
	const char *split;
	int fd;

	if (strchr(name, '/') == NULL && stat(name, &st) == -1) {
		if (verb_store(c, false, e) == -1 ||
		    verb_version(c, name, &v, &split, e) == -1)
			return -1;
		if (v.kind != STORE_MODEL)
			return err_set(e, FATE_REJECT, "'%s' is a %s, not a "
			    "model", name, store_kinds[v.kind]);
		return artefact_open(c->store, &v, e);
	}
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd == -1 ? err_errno(e, "cannot open '%s'", name) : fd;
}

/* dtype_of - an option's form; NULL: without loss */
static int
dtype_of(const char *text, const struct quant **form, struct err *e)
{
	*form = text == NULL ? NULL : quant_named(text);
	if (text == NULL || (*form != NULL && (*form)->encode != NULL))
		return 0;
	return err_set(e, FATE_USAGE, "dtype=%s is not written: f32, f16, "
	    "bf16, q8_0, q4_0 and q4_k are", text);
}

/* told_json - what was lost, as an object */
static void
told_json(const char *to, const struct convert *v, const struct shrink *x,
    double of, double rms, struct buf *b)
{
	const struct loss *l = &v->loss;

	buf_str(b, "{\"to\":");
	buf_json_str(b, to);
	buf_printf(b, ",\"bits\":%.6g,\"rounded_tensors\":%llu,"
	    "\"rounded_numbers\":%llu,\"largest_error\":%.6g,"
	    "\"rms_error\":%.6g,\"rms_relative\":%.6g", v->numbers > 0 ?
	    8 * (double)v->bytes / (double)v->numbers : 0,
	    (unsigned long long)l->tensors, (unsigned long long)l->numbers,
	    l->worst, rms, of);
	if (x != NULL)
		shrink_told(x, to, true, b);
	buf_str(b, "}\n");
}

/* convert_told - what was lost, for people or programs */
static int
convert_told(const struct verb_call *c, const char *to,
    const struct convert *v, const struct shrink *x, struct err *e)
{
	struct buf *b = buf_new(c->arena, TOLD_MAX);
	const struct loss *l = &v->loss;
	double of = l->squares > 0 ? sqrt(l->lost / l->squares) : 0;
	double rms = l->numbers > 0 ? sqrt(l->lost / (double)l->numbers) : 0;
	bool prune = x != NULL && x->conf->prune != NULL;

	if (c->json) {
		told_json(to, v, x, of, rms, b);
	} else if (l->lost == 0) {
		buf_printf(b, "%s: nothing was %s", to, prune ? "rounded" :
		    "lost");
	} else {
		buf_printf(b, "%s: %llu tensors were rounded; largest error "
		    "%.3g in %s, rms error %.3g, %.4f %% of the rms of the "
		    "weights", to, (unsigned long long)l->tensors, l->worst,
		    l->where, rms, 100 * of);
	}
	if (!c->json) {
		buf_printf(b, "; %.3g bits a weight\n", v->numbers > 0 ?
		    8 * (double)v->bytes / (double)v->numbers : 0);
		if (x != NULL)
			shrink_told(x, to, false, b);
	}
	if (b->full)			/* half an object is none */
		return err_set(e, FATE_REJECT, "'%s' is written, but what it "
		    "lost is more than %d MiB of words", to, TOLD_MAX >> 20);
	fputs(buf_cstr(b), stdout);
	return 0;
}

/* convert_to - the format that a path names, into `part` */
static int
convert_to(struct convert *c, int files, const char *to, const char *part,
    struct err *e)
{
	struct shape_head head;
	int dir, rc;

	if (verb_ends(to, ".gguf") || verb_ends(to, ".bin")) {
		if (c->max_shard > 0)
			return err_set(e, FATE_USAGE, "max_shard= is for "
			    "directories: '%s' is one file", to);
		if (convert_pool(c, files, &head, e) == -1)
			return -1;
		return verb_ends(to, ".gguf") ?
		    convert_gguf(c, AT_FDCWD, part, e) :
		    convert_llama2c(c, AT_FDCWD, part, e);
	}
	if (mkdir(part, 0777) == -1)
		return err_errno(e, "cannot make '%s'", part);
	dir = file_dir(AT_FDCWD, part, e);
	if (dir == -1)
		return -1;
	rc = convert_directory(c, files, dir, e);
	if (rc == 0)
		file_sync(dir, part);
	close(dir);
	return rc;
}

/* convert_each - every matrix alone beside the place, measured, and gone */
static int
convert_each(struct verb_call *c, const struct convert *all, int files,
    const char *to, const char *one, struct shrink *x, struct err *e)
{
	const struct tensors *t = &all->source->tensors;
	struct err none;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->n; i++) {
		struct convert v = *all;
		struct prune prune = x->prune;

		if (t->v[i].ndims < 2)
			continue;
		prune.gone = prune.numbers = 0;
		prune.squares = prune.lost = 0;
		v.prune = all->prune == NULL ? NULL : &prune;
		v.only = &t->v[i];
		v.loss = (struct loss){ .numbers = 0 };
		rc = convert_to(&v, files, to, one, e);
		if (rc == 0)
			rc = shrink_each(c, x, &v, one, e);
		if (file_remove(AT_FDCWD, one, rc == 0 ? e : &none) == -1)
			rc = -1;
	}
	return rc;
}

int
verb_convert(struct verb_call *c, const struct source *s, int files,
    const struct verb_write *w, struct err *e)
{
	struct convert v = { .arena = c->arena, .source = s,
	    .max_shard = (uint64_t)w->max_shard };
	struct shrink *x = w->shrink;
	const char *part, *to, *one;
	size_t n = strlen(w->to);
	struct err none;

	while (n > 1 && w->to[n - 1] == '/')
		n--;
	to = arena_strn(c->arena, w->to, n);
	part = arena_printf(c->arena, "%s.part", to);
	one = x == NULL || !x->conf->each ? NULL : arena_printf(c->arena,
	    "%s.each%s", to, verb_ends(to, ".gguf") ? ".gguf" : "");
	if (x != NULL && x->conf->prune != NULL)
		v.prune = &x->prune;
	if (dtype_of(w->dtype, &v.form, e) == -1)
		return -1;
	if (file_exists(AT_FDCWD, to))
		return err_set(e, FATE_CREATE, "'%s' is there already", to);
	if (one != NULL && file_exists(AT_FDCWD, one))
		return err_set(e, FATE_CREATE, "'%s' is there already: each "
		    "matrix alone would be written there", one);
	if (file_remove(AT_FDCWD, part, e) == -1)
		return -1;
	if (convert_to(&v, files, to, part, e) == -1 ||
	    (x != NULL && shrink_measure(c, x, part, e) == -1) ||
	    (one != NULL && convert_each(c, &v, files, to, one, x, e) == -1)) {
		file_remove(AT_FDCWD, part, &none);
		return -1;
	}
	if (file_rename(AT_FDCWD, part, AT_FDCWD, to, e) == -1)
		return -1;
	return convert_told(c, to, &v, x, e);
}

/* take_tokenizer - one that the source lacks, or another */
static int
take_tokenizer(struct verb_call *c, const char *path, struct source *s,
    struct err *e)
{
	struct tokenizer *t;

	if (file_read(c->arena, AT_FDCWD, path, TOKENIZER_MAX,
	    &s->tokenizer_file, e) == -1)
		return -1;
	t = tokenizer_open(c->arena, s->tokenizer_file, e);
	if (t == NULL)
		return err_prefix(e, "'%s': ", path);
	s->tokenizer_name = t->name;
	return 0;
}

int
models_convert(struct verb_call *c, struct err *e)
{
	struct convert_conf conf = { .model = NULL };
	struct shrink_conf less;
	struct shrink x;
	struct source s;
	int at, rc;

	if (verb_words(c, convert_opts, &conf, e) == -1)
		return -1;
	if (file_exists(AT_FDCWD, conf.to))	/* before it is measured */
		return err_set(e, FATE_CREATE, "'%s' is there already",
		    conf.to);
	less = (struct shrink_conf){ conf.prune, conf.wanda, conf.on,
	    conf.threads, conf.each };
	at = verb_model(c, conf.model, e);
	if (at == -1)
		return -1;
	rc = source_open(c->arena, at, -1, &s, NULL, e) == -1 ?
	    err_prefix(e, "'%s': ", conf.model) : 0;
	if (rc == 0 && conf.tokenizer != NULL)
		rc = take_tokenizer(c, conf.tokenizer, &s, e);
	if (rc == 0)
		rc = shrink_open(c, &less, at, &s, conf.to, conf.dtype !=
		    NULL, &x, e);
	if (rc == 0)
		rc = verb_convert(c, &s, at, &(struct verb_write){ conf.to,
		    conf.dtype, conf.max_shard, &x }, e);
	close(at);
	return rc;
}
