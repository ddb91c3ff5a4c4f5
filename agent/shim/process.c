/* Steps of the child that set up its process. Each fails with errno. */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

/* The number -1 means the container's own /dev/null. */
void set_stdio(struct bytes *step) {
  for (int number = 0; number < 3; number++) {
    int fd = (int)take_u32(step);
    int source = fd < 0 ? open_null(O_RDWR) : fd;
    check(dup2(source, number));
    if (fd < 0) close(source);
  }
}

/*
 * Changes the owner of stdio, so that the image's user can reopen /dev/stdout. It never changes a device of the host:
 * only pipes and the container's terminal.
 */
void own_stdio(struct bytes *step) {
  uid_t uid = take_u32(step);
  gid_t gid = take_u32(step);
  for (int fd = 0; fd < 3; fd++) {
    struct stat stat;
    check(fstat(fd, &stat));
    if (S_ISFIFO(stat.st_mode)) check(fchown(fd, uid, gid));
    else if (S_ISCHR(stat.st_mode) && (start.io & IO_TERMINAL)) check(fchown(fd, uid, (gid_t)-1));
  }
}

/* After chdir the directory must be inside the root (CVE-2024-21626): the kernel then returns an absolute path. */
void change_directory(struct bytes *step) {
  char path[4096];
  check(chdir(take_string(step)));
  check(syscall(SYS_getcwd, path, sizeof path));
  if (path[0] != '/') fail_step(EXDEV);
}

void drop_bounding(uint64_t keep) {
  for (unsigned long capability = 0; capability < 64; capability++) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return; /* beyond this kernel's last */
    if (!(keep >> capability & 1)) check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
}

/* The order of credentials(7): capabilities are kept across setuid, so that exactly those of the plan remain. */
void set_ids(struct bytes *step) {
  uid_t uid = take_u32(step);
  gid_t gid = take_u32(step);
  check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  check(setresgid(gid, gid, gid));
  check(setresuid(uid, uid, uid));
  check(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
}

void set_capabilities(struct bytes *step) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct own[2], data[2];
  uint64_t effective = take_u64(step), permitted = take_u64(step), inheritable = take_u64(step);
  check(syscall(SYS_capget, &header, own));
  for (int half = 0; half < 2; half++) {
    /* A machine that lacks a capability itself (a nested container) cannot grant it. */
    data[half].permitted = (uint32_t)(permitted >> 32 * half) & own[half].permitted;
    data[half].effective = (uint32_t)(effective >> 32 * half) & data[half].permitted;
    data[half].inheritable = (uint32_t)(inheritable >> 32 * half) & own[half].permitted;
  }
  check(syscall(SYS_capset, &header, data));
}

void raise_ambient(uint64_t wanted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct own[2];
  check(syscall(SYS_capget, &header, own));
  check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  wanted &= (uint64_t)own[1].permitted << 32 | own[0].permitted; /* as above: not what the machine does not have */
  for (unsigned long capability = 0; capability < 64; capability++)
    if (wanted >> capability & 1) check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
}

void load_seccomp(struct bytes *step) {
  unsigned flags = take_u32(step);
  int gate = (int)take_u32(step);
  struct sock_fprog program = {(unsigned short)(step->left / sizeof(struct sock_filter)), (struct sock_filter *)step->at};
  if (step->left % sizeof(struct sock_filter) != 0 || step->left / sizeof(struct sock_filter) > BPF_MAXINSNS) fail_step(EPROTO);
  int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  check(listener);
  if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) return;
  /* The listener gets its descriptor before the filter can send a notification. */
  wait_at(gate, (uint32_t)listener);
  close(listener);
}

void set_groups(struct bytes *step) {
  gid_t groups[1024];
  size_t count = step->left / sizeof(gid_t);
  if (count > sizeof groups / sizeof *groups) fail_step(EINVAL);
  for (size_t i = 0; i < count; i++) groups[i] = take_u32(step);
  check(syscall(SYS_setgroups, count, groups));
}

/* Only raising needs the machine's root; lowering may come later, when it does not affect the shim's own work. */
void set_rlimit(struct bytes *step) {
  int resource = (int)take_u32(step);
  uint32_t raise_only = take_u32(step);
  rlim_t soft = take_u64(step), hard = take_u64(step);
  struct rlimit limit = {soft, hard}, before;
  check(getrlimit(resource, &before));
  if (raise_only && hard <= before.rlim_max) return;
  if (raise_only) limit.rlim_cur = before.rlim_cur;
  check(setrlimit(resource, &limit));
}

/* The kernel reads as many bytes as the first four say. */
void set_scheduler(struct bytes *step) {
  const void *attributes = step->at;
  size_t length = step->left;
  if (take_u32(step) > length) fail_step(EPROTO);
  check(syscall(SYS_sched_setattr, 0, attributes, 0));
  step->left = 0;
}

/* A CPU mask with the length of the plan's. */
void set_affinity(struct bytes *step) {
  check(syscall(SYS_sched_setaffinity, 0, step->left, step->at));
  step->left = 0;
}

void join_keyring(void) {
  if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 && errno != ENOSYS)
    fail_step(errno); /* ENOSYS: a kernel without keyrings has none to share */
}
