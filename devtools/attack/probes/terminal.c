/* The terminal of a container, attacked from inside. */
#include "probe.h"
#include <sys/ioctl.h>

/* Input that is pushed into the container's terminal must not reach the user's own terminal. */
static long push_input(void) { return ioctl(0, TIOCSTI, "\n"); }
static long paste_selection(void) {
  char subcode = 3;
  return ioctl(0, TIOCLINUX, &subcode);
}
static long take_console(void) { return ioctl(0, TIOCCONS, 0); }
static long terminal_of_the_machine(void) {
  struct stat own, listed;
  char name[64];
  ssize_t length = readlink("/proc/self/fd/0", name, sizeof name - 1);
  if (length < 0 || fstat(0, &own) < 0) return NOTHING;
  name[length] = 0;
  /* The terminal must be in the container's own devpts, by the name that /proc/self/fd/0 has. */
  return stat(name, &listed) < 0 || listed.st_dev != own.st_dev || listed.st_rdev != own.st_rdev ? 0 : held_as(ENOENT);
}
static long console_is_no_terminal(void) {
  struct stat stat_console;
  return lstat("/dev/console", &stat_console) < 0 || !S_ISCHR(stat_console.st_mode) ? 0 : held_as(ENOENT);
}

static const struct probe probes[] = {
    {"terminal: TIOCSTI", push_input},
    {"terminal: TIOCLINUX", paste_selection},
    {"terminal: TIOCCONS", take_console},
    {"terminal: it lies in the machine's devpts", terminal_of_the_machine},
    {"terminal: /dev/console is something else (CVE-2025-52565)", console_is_no_terminal},
};

void probe_terminal(void) { run_probes(probes, COUNT(probes)); }
