/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/tokenize/talk.h"

#include <fcntl.h>
#include <unistd.h>

struct talk {
	const struct talk_conf *conf;
	struct chat *chat;		/* NULL: why */
	const char *why;
};

/* known_path - a directory, or the file's directory; -1 if it does not open */
static int
known_path(struct stage *s, const char *with, const char **name)
{
	const char *slash = strrchr(with, '/');
	int dir = open(with, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir != -1) {
		*name = tokenizer_find(dir);
		return dir;
	}
	*name = slash + 1;
	return open(arena_strn(s->arena, with, (size_t)(slash + 1 - with)),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
known_open(struct stage *s, const char *with, const char *template,
    struct known *v, struct err *e)
{
	int dir = -1, rc;

	*v = (struct known){ .name = with };
	rc = stage_tokenizer(s, with, &v->file, &v->hash, e);
	/* a job that names a file may read no others beside it */
	if (rc == 0 && !stage_named(with))
		dir = known_path(s, with, &v->name);
	if (v->name == NULL)
		v->name = with;
	if (rc == 0)
		rc = chat_find(s->arena, dir, template, &v->from, e);
	if (dir != -1)
		close(dir);
	if (rc == -1)
		return -1;
	dir = stage_compiled(s);
	v->tokenizer = tokenizer_open_kept(s->arena, v->file, &v->hash, dir,
	    e);
	if (dir != -1)
		close(dir);
	return v->tokenizer != NULL ? 0 : err_prefix(e, "'%s': ", with);
}

struct talk *
talk_open(struct stage *s, const struct talk_conf *conf, struct known *v,
    struct err *e)
{
	struct talk *t = arena_alloc(s->arena, sizeof(*t));

	t->conf = conf;
	v->from.date = conf->date;
	if (conf->turn.n == 2) {
		v->from.begin = conf->turn.v[0];
		v->from.end = conf->turn.v[1];
	} else if (conf->turn.n > 0) {
		err_set(e, FATE_REJECT, "'turn' is two markers: what stands "
		    "before an answer and what ends it");
		return NULL;
	}
	t->chat = chat_open(s->arena, &v->from, v->tokenizer, v->file, e);
	t->why = t->chat == NULL ? arena_str(s->arena, e->text) : NULL;
	return t->chat == NULL && conf->template != NULL ? NULL : t;
}

bool
talk_is(const struct rec *r, const char *field, struct view *messages)
{
	return rec_raw(r, field, messages) && messages->n > 0 &&
	    messages->p[0] == '[';
}

bool
talk_ids(const struct talk *t, struct arena *a, struct rec *r,
    struct view messages, struct chat_ids *ids)
{
	struct chat_ask ask = { .messages = messages,
	    .prompt = t->conf->prompt };
	struct buf *b;
	struct err e;

	if (t->chat == NULL) {
		rec_fail(a, r, "%s", t->why);
		return false;
	}
	(void)rec_raw(r, "tools", &ask.tools);
	(void)rec_raw(r, "documents", &ask.documents);
	if (chat_encode(t->chat, a, &ask, t->conf->mask, ids, &e) == -1) {
		rec_fail(a, r, "%s", e.text);
		return false;
	}
	if (!t->conf->mask)
		return true;
	b = buf_new(a, ids->n * 2 + 2);
	buf_char(b, '[');
	for (size_t i = 0; i < ids->n; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_char(b, (char)('0' + ids->mask[i]));
	}
	buf_char(b, ']');
	rec_set_raw(a, r, "mask", buf_get(b));
	return true;
}
