/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_NODE_H
#define TEXT_HF_NODE_H

#include "appliance/text/hf_class.h"

/*
 * hf_node.h - a regular expression as a tree, which hf_regex makes a program.
 */

#define HF_ENDLESS	UINT32_MAX

enum kind { N_EMPTY, N_CHAR, N_SET, N_CAT, N_ALT, N_REPEAT, N_LOOK, N_ATOM,
	N_ASSERT };

struct node {
	enum kind kind;
	struct node *sub, *next;	/* CAT, ALT: a list */
	uint32_t c, min, max;
	const uint32_t *set;
	int how;			/* mode, look or assertion; SET: 1 is a
					 * dot */
};

/* hf_node_parse - the whole pattern; NULL with the reason */
struct node *hf_node_parse(struct hf_parse *);

#endif
