/* SPDX-License-Identifier: Apache-2.0 */
/* models merge: a base and its adapter become one model */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/model/model.h"
#include "appliance/model/source.h"
#include "appliance/verb/verb.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct merge_conf {
	const char *model, *adapter, *to, *dtype;
	int64_t max_shard;
};

static const struct opt merge_opts[] = {
	OPT_TEXT(struct merge_conf, model, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "the base: a directory, a file, or a version in the store"),
	OPT_TEXT(struct merge_conf, adapter, NULL, OPT_POSITIONAL |
	    OPT_NEEDED, "a directory of PEFT's, or a version in the store"),
	OPT_PATH_OUT(struct merge_conf, to, NULL, OPT_POSITIONAL | OPT_NEEDED,
	    "a directory that is made, or a file NAME.gguf"),
	OPT_TEXT(struct merge_conf, dtype, NULL, 0,
	    "numbers: f32, f16 or bf16, in a .gguf q8_0, q4_0, q4_k, too; "
	    "unset: those of the base where they are not quantised, else f32"),
	OPT_SIZE(struct merge_conf, max_shard, "0", 0, 1e18, 0,
	    "most bytes of one file of weights; 0: one file"),
	OPT_DONE
};

/* dtype_most - the plain numbers that half of a base or more is in, or f32 */
static const char *
dtype_most(const struct tensors *t)
{
	static const char *const name[] = { "f32", "f16", "bf16" };
	uint64_t n[BASE_COUNT(name)] = { 0 }, all = 0;
	size_t most = 0;

	for (size_t i = 0; i < t->n; all += t->v[i++].count)
		for (size_t k = 0; k < BASE_COUNT(name); k++)
			if (t->v[i].form == quant_named(name[k]))
				n[k] += t->v[i].count;
	for (size_t k = 1; k < BASE_COUNT(name); k++)
		if (n[k] > n[most])
			most = k;
	return name[n[most] >= all / 2 ? most : 0];
}

/* merge_open - the base with the adapter in it */
static int
merge_open(struct verb_call *c, struct merge_conf *conf, int base,
    struct model *m, struct err *e)
{
	struct buf *told = buf_new(c->arena, 1 << 16);
	struct shape shape;
	struct source s;
	int at, rc;

	if (source_open(c->arena, base, -1, &s, &shape, e) == -1 ||
	    (shape.seq2seq ? model_look_seq2seq(c->arena, base, -1, m, e) :
	    model_look(c->arena, base, m, e)) == -1 ||
	    model_read(c->arena, m, e) == -1)
		return err_prefix(e, "'%s': ", conf->model);
	if (conf->dtype == NULL)
		conf->dtype = dtype_most(&s.tensors);
	at = verb_model(c, conf->adapter, e);
	if (at == -1)
		return -1;
	rc = model_adapt(c->arena, at, m, told, e);
	close(at);
	if (told->n > 0)
		msg_warn("'%s': %s", conf->adapter, buf_cstr(told));
	return rc == -1 ? err_prefix(e, "'%s': ", conf->adapter) : 0;
}

/* merge_write - in 32 bits beside the place, then in the numbers that are
 * wanted; what lies beside the base's weights goes along */
static int
merge_write(struct verb_call *c, const struct merge_conf *conf, int base,
    const struct model *m, const char *raw, struct err *e)
{
	struct source s;
	int dir, rc;

	if (file_remove(AT_FDCWD, raw, e) == -1)
		return -1;
	if (mkdir(raw, 0777) == -1)
		return err_errno(e, "cannot make '%s'", raw);
	dir = file_dir(AT_FDCWD, raw, e);
	if (dir == -1)
		return -1;
	rc = model_write(c->arena, m, dir, e);
	if (rc == 0)
		rc = source_open(c->arena, dir, -1, &s, NULL, e);
	if (rc == 0)
		rc = verb_convert(c, &s, faccessat(base, "config.json", R_OK,
		    0) == 0 ? base : dir, &(struct verb_write){
		    conf->to, conf->dtype, conf->max_shard, NULL }, e);
	close(dir);
	return rc;
}

int
models_merge(struct verb_call *c, struct err *e)
{
	struct merge_conf conf = { .model = NULL };
	/* the arena drops its parameters after us */
	struct model *m = arena_alloc(c->arena, sizeof(*m));
	const char *raw;
	struct err none;
	int base, rc;
	size_t n;

	if (verb_words(c, merge_opts, &conf, e) == -1)
		return -1;
	if (file_exists(AT_FDCWD, conf.to))
		return err_set(e, FATE_CREATE, "'%s' is there already",
		    conf.to);
	n = strlen(conf.to);
	while (n > 1 && conf.to[n - 1] == '/')
		n--;
	raw = arena_printf(c->arena, "%.*s.merged", (int)n, conf.to);
	base = verb_model(c, conf.model, e);
	if (base == -1)
		return -1;
	rc = merge_open(c, &conf, base, m, e);
	if (rc == 0) {
		rc = merge_write(c, &conf, base, m, raw, e);
		file_remove(AT_FDCWD, raw, &none);
	}
	close(base);
	return rc;
}
