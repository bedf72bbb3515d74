/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/conf.h"
#include "appliance/model/pooling.h"
#include "appliance/text/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_MAX	((size_t)1 << 20)

/* read_json - a file's value */
static int
read_json(struct arena *a, int dir, const char *name, struct view *root,
    struct err *e)
{
	struct view text;

	if (file_read(a, dir, name, CONF_MAX, &text, e) == -1)
		return -1;
	return json_value(text, root, e) == -1 ? err_prefix(e, "%s: ", name) :
	    0;
}

/* pool_of - the one switch that is on */
static int
pool_of(struct view root, struct shape_head *h, struct err *e)
{
	static const char *const others[] = { "pooling_mode_max_tokens",
	    "pooling_mode_mean_sqrt_len_tokens",
	    "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken" };
	bool cls = conf_bool(root, "pooling_mode_cls_token", false);
	bool mean = conf_bool(root, "pooling_mode_mean_tokens", false);

	for (size_t i = 0; i < BASE_COUNT(others); i++)
		if (conf_bool(root, others[i], false))
			return err_set(e, FATE_REJECT, "1_Pooling/config.json: "
			    "'%s' is not computed", others[i]);
	if (conf_is(root, "pooling_mode", "cls"))
		cls = true;
	if (conf_is(root, "pooling_mode", "mean"))
		mean = true;
	if (cls == mean)
		return err_set(e, FATE_REJECT, "1_Pooling/config.json: neither "
		    "the mean nor the first token alone, which is not "
		    "computed");
	h->pool = cls ? POOL_CLS : POOL_MEAN;
	return 0;
}

/* module_is - a module's type ends so: its package moved between versions */
static bool
module_is(struct view module, const char *name)
{
	struct view type;
	size_t n = strlen(name);

	return json_get(module, "type", &type) && type.n > n + 2 &&
	    type.p[type.n - n - 2] == '.' &&
	    memcmp(type.p + type.n - n - 1, name, n) == 0;
}

int
pooling_read(struct arena *a, int dir, struct shape_head *h, size_t *most,
    struct err *e)
{
	struct view root, module, conf, type;
	struct json_iter it;

	h->pool = POOL_MEAN;
	h->normalize = false;
	*most = 0;
	if (file_exists(dir, "sentence_bert_config.json")) {
		if (read_json(a, dir, "sentence_bert_config.json", &conf,
		    e) == -1)
			return -1;
		*most = conf_count(conf, "max_seq_length", 0);
	}
	if (!file_exists(dir, "modules.json"))
		return 0;
	if (read_json(a, dir, "modules.json", &root, e) == -1)
		return -1;
	if (!json_open(&it, root, '['))
		return err_set(e, FATE_REJECT, "modules.json is no list");
	while (json_element(&it, &module)) {
		if (module_is(module, "Transformer"))
			continue;
		if (module_is(module, "Normalize")) {
			h->normalize = true;
			continue;
		}
		if (!module_is(module, "Pooling"))
			return err_set(e, FATE_REJECT, "modules.json: %.*s is "
			    "not computed", json_get(module, "type", &type) ?
			    (int)(type.n < 80 ? type.n : 80) : 0, type.p);
		if (read_json(a, dir, "1_Pooling/config.json", &conf,
		    e) == -1 || pool_of(conf, h, e) == -1)
			return -1;
	}
	return 0;
}

/* pooling_conf - 1_Pooling/config.json */
static int
pooling_conf(struct arena *a, int dir, const struct shape_head *h, size_t C,
    struct err *e)
{
	struct buf *b = buf_new(a, CONF_MAX);
	int at, rc;

	if (mkdirat(dir, "1_Pooling", 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot create '1_Pooling'");
	at = openat(dir, "1_Pooling", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at == -1)
		return err_errno(e, "cannot open '1_Pooling'");
	buf_printf(b, "{\n \"word_embedding_dimension\": %zu,\n "
	    "\"pooling_mode_cls_token\": %s,\n \"pooling_mode_mean_tokens\": "
	    "%s,\n \"pooling_mode_max_tokens\": false,\n "
	    "\"pooling_mode_mean_sqrt_len_tokens\": false\n}\n", C,
	    h->pool == POOL_CLS ? "true" : "false", h->pool == POOL_CLS ?
	    "false" : "true");
	rc = file_replace(at, "config.json", buf_get(b), 0640, true, e);
	close(at);
	return rc;
}

int
pooling_write(struct arena *a, int dir, const struct shape_head *h, size_t C,
    size_t most, struct err *e)
{
	static const char *const kind[] = { "Transformer", "Pooling",
	    "Normalize" };
	static const char *const path[] = { "", "1_Pooling", "2_Normalize" };
	struct buf *b = buf_new(a, CONF_MAX), *own = buf_new(a, CONF_MAX);
	size_t n = h->normalize ? 3 : 2;

	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s {\"idx\": %zu, \"name\": \"%zu\", \"path\": "
		    "\"%s\", \"type\": \"sentence_transformers.models.%s\"}",
		    i == 0 ? "[\n" : ",\n", i, i, path[i], kind[i]);
	buf_str(b, "\n]\n");
	buf_printf(own, "{\n \"max_seq_length\": %zu,\n \"do_lower_case\": "
	    "false\n}\n", most);
	if (h->normalize && mkdirat(dir, path[2], 0750) == -1 &&
	    errno != EEXIST)
		return err_errno(e, "cannot create '%s'", path[2]);
	return pooling_conf(a, dir, h, C, e) == -1 || file_replace(dir,
	    "sentence_bert_config.json", buf_get(own), 0640, true, e) == -1 ?
	    -1 : file_replace(dir, "modules.json", buf_get(b), 0640, true, e);
}
