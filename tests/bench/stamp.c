/* SPDX-License-Identifier: Apache-2.0 */
/* stamp FILE - note when we began, in ns: the job of the spool benchmark */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct timespec ts;
	char text[40];
	int fd, n;

	clock_gettime(CLOCK_REALTIME, &ts);
	n = snprintf(text, sizeof(text), "%lld%09ld\n", (long long)ts.tv_sec,
	    ts.tv_nsec);
	fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) : 1;
	return write(fd, text, (size_t)n) != n;
}
