/*
 * The shim: the parent of one container (or of one exec'd process) and the only reader of a
 * container's output. It knows no policy. It gets a finished plan (agent/runtime/plan.ts) on
 * descriptor 3, clones a child that carries the plan's steps out in order and ends in execve, and
 * then stays in the host's namespaces to write the log and, at the end, the exit record.
 *
 * The shim outlives the agent: every signal but SIGUSR1 ("close stdin") and SIGUSR2 ("the log has
 * other limits") is blocked and stays unread, and nothing it does depends on anyone at the other end of a pipe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include "user-namespace.h"

/* Descriptors that agent/runtime/plan.ts puts here, `/dev/null` where the plan has no use for one. */
enum {
  FD_PLAN = 3,
  FD_ALIVE = 4,   /* write end of the FIFO whose EOF is our death */
  FD_RUN = 5,     /* run directory */
  FD_LOG_DIR = 6, /* log directory */
  FD_INPUT = 7,   /* write end of stdin, or the terminal's master; the agent takes it by pidfd_getfd */
  FD_OUT = 8,     /* read end of stdout; with a terminal its slave, held so that the master never hangs up */
  FD_ERR = 9,
  FD_PROC = 10, /* a procfs that is mounted nowhere, so that nothing can be mounted over it */
  /* The shim's own. */
  FD_PIDFD = 11, /* the child; the agent takes it too */
  FD_SIGNALS = 12,
  FD_LOG = 13,
  FD_PEER = 14,      /* socket between shim and child, closed by execve */
  FD_FIRST_FREE = 15 /* the plan's other descriptors */
};

/* Tags of the plan; the same numbers are in agent/runtime/plan.ts. */
enum {
  STEP_START = 1, STEP_WRITE, STEP_PROC_WRITE, STEP_SETNS, STEP_UNSHARE, STEP_SESSION, STEP_STDIO,
  STEP_MOUNT_PROC, STEP_ATTACH, STEP_MASK, STEP_READONLY, STEP_CLOSE, STEP_CHDIR, STEP_RLIMIT,
  STEP_KEYRING, STEP_UMASK, STEP_GROUPS, STEP_BOUNDING, STEP_IDS, STEP_CAPABILITIES, STEP_AMBIENT,
  STEP_NO_NEW_PRIVILEGES, STEP_SECCOMP, STEP_OWN_STDIO, STEP_EXEC, STEP_USER
};

/* Only in plans of the OCI command (agent/oci). */
enum {
  STEP_WAIT = 64, STEP_PIVOT, STEP_SCHEDULER, STEP_IO_PRIORITY, STEP_RENEW, STEP_UNBINDABLE
};

enum { PLAN_VERSION = 1, IO_INPUT = 1, IO_OUT = 2, IO_ERR = 4, IO_TERMINAL = 8, IO_LOG = 16, IO_LEAVE = 32, IO_MOVES = 64 };

/* What is written to the alive FIFO and, by the child, to FD_PEER. */
enum { REPORT_STARTED = 1, REPORT_FAILED = 2, REPORT_WAITING = 3, REPORT_MOVED = 4 };
struct report {
  uint32_t kind, value, error; /* STARTED, WAITING, MOVED: pid, 0. FAILED: the step's index, errno. */
};

struct bytes {
  const unsigned char *at;
  size_t left;
};

struct start {
  uint32_t version, clone_flags;
  int32_t cgroup_fd, pid_namespace_fd;
  uint32_t io, log_number;
  uint64_t log_max_bytes;
  uint32_t log_max_files, unused;
};

static struct start start;
static uint32_t step_index;
static int peer = FD_PEER; /* where the child reports */

static void write_all(int fd, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t count = write(fd, at, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return; /* nobody listens any more: the container comes first */
    at += count;
    length -= (size_t)count;
  }
}

/* ---- The plan: tag u32, length u32, bytes; lengths are padded to 8. ---- */

static _Noreturn void fail(int fd, int error) {
  struct report report = {REPORT_FAILED, step_index, (uint32_t)error};
  write_all(fd, &report, sizeof report);
  _exit(1);
}

/* In the child: which step failed, and why. */
static _Noreturn void fail_step(int error) { fail(peer, error); }

