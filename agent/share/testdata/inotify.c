/* Prints what inotify says of each path given, one event a line. Usage: inotify PATH... */
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const struct { uint32_t bit; const char *name; } names[] = {
		{ IN_CREATE, "create" }, { IN_MODIFY, "modify" }, { IN_ATTRIB, "attrib" },
		{ IN_CLOSE_WRITE, "close-write" }, { IN_DELETE, "delete" }, { IN_DELETE_SELF, "delete-self" },
		{ IN_MOVED_FROM, "from" }, { IN_MOVED_TO, "to" }, { IN_MOVE_SELF, "move-self" },
		{ IN_ISDIR, "dir" }, { IN_IGNORED, "ignored" }, { IN_Q_OVERFLOW, "overflow" } };
	static char buffer[65536] __attribute__((aligned(8)));
	uint32_t wanted = IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE |
			  IN_DELETE_SELF | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF;
	int fd = inotify_init1(0);
	for (int i = 1; i < argc; i++)
		if (inotify_add_watch(fd, argv[i], wanted) != i)
			return 1;
	puts("ready");
	fflush(stdout);
	for (ssize_t length; (length = read(fd, buffer, sizeof buffer)) > 0;) {
		for (char *at = buffer; at < buffer + length;) {
			struct inotify_event *event = (struct inotify_event *)at;
			printf("%d", event->wd);
			for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
				if (event->mask & names[i].bit)
					printf(" %s", names[i].name);
			printf(" %s\n", event->len > 0 ? event->name : "");
			at += sizeof *event + event->len;
		}
		fflush(stdout);
	}
	return 0;
}
