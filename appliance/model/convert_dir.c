/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/convert.h"
#include "appliance/model/pooling.h"
#include "appliance/text/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_MAX	((size_t)1 << 30)	/* a file beside the weights */

/* what is not copied from a model's directory: it is written anew, or is the
 * same weights once more */
static const char *const weights_of[] = {
	".safetensors", ".safetensors.index.json", ".gguf", ".pt", ".pth",
	".bin.index.json", ".h5", ".msgpack", ".onnx"
};

/* dir_form - what a tensor becomes; NULL: its bytes are copied */
static const struct quant *
dir_form(const struct convert *c, const struct tensor *t)
{
	bool plain = t->form != NULL && t->form->block == 1;

	if (t->form == NULL)
		return NULL;
	if (convert_asked(c, t) != NULL)
		return c->form;
	return plain && t->scales == 0 && t->form->encode != NULL ? t->form :
	    quant_form(GGUF_FORM_F32);
}

static int
by_width(const void *va, const void *vb)
{
	const struct tensor *a = va, *b = vb;
	uint64_t x = a->form == NULL ? 0 : a->form->bytes;
	uint64_t y = b->form == NULL ? 0 : b->form->bytes;

	return x != y ? x > y ? -1 : 1 : strcmp(a->name, b->name);
}

/* write_shard - tensors from..to of a sorted list in one file */
static int
write_shard(struct convert *c, const struct tensor *t, size_t n, int dir,
    const char *name, struct err *e)
{
	struct buf *header = buf_new(c->arena, TENSORS_HEADER);
	struct tensor_out *out = arena_array(c->arena, n, sizeof(*out));
	unsigned char len[8];
	int fd, rc;

	for (size_t i = 0; i < n; i++) {
		out[i] = (struct tensor_out){ .name = t[i].name,
		    .ndims = t[i].ndims, .form = dir_form(c, &t[i]) };
		memcpy(out[i].shape, t[i].shape, sizeof(out[i].shape));
		if (out[i].form == NULL) {
			out[i].dtype = t[i].dtype;
			out[i].bytes = t[i].to - t[i].from;
		}
	}
	tensors_print(header, out, n, VIEW("{\"format\":\"pt\"}"));
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return err_errno(e, "cannot create '%s'", name);
	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((uint64_t)header->n >> 8 * i);
	rc = file_put(fd, len, 8) == -1 ||
	    file_put(fd, header->p, header->n) == -1 ?
	    err_errno(e, "cannot write '%s'", name) : 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = convert_tensor(c, fd, &t[i], out[i].form, e);
	if (rc == 0)
		file_sync(fd, name);
	close(fd);
	return rc;
}

/* shard_end - where the shard that begins at `from` ends */
static size_t
shard_end(const struct convert *c, const struct tensors *t, size_t from)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = from; i < t->n; i++) {
		bytes += convert_size(&t->v[i], dir_form(c, &t->v[i]));
		if (c->max_shard > 0 && bytes > c->max_shard && i > from)
			break;
	}
	return i;
}

/* write_index - which tensor is in which file */
static int
write_index(struct convert *c, const struct tensors *t, size_t shards, int dir,
    struct err *e)
{
	struct buf *b = buf_new(c->arena, TENSORS_HEADER);
	uint64_t all = 0;
	size_t k = 0, end = 0;

	for (size_t i = 0; i < t->n; i++)
		all += convert_size(&t->v[i], dir_form(c, &t->v[i]));
	buf_printf(b, "{\n \"metadata\": {\"total_size\": %llu},\n "
	    "\"weight_map\": {", (unsigned long long)all);
	for (size_t i = 0; i < t->n; i++) {
		if (i == end) {
			end = shard_end(c, t, i);
			k++;
		}
		buf_printf(b, "%s\n  ", i > 0 ? "," : "");
		buf_json_str(b, t->v[i].name);
		buf_printf(b, ": \"model-%05zu-of-%05zu.safetensors\"", k,
		    shards);
	}
	buf_str(b, "\n }\n}\n");
	return file_replace(dir, "model.safetensors.index.json", buf_get(b),
	    0644, true, e);
}