static const void *take(struct bytes *bytes, size_t length) {
  if (length > bytes->left) fail_step(EPROTO);
  const void *at = bytes->at;
  bytes->at += length;
  bytes->left -= length;
  return at;
}

static uint32_t take_u32(struct bytes *bytes) {
  uint32_t value;
  memcpy(&value, take(bytes, sizeof value), sizeof value);
  return value;
}

static uint64_t take_u64(struct bytes *bytes) {
  uint64_t value;
  memcpy(&value, take(bytes, sizeof value), sizeof value);
  return value;
}

static const char *take_string(struct bytes *bytes) {
  const void *end = memchr(bytes->at, 0, bytes->left);
  if (end == NULL) fail_step(EPROTO);
  return take(bytes, (size_t)((const unsigned char *)end - bytes->at) + 1);
}

static char **take_strings(struct bytes *bytes) {
  uint32_t count = take_u32(bytes);
  if (count > bytes->left) fail_step(EPROTO);
  char **strings = calloc((size_t)count + 1, sizeof *strings);
  if (strings == NULL) fail_step(ENOMEM);
  for (uint32_t i = 0; i < count; i++) strings[i] = (char *)take_string(bytes);
  return strings;
}

/* Takes the next step; 0 at the end of the plan. */
static uint32_t take_step(struct bytes *plan, struct bytes *step) {
  if (plan->left == 0) return 0;
  uint32_t tag = take_u32(plan), length = take_u32(plan);
  size_t padded = ((size_t)length + 7) & ~(size_t)7;
  step->at = take(plan, padded);
  step->left = length;
  return tag;
}

/* ---- Steps of the child. Each fails with errno. ---- */

static void check(long result) {
  if (result < 0) fail_step(errno);
}

