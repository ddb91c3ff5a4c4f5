/* Creates namespaces by each call and flag, and enters existing ones. */
#include "probe.h"
#include <linux/sched.h>
#include <sys/ioctl.h>

static const struct {
  const char *name;
  uint64_t flag;
} kinds[] = {
    {"mnt", 0x20000},        {"cgroup", 0x02000000}, {"uts", 0x04000000}, {"ipc", 0x08000000},
    {"user", 0x10000000},    {"pid", 0x20000000},    {"net", 0x40000000}, {"time", 0x80},
};

/* In a child process, since the other probes must not run in the new namespace. */
static long in_child(long (*run)(uint64_t), uint64_t flag) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(run(flag) >= 0 ? 0 : errno);
  if (child < 0 || waitpid(child, &status, 0) < 0) return -1;
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : ENOSYS;
  return errno == 0 ? 0 : -1;
}

static long call_unshare(uint64_t flag) { return syscall(SYS_unshare, flag); }
static long finish(long child) {
  if (child == 0) _exit(0);
  return child;
}
static long call_clone(uint64_t flag) { return finish(syscall(SYS_clone, flag | SIGCHLD, 0, 0, 0, 0)); }
static long call_clone_high(uint64_t flag) { return finish(syscall(SYS_clone, flag | SIGCHLD | 1UL << 40, 0, 0, 0, 0)); }
static long call_clone3(uint64_t flag) {
  struct clone_args arguments = {.flags = flag, .exit_signal = SIGCHLD};
  return finish(syscall(SYS_clone3, &arguments, sizeof arguments));
}

static long enter(const char *path, int flag) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : syscall(SYS_setns, fd, flag);
}

static void enter_each(pid_t pid) {
  char path[64];
  for (size_t i = 0; i < COUNT(kinds); i++) {
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i].name);
    tell_result(enter(path, 0), "setns to %s of pid %d", kinds[i].name, pid);
  }
}

static long enter_by_pidfd(void) {
  int fd = (int)syscall(SYS_pidfd_open, 1, 0);
  return fd < 0 ? -1 : syscall(SYS_setns, fd, 0x40000000);
}
/* NS_GET_PARENT and NS_GET_USERNS (ioctl_ns(2)) return namespaces that contain the process's own. */
static long parent_namespace(const char *path, unsigned long request) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : ioctl(fd, request);
}
static long parent_of_pid(void) { return parent_namespace("/proc/self/ns/pid", 0xb702); }
static long parent_of_user(void) { return parent_namespace("/proc/self/ns/user", 0xb702); }
static long owner_of_net(void) { return parent_namespace("/proc/self/ns/net", 0xb701); }

/* The first step of CVE-2022-0185 and CVE-2022-0492: capabilities in a new user namespace. */
static long rights_by_user_namespace(void) {
  if (syscall(SYS_unshare, 0x10020000) < 0) return -1;
  return syscall(SYS_mount, "tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static const struct probe probes[] = {
    {"setns by a pidfd", enter_by_pidfd},
    {"the parent's pid namespace", parent_of_pid},
    {"the parent's user namespace", parent_of_user},
    {"the owner of the network namespace", owner_of_net},
    {"mount in a new user namespace (CVE-2022-0185)", rights_by_user_namespace},
};

void probe_namespaces(void) {
  for (size_t i = 0; i < COUNT(kinds); i++) {
    tell_result(in_child(call_unshare, kinds[i].flag), "unshare of %s", kinds[i].name);
    /* clone(2) takes the bit of CLONE_NEWTIME for a part of the exit signal. */
    if (kinds[i].flag != 0x80) {
      tell_result(in_child(call_clone, kinds[i].flag), "clone of %s", kinds[i].name);
      tell_result(in_child(call_clone_high, kinds[i].flag), "clone of %s with a high bit", kinds[i].name);
    }
    tell_result(in_child(call_clone3, kinds[i].flag), "clone3 of %s", kinds[i].name);
  }
  enter_each(1);
  enter_each(getpid());
  run_probes(probes, COUNT(probes));
}