static int
write_weights(struct convert *c, int dir, struct err *e)
{
	struct tensors t = c->source->tensors;
	size_t shards = 0, n;

	t.v = arena_copy(c->arena, t.v, t.n * sizeof(*t.v));
	if (t.n > 1)
		qsort(t.v, t.n, sizeof(*t.v), by_width);
	for (size_t i = 0; i < t.n; i = shard_end(c, &t, i))
		shards++;
	if (shards < 2)
		return write_shard(c, t.v, t.n, dir, "model.safetensors", e);
	n = 0;
	for (size_t i = 0, end; i < t.n; i = end) {
		end = shard_end(c, &t, i);
		if (write_shard(c, t.v + i, end - i, dir, arena_printf(
		    c->arena, "model-%05zu-of-%05zu.safetensors", ++n,
		    shards), e) == -1)
			return -1;
	}
	return write_index(c, &t, shards, dir, e);
}

/* write_config - as it came, but for the dtype */
static int
write_config(struct convert *c, int dir, struct err *e)
{
	static const char *const torch[] = { "float32", "float16",
	    "bfloat16" };
	struct buf *b = buf_new(c->arena, (size_t)2 << 20);
	struct view root, key, value;
	struct json_iter it;
	const char *dtype = c->form == NULL ? "float32" :
	    c->form->form == GGUF_FORM_F16 ? torch[1] :
	    c->form->form == GGUF_FORM_BF16 ? torch[2] : torch[0];
	bool keep = c->form == NULL && c->source->kind == SOURCE_DIRECTORY;

	if (json_value(c->source->config, &root, e) == -1 ||
	    !json_open(&it, root, '{'))
		return err_set(e, FATE_REJECT, "config.json is no object");
	if (keep)
		return file_replace(dir, "config.json", c->source->config,
		    0644, true, e);
	buf_str(b, "{");
	while (json_member(&it, &key, &value)) {
		if (view_is(key, "\"torch_dtype\"") ||
		    view_is(key, "\"dtype\""))
			continue;
		buf_str(b, "\n ");
		buf_view(b, key);
		buf_str(b, ": ");
		buf_view(b, value);
		buf_char(b, ',');
	}
	buf_printf(b, "\n \"torch_dtype\": \"%s\"\n}\n", dtype);
	return file_replace(dir, "config.json", buf_get(b), 0644, true, e);
}

/* is_weights - is a file none that is kept */
static bool
is_weights(const char *name)
{
	size_t n = strlen(name), k;

	if (strcmp(name, "config.json") == 0 ||
	    strncmp(name, "pytorch_model", 13) == 0)
		return true;
	for (size_t i = 0; i < BASE_COUNT(weights_of); i++) {
		k = strlen(weights_of[i]);
		if (n > k && strcmp(name + n - k, weights_of[i]) == 0)
			return true;
	}
	return false;
}

/* copy_files - what lies beside the weights */
static int
copy_files(struct arena *a, int from, int to, struct err *e)
{
	struct view file;
	struct stat st;
	char **name;
	size_t n;

	if (file_list(a, from, ".", &name, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (is_weights(name[i]) || fstatat(from, name[i], &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
			continue;
		if (file_read(a, from, name[i], SIDE_MAX, &file, e) == -1 ||
		    file_replace(to, name[i], file, 0644, true, e) == -1)
			return -1;
	}
	return 0;
}

int
convert_directory(struct convert *c, int files, int to, struct err *e)
{
	const struct source *s = c->source;
	struct shape_head head;
	struct shape shape;

	if (c->form != NULL && c->form->block > 1)
		return err_set(e, FATE_REJECT, "a directory of safetensors "
		    "cannot hold %s: write a .gguf file, or f32, f16 or bf16",
		    c->form->name);
	if (write_config(c, to, e) == -1 || write_weights(c, to, e) == -1)
		return -1;
	if (s->kind == SOURCE_DIRECTORY && files != -1)
		return copy_files(c->arena, files, to, e);
	if (s->tokenizer_name != NULL && file_replace(to, s->tokenizer_name,
	    s->tokenizer_file, 0644, true, e) == -1)
		return -1;
	if (convert_pool(c, -1, &head, e) == -1 || (head.kind == HEAD_EMBED &&
	    (shape_parse(s->config, &shape, e) == -1 || pooling_write(c->arena,
	    to, &head, shape.C, shape.T, e) == -1)))
		return -1;
	return s->tokenizer_config.n == 0 ? 0 : file_replace(to,
	    "tokenizer_config.json", s->tokenizer_config, 0644, true, e);
}
