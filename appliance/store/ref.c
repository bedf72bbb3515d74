/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/store/ref.h"

int
ref_parse(struct arena *a, const char *s, struct ref *r, struct err *e)
{
	size_t name = strcspn(s, "@:"), at = 0, split = 0;
	const char *p = s + name;

	memset(r, 0, sizeof(*r));
	if (*p == '@') {
		at = strcspn(++p, ":");
		r->at = arena_strn(a, p, at);
		p += at;
	}
	if (*p == ':') {
		split = strlen(++p);
		r->split = arena_strn(a, p, split);
	}
	r->name = arena_strn(a, s, name);
	if (!name_valid(s, name) || (r->at != NULL && !name_valid(r->at, at)) ||
	    (r->split != NULL && !name_valid(r->split, split)))
		return err_set(e, FATE_REJECT,
		    "'%s' is not NAME, NAME@VERSION or NAME@TAG, with :SPLIT "
		    "after it if one is meant", s);
	return 0;
}
