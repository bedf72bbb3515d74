/* SPDX-License-Identifier: Apache-2.0 */
/* infer's options */
#include "appliance/base/base.h"
#include "modules/infer/infer.h"

const struct opt infer_opts[] = {
	OPT_REF(OPT_MODEL, struct infer_conf, model, NULL,
	    OPT_POSITIONAL | OPT_NEEDED,
	    "the model, as NAME[@VERSION|@TAG], or a path with a slash"),
	OPT_REF(OPT_MODEL, struct infer_conf, adapter, NULL, 0,
	    "an adapter of that model, as train or PEFT made it, likewise"),
	{ .name = "adapters", .type = OPT_MODEL, .flags = OPT_MANY,
	  .offset = offsetof(struct infer_conf, adapters),
	  .help = "adapters that records choose from, likewise, with commas; "
	  "NAME=ADAPTER gives one another name" },
	OPT_TEXT(struct infer_conf, choose, "adapter", 0,
	    "field with the name of the adapter that a record chooses; a line "
	    "of OpenAI's files has it as model"),
	OPT_TEXT(struct infer_conf, prompt, NULL, 0,
	    "field with the prompt; unset: prompt, and if it is not there, "
	    "text"),
	OPT_TEXT(struct infer_conf, template, NULL, 0,
	    "the prompt as a text in which {name} is a field, {passages} "
	    "the numbered texts that search found, {{ and }} a brace"),
	OPT_TEXT(struct infer_conf, messages, "messages", 0,
	    "field with a chat, where there is no prompt"),
	OPT_TEXT(struct infer_conf, chat_template, NULL, 0,
	    "how a chat is put to the model: a path with a slash, or one of "
	    CHAT_NAMES "; unset: the model's own"),
	OPT_TEXT(struct infer_conf, date, NULL, 0,
	    "the day, as YYYY-MM-DD, for templates that tell it"),
	OPT_TEXT(struct infer_conf, into, "completion", 0,
	    "field that gets the answer"),
	OPT_TEXT(struct infer_conf, pair, NULL, 0,
	    "an encoder: field with a text that is read behind the first"),
	OPT_INT(struct infer_conf, max_tokens, "64", 1, 1e9, 0,
	    "most tokens of an answer"),
	OPT_FLOAT(struct infer_conf, temperature, "0", 0, 100, 0,
	    "0 takes the likeliest token, 1 draws as the model says"),
	OPT_INT(struct infer_conf, top_k, "0", 0, 1e9, 0,
	    "draw among the k likeliest; 0: all"),
	OPT_FLOAT(struct infer_conf, top_p, "1", 0, 1, 0,
	    "draw among the fewest that together are as likely as this"),
	OPT_INT(struct infer_conf, seed, "1", 0, 1e15, 0,
	    "of what is drawn"),
	OPT_LIST(struct infer_conf, stop, NULL, 0,
	    "an answer ends before this text; more stops with commas"),
	OPT_ENUM(struct infer_conf, begin, "auto", "auto|yes|no", 0,
	    "put the token that begins a text before the prompt; auto: if "
	    "the vocabulary has one of its own for that"),
	OPT_BOOL(struct infer_conf, find, "no", 0,
	    "special tokens are made of a prompt's text that looks like them, "
	    "as <extra_id_0>; of a chat's never"),
	OPT_ENUM(struct infer_conf, overlong, "fail", "fail|cut", 0,
	    "a prompt that is too long for the model is a fault, or loses "
	    "its beginning"),
	OPT_INT(struct infer_conf, context, "0", 0, 1 << 20, 0,
	    "most tokens of prompt and answer; 0: the model's, at most 4096"),
	OPT_ENUM(struct infer_conf, weights, "f32", "f32|q8|q4", 0,
	    "numbers that the matrices are rounded to: 32, 8 or 4 bits; see "
	    "Quantised weights"),
	OPT_INT(struct infer_conf, slots, "16", 1, 64, OPT_NOKEY,
	    "records answered side by side"),
	OPT_SIZE(struct infer_conf, cache, "0", 0, 1e15, OPT_NOKEY,
	    "most memory for keys and values: where it is short, records "
	    "wait; 0: half of what is left, at most what slots can need"),
	OPT_BOOL(struct infer_conf, share, "yes", OPT_NOKEY,
	    "prompts that begin alike are read once"),
	OPT_BOOL(struct infer_conf, large_pages, "yes", OPT_NOKEY,
	    "quantised weights are copied into large pages while answers are "
	    "written; no: they stay mapped and shared"),
	OPT_TEXT(struct infer_conf, gpus, "0", OPT_NOKEY,
	    "GPUs that it waits for, or auto"),
	OPT_DONE
};
