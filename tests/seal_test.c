/* SPDX-License-Identifier: Apache-2.0 */
/* seal_test - what is sealed opens as it was, and not when one bit, its place or
 * its head is another; packs with and without a key, and cut and resumed */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/store/pack.h"

#include <fcntl.h>
#include <unistd.h>

#define BODY	100
#define ALL	(BODY + SEAL_MORE)

static const struct seal site = { .id = "the site's key.", .key = "secret" };
static const struct seal other = { .id = "another key....", .key = "other" };

/* fill - a sealed body of text */
static void
fill(const struct seal_pack *p, char body[ALL], int64_t place, uint64_t head)
{
	memset(body, 0, ALL);
	memset(body + SEAL_NONCE, 'x', BODY);
	seal_close(p, body, BODY, place, &head, sizeof(head));
}

/* opens - does it open as that text */
static bool
opens(const struct seal_pack *p, const char body[ALL], int64_t place,
    uint64_t head)
{
	char copy[ALL], text[BODY];

	memcpy(copy, body, ALL);
	memset(text, 'x', BODY);
	return seal_open(p, copy, BODY, place, &head, sizeof(head)) &&
	    memcmp(copy + SEAL_NONCE, text, BODY) == 0;
}

static void
test_frames(void)
{
	static const unsigned char salt[SEAL_SALT] = "salt", salt2[SEAL_SALT];
	struct seal_pack p, again, third;
	char one[ALL], two[ALL];
	int opened = 0;

	seal_begin(&p, &site, salt);
	seal_begin(&again, &site, salt);
	seal_begin(&third, &site, salt2);
	fill(&p, one, 64, 7);
	fill(&again, two, 64, 7);
	tap(opens(&p, one, 64, 7), "opens as it was");
	tap(opens(&again, one, 64, 7), "and when the pack is opened again");
	tap(memcmp(one, two, ALL) != 0, "written anew it has another nonce");
	tap(!opens(&third, one, 64, 7), "not in a pack with another salt");
	tap(!opens(&p, one, 65, 7), "not at another place");
	tap(!opens(&p, one, 64, 8), "not under another head");
	for (int bit = 0; bit < ALL * 8; bit++) {
		one[bit / 8] ^= (char)(1 << bit % 8);
		opened += opens(&p, one, 64, 7);
		one[bit / 8] ^= (char)(1 << bit % 8);
	}
	tap(opened == 0, "not with any one of %d bits changed", ALL * 8);
	tap(seal_hash(&p, VIEW("r1")) == seal_hash(&again, VIEW("r1")) &&
	    seal_hash(&p, VIEW("r1")) != seal_hash(&third, VIEW("r1")),
	    "an id's hash belongs to the pack");
}

/* pack_write - three records, the last of them after a resume */
static int
pack_write(int dir, const char *name, const struct seals *keys, struct err *e)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600), rc;
	struct pack_writer w;
	int64_t len;

	rc = pack_create(&w, fd, PACK_RECORDS, keys, e);
	if (rc == 0 && (rc = pack_add(&w, VIEW("a"), VIEW("first secret"),
	    e)) == 0)
		rc = pack_add(&w, VIEW("b"), VIEW("second secret"), e);
	if (rc == 0)
		rc = pack_flush(&w, e);
	len = w.len;
	if (rc == 0 && (rc = pack_add(&w, VIEW("c"), VIEW("lost"), e)) == 0)
		rc = pack_flush(&w, e);
	pack_abandon(&w);
	if (rc == 0)
		rc = pack_resume(&w, fd, len, keys, e);
	if (rc == 0 && (rc = pack_add(&w, VIEW("a"), VIEW("third secret"),
	    e)) == 0)
		rc = pack_finish(&w, e);
	pack_abandon(&w);
	close(fd);
	return rc;
}

/* pack_all - its payloads, one behind the other */
static const char *
pack_all(struct arena *a, int dir, const char *name, const struct seals *keys)
{
	struct err e;
	struct pack *p = pack_open(a, dir, name, keys, &e);
	struct buf *b = buf_new(a, 4096);
	struct pack_reader r;
	struct view v;

	if (p == NULL)
		return arena_str(a, e.text);
	pack_read(&r, p, 0);
	while (pack_next(&r, &v, &e) == 1) {
		buf_view(b, v);
		buf_char(b, ';');
	}
	pack_read_end(&r);
	if (pack_find(p, a, VIEW("a"), &v, &e) == 1)
		buf_view(b, v);
	if (!pack_has(p, VIEW("b")) || pack_has(p, VIEW("c")))
		buf_str(b, " wrong index");
	return buf_cstr(b);
}

static void
test_packs(struct arena *a, int dir)
{
	static const char *const want =
	    "first secret;second secret;third secret;third secret";
	struct seal ring[2] = { other, site };
	struct seals none = { .n = 0 }, one = { &site, 1 }, two = { ring, 2 };
	struct seals wrong = { &other, 1 };
	struct view raw;
	struct err e;

	tap(pack_write(dir, "plain", &none, &e) == 0 &&
	    pack_write(dir, "sealed", &one, &e) == 0, "two packs");
	tap_str(pack_all(a, dir, "plain", &none), want, "one plain");
	tap_str(pack_all(a, dir, "plain", &one), want, "read with a key at hand");
	tap_str(pack_all(a, dir, "sealed", &one), want, "one sealed");
	tap_str(pack_all(a, dir, "sealed", &two), want, "by the second key");
	tap(strstr(pack_all(a, dir, "sealed", &none), "seal=") != NULL,
	    "not without a key, saying where it is missed");
	tap(strstr(pack_all(a, dir, "sealed", &wrong), "seal=") != NULL,
	    "nor with another");
	tap(file_read(a, dir, "plain", 4096, &raw, &e) == 0 &&
	    memmem(raw.p, raw.n, "secret", 6) != NULL, "text in the plain one");
	tap(file_read(a, dir, "sealed", 4096, &raw, &e) == 0 &&
	    memmem(raw.p, raw.n, "secret", 6) == NULL, "none in the other");
}

int
main(void)
{
	const char *path = tap_dir();
	struct arena *a = arena_new();
	struct err e;
	int dir;

	test_frames();
	if ((dir = file_dir(AT_FDCWD, path, &e)) == -1)
		return 99;
	test_packs(a, dir);
	file_remove(AT_FDCWD, path, &e);
	arena_free(a);
	return tap_done();
}
