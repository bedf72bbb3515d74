/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_CALLS_H
#define TEXT_CALLS_H

#include "appliance/base/buf.h"

/*
 * calls.h - calls of tools in a model's answer, in the forms that chat
 * templates teach:
 *   Hermes, Qwen	<tool_call>{"name":N,"arguments":{...}}</tool_call>
 *   Mistral		[TOOL_CALLS][{"name":N,"arguments":{...}},...], or
 *			[TOOL_CALLS]N{...}, N[ARGS]{...}
 *   Llama 3		{"name":N,"parameters":{...}} and nothing else, several
 *			with ; between them, <|python_tag|> may come first
 * A name must be that of a tool, arguments an object.
 */

struct call {
	struct view name;		/* its text */
	struct view arguments;		/* an object, as it was written */
};

struct calls {
	struct view content;		/* what is said beside them, without
					 * blanks around it */
	struct call *v;
	size_t n;
};

/*
 * calls_read - 1 there are some; 0 the text is none; -1 it begins as calls do
 * and has what cannot be read, or is of no tool.  tools: OpenAI's list, or one
 * of functions, JSON that json_value has accepted; text: UTF-8
 */
int calls_read(struct arena *, struct view text, struct view tools,
    struct calls *);

#endif
