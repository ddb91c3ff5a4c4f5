/*
 * Standard input and output as a connection to a unix socket: relay SOCKET.
 *
 * WSL has no other way into a distribution that is neither an address nor a port. busybox has no
 * program for it, and Node would take 40 MB and its start for each connection.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
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

/* Until the end of what comes; -1 when nothing can go on. */
static int carry(int from, int to)
{
	for (;;) {
		ssize_t n = read(from, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 || errno == ECONNRESET ? 0 : -1;
		if (write_all(to, (size_t)n) < 0)
			return -1;
	}
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
	/*
	 * A process for each direction: one that waits for the agent to take our input would not take what the
	 * agent says meanwhile, and an agent that waits for that takes no input.
	 */
	pid_t parent = getpid();
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "relay: %s\n", strerror(errno));
		return 1;
	}
	if (child == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			return 1;
		int status = carry(STDIN_FILENO, line) < 0;
		shutdown(line, SHUT_WR);
		return status;
	}
	/* Until the agent's side ends: what it still has to say after our input's end is passed on. */
	return carry(line, STDOUT_FILENO) < 0;
}
