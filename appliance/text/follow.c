/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/follow_scalar.h"

#define BLANKS	33			/* between words, with a new line */

/* states of a frame, behind FOLLOW_START; those of scalars lie elsewhere */
enum {					/* an object's, an array's */
	O_OPEN = 1,			/* behind its first bracket */
	O_NAME, O_COLON, O_VALUE, O_NEXT,	/* O_NEXT: behind a value */
	O_COMMA				/* behind a comma */
};

static const struct schema_node *
node_of(const struct follow *f, const struct follow_frame *t)
{
	return &f->s->v[t->node];
}

/* way_add - one more, with another value begun; alternatives are all begun */
static void
way_add(struct follow *f, size_t *n, const struct follow_way *w,
    uint32_t node)
{
	const struct schema_node *v = &f->s->v[node];
	struct follow_way *to;

	if (v->kind == SCHEMA_OR) {
		for (size_t i = 0; i < v->n; i++)
			way_add(f, n, w, v->child[i]);
		return;
	}
	/* what is too deep is left out: a value can always be another */
	if (*n == FOLLOW_WAYS || w->n == FOLLOW_DEPTH)
		return;
	to = &f->next[(*n)++];
	to->n = (uint16_t)(w->n + 1);
	memcpy(to->v, w->v, w->n * sizeof(*w->v));
	to->v[w->n] = (struct follow_frame){ .node = (uint16_t)node };
}

/* way_keep - one as it is */
static struct follow_way *
way_keep(struct follow *f, size_t *n, const struct follow_way *w)
{
	struct follow_way *to;

	if (*n == FOLLOW_WAYS)
		return NULL;
	to = &f->next[(*n)++];
	to->n = w->n;
	memcpy(to->v, w->v, w->n * sizeof(*w->v));
	return to;
}

/* blank - white space between words; count: what there is of it.  A blank
 * alone, or a new line and blanks */
static bool
blank(struct follow_frame *t, unsigned char c)
{
	if (c == '\n' && t->count == 0) {
		t->count = 1;
		return true;
	}
	if (c != ' ')
		return false;
	if (t->count == 0)
		t->count = BLANKS;	/* no second one */
	else if (t->count < BLANKS)
		t->count++;
	else
		return false;
	return true;
}

static bool
needs_more(const struct schema_node *v, size_t from)
{
	for (size_t i = from; i < v->n; i++)
		if (v->required[i])
			return true;
	return false;
}

/* names - a property's name begins: from `from` on, up to one that must be */
static void
names(struct follow *f, size_t *n, const struct follow_way *w, size_t from)
{
	const struct schema_node *v = node_of(f, &w->v[w->n - 1]);
	struct follow_way *to;

	for (size_t i = from; i < v->n; i++) {
		to = way_keep(f, n, w);
		if (to != NULL)
			to->v[w->n - 1] = (struct follow_frame){
			    .node = w->v[w->n - 1].node, .state = O_NAME,
			    .at = (uint16_t)i, .count = 1 };
		if (v->required[i])
			return;
	}
}

static void step(struct follow *, size_t *, struct follow_way *,
    unsigned char);

/* begin - the first byte of a value within w */
static void
begin(struct follow *f, size_t *n, struct follow_way *w, uint32_t node,
    unsigned char c)
{
	size_t from = *n, end;
	struct follow_way one;

	way_add(f, n, w, node);
	/* each that was begun takes the byte or goes: at most one stays of one,
	 * so that none is written over before its turn */
	end = *n;
	*n = from;
	for (size_t i = from; i < end; i++) {
		one.n = f->next[i].n;
		memcpy(one.v, f->next[i].v, one.n * sizeof(*one.v));
		step(f, n, &one, c);
	}
}

/* object_step - also a map's; t is the last frame of w */
static void
object_step(struct follow *f, size_t *n, struct follow_way *w,
    struct follow_frame *t, unsigned char c)
{
	const struct schema_node *v = node_of(f, t);
	bool map = v->kind == SCHEMA_MAP;

	switch (t->state) {
	case FOLLOW_START:
		t->state = O_OPEN;
		t->at = t->count = 0;
		if (c == '{')
			way_keep(f, n, w);
		return;
	case O_OPEN:			/* at: properties behind us */
	case O_COMMA:
		if (blank(t, c))
			way_keep(f, n, w);
		else if (c == '}' && t->state == O_OPEN && (map ||
		    !needs_more(v, 0)))
			goto ends;
		else if (c == '"' && map) {
			t->state = O_COLON;
			t->count = 0;
			begin(f, n, w, f->s->name, c);
		} else if (c == '"')
			names(f, n, w, t->at);
		return;
	case O_NAME:			/* at: which; count: bytes of it */
		if (v->name[t->at].p[t->count] != (char)c)
			return;
		if (++t->count == v->name[t->at].n) {
			t->state = O_COLON;
			t->count = 0;
		}
		way_keep(f, n, w);
		return;
	case O_COLON:
		t->state = O_VALUE;
		t->count = 0;
		if (c == ':')
			way_keep(f, n, w);
		return;
	case O_VALUE:
		if (blank(t, c)) {
			way_keep(f, n, w);
			return;
		}
		t->state = O_NEXT;
		t->count = 0;
		begin(f, n, w, v->child[map ? 0 : t->at], c);
		return;
	default:
		break;
	}
	if (blank(t, c))
		way_keep(f, n, w);
	else if (c == ',' && (map || (size_t)t->at + 1 < v->n)) {
		t->state = O_COMMA;
		t->at = (uint16_t)(t->at + !map);
		t->count = 0;
		way_keep(f, n, w);
	} else if (c == '}' && (map || !needs_more(v, (size_t)t->at + 1)))
		goto ends;
	return;
ends:
	w->n--;
	way_keep(f, n, w);
}

