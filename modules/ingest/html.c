/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/format.h"

#include <dlfcn.h>
#include <libxml/HTMLparser.h>

#define HTML_DEPTH	512

/* html_in - is an element one of these */
static bool
html_in(const xmlNode *n, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp((const char *)n->name, *names) == 0)
			return true;
	return false;
}

/* html_space - text with each run of blanks as one */
static void
html_space(struct buf *b, const char *p)
{
	for (; *p != '\0'; p++) {
		if (strchr(" \t\r\n\f", *p) == NULL)
			buf_char(b, *p);
		else if (b->n > 0 && b->p[b->n - 1] != ' ' &&
		    b->p[b->n - 1] != '\n')
			buf_char(b, ' ');
	}
}

/* html_break - what follows begins on a line of its own */
static void
html_break(struct buf *b)
{
	while (b->n > 0 && b->p[b->n - 1] == ' ')
		b->n--;
	if (b->n > 0 && b->p[b->n - 1] != '\n')
		buf_char(b, '\n');
}

/* html_walk - the text below a node */
static void
html_walk(struct buf *b, const xmlNode *n, int depth, const xmlNode **title)
{
	static const char *const hidden[] = { "script", "style", "noscript",
	    "template", "svg", "nav", "head", "iframe", "object", NULL };
	static const char *const blocks[] = { "p", "div", "br", "li", "ul",
	    "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table", "pre",
	    "blockquote", "section", "article", "header", "footer", "dt", "dd",
	    "hr", "form", "main", "aside", "figure", NULL };
	bool block;

	for (; n != NULL && depth < HTML_DEPTH; n = n->next) {
		if (n->type == XML_TEXT_NODE || n->type ==
		    XML_CDATA_SECTION_NODE) {
			if (n->content != NULL)
				html_space(b, (const char *)n->content);
			continue;
		}
		if (n->type != XML_ELEMENT_NODE && n->type !=
		    XML_HTML_DOCUMENT_NODE && n->type != XML_ENTITY_REF_NODE)
			continue;
		if (n->name != NULL && strcmp((const char *)n->name,
		    "title") == 0 && *title == NULL)
			*title = n;
		if (n->name != NULL && strcmp((const char *)n->name,
		    "head") == 0) {
			struct buf none;

			buf_init(&none, 0);
			html_walk(&none, n->children, depth + 1, title);
			continue;
		}
		if (n->name != NULL && html_in(n, hidden))
			continue;
		block = n->name != NULL && html_in(n, blocks);
		if (block)
			html_break(b);
		html_walk(b, n->children, depth + 1, title);
		if (block)
			html_break(b);
	}
}

/*
 * libxml2 brings ICU with it, which takes a process milliseconds to load: it is
 * opened when the first HTML file is met, not by every job that ingests
 */
struct html_library {
	htmlDocPtr (*read)(const char *, int, const char *, const char *, int);
	void (*free)(xmlDocPtr);
};

/* html_open - the two functions that are used; false if it is not there */
static bool
html_open(struct html_library *l)
{
	void *so = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);

	if (so == NULL)
		return false;
	*(void **)&l->read = dlsym(so, "htmlReadMemory");
	*(void **)&l->free = dlsym(so, "xmlFreeDoc");
	return l->read != NULL && l->free != NULL;
}

struct view
format_html(struct arena *a, struct view v, struct view *title)
{
	struct buf *b = buf_new(a, v.n * 4 + 64), *t = buf_new(a, 4096);
	const xmlNode *head = NULL;
	struct html_library xml;
	xmlDoc *doc;

	*title = (struct view){ "", 0 };
	if (!html_open(&xml))
		panic("libxml2.so.2: %s", dlerror());
	doc = xml.read(v.p, (int)v.n, NULL, "UTF-8", HTML_PARSE_RECOVER |
	    HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
	    HTML_PARSE_COMPACT);
	if (doc == NULL)
		return (struct view){ "", 0 };
	html_walk(b, doc->children, 0, &head);
	if (head != NULL && head->children != NULL &&
	    head->children->content != NULL) {
		html_space(t, (const char *)head->children->content);
		*title = buf_get(t);
	}
	xml.free(doc);
	return buf_get(b);
}
