/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/store/artefact.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
artefact_place(enum store_kind kind)
{
	return kind == STORE_INDEX ? "indexes" : "models";
}

/* copy_hash - read a file to its hash, and into another if to is not -1 */
static int
copy_hash(int from, int to, const char *name, struct hash *h, int64_t *bytes,
    struct err *e)
{
	struct hash_state state;
	char buf[65536];
	ssize_t n;
	int in, out = -1, rc = 0;

	in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in == -1)
		return err_errno(e, "cannot read '%s'", name);
	if (to != -1)
		out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0640);
	if (to != -1 && out == -1)
		rc = err_errno(e, "cannot create '%s'", name);
	hash_begin(&state, NULL);
	while (rc == 0 && (n = file_get(in, buf, sizeof(buf))) != 0) {
		if (n == -1)
			rc = err_errno(e, "cannot read '%s'", name);
		else if (out != -1 && file_put(out, buf, (size_t)n) == -1)
			rc = err_errno(e, "cannot write '%s'", name);
		hash_add(&state, buf, n == -1 ? 0 : (size_t)n);
		*bytes += n == -1 ? 0 : n;
	}
	*h = hash_end(&state);
	if (rc == 0 && out != -1)
		file_sync(out, name);
	if (out != -1)
		close(out);
	close(in);
	return rc;
}

int
artefact_files(struct arena *a, int from, int to, struct version *v,
    struct err *e)
{
	struct stat st;
	struct hash h;
	char **name, hex[HASH_HEX + 1];
	size_t n;

	if (file_list(a, from, ".", &name, &n, e) == -1)
		return -1;
	v->pack = arena_array(a, n, sizeof(*v->pack));
	v->npacks = 0;
	v->bytes = 0;
	for (size_t i = 0; i < n; i++) {
		if (fstatat(from, name[i], &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode)) {
			msg_warn("'%s' is no regular file and is passed over",
			    name[i]);
			continue;
		}
		if (copy_hash(from, to, name[i], &h, &v->bytes, e) == -1)
			return -1;
		hash_hex(h, hex);
		v->pack[v->npacks++] = arena_printf(a, "%s %s", hex, name[i]);
	}
	v->records = (int64_t)v->npacks;
	return v->npacks > 0 ? 0 : err_set(e, FATE_REJECT,
	    "there is no file to keep");
}

int
artefact_file(struct arena *a, int from, int to, const char *name,
    struct version *v, struct err *e)
{
	char hex[HASH_HEX + 1];
	struct hash h;

	v->bytes = 0;
	if (copy_hash(from, to, name, &h, &v->bytes, e) == -1)
		return -1;
	hash_hex(h, hex);
	v->pack = arena_array(a, 1, sizeof(*v->pack));
	v->pack[0] = arena_printf(a, "%s %s", hex, name);
	v->npacks = 1;
	v->records = 1;
	return 0;
}

int
artefact_make(const struct store *s, enum store_kind kind, struct err *e)
{
	const char *place = artefact_place(kind);

	if (mkdirat(s->dir, place, 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make the store's '%s'", place);
	return file_dir(s->dir, place, e);
}

int
artefact_take(struct store *s, int work, const char *from, const char *id,
    struct version *v, struct err *e)
{
	int place = artefact_make(s, v->kind, e), dir, rc = 0;

	if (place == -1)
		return -1;
	if (!file_exists(place, id))
		rc = file_rename(work, from, place, id, e);
	if (rc == 0) {
		file_sync(place, artefact_place(v->kind));
		v->path = arena_printf(s->arena, "%s/%s",
		    artefact_place(v->kind), id);
		dir = file_dir(place, id, e);
		rc = dir == -1 ? -1 : artefact_files(s->arena, dir, -1, v, e);
		if (dir != -1)
			close(dir);
	}
	close(place);
	return rc;
}

int
artefact_open(const struct store *s, const struct version *v, struct err *e)
{
	if (v->path == NULL)
		return err_set(e, FATE_REJECT, "'%s@%u' is no directory of "
		    "files", v->name, v->number);
	return file_dir(v->path[0] == '/' ? AT_FDCWD : s->dir, v->path, e);
}

int
artefact_copy(int from, int to, const struct version *v, size_t i,
    struct err *e)
{
	char hex[HASH_HEX + 1];
	const char *name = strchr(v->pack[i], ' ');
	struct hash h;
	int64_t bytes = 0;

	if (name++ == NULL)
		return err_set(e, FATE_REJECT, "the manifest is damaged");
	if (copy_hash(from, to, name, &h, &bytes, e) == -1)
		return -1;
	hash_hex(h, hex);
	if (strncmp(hex, v->pack[i], HASH_HEX) != 0)
		return err_set(e, FATE_REJECT, "'%s' has changed since it was "
		    "kept", name);
	return 0;
}

int
artefact_link(int from, int to, const struct version *v, size_t i,
    struct err *e)
{
	const char *name = strchr(v->pack[i], ' ');

	if (artefact_copy(from, -1, v, i, e) == -1)
		return -1;
	if (linkat(from, name + 1, to, name + 1, 0) == 0)
		return 0;
	return artefact_copy(from, to, v, i, e);
}
