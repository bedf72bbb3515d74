/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/model/adapter.h"
#include "appliance/model/random.h"

#include <math.h>
#include <stdlib.h>

#define STREAM	((uint64_t)2)		/* of random numbers; weights have 0 */

int
adapter_check(const struct adapter_conf *c, struct err *e)
{
	const char *expression[] = { c->target.expression,
	    c->exclude.expression };

	for (size_t i = 0; i < BASE_COUNT(expression); i++)
		if (expression[i] != NULL && match_check(expression[i],
		    e) == -1)
			return -1;
	if (c->target.expression != NULL && c->nlayers > 0)
		return err_set(e, FATE_REJECT, "layers_to_transform goes with "
		    "a list of target_modules, not with an expression");
	if (c->dora && c->dropout > 0)
		return err_set(e, FATE_REJECT, "use_dora with lora_dropout is "
		    "not computed: DoRA's magnitude would need the base's "
		    "product of the dropped-out rows as well");
	if (c->dropout >= 1)
		return err_set(e, FATE_REJECT, "lora_dropout %g drops "
		    "everything", c->dropout);
	return 0;
}

/* module_name - of a piece that is a matrix: without ".weight" */
static const char *
module_name(struct arena *a, const struct piece *p)
{
	size_t n = strlen(p->name), end = sizeof(".weight") - 1;

	if (n <= end || strcmp(p->name + n - end, ".weight") != 0)
		return NULL;
	return arena_strn(a, p->name, n - end);
}

/* saves - PEFT's rule for what gets no adapter: the name has one of
 * modules_to_save in it, whole */
static bool
saves(const struct adapter_conf *c, const char *name)
{
	for (size_t i = 0; i < c->save.n; i++) {
		const char *m = c->save.v[i], *at = name;
		size_t n = strlen(m);

		while ((at = strstr(at, m)) != NULL) {
			if ((at == name || at[-1] == '.') &&
			    (at[n] == '\0' || at[n] == '.'))
				return true;
			at++;
		}
	}
	return false;
}

/* saved - and its rule for what is saved: the name of the module, or of one
 * that it is part of, ends so, as input_layernorm does in norm */
static bool
saved(const char *name, const char *end)
{
	size_t n = strlen(end);

	for (size_t i = n; i <= strlen(name); i++)
		if ((name[i] == '.' || name[i] == '\0') && strncmp(name + i -
		    n, end, n) == 0)
			return true;
	return false;
}

/* targeted - is an adapter wanted for the module; all-linear means what lies
 * between the tables and the head */
static bool
targeted(const struct adapter_conf *c, const char *name, bool inner)
{
	int64_t layer;

	if (match_name(&c->exclude, name) || saves(c, name))
		return false;
	if (c->target.expression != NULL &&
	    strcmp(c->target.expression, "all-linear") == 0)
		return inner;
	if (!match_name(&c->target, name))
		return false;
	if (c->nlayers == 0)
		return true;
	layer = match_layer(name, &c->layers_pattern);
	for (size_t i = 0; i < c->nlayers; i++)
		if (c->layer[i] == layer)
			return true;
	return false;
}

/* plan_module - settings for one */
static int
plan_module(struct adapter *d, const struct piece *p, const char *name,
    struct err *e)
{
	const struct adapter_conf *c = &d->conf;
	struct adapter_module *m = &d->v[d->n++];
	double r = match_value(c->rank, c->nranks, name, (double)c->r);
	double alpha = match_value(c->alphas, c->nalphas, name, c->alpha);

	if (r < 1 || r > 65536 || r != floor(r))
		return err_set(e, FATE_REJECT, "rank %g of '%s' is no rank", r,
		    name);
	*m = (struct adapter_module){ name, p->at, p->rows, p->cols,
	    .r = (size_t)r, .m = NO_WEIGHT, .head = p->head };
	m->scale = alpha / (c->rslora ? sqrt(r) : r);
	return 0;
}

/* plan_biases - the bias of each module, or of those that have an adapter */
static void
plan_biases(struct arena *a, struct adapter *d, const struct piece *p,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(p[i].name), k = sizeof(".bias") - 1;
		bool mine = d->conf.bias == BIAS_ALL, whole = false;
		const char *name;

		if (p[i].rows != 0 || len <= k ||
		    strcmp(p[i].name + len - k, ".bias") != 0)
			continue;
		name = arena_strn(a, p[i].name, len - k);
		for (size_t j = 0; j < d->conf.save.n; j++)
			whole |= saved(name, d->conf.save.v[j]);
		if (whole)
			continue;
		for (size_t j = 0; !mine && j < d->n; j++)
			mine = strcmp(d->v[j].name, name) == 0;
		if (mine)
			d->saved[d->nsaved++] = p[i];
	}
}