/* array_step - at: values there are */
static void
array_step(struct follow *f, size_t *n, struct follow_way *w,
    struct follow_frame *t, unsigned char c)
{
	const struct schema_node *v = node_of(f, t);

	if (t->state == FOLLOW_START) {
		t->state = O_OPEN;
		if (c == '[')
			way_keep(f, n, w);
		return;
	}
	if (blank(t, c)) {
		way_keep(f, n, w);
		return;
	}
	if (c == ']' && t->state != O_COMMA && t->at >= v->min) {
		w->n--;
		way_keep(f, n, w);
		return;
	}
	if (t->state == O_NEXT) {
		if (c != ',' || t->at >= v->max)
			return;
		t->state = O_COMMA;
		t->count = 0;
		way_keep(f, n, w);
		return;
	}
	if (t->at >= v->max)
		return;
	if (t->at < UINT16_MAX)
		t->at++;
	t->state = O_NEXT;
	t->count = 0;
	begin(f, n, w, v->child[0], c);
}

/* any_step - its first byte says what it is */
static void
any_step(struct follow *f, size_t *n, struct follow_way *w, unsigned char c)
{
	uint32_t node = c == '"' ? f->s->name : c == '{' ? f->s->map :
	    c == '[' ? f->s->list : c == 't' ? f->s->word[0] : c == 'f' ?
	    f->s->word[1] : c == 'n' ? f->s->word[2] : f->s->number;

	if ((c == '{' || c == '[') && w->n + 2 > FOLLOW_DEPTH)
		return;
	w->n--;
	begin(f, n, w, node, c);
}

/* step - a way takes a byte: what becomes of it goes behind f->next[*n] */
static void
step(struct follow *f, size_t *n, struct follow_way *w, unsigned char c)
{
	struct follow_frame *t;
	const struct schema_node *v;
	enum follow_verdict is;

	if (w->n == 0)
		return;			/* nothing may follow */
	t = &w->v[w->n - 1];
	v = node_of(f, t);
	switch (v->kind) {
	case SCHEMA_ANY:
		any_step(f, n, w, c);
		return;
	case SCHEMA_MAP:
	case SCHEMA_OBJECT:
		object_step(f, n, w, t, c);
		return;
	case SCHEMA_ARRAY:
		array_step(f, n, w, t, c);
		return;
	case SCHEMA_LITERAL:
		is = v->text.p[t->at] != (char)c ? FOLLOW_DEAD : ++t->at ==
		    v->text.n ? FOLLOW_DONE : FOLLOW_STAY;
		break;
	case SCHEMA_STRING:
		is = follow_string(t, c);
		break;
	default:
		is = follow_number(t, c, v->kind == SCHEMA_INTEGER);
		break;
	}
	if (is == FOLLOW_DEAD)
		return;
	if (is != FOLLOW_STAY)
		w->n--;
	if (is == FOLLOW_PASS)
		step(f, n, w, c);
	else
		way_keep(f, n, w);
}

void
follow_room(struct follow *f, struct arena *a)
{
	f->way = arena_array(a, FOLLOW_WAYS, sizeof(*f->way));
	f->next = arena_array(a, FOLLOW_WAYS, sizeof(*f->next));
}

void
follow_begin(struct follow *f, const struct schema *s)
{
	struct follow_way none = { .n = 0 };

	f->s = s;
	f->n = 0;
	way_add(f, &f->n, &none, s->root);
	memcpy(f->way, f->next, f->n * sizeof(*f->way));
}

void
follow_copy(struct follow *to, const struct follow *from)
{
	to->s = from->s;
	to->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		to->way[i].n = from->way[i].n;
		memcpy(to->way[i].v, from->way[i].v, from->way[i].n *
		    sizeof(*from->way[i].v));
	}
}

bool
follow_bytes(struct follow *f, struct view text)
{
	struct follow_way *was;

	for (size_t i = 0; i < text.n && f->n > 0; i++) {
		size_t n = 0;

		for (size_t k = 0; k < f->n; k++)
			step(f, &n, &f->way[k], (unsigned char)text.p[i]);
		was = f->way;
		f->way = f->next;
		f->next = was;
		f->n = n;
	}
	return f->n > 0;
}

/* ended - is what has been read of this way a whole value */
static bool
ended(const struct follow *f, const struct follow_way *w)
{
	const struct schema_node *v;

	if (w->n != 1)
		return w->n == 0;
	v = node_of(f, &w->v[0]);
	return (v->kind == SCHEMA_NUMBER || v->kind == SCHEMA_INTEGER) &&
	    follow_number_ends(&w->v[0]);
}

bool
follow_done(const struct follow *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (ended(f, &f->way[i]))
			return true;
	return false;
}

bool
follow_over(const struct follow *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->way[i].n > 0)
			return false;
	return true;
}

bool
follow_plain(const struct follow *f)
{
	const struct follow_way *w = &f->way[0];

	return f->n > 0 && w->n > 0 && node_of(f, &w->v[w->n - 1])->kind ==
	    SCHEMA_STRING && follow_string_within(&w->v[w->n - 1]);
}
