/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/page.h"

#define PIPES	64
#define BOX_W	120
#define LINE_H	16
#define GAP_X	50
#define GAP_Y	16

struct node {
	struct view name, pipe;
	int stages, rank;		/* rank: the longest way to it */
	int x, y, h;
};

struct graph {
	struct node node[PIPES];
	int n, edge[PIPES * PIPES][2], nedges;
	int width, height;
};

static int
graph_find(const struct graph *g, struct view name)
{
	for (int i = 0; i < g->n; i++)
		if (view_eq(g->node[i].name, name))
			return i;
	return -1;
}

/* graph_nodes - every pipeline that has a result */
static void
graph_nodes(struct graph *g, struct arena *a, struct view root)
{
	struct json_iter pipes, stages;
	struct view pipe, stage;

	if (!page_array(root, "pipelines", &pipes))
		return;
	while (g->n < PIPES && json_element(&pipes, &pipe)) {
		struct node *n = &g->node[g->n++];

		n->name = page_member(a, pipe, "pipeline");
		n->pipe = pipe;
		if (page_array(pipe, "stages", &stages))
			while (json_element(&stages, &stage))
				n->stages++;
		n->h = LINE_H * (n->stages + 1) + 10;
	}
}

/* graph_edges - from the one that is waited for; a pipeline stands in the file
 * behind what it waits for, or in front of it */
static void
graph_edges(struct graph *g, struct arena *a, struct view root)
{
	struct json_iter edges, ends;
	struct view edge, raw[2], name[2];

	if (!page_array(root, "edges", &edges))
		return;
	while (json_element(&edges, &edge)) {
		int end[2] = { -1, -1 };

		if (!json_open(&ends, edge, '['))
			continue;
		for (int i = 0; i < 2 && json_element(&ends, &raw[i]); i++)
			if (json_string(a, raw[i], &name[i]))
				end[i] = graph_find(g, name[i]);
		if (end[0] == -1 || end[1] == -1 ||
		    g->nedges == PIPES * PIPES)
			continue;
		g->edge[g->nedges][0] = end[0];
		g->edge[g->nedges++][1] = end[1];
	}
}

/* graph_place - ranks from left to right, boxes of a rank below one another */
static void
graph_place(struct graph *g)
{
	int below[PIPES] = { 0 };

	for (int round = 0; round < g->n; round++)
		for (int i = 0; i < g->nedges; i++) {
			const struct node *from = &g->node[g->edge[i][0]];
			struct node *to = &g->node[g->edge[i][1]];

			if (to->rank <= from->rank && from->rank < PIPES - 1)
				to->rank = from->rank + 1;
		}
	for (int i = 0; i < g->n; i++) {
		struct node *n = &g->node[i];

		n->x = 4 + n->rank * (BOX_W + GAP_X);
		n->y = 4 + below[n->rank];
		below[n->rank] += n->h + GAP_Y;
		g->width = n->x + BOX_W > g->width ? n->x + BOX_W : g->width;
		g->height = n->y + n->h > g->height ? n->y + n->h : g->height;
	}
}

/* graph_box - a pipeline: its name, and its stages read downward */
static void
graph_box(struct arena *a, const struct node *n, struct buf *b)
{
	struct json_iter stages;
	struct view stage;
	int y = n->y + LINE_H;

	buf_printf(b, "<rect class=%s x=%d y=%d width=%d height=%d rx=4 />"
	    "<text class=head x=%d y=%d>", view_is(page_member(a, n->pipe,
	    "fate"), "done") ? "pipe" : "lost", n->x, n->y, BOX_W, n->h,
	    n->x + 8, y);
	page_text(b, n->name);
	buf_str(b, "</text>");
	if (page_array(n->pipe, "stages", &stages))
		while (json_element(&stages, &stage)) {
			y += LINE_H;
			buf_printf(b, "<text x=%d y=%d>", n->x + 8, y);
			page_text(b, page_member(a, stage, "module"));
			buf_str(b, "</text>");
		}
	buf_char(b, '\n');
}

void
page_graph(struct arena *a, struct view root, struct buf *b)
{
	struct graph *g = arena_alloc(a, sizeof(*g));

	graph_nodes(g, a, root);
	graph_edges(g, a, root);
	graph_place(g);
	buf_printf(b, "<svg role=img aria-label=\"pipelines\" width=%d "
	    "height=%d>\n", g->width + 4, g->height + 4);
	for (int i = 0; i < g->nedges; i++) {
		const struct node *f = &g->node[g->edge[i][0]];
		const struct node *t = &g->node[g->edge[i][1]];
		int x0 = f->x + BOX_W, y0 = f->y + LINE_H, x1 = t->x;
		int y1 = t->y + LINE_H;

		buf_printf(b, "<path class=edge d=\"M%d %dC%d %d %d %d %d "
		    "%d\" />\n", x0, y0, x0 + GAP_X / 2, y0, x1 - GAP_X / 2,
		    y1, x1, y1);
	}
	for (int i = 0; i < g->n; i++)
		graph_box(a, &g->node[i], b);
	buf_str(b, "</svg>\n");
}
