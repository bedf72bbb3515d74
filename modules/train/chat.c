/* SPDX-License-Identifier: Apache-2.0 */
/* Chats by the model's own template. */
#include "appliance/base/base.h"
#include "modules/train/tokens.h"

#include <fcntl.h>
#include <unistd.h>

/* from_path - a vocabulary's directory, or the one that its file lies in; -1 */
static int
from_path(struct train *t)
{
	const char *with = t->conf->tokenizer, *slash;
	int dir;

	if (with == NULL || stage_named(with))
		return -1;
	dir = open(with, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	slash = strrchr(with, '/');
	return dir != -1 ? dir : open(arena_strn(t->stage->arena, with,
	    (size_t)(slash + 1 - with)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* from_own - the template that is asked for, the base's, or the one beside the
 * vocabulary */
static int
from_own(struct train *t, struct chat_from *from, struct err *e)
{
	struct arena *a = t->stage->arena;
	struct model *m = &t->model;
	int dir = t->conf->base == NULL ? from_path(t) : -1, rc;

	rc = chat_find(a, dir, t->conf->template, from, e);
	if (dir != -1)
		close(dir);
	if (rc == -1)
		return -1;
	if (t->conf->base != NULL) {
		from->config = m->tokenizer_config;
		if (t->conf->template == NULL && m->chat_template.n > 0)
			from->template = m->chat_template;
	}
	from->date = t->conf->date;
	if (t->conf->turn.n == 2) {
		from->begin = t->conf->turn.v[0];
		from->end = t->conf->turn.v[1];
	}
	return 0;
}

/* model_talks - what is saved has the template that it was trained with */
static void
model_talks(struct train *t, const struct chat_from *from)
{
	struct model *m = &t->model;
	const char *named = from->template.p != NULL || from->name == NULL ?
	    NULL : chat_named(from->name);

	if (m->tokenizer_config.n == 0)
		m->tokenizer_config = from->config;
	if (from->template.p != NULL)
		m->chat_template = from->template;
	else if (named != NULL)
		m->chat_template = view_of(named);
}

/* train_chat - a base without a template may still learn texts */
int
train_chat(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	struct arena *a = t->stage->arena;
	struct chat_from from;
	struct chat *chat;

	t->lesson = (struct lesson_conf){ .tokenizer = t->model.tokenizer,
	    .text = c->text, .prompt = c->prompt, .completion = c->completion,
	    .messages = c->messages, .asked = !c->completion_only,
	    .others = c->loss == LOSS_ALL };
	if (from_own(t, &from, e) == -1)
		return -1;
	chat = chat_open(a, &from, t->model.tokenizer, t->model.tokenizer_file,
	    e);
	if (chat == NULL && (c->template != NULL || c->turn.n > 0))
		return -1;
	t->lesson.chat = chat;
	t->lesson.why = chat == NULL ? arena_str(a, e->text) : NULL;
	if (chat != NULL)
		model_talks(t, &from);
	return 0;
}
