/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CHAT_OWN_H
#define TEXT_CHAT_OWN_H

#include "appliance/text/chat.h"

/* chat_own.h - for chat's own files */

#define CHAT_TOKENS	8		/* bos_token, eos_token, ... */

struct chat {
	const struct tokenizer *tokenizer;
	struct jinja *jinja;
	struct jinja_var var[CHAT_TOKENS];
	size_t nvar;
	struct tm tm;
	bool dated;
	struct view begin, end;		/* markers; n 0: none */
	struct chat_special *special;	/* the longest first */
	size_t nspecial;
	uint32_t first[256], *next;	/* place + 1 by first byte */
};

struct chat_piece {			/* a special token, or text between */
	size_t from, to;
	const struct chat_special *special;
};

struct chat_pieces {
	struct chat_piece *v;
	size_t n;
};

/* chat_cut - a rendered text into special tokens and the text between */
void chat_cut(const struct chat *, struct arena *, const struct jinja_text *,
    struct chat_pieces *);

/* chat_turns - which bytes of the text are the assistant's, by the answers */
int chat_turns(const struct chat *, struct arena *, const struct chat_ask *,
    const struct jinja_text *, const struct chat_pieces *,
    unsigned char **mine, struct err *);

#endif
