/* SPDX-License-Identifier: Apache-2.0 */
/* An adapter's two files, written with PEFT's names in PEFT's order */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/peft.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_MAX	((size_t)1 << 20)
#define FRONT		"base_model.model."

/* a tensor to be written */
struct out {
	const char *name;
	const real *from;
	struct piece p;			/* its shape, and how files have it */
};

static void
print_match(struct buf *b, const char *key, const struct match *m)
{
	buf_printf(b, "  \"%s\": ", key);
	if (m->expression != NULL)
		buf_json_str(b, m->expression);
	else if (m->n == 0)
		buf_str(b, "null");
	else {
		buf_char(b, '[');
		for (size_t i = 0; i < m->n; i++) {
			buf_str(b, i > 0 ? ", " : "");
			buf_json_str(b, m->v[i]);
		}
		buf_char(b, ']');
	}
	buf_str(b, ",\n");
}

static void
print_pattern(struct buf *b, const char *key, const struct match_pattern *p,
    size_t n)
{
	buf_printf(b, "  \"%s\": {", key);
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i > 0 ? ", " : "");
		buf_json_str(b, p[i].key);
		buf_printf(b, ": %.17g", p[i].value);
	}
	buf_str(b, "},\n");
}

static void
print_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "  \"%s\": ", key);
	if (text == NULL)
		buf_str(b, "null");
	else
		buf_json_str(b, text);
	buf_str(b, ",\n");
}

static void
print_layers(struct buf *b, const struct adapter_conf *c)
{
	buf_str(b, "  \"layers_to_transform\": ");
	for (size_t i = 0; i < c->nlayers; i++)
		buf_printf(b, "%s%lld", i > 0 ? ", " : "[",
		    (long long)c->layer[i]);
	buf_str(b, c->nlayers > 0 ? "],\n" : "null,\n");
}

/* targets_of - what PEFT makes of all-linear: the modules' last names */
static struct match
targets_of(struct arena *a, const struct adapter *d)
{
	struct match m = d->conf.target;
	const char *last;
	size_t k;

	if (m.expression == NULL || strcmp(m.expression, "all-linear") != 0)
		return m;
	m = (struct match){ .v = arena_array(a, d->n + 1, sizeof(*m.v)) };
	for (size_t i = 0; i < d->n; i++) {
		last = strrchr(d->v[i].name, '.');
		last = last == NULL ? d->v[i].name : last + 1;
		for (k = 0; k < m.n && strcmp(m.v[k], last) != 0; k++)
			continue;
		if (k == m.n)
			m.v[m.n++] = last;
	}
	return m;
}

static void
print_conf(struct arena *a, const struct adapter *d, bool turned,
    struct buf *b)
{
	static const char *const bias[] = { "none", "all", "lora_only" };
	const struct adapter_conf *c = &d->conf;
	struct match target = targets_of(a, d);

	buf_str(b, "{\n");
	print_pattern(b, "alpha_pattern", c->alphas, c->nalphas);
	buf_str(b, "  \"auto_mapping\": null,\n");
	print_text(b, "base_model_name_or_path", c->base);
	buf_printf(b, "  \"bias\": \"%s\",\n", bias[c->bias]);
	print_match(b, "exclude_modules", &c->exclude);
	buf_printf(b, "  \"fan_in_fan_out\": %s,\n  \"inference_mode\": true,\n"
	    "  \"init_lora_weights\": %s,\n", turned ? "true" : "false",
	    c->init == INIT_GAUSSIAN ? "\"gaussian\"" : "true");
	print_match(b, "layers_pattern", &c->layers_pattern);
	print_layers(b, c);
	buf_printf(b, "  \"lora_alpha\": %.17g,\n  \"lora_bias\": false,\n"
	    "  \"lora_dropout\": %.17g,\n", c->alpha, c->dropout);
	print_match(b, "modules_to_save", &c->save);
	buf_printf(b, "  \"peft_type\": \"LORA\",\n  \"r\": %lld,\n",
	    (long long)c->r);
	print_pattern(b, "rank_pattern", c->rank, c->nranks);
	buf_str(b, "  \"revision\": null,\n");
	print_match(b, "target_modules", &target);
	print_text(b, "task_type", c->task);
	buf_printf(b, "  \"use_dora\": %s,\n  \"use_rslora\": %s\n}\n",
	    c->dora ? "true" : "false", c->rslora ? "true" : "false");
}

static int
by_name(const void *x, const void *y)
{
	return strcmp(((const struct out *)x)->name,
	    ((const struct out *)y)->name);
}

/* saved_name - the bias of a module that has an adapter belongs to the layer
 * that PEFT puts the adapter around */