int
adapter_saves(const struct weights *w, const struct piece *p, struct err *e)
{
	if (p->at != w->token || !w->shape.tied)
		return 0;
	return err_set(e, FATE_REJECT, "'%s' is the head's table as well in "
	    "this base: saved whole, PEFT parts the two, which is not "
	    "computed", p->name);
}

/* plan_saved - modules_to_save, with all they have; each must be there */
static int
plan_saved(struct arena *a, struct adapter *d, const struct weights *w,
    const struct piece *p, size_t n, struct err *e)
{
	for (size_t k = 0; k < d->conf.save.n; k++) {
		const char *end = d->conf.save.v[k];
		size_t found = 0;

		for (size_t i = 0; i < n; i++) {
			const char *dot = strrchr(p[i].name, '.');
			const char *name = arena_strn(a, p[i].name, dot ==
			    NULL ? 0 : (size_t)(dot - p[i].name));
			bool known = false;

			if (!saved(name, end))
				continue;
			if (adapter_saves(w, &p[i], e) == -1)
				return -1;
			found++;
			for (size_t j = 0; j < d->nsaved; j++)
				known |= d->saved[j].at == p[i].at;
			if (!known)
				d->saved[d->nsaved++] = p[i];
		}
		if (found == 0)
			return err_set(e, FATE_REJECT, "the base has no module "
			    "'%s' to save", end);
	}
	return 0;
}

/* by_place - modules in the order of the base's run */
static int
by_place(const void *x, const void *y)
{
	const struct adapter_module *a = x, *b = y;

	return a->at < b->at ? -1 : a->at > b->at;
}

/* plan_none - nothing matched: say what could have */
static int
plan_none(struct arena *a, const struct weights *w, const struct piece *p,
    size_t n, struct err *e)
{
	struct buf *b = buf_new(a, 4096);
	const char *name, *dot;

	for (size_t i = 0; i < n; i++) {
		name = p[i].rows > 0 ? module_name(a, &p[i]) : NULL;
		if (name == NULL || p[i].at == w->token ||
		    p[i].at == w->place || match_layer(name, &(struct match){
		    NULL, NULL, 0 }) > 0)
			continue;
		dot = strrchr(name, '.');
		buf_printf(b, "%s%s", b->n > 0 ? ", " : "", dot == NULL ?
		    name : dot + 1);
	}
	return err_set(e, FATE_REJECT, "target_modules name no module of the "
	    "base; it has %s", buf_cstr(b));
}

int
adapter_plan(struct arena *a, const struct weights *w,
    const struct adapter_conf *c, struct adapter *d, struct err *e)
{
	size_t n;
	struct piece *p = weights_pieces(a, w, &n);
	const char *name;
	bool table;

	*d = (struct adapter){ .conf = *c };
	d->v = arena_array(a, n, sizeof(*d->v));
	d->saved = arena_array(a, n, sizeof(*d->saved));
	for (size_t i = 0; i < n; i++) {
		name = p[i].rows > 0 ? module_name(a, &p[i]) : NULL;
		table = p[i].at == w->token || p[i].at == w->place ||
		    p[i].at == w->near[0] || p[i].at == w->near[1];
		if (name == NULL || !targeted(c, name, !table &&
		    p[i].at != w->head))
			continue;
		if (table)
			return err_set(e, FATE_REJECT, "'%s' is a table, not a "
			    "linear module: adapters on embeddings are not "
			    "computed; modules_to_save trains it whole", name);
		if (plan_module(d, &p[i], name, e) == -1)
			return -1;
	}
	if (d->n == 0 && c->save.n == 0)
		return plan_none(a, w, p, n, e);
	if (plan_saved(a, d, w, p, n, e) == -1)
		return -1;
	if (c->bias != BIAS_NONE)
		plan_biases(a, d, p, n);
	adapter_layout(a, w, d);
	return 0;
}

