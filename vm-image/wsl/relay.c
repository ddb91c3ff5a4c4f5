/*
 * Standard input and output as a connection to a unix socket: relay SOCKET.
 *
 * WSL has no other way into a distribution that is neither an address nor a port. busybox has no
 * program for it, and Node would take 40 MB and its start for each connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char buffer[64 * 1024];

static int write_all(int to, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = write(to, buffer + done, length - done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Moves one piece. 0 at the end of input, -1 when nothing can go on. */
static int move(int from, int to)
{
	ssize_t n = read(from, buffer, sizeof buffer);
	if (n < 0)
		return errno == EINTR ? 1 : errno == ECONNRESET ? 0 : -1;
	if (n == 0)
		return 0;
	return write_all(to, (size_t)n) < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
		fprintf(stderr, "usage: relay SOCKET\n");
		return 64;
	}
	strcpy(address.sun_path, argv[1]);
	int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (line < 0 || connect(line, (struct sockaddr *)&address, sizeof address) < 0) {
		fprintf(stderr, "relay: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	struct pollfd ends[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = line, .events = POLLIN}};
	/* Until the agent's side ends: what it still has to say after our input's end is passed on. */
	while (ends[1].fd >= 0) {
		if (poll(ends, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (ends[0].revents != 0) {
			int going = move(STDIN_FILENO, line);
			if (going < 0)
				return 1;
			if (going == 0) {
				shutdown(line, SHUT_WR);
				ends[0].fd = -1;
			}
		}
		if (ends[1].revents != 0) {
			int going = move(line, STDOUT_FILENO);
			if (going < 0)
				return 1;
			if (going == 0)
				ends[1].fd = -1;
		}
	}
	return 0;
}
