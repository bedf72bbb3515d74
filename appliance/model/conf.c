/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/conf.h"
#include "appliance/text/json.h"

bool
conf_is(struct view root, const char *name, const char *text)
{
	struct view raw;

	return json_get(root, name, &raw) && raw.n == strlen(text) + 2 &&
	    memcmp(raw.p + 1, text, raw.n - 2) == 0;
}

int
conf_size(struct view root, const char *name, size_t def, size_t *out,
    struct err *e)
{
	struct view raw;
	int64_t x;

	*out = def;
	if (!json_get(root, name, &raw) || json_is_null(raw))
		return def > 0 ? 0 : err_set(e, FATE_REJECT,
		    "config.json has no '%s'", name);
	if (!json_integer(raw, &x) || x < 1 || x > CONF_LARGEST)
		return err_set(e, FATE_REJECT, "config.json: '%s' is no "
		    "number from 1 to %lld", name, (long long)CONF_LARGEST);
	*out = (size_t)x;
	return 0;
}

size_t
conf_count(struct view root, const char *name, size_t def)
{
	struct view raw;
	int64_t x;

	return json_get(root, name, &raw) && json_integer(raw, &x) &&
	    x >= 0 && x <= CONF_LARGEST ? (size_t)x : def;
}

double
conf_number(struct view root, const char *name, double def)
{
	struct view raw;
	double x;

	return json_get(root, name, &raw) && json_number(raw, &x) ? x : def;
}

bool
conf_bool(struct view root, const char *name, bool def)
{
	struct view raw;
	bool x;

	return json_get(root, name, &raw) && json_bool(raw, &x) ? x : def;
}

int
conf_must(struct view root, const char *name, bool want, struct err *e)
{
	if (conf_bool(root, name, want) == want)
		return 0;
	return err_set(e, FATE_REJECT, "config.json: '%s' is %s, which is not "
	    "computed", name, want ? "false" : "true");
}
