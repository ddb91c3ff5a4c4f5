/* Sends every datagram back to where it came from. Usage: udp-echo PORT */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct sockaddr_in own = { .sin_family = AF_INET }, other;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc != 2)
		return 2;
	own.sin_port = htons(atoi(argv[1]));
	if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0)
		return 1;
	for (;;) {
		socklen_t size = sizeof other;
		ssize_t length = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&other, &size);
		if (length >= 0)
			sendto(fd, buffer, length, 0, (struct sockaddr *)&other, size);
	}
}