void
adapter_layout(struct arena *a, const struct weights *w, struct adapter *d)
{
	size_t end, base = 0;

	qsort(d->v, d->n, sizeof(*d->v), by_place);
	d->all = 0;
	for (size_t i = 0; i < d->n; i = end) {
		size_t joined = weights_find(w, d->v[i].at);

		for (end = i; end < d->n && weights_find(w, d->v[end].at) ==
		    joined; end++) {
			d->v[end].a = d->all;
			d->all += d->v[end].r * d->v[end].cols;
		}
		for (size_t k = i; k < end; k++) {
			d->v[k].b = d->all;
			d->all += d->v[k].rows * d->v[k].r;
		}
		for (size_t k = i; d->conf.dora && k < end; k++) {
			d->v[k].m = d->all;
			d->all += d->v[k].rows;
		}
	}
	for (size_t i = 0; i < d->nsaved; i++)
		base += (d->saved[i].rows == 0 ? 1 : d->saved[i].rows) *
		    d->saved[i].cols;
	d->run = arena_array(a, d->all + 1, sizeof(*d->run));
	d->base = arena_array(a, base + 1, sizeof(*d->base));
}

void
adapter_pieces(const struct adapter_module *m, struct piece p[3])
{
	p[0] = (struct piece){ .rows = m->r, .cols = m->cols };
	p[1] = (struct piece){ .rows = m->rows, .cols = m->r,
	    .head = m->head };
	p[2] = (struct piece){ .cols = m->rows, .head = m->head };
}

/* row_sum - a row of w + scale B A, in double */
static void
row_sum(const struct adapter *d, const struct adapter_module *m,
    const real *base, size_t row, double *out)
{
	const real *b = d->run + m->b + row * m->r;
	const real *w = base + m->at + row * m->cols;

	for (size_t c = 0; c < m->cols; c++)
		out[c] = 0;
	for (size_t j = 0; j < m->r; j++) {
		const real *a = d->run + m->a + j * m->cols;
		double s = m->scale * (double)b[j];

		for (size_t c = 0; s != 0 && c < m->cols; c++)
			out[c] += s * (double)a[c];
	}
	for (size_t c = 0; c < m->cols; c++)
		out[c] += (double)w[c];
}

static double
length(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sqrt(sum);
}

/* init_saved - those parts as they are in the base */
static void
init_saved(struct adapter *d, const real *base)
{
	size_t at = 0, n;

	for (size_t i = 0; i < d->nsaved; i++) {
		n = (d->saved[i].rows == 0 ? 1 : d->saved[i].rows) *
		    d->saved[i].cols;
		memcpy(d->base + at, base + d->saved[i].at, n *
		    sizeof(*base));
		at += n;
	}
}

void
adapter_init(struct adapter *d, const real *base, uint64_t seed)
{
	double *row, x;

	for (size_t i = 0; i < d->n; i++) {
		struct adapter_module *m = &d->v[i];

		for (size_t k = 0; k < m->r * m->cols; k++) {
			size_t at = m->a + k;

			if (d->conf.init == INIT_GAUSSIAN)
				x = random_normal(seed, STREAM, at) /
				    (double)m->r;
			else
				x = (2 * random_unit(seed, STREAM, at) - 1) /
				    sqrt((double)m->cols);
			d->run[at] = (real)x;
		}
		if (m->m == NO_WEIGHT || base == NULL)
			continue;
		row = mem_alloc(m->cols * sizeof(*row));
		for (size_t r = 0; r < m->rows; r++) {
			row_sum(d, m, base, r, row);
			d->run[m->m + r] = (real)length(row, m->cols);
		}
		mem_free(row);
	}
	if (base != NULL)
		init_saved(d, base);
}

/* merge_module - one module's rows; -1 if one is no number */
static int
merge_module(const struct adapter *d, const struct adapter_module *m,
    real *base, double *row)
{
	double by;

	for (size_t r = 0; r < m->rows; r++) {
		row_sum(d, m, base, r, row);
		by = 1;
		if (m->m != NO_WEIGHT)
			by = (double)d->run[m->m + r] / length(row, m->cols);
		for (size_t c = 0; c < m->cols; c++) {
			if (!isfinite(row[c] * by))
				return -1;
			base[m->at + r * m->cols + c] = (real)(row[c] * by);
		}
	}
	return 0;
}

int
adapter_merge(const struct adapter *d, real *base, struct err *e)
{
	size_t at = 0, n;
	double *row;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		row = mem_alloc(d->v[i].cols * sizeof(*row));
		rc = merge_module(d, &d->v[i], base, row);
		mem_free(row);
		if (rc == -1)
			err_set(e, FATE_REJECT, "'%s' merged with its adapter "
			    "has what is no number", d->v[i].name);
	}
	for (size_t i = 0; rc == 0 && i < d->nsaved; i++) {
		n = (d->saved[i].rows == 0 ? 1 : d->saved[i].rows) *
		    d->saved[i].cols;
		memcpy(base + d->saved[i].at, d->base + at, n *
		    sizeof(*base));
		at += n;
	}
	return rc;
}