static int open_by(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* In the container: the root was pivoted, so only links could still mislead. */
static int open_inside(const char *path, uint64_t flags) {
  return open_by(AT_FDCWD, path, flags, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* /dev/null, proved to be one: an image's own file there must not end up as a mask (CVE-2025-31133). */
static int open_null(uint64_t flags) {
  struct stat stat;
  int fd = open_inside("/dev/null", flags);
  check(fd);
  check(fstat(fd, &stat));
  if (!S_ISCHR(stat.st_mode) || stat.st_rdev != makedev(1, 3)) fail_step(ENXIO);
  return fd;
}

static int clone_mount(int fd, unsigned flags) {
  int tree = (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  check(tree);
  return tree;
}

static void attach(int tree, int target) {
  check(syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static int new_filesystem(const char *type, unsigned attributes) {
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  check(context);
  check(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", type, 0));
  check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  int tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  check(tree);
  close(context);
  return tree;
}

/* In a user namespace the kernel wants to see a procfs before it makes one: what the launcher put there for that goes. */
static void mount_proc(struct bytes *step) {
  unsigned attributes = take_u32(step), replaces = take_u32(step);
  const char *path = take_string(step);
  int tree = new_filesystem("proc", attributes);
  if (replaces) check(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  int target = open_inside(path, O_PATH | O_DIRECTORY);
  check(target);
  attach(tree, target);
  close(tree);
  close(target);
}

/* One read-only tmpfs covers every masked directory. The first gets it as it is: before Linux 6.15 only what is
 * attached can be cloned. */
static int empty_directory(void) {
  static int attached = -1;
  if (attached >= 0) return clone_mount(attached, 0);
  int tree = new_filesystem("tmpfs", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  attached = fcntl(tree, F_DUPFD_CLOEXEC, FD_FIRST_FREE);
  check(attached);
  return tree;
}

static int null_device(void) {
  int fd = open_null(O_PATH), tree = clone_mount(fd, 0);
  close(fd);
  return tree;
}

static void mask(struct bytes *step) {
  struct stat stat;
  int target = open_inside(take_string(step), O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return; /* this kernel has nothing to hide there */
  check(target);
  check(fstat(target, &stat));
  int tree = S_ISDIR(stat.st_mode) ? empty_directory() : null_device();
  attach(tree, target);
  close(tree);
  close(target);
}

static void make_readonly(struct bytes *step) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY}; /* nosuid, nodev and noexec stay as they are */
  int target = open_inside(take_string(step), O_PATH);
  if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  check(target);
  int tree = clone_mount(target, AT_RECURSIVE);
  check(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes));
  attach(tree, target);
  close(tree);
  close(target);
}

static void write_proc(struct bytes *step) {
  const char *path = take_string(step);
  int fd = open_by(FD_PROC, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  check(fd);
  check(write(fd, step->at, step->left));
  close(fd);
}

/* -1 as a number means the container's own /dev/null. */
static void set_stdio(struct bytes *step) {
  for (int number = 0; number < 3; number++) {
    int fd = (int)take_u32(step);
    int source = fd < 0 ? open_null(O_RDWR) : fd;
    check(dup2(source, number));
    if (fd < 0) close(source);
  }
}

/* So that the image's user can reopen /dev/stdout. Never a device of the host: only pipes, and our own terminal. */
static void own_stdio(struct bytes *step) {
  uid_t uid = take_u32(step);
  gid_t gid = take_u32(step);
  for (int fd = 0; fd < 3; fd++) {
    struct stat stat;
    check(fstat(fd, &stat));
    if (S_ISFIFO(stat.st_mode)) check(fchown(fd, uid, gid));
    else if (S_ISCHR(stat.st_mode) && (start.io & IO_TERMINAL)) check(fchown(fd, uid, (gid_t)-1));
  }
}

/* After chdir the directory must lie inside the root (CVE-2024-21626): the kernel then gives an absolute path. */
static void change_directory(struct bytes *step) {
  char path[4096];
  check(chdir(take_string(step)));
  check(syscall(SYS_getcwd, path, sizeof path));
  if (path[0] != '/') fail_step(EXDEV);
}

static void drop_bounding(uint64_t keep) {
  for (unsigned long capability = 0; capability < 64; capability++) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return; /* beyond this kernel's last */
    if (!(keep >> capability & 1)) check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
}

/* Order as in credentials(7): keep capabilities across setuid, so that only what the plan lists remains. */
static void set_ids(struct bytes *step) {
  uid_t uid = take_u32(step);
  gid_t gid = take_u32(step);
  check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  check(setresgid(gid, gid, gid));
  check(setresuid(uid, uid, uid));
  check(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
}

static void set_capabilities(struct bytes *step) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct own[2], data[2];
  uint64_t effective = take_u64(step), permitted = take_u64(step), inheritable = take_u64(step);
  check(syscall(SYS_capget, &header, own));
  for (int half = 0; half < 2; half++) {
    /* A machine that does not have a capability itself (a nested container) cannot hand it on. */
    data[half].permitted = (uint32_t)(permitted >> 32 * half) & own[half].permitted;
    data[half].effective = (uint32_t)(effective >> 32 * half) & data[half].permitted;
    data[half].inheritable = (uint32_t)(inheritable >> 32 * half) & data[half].permitted;
  }
  check(syscall(SYS_capset, &header, data));
}

static void raise_ambient(uint64_t wanted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct own[2];
  check(syscall(SYS_capget, &header, own));
  check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  wanted &= (uint64_t)own[1].permitted << 32 | own[0].permitted; /* as above: not what the machine does not have */
  for (unsigned long capability = 0; capability < 64; capability++)
    if (wanted >> capability & 1) check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
}

static void load_seccomp(struct bytes *step) {
  unsigned flags = take_u32(step);
  take_u32(step); /* keeps the instructions aligned */
  struct sock_fprog program = {(unsigned short)(step->left / sizeof(struct sock_filter)), (struct sock_filter *)step->at};
  if (step->left % sizeof(struct sock_filter) != 0 || step->left / sizeof(struct sock_filter) > BPF_MAXINSNS) fail_step(EPROTO);
  check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

static void set_groups(struct bytes *step) {
  gid_t groups[1024];
  size_t count = step->left / sizeof(gid_t);
  if (count > sizeof groups / sizeof *groups) fail_step(EINVAL);
  for (size_t i = 0; i < count; i++) groups[i] = take_u32(step);
  check(syscall(SYS_setgroups, count, groups));
}

/* To raise alone takes the machine's root; the limit itself may come later, when it hinders nothing of ours. */
static void set_rlimit(struct bytes *step) {
  int resource = (int)take_u32(step);
  uint32_t raise_only = take_u32(step);
  rlim_t soft = take_u64(step), hard = take_u64(step);
  struct rlimit limit = {soft, hard}, before;
  check(getrlimit(resource, &before));
  if (raise_only && hard <= before.rlim_max) return;
  if (raise_only) limit.rlim_cur = before.rlim_cur;
  check(setrlimit(resource, &limit));
}

static void join_keyring(void) {
  if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0 && errno != ENOSYS)
    fail_step(errno); /* ENOSYS: a kernel without keyrings has none to share */
}

/* Until the shim has written our pid down; if it died before that, nobody would know of us. */
static void await_shim(void) {
  static int known;
  char go;
  if (!known && read(FD_PEER, &go, 1) != 1) _exit(1);
  known = 1;
}

/*
 * Goes on when a byte comes, and ends when its writer has gone. With a place for reports of its own the child is from
 * here on alone: the shim sees the socket close, takes that for the start, and may leave.
 */
static void wait_outside(struct bytes *step) {
  char go;
  int gate = (int)take_u32(step), reports = (int)take_u32(step);
  await_shim();
  if (reports < 0) {
    struct report report = {REPORT_WAITING, 0, 0};
    write_all(FD_PEER, &report, sizeof report);
  } else {
    check(dup3(reports, FD_PEER, O_CLOEXEC));
    close(reports);
  }
  if (read(gate, &go, 1) != 1) _exit(1);
  close(gate);
}

/* As the launcher does it where no hook wants to see the host's tree beside the container's (agent/kernel/mount.ts). */
static void pivot(struct bytes *step) {
  int root = (int)take_u32(step);
  take_u32(step);
  struct mount_attr attributes = {.attr_set = take_u64(step)};
  if (attributes.attr_set != 0) check(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
  check(fchdir(root));
  check(syscall(SYS_pivot_root, ".", "."));
  check(umount2(".", MNT_DETACH));
  check(chdir("/"));
  struct mount_attr change = {.propagation = take_u64(step)};
  int flags = take_u64(step) ? AT_RECURSIVE : 0;
  if (change.propagation != 0) check(syscall(SYS_mount_setattr, AT_FDCWD, "/", flags, &change, sizeof change));
}

/*
 * Puts a copy of a mount, with what is mounted below it, in its place. The kernel lists mounts in the order in which
 * they were made, and the specification wants those after /proc to come after it.
 */
static void renew(const char *path) {
  int target = open_inside(path, O_PATH);
  if (target < 0 && errno == ELOOP) return; /* the image's links lead there: it stays where it was mounted */
  check(target);
  int tree = clone_mount(target, AT_RECURSIVE);
  struct stat stat;
  check(fstat(target, &stat));
  if (S_ISDIR(stat.st_mode)) {
    check(fchdir(target));
    check(umount2(".", MNT_DETACH));
    check(chdir("/"));
  } else {
    check(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  }
  close(target);
  target = open_inside(path, O_PATH);
  check(target);
  attach(tree, target);
  close(tree);
  close(target);
}

/* Last of all, since what is unbindable cannot be made anew. */
static void make_unbindable(struct bytes *step) {
  struct mount_attr change = {.propagation = MS_UNBINDABLE};
  int flags = AT_EMPTY_PATH | (take_u32(step) ? AT_RECURSIVE : 0);
  int target = open_by(AT_FDCWD, take_string(step), O_PATH, RESOLVE_NO_MAGICLINKS);
  check(target);
  check(syscall(SYS_mount_setattr, target, "", flags, &change, sizeof change));
  close(target);
}

/*
 * Everything but the socket and what the plan still needs, which becomes FD_FIRST_FREE and on. The plan lists those in
 * ascending order, so that none is overwritten before it was moved.
 */
static void close_others(struct bytes *step) {
  unsigned next = FD_FIRST_FREE;
  for (; step->left > 0; next++) {
    int fd = (int)take_u32(step);
    check(fd == (int)next ? fcntl(fd, F_SETFD, FD_CLOEXEC) : dup3(fd, (int)next, O_CLOEXEC));
  }
  check(syscall(SYS_close_range, 3, FD_PEER - 1, 0));
  check(syscall(SYS_close_range, next, ~0U, 0));
}

/* The caller's own descriptors become 3 and on of the program, and nothing else of ours reaches it. */
static void hand_on(unsigned first, unsigned count) {
  if (count > 0) {
    peer = fcntl(FD_PEER, F_DUPFD_CLOEXEC, (int)(first + count));
    if (peer < 0) _exit(1);
  }
  for (unsigned i = 0; i < count; i++) check(dup2((int)(first + i), (int)(3 + i)));
  /* EPERM, ENOSYS: a seccomp profile older than the call refuses it; STEP_CLOSE has left nothing that survives execve. */
  if (syscall(SYS_close_range, 3 + count, ~0U, CLOSE_RANGE_CLOEXEC) < 0 && errno != EPERM && errno != ENOSYS) fail_step(errno);
}

/* ---- --init: PID 1 that forwards signals and reaps. ---- */

static _Noreturn void be_init(pid_t child) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&all, &info) < 0) continue;
    if (info.si_signo != SIGCHLD) {
      /* The terminal already told its whole foreground group; only a sender's signal is passed on. */
      if (info.si_code != SI_KERNEL) kill(child, info.si_signo);
      continue;
    }
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == child) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

static void split_init(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  pid_t child = fork();
  check(child);
  if (child > 0) {
    close(FD_PEER);
    be_init(child);
  }
  /* A group of its own in the terminal's foreground, so that job control works below a PID 1 that is not a shell. */
  setpgid(0, 0);
  if (start.io & IO_TERMINAL) {
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpid());
    signal(SIGTTOU, SIG_DFL);
  }
}

static _Noreturn void execute(struct bytes *step) {
  sigset_t none;
  uint32_t with_init = take_u32(step), first = take_u32(step), count = take_u32(step);
  const char *program = take_string(step);
  char **arguments = take_strings(step);
  environ = take_strings(step);
  if (arguments[0] == NULL) fail_step(EINVAL);
  await_shim();
  if (with_init) split_init();
  sigemptyset(&none);
  check(sigprocmask(SIG_SETMASK, &none, NULL));
  hand_on(first, count);
  execvpe(program, arguments, environ); /* searches PATH of the new environment */
  fail_step(errno);
}

/*
 * A pid namespace belongs to the user namespace of whoever clones into it. So with flags the rest of
 * the plan is another process's: it is born in both, and we tell the shim and leave.
 */
static void enter_user(struct bytes *step) {
  int fd = (int)take_u32(step);
  uint32_t flags = take_u32(step);
  check(enter_user_namespace(fd));
  pid_t pid = flags == 0 ? 0 : clone_sibling(flags);
  check(pid);
  if (pid == 0) return;
  struct report report = {REPORT_MOVED, (uint32_t)pid, 0};
  write_all(FD_PEER, &report, sizeof report);
  _exit(0);
}

static _Noreturn void run_plan(struct bytes plan) {
  struct bytes step;
  for (uint32_t tag; (tag = take_step(&plan, &step)) != 0; step_index++) {
    switch (tag) {
      case STEP_WRITE: {
        int fd = (int)take_u32(&step);
        check(write(fd, step.at, step.left));
        step.left = 0;
        break;
      }
      case STEP_PROC_WRITE: write_proc(&step); step.left = 0; break;
      case STEP_SETNS: {
        int fd = (int)take_u32(&step);
        check(setns(fd, (int)take_u32(&step)));
        break;
      }
      case STEP_USER: enter_user(&step); break;
      case STEP_UNSHARE: check(unshare((int)take_u32(&step))); break;
      case STEP_SESSION:
        check(setsid());
        if (take_u32(&step)) check(ioctl(0, TIOCSCTTY, 0));
        break;
      case STEP_STDIO: set_stdio(&step); break;
      case STEP_OWN_STDIO: own_stdio(&step); break;
      case STEP_MOUNT_PROC: mount_proc(&step); break;
      case STEP_ATTACH: {
        int tree = (int)take_u32(&step), target = open_inside(take_string(&step), O_PATH);
        check(target);
        attach(tree, target);
        close(target);
        break;
      }
      case STEP_MASK: mask(&step); break;
      case STEP_READONLY: make_readonly(&step); break;
      case STEP_CLOSE: close_others(&step); break;
      case STEP_CHDIR: change_directory(&step); break;
      case STEP_RLIMIT: set_rlimit(&step); break;
      case STEP_KEYRING: join_keyring(); break;
      case STEP_UMASK: umask(take_u32(&step)); break;
      case STEP_GROUPS: set_groups(&step); break;
      case STEP_BOUNDING: drop_bounding(take_u64(&step)); break;
      case STEP_IDS: set_ids(&step); break;
      case STEP_CAPABILITIES: set_capabilities(&step); break;
      case STEP_AMBIENT: raise_ambient(take_u64(&step)); break;
      case STEP_NO_NEW_PRIVILEGES: check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); break;
      case STEP_SECCOMP: load_seccomp(&step); step.left = 0; break;
      case STEP_EXEC: execute(&step);
      case STEP_WAIT: wait_outside(&step); break;
      case STEP_PIVOT: pivot(&step); break;
      case STEP_RENEW: renew(take_string(&step)); break;
      case STEP_UNBINDABLE: make_unbindable(&step); break;
      case STEP_SCHEDULER: check(syscall(SYS_sched_setattr, 0, step.at, 0)); step.left = 0; break;
      case STEP_IO_PRIORITY: check(syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int)take_u32(&step))); break;
      default: fail_step(EPROTO);
    }
    if (step.left != 0) fail_step(EPROTO);
  }
  fail_step(EPROTO); /* a plan that does not end in STEP_EXEC */
}

/* ---- The log: records of a 16-byte header and up to 64 KiB, in numbered files. ---- */

struct record {
  uint64_t nanoseconds; /* CLOCK_REALTIME */
  uint32_t length;
  uint8_t stream, flags;
  uint16_t magic;
};

static struct { uint32_t number; uint64_t size; int open; } log_file;

static void open_log(uint32_t number) {
  char name[32];
  struct stat stat;
  log_file.open = 0;
  log_file.number = number;
  snprintf(name, sizeof name, "%08u.log", number);
  int fd = openat(FD_LOG_DIR, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0 || fstat(fd, &stat) < 0) return; /* tried again at the next record */
  dup3(fd, FD_LOG, O_CLOEXEC);
  close(fd);
  log_file.size = (uint64_t)stat.st_size;
  log_file.open = 1;
}

/* The limit may have come down by more than one: backwards from the first that is too old to the first that is gone. */
static void prune_log(void) {
  char name[32];
  if (start.log_max_files == 0 || log_file.number <= start.log_max_files) return;
  for (uint32_t number = log_file.number - start.log_max_files; number > 0; number--) {
    snprintf(name, sizeof name, "%08u.log", number);
    if (unlinkat(FD_LOG_DIR, name, 0) < 0) return;
  }
}

static void rotate_log(void) {
  open_log(log_file.number + 1);
  if (log_file.open) prune_log();
}

/* One writev a record: a reader that follows never sees half of one. A full disk costs lines, never the container. */
static void append_record(int stream, const char *data, size_t length) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct record record = {(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, (uint32_t)length, (uint8_t)stream, 0, 0x4C43};
  size_t total = sizeof record + length;
  if (!log_file.open) open_log(log_file.number);
  else if (start.log_max_bytes != 0 && log_file.size != 0 && log_file.size + total > start.log_max_bytes) rotate_log();
  if (!log_file.open) return;
  struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, length}};
  ssize_t written = writev(FD_LOG, parts, 2);
  if (written == (ssize_t)total) log_file.size += total;
  else if (written > 0 && ftruncate(FD_LOG, (off_t)log_file.size) < 0) log_file.open = 0;
}

/* ---- The parent. ---- */

static uint64_t start_time_of(pid_t pid) {
  char path[32], stat[1024];
  snprintf(path, sizeof path, "%d/stat", pid);
  int fd = openat(FD_PROC, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, stat, sizeof stat - 1);
  close(fd);
  if (length <= 0) return 0;
  stat[length] = 0;
  char *at = strrchr(stat, ')'); /* the name may hold anything, but it ends in the last parenthesis */
  for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
  return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static void write_run_file(const char *name, const char *temporary, const char *text, int length, int durable) {
  int fd = openat(FD_RUN, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return; /* the run directory was removed: nobody will ask */
  write_all(fd, text, (size_t)length);
  renameat(FD_RUN, temporary, FD_RUN, name);
  if (durable) {
    close(FD_ALIVE); /* tells the agent; what follows need not keep it waiting */
    fsync(fd);
    fsync(FD_RUN);
  }
  close(fd);
}

static void write_pids(pid_t child) {
  char text[96];
  int length = snprintf(text, sizeof text, "%d %llu %d %llu\n", getpid(), (unsigned long long)start_time_of(getpid()), child,
                        (unsigned long long)start_time_of(child));
  write_run_file("pids", "pids.tmp", text, length, 0);
}

static void write_exit(void) {
  char text[96];
  siginfo_t info = {0};
  struct timespec now;
  waitid((idtype_t)3 /* P_PIDFD */, FD_PIDFD, &info, WEXITED);
  clock_gettime(CLOCK_REALTIME, &now);
  int signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  int code = signal == 0 ? info.si_status : 128 + signal;
  int length = snprintf(text, sizeof text, "%d %d %lld%09ld\n", code, signal, (long long)now.tv_sec, now.tv_nsec);
  write_run_file("exit", "exit.tmp", text, length, 1);
}

/* Reads once and logs it; 0 when nothing more will come. */
static int copy_output(int fd, int stream) {
  static char buffer[65536];
  ssize_t count = read(fd, buffer, sizeof buffer);
  if (count > 0 && (start.io & IO_LOG)) append_record(stream, buffer, (size_t)count);
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

static int is_readable(int fd) {
  struct pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1 && (one.revents & POLLIN);
}

/* "<bytes a file> <files>", renamed into place by the agent before it signals. */
static void take_log_limits(void) {
  char text[64], *bytes_end, *files_end;
  int fd = openat(FD_RUN, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return;
  text[length] = 0;
  uint64_t bytes = strtoull(text, &bytes_end, 10);
  unsigned long files = strtoul(bytes_end, &files_end, 10);
  if (bytes_end == text || files_end == bytes_end || files > UINT32_MAX) return; /* not two numbers: the old ones hold */
  start.log_max_bytes = bytes;
  start.log_max_files = (uint32_t)files;
  if (start.io & IO_LOG) prune_log();
}

static void take_signal(void) {
  struct signalfd_siginfo info;
  if (read(FD_SIGNALS, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGUSR2) take_log_limits();
  else if ((start.io & IO_INPUT) && !(start.io & IO_TERMINAL)) close(FD_INPUT);
}

/* Until the child has ended: its output into the log. What is then still in the pipes is read, not waited for. */
static void supervise(void) {
  struct pollfd fds[4] = {
      {!(start.io & IO_OUT) ? -1 : start.io & IO_TERMINAL ? FD_INPUT : FD_OUT, POLLIN, 0},
      {start.io & IO_ERR ? FD_ERR : -1, POLLIN, 0},
      {FD_PIDFD, POLLIN, 0},
      {FD_SIGNALS, POLLIN, 0},
  };
  do {
    if (poll(fds, 4, -1) < 0) continue;
    if (fds[3].revents) take_signal();
    for (int stream = 0; stream < 2; stream++)
      if (fds[stream].revents && !copy_output(fds[stream].fd, stream + 1)) fds[stream].fd = -1;
  } while (!fds[2].revents);
  /* Without a pid namespace something may still be writing, so there is an end to it: more than a pipe can hold. */
  for (int stream = 0; stream < 2; stream++)
    for (int reads = 0; reads < 256 && fds[stream].fd >= 0 && is_readable(fds[stream].fd); reads++)
      if (!copy_output(fds[stream].fd, stream + 1)) break;
}

static void place(int fd, int number) {
  if (dup3(fd, number, O_CLOEXEC) < 0) fail(FD_ALIVE, errno);
  close(fd);
}

static void watch_signals(void) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  int fd = signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) fail(FD_ALIVE, errno);
  place(fd, FD_SIGNALS);
}

static pid_t clone_child(int *peer) {
  int pair[2], pidfd = -1;
  if (start.pid_namespace_fd >= 0 && setns(start.pid_namespace_fd, CLONE_NEWPID) < 0) fail(FD_ALIVE, errno);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) fail(FD_ALIVE, errno);
  struct clone_args args = {
      .flags = CLONE_PIDFD | start.clone_flags | (start.cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
      .pidfd = (uint64_t)(uintptr_t)&pidfd,
      .exit_signal = SIGCHLD,
      .cgroup = start.cgroup_fd >= 0 ? (uint64_t)start.cgroup_fd : 0,
  };
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) fail(FD_ALIVE, errno);
  *peer = pid == 0 ? pair[1] : pair[0];
  close(pid == 0 ? pair[0] : pair[1]);
  place(*peer, FD_PEER);
  if (pid > 0) place(pidfd, FD_PIDFD);
  return pid;
}

/* With IO_MOVES: until the child that we made has made the one that stays. 0 when there will be none. */
static pid_t await_moved(struct report *report) {
  if (recv(FD_PEER, report, sizeof *report, MSG_WAITALL) != sizeof *report) fail(FD_ALIVE, ECHILD);
  if (report->kind != REPORT_MOVED) return 0;
  waitid((idtype_t)3, FD_PIDFD, &(siginfo_t){0}, WEXITED);
  int pidfd = (int)syscall(SYS_pidfd_open, report->value, 0); /* ours to reap, so the number is still its */
  if (pidfd < 0) fail(FD_ALIVE, errno);
  place(pidfd, FD_PIDFD);
  return (pid_t)report->value;
}

/* Everything but what supervise() needs: the namespaces must end with the container. */
static void close_rest(void) {
  syscall(SYS_close_range, FD_FIRST_FREE, ~0U, 0);
  close(FD_PLAN);
  if (!(start.io & IO_INPUT)) close(FD_INPUT);
  if (!(start.io & IO_OUT)) close(FD_OUT);
  if (!(start.io & IO_ERR)) close(FD_ERR);
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[0], "corten-namespaces") == 0) return make_namespaces(arguments[1], arguments[2]);
  struct stat stat;
  struct report report = {0, 0, 0};
  struct bytes plan, step;
  int peer;
  /* Before anything of the container is near: its root must not trace us (CVE-2016-9962). */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "corten-shim", 0, 0, 0);
  if (chdir("/") < 0) return 1; /* the agent's directory must not stay busy because of us */
  watch_signals();
  if (fstat(FD_PLAN, &stat) < 0) fail(FD_ALIVE, errno);
  size_t size = (size_t)stat.st_size;
  void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, FD_PLAN, 0);
  if (text == MAP_FAILED) fail(FD_ALIVE, errno);
  plan = (struct bytes){text, size};
  if (dup3(FD_ALIVE, FD_PEER, O_CLOEXEC) < 0) fail(FD_ALIVE, errno); /* until the child has its own, errors go straight out */
  if (take_step(&plan, &step) != STEP_START || step.left != sizeof start) fail(FD_ALIVE, EPROTO);
  memcpy(&start, step.at, sizeof start);
  if (start.version != PLAN_VERSION) fail(FD_ALIVE, EPROTO);
  step_index = 1;

  pid_t child = clone_child(&peer);
  if (child == 0) {
    close(FD_ALIVE);
    run_plan(plan);
  }
  if (start.io & IO_MOVES) child = await_moved(&report);
  if (report.kind != REPORT_FAILED) write_pids(child);
  write_all(FD_PEER, "", 1);
  close_rest();
  munmap(text, size);
  log_file.number = start.log_number; /* opened by the first record: many containers write nothing */

  do {
    /* execve closes the child's end; whatever comes first is why there was none. */
    if (report.kind != REPORT_FAILED && recv(FD_PEER, &report, sizeof report, MSG_WAITALL) != sizeof report)
      report = (struct report){REPORT_STARTED, 0, 0};
    if (report.kind != REPORT_FAILED) report.value = (uint32_t)child;
    while (report.kind == REPORT_FAILED && (wait(NULL) > 0 || errno == EINTR)) {}
    write_all(FD_ALIVE, &report, sizeof report);
  } while (report.kind == REPORT_WAITING);
  close(FD_PEER);
  if (report.kind == REPORT_FAILED) {
    unlinkat(FD_RUN, "pids", 0);
    return 1;
  }
  if (start.io & IO_LEAVE) return 0; /* whoever asked for the container is its parent from now on */
  close(FD_PROC);
  supervise();
  write_exit();
  return 0;
}