static const char *
saved_name(struct arena *a, const struct adapter *d, const char *name)
{
	size_t n = strlen(name), k = sizeof(".bias") - 1;

	for (size_t i = 0; n > k && i < d->n; i++)
		if (strncmp(d->v[i].name, name, n - k) == 0 &&
		    d->v[i].name[n - k] == '\0' &&
		    strcmp(name + n - k, ".bias") == 0)
			return arena_printf(a, FRONT "%s.base_layer.bias",
			    d->v[i].name);
	return arena_printf(a, FRONT "%s", name);
}

/* outs_of - every tensor, by name */
static struct out *
outs_of(struct arena *a, const struct adapter *d, size_t *n)
{
	struct out *o = arena_array(a, d->n * 3 + d->nsaved + 1, sizeof(*o));
	size_t at = 0;

	*n = 0;
	for (size_t i = 0; i < d->n; i++) {
		const struct adapter_module *m = &d->v[i];
		struct piece p[3];

		adapter_pieces(m, p);
		o[(*n)++] = (struct out){ arena_printf(a, FRONT
		    "%s.lora_A.weight", m->name), d->run + m->a, p[0] };
		o[(*n)++] = (struct out){ arena_printf(a, FRONT
		    "%s.lora_B.weight", m->name), d->run + m->b, p[1] };
		if (m->m != NO_WEIGHT)
			o[(*n)++] = (struct out){ arena_printf(a, FRONT
			    "%s.lora_magnitude_vector", m->name), d->run +
			    m->m, p[2] };
	}
	for (size_t i = 0; i < d->nsaved; i++) {
		const struct piece *p = &d->saved[i];

		o[(*n)++] = (struct out){ saved_name(a, d, p->name),
		    d->base + at, *p };
		at += (p->rows == 0 ? 1 : p->rows) * p->cols;
	}
	qsort(o, *n, sizeof(*o), by_name);
	return o;
}

/* put_tensor - its numbers, as the file has them */
static int
put_tensor(int fd, const struct out *o)
{
	const struct piece *p = &o->p;
	size_t rows = p->rows == 0 ? 1 : p->rows, n = rows * p->cols;
	float *flat = mem_alloc(n * sizeof(*flat) + 1);
	int rc;

	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < p->cols; c++)
			flat[piece_place(p, r, c)] = (float)o->from[r *
			    p->cols + c] - p->less_one;
	rc = file_put(fd, flat, n * sizeof(*flat));
	mem_free(flat);
	return rc;
}

static int
put_all(int fd, const struct out *o, size_t n, struct view header)
{
	unsigned char len[8];

	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)header.n >> 8 * i);
	if (file_put(fd, len, 8) == -1 ||
	    file_put(fd, header.p, header.n) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (put_tensor(fd, &o[i]) == -1)
			return -1;
	return 0;
}

static int
write_tensors(struct arena *a, const struct adapter *d, int dir,
    struct err *e)
{
	const char *file = "adapter_model.safetensors";
	struct buf *header = buf_new(a, TENSORS_HEADER);
	struct tensor_out *t;
	struct out *o;
	size_t n;
	int fd, rc;

	o = outs_of(a, d, &n);
	t = arena_array(a, n + 1, sizeof(*t));
	for (size_t i = 0; i < n; i++) {
		const struct piece *p = &o[i].p;

		t[i].name = o[i].name;
		t[i].ndims = p->rows == 0 ? 1 : 2;
		t[i].shape[0] = p->rows == 0 || p->turned ? p->cols : p->rows;
		t[i].shape[1] = p->turned ? p->rows : p->cols;
	}
	tensors_print(header, t, n, VIEW("{\"format\":\"pt\"}"));
	fd = openat(dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (fd == -1)
		return err_errno(e, "cannot create '%s'", file);
	rc = put_all(fd, o, n, buf_get(header));
	if (rc == -1)
		err_errno(e, "cannot write '%s'", file);
	else
		file_sync(fd, file);
	close(fd);
	return rc;
}

int
peft_write(struct arena *a, const struct adapter *d, const struct weights *w,
    int dir, struct err *e)
{
	struct buf *b = buf_new(a, CONFIG_MAX);
	size_t n;
	const struct piece *p = weights_pieces(a, w, &n);
	bool turned = false;

	for (size_t i = 0; i < n; i++)
		turned |= p[i].turned;
	print_conf(a, d, turned, b);
	if (file_replace(dir, "adapter_config.json", buf_get(b), 0640, true,
	    e) == -1)
		return -1;
	return write_tensors(a, d, dir, e);
}
