/* The host's devices: a container may make any node, but must not open most of them. And the contents of /dev. */
#include "probe.h"
#include <dirent.h>
#include <sys/sysmacros.h>

enum { MAJORS = 262, MINORS = 32, MISC = 10, WATCHDOG_MINOR = 130 };

static const char node[] = "/dev/probed";

/* Devices with a row of their own in the table; the sweep below finds all others. */
static const struct {
  const char *name;
  mode_t type;
  unsigned major, minor;
} devices[] = {
    {"memory", S_IFCHR, 1, 1},        {"ports", S_IFCHR, 1, 4},          {"kmsg", S_IFCHR, 1, 11},      {"virtual console", S_IFCHR, 4, 0},
    {"serial line", S_IFCHR, 4, 64},  {"console", S_IFCHR, 5, 1},        {"disk sda", S_IFBLK, 8, 0},   {"disk sda1", S_IFBLK, 8, 1},
    {"loop0", S_IFBLK, 7, 0},         {"disk vda (254)", S_IFBLK, 254, 0}, {"disk vda (252)", S_IFBLK, 252, 0}, {"tun", S_IFCHR, 10, 200},
    {"fuse", S_IFCHR, 10, 229},       {"kvm", S_IFCHR, 10, 232},         {"loop-control", S_IFCHR, 10, 237}, {"device mapper", S_IFCHR, 10, 236},
    {"vhost-net", S_IFCHR, 10, 238},  {"vhost-vsock", S_IFCHR, 10, 241}, {"uinput", S_IFCHR, 10, 223},  {"hwrng", S_IFCHR, 10, 183},
    {"mice", S_IFCHR, 13, 63},        {"framebuffer", S_IFCHR, 29, 0},   {"ppp", S_IFCHR, 108, 0},      {"graphics", S_IFCHR, 226, 0},
};

/* EPERM means that the device is forbidden. ENXIO means that it is allowed, and that this host does not have it. */
static int may_open(mode_t type, unsigned major, unsigned minor, int flags) {
  unlink(node);
  if (mknod(node, type | 0600, makedev(major, minor)) < 0) return 0;
  int fd = open(node, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  int error = errno;
  if (fd >= 0) close(fd);
  unlink(node);
  errno = error;
  return fd >= 0 || (error != EPERM && error != EACCES);
}

static int is_harmless(mode_t type, unsigned major, unsigned minor) {
  if (type != S_IFCHR) return 0;
  if (major == 1) return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
  return major == 136 || (major == 5 && (minor == 0 || minor == 2));
}

static void sweep(mode_t type, const char *name) {
  for (unsigned major = 0; major < MAJORS; major++)
    for (unsigned minor = 0; minor < MINORS; minor++) {
      if (is_harmless(type, major, minor)) continue;
      if (major == 0 && minor == 0) continue; /* overlayfs's whiteout, no device */
      if (may_open(type, major, minor, O_RDONLY)) tell("open", "", "open of device %s %u:%u", name, major, minor);
    }
}

static void list_dev(const char *directory, int depth) {
  char path[512];
  struct stat stat;
  DIR *entries = opendir(directory);
  if (entries == NULL) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    if (lstat(path, &stat) < 0) continue;
    if (S_ISDIR(stat.st_mode) && depth > 0) list_dev(path, depth - 1);
    if (!S_ISCHR(stat.st_mode) && !S_ISBLK(stat.st_mode)) continue;
    if (is_harmless(stat.st_mode & S_IFMT, major(stat.st_rdev), minor(stat.st_rdev))) continue;
    tell("open", "", "node %s %u:%u", path, major(stat.st_rdev), minor(stat.st_rdev));
  }
  closedir(entries);
}

void probe_devices(void) {
  for (size_t i = 0; i < COUNT(devices); i++) {
    int open_for_reading = may_open(devices[i].type, devices[i].major, devices[i].minor, O_RDONLY);
    tell(open_for_reading ? "open" : "held", strerror(errno), "device %s: read", devices[i].name);
    int open_for_writing = may_open(devices[i].type, devices[i].major, devices[i].minor, O_WRONLY);
    tell(open_for_writing ? "open" : "held", strerror(errno), "device %s: write", devices[i].name);
  }
  sweep(S_IFCHR, "c");
  sweep(S_IFBLK, "b");
  list_dev("/dev", 3);
}
