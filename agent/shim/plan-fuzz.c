/*
 * Fuzzes the shim's plan parser: the real main() of shim.c reads a made-up plan, and the system calls
 * that a plan can reach do nothing but answer. The first byte chooses what they answer, so that both
 * sides of each failure are walked. Built and run by scripts/shim-check.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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

enum { PLAN_FD = 3, ALIVE_FD = 4, PEER_FD = 14, FIRST_FREE_FD = 15 }; /* as shim.c names them below */


static jmp_buf leave;
static const unsigned char *plan_bytes;
static size_t plan_size;
static uint32_t answers; /* a small generator: the same input gives the same answers */

/* What stands behind this word of the input is the rest that a plan waits for; a message brings it once. */
static const unsigned char rest_word[] = "<rest>";
static const unsigned char *rest_bytes;
static size_t rest_size;
static int rest_came;

/* What the plan's own memory was asked for, so that a run leaves none behind. */
static void *taken[256];
static size_t taken_count;

/* One answer in sixteen is a failure, where the first byte asks for failures at all. */
static int fails(void) {
  answers = answers * 1664525u + 1013904223u;
  if ((answers >> 28) != 0 || (plan_size + rest_size) % 2 == 0) return 0;
  errno = (answers >> 20) % 4 == 0 ? ENOENT : EPERM;
  return 1;
}

static long made_up(void) { return fails() ? -1 : (long)(answers >> 16 & 63) + FIRST_FREE_FD; }
static int done(void) { return fails() ? -1 : 0; }

#define STUB(type, name, parameters, result) \
  static type fake_##name parameters { return result; }

STUB(int, setns, (int fd, int flags), ((void)fd, (void)flags, done()))
STUB(int, unshare, (int flags), ((void)flags, done()))
STUB(pid_t, setsid, (void), done())
STUB(int, dup2, (int from, int to), ((void)from, fails() ? -1 : to))
STUB(int, dup3, (int from, int to, int flags), ((void)from, (void)flags, fails() ? -1 : to))
STUB(int, close, (int fd), ((void)fd, 0))
STUB(int, chdir, (const char *path), (strlen(path) > 0 ? done() : -1))
STUB(int, setresuid, (uid_t a, uid_t b, uid_t c), ((void)a, (void)b, (void)c, done()))
STUB(int, setresgid, (gid_t a, gid_t b, gid_t c), ((void)a, (void)b, (void)c, done()))
STUB(int, setgroups, (size_t count, const gid_t *groups), ((void)count, (void)groups, done()))
STUB(int, mount, (const char *from, const char *to, const char *type, unsigned long flags, const void *data), ((void)type, (void)flags, (void)data, (from ? strlen(from) : 0) + strlen(to) > 0 ? done() : -1))
STUB(int, chroot, (const char *path), (strlen(path) > 0 ? done() : -1))
STUB(int, fchdir, (int fd), ((void)fd, done()))
STUB(int, umount2, (const char *path, int flags), ((void)flags, strlen(path) > 0 ? done() : -1))
STUB(int, fchown, (int fd, uid_t uid, gid_t gid), ((void)fd, (void)uid, (void)gid, done()))
STUB(int, socketpair, (int a, int b, int c, int pair[2]), ((void)a, (void)b, (void)c, pair[0] = 20, pair[1] = 21, done()))
STUB(int, signalfd, (int fd, const sigset_t *set, int flags), ((void)fd, (void)set, (void)flags, (int)made_up()))
STUB(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), ((void)how, (void)set, (void)old, 0))
STUB(int, munmap, (void *at, size_t size), ((void)at, (void)size, 0))
STUB(mode_t, umask, (mode_t mask), (mask & 0777))
STUB(int, setrlimit, (int resource, const struct rlimit *limit), ((void)resource, limit->rlim_cur > limit->rlim_max ? -1 : done()))
STUB(pid_t, fork, (void), (fails() ? -1 : 0)) /* the child's side: the parent's never returns */
STUB(int, setpgid, (pid_t pid, pid_t group), ((void)pid, (void)group, done()))
STUB(int, tcsetpgrp, (int fd, pid_t group), ((void)fd, (void)group, done()))
STUB(int, fcntl, (int fd, int command, ...), ((void)fd, (void)command, (int)made_up()))
STUB(int, ioctl, (int fd, unsigned long request, ...), ((void)fd, (void)request, done()))
STUB(int, prctl, (int option, ...), ((void)option, done()))

static ssize_t fake_write(int fd, const void *data, size_t length) {
  const unsigned char *at = data;
  unsigned sum = 0;
  for (size_t i = 0; i < length; i++) sum += at[i]; /* reads all of it, so that too much is noticed */
  return fd < 0 || (fails() && fd != PEER_FD && fd != ALIVE_FD) ? -1 : (ssize_t)(length + 0 * sum);
}

static ssize_t fake_read(int fd, void *data, size_t length) {
  (void)fd;
  memset(data, 'x', length);
  return (ssize_t)length;
}

static int fake_fstat(int fd, struct stat *stat) {
  static const mode_t kinds[] = {S_IFIFO, S_IFCHR, S_IFDIR, S_IFREG};
  memset(stat, 0, sizeof *stat);
  if (fd == PLAN_FD) {
    stat->st_size = (off_t)plan_size;
    return 0;
  }
  if (fails()) return -1;
  stat->st_size = (off_t)rest_size;
  stat->st_mode = kinds[answers >> 24 & 3];
  stat->st_rdev = makedev(1, 3);
  return 0;
}

static void *fake_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  (void)at, (void)size, (void)protection, (void)flags, (void)offset;
  if (fd == PLAN_FD && !rest_came) return (void *)plan_bytes;
  if (rest_size > 0 && !fails()) return (void *)rest_bytes;
  errno = EINVAL;
  return MAP_FAILED;
}

/* As unix(7) has it: a text, and descriptors that are the lowest free numbers. Now and then it is another message. */
static ssize_t fake_recvmsg(int socket, struct msghdr *message, int flags) {
  (void)socket, (void)flags;
  if (rest_came++) return 0;
  if (fails()) return -1;
  struct cmsghdr *head = CMSG_FIRSTHDR(message);
  size_t count = answers >> 16 & 255;
  if (count > 253) message->msg_flags = MSG_CTRUNC, count = 253;
  *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = fails() ? SCM_CREDENTIALS : SCM_RIGHTS};
  for (size_t i = 0; i < count; i++) {
    int number = FIRST_FREE_FD + (int)i - (fails() ? 1 : 0);
    memcpy(CMSG_DATA(head) + i * sizeof number, &number, sizeof number);
  }
  message->msg_controllen = count == 0 && fails() ? 0 : head->cmsg_len;
  memset(message->msg_iov->iov_base, 'x', message->msg_iov->iov_len);
  return (ssize_t)message->msg_iov->iov_len;
}

static void *fake_calloc(size_t count, size_t size) {
  if (taken_count == sizeof taken / sizeof *taken || fails()) return NULL;
  return taken[taken_count++] = calloc(count, size);
}

static long fake_syscall(long number, ...) {
  va_list arguments;
  if (number == SYS_clone3) return 0; /* everything the plan says is the child's */
  if (number == SYS_seccomp) {
    va_start(arguments, number);
    (void)va_arg(arguments, unsigned), (void)va_arg(arguments, unsigned);
    const struct sock_fprog *program = va_arg(arguments, const struct sock_fprog *);
    unsigned sum = 0;
    for (unsigned i = 0; i < program->len; i++) sum += program->filter[i].k;
    va_end(arguments);
    return sum == 1 ? -1 : done();
  }
  if (number == SYS_capget) {
    va_start(arguments, number);
    (void)va_arg(arguments, void *);
    memset(va_arg(arguments, void *), (int)(answers >> 24), 2 * sizeof(struct __user_cap_data_struct));
    va_end(arguments);
    return done();
  }
  if (number == SYS_openat2) {
    va_start(arguments, number);
    (void)va_arg(arguments, int);
    size_t length = strlen(va_arg(arguments, const char *));
    va_end(arguments);
    return length == 0 ? -1 : made_up();
  }
  if (number == SYS_sched_setaffinity) {
    va_start(arguments, number);
    (void)va_arg(arguments, int);
    size_t length = va_arg(arguments, size_t);
    const unsigned char *at = va_arg(arguments, const unsigned char *);
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) sum += at[i];
    va_end(arguments);
    return sum == 1 ? -1 : done();
  }
  if (number == SYS_getcwd) {
    va_start(arguments, number);
    char *path = va_arg(arguments, char *);
    strcpy(path, fails() ? "(unreachable)" : "/");
    va_end(arguments);
    return 2;
  }
  return made_up();
}

static int fake_execvpe(const char *program, char *const arguments[], char *const environment[]) {
  size_t length = strlen(program);
  for (size_t i = 0; arguments[i] != NULL; i++) length += strlen(arguments[i]);
  for (size_t i = 0; environment[i] != NULL; i++) length += strlen(environment[i]);
  errno = length == 0 ? EINVAL : ENOENT;
  return -1;
}

static _Noreturn void fake__exit(int code) { longjmp(leave, code + 1); }

/* From here on shim.c calls what is above. */
#define _exit fake__exit
#define calloc fake_calloc
#define chdir fake_chdir
#define chroot fake_chroot
#define close fake_close
#define dup2 fake_dup2
#define dup3 fake_dup3
#define execvpe fake_execvpe
#define fchdir fake_fchdir
#define fchown fake_fchown
#define fcntl fake_fcntl
#define fork fake_fork
#define fstat fake_fstat
#define ioctl fake_ioctl
#define mmap fake_mmap
#define mount fake_mount
#define munmap fake_munmap
#define prctl fake_prctl
#define read fake_read
#define recvmsg fake_recvmsg
#define setgroups fake_setgroups
#define setns fake_setns
#define setpgid fake_setpgid
#define setresgid fake_setresgid
#define setresuid fake_setresuid
#define setrlimit fake_setrlimit
#define setsid fake_setsid
#define signalfd fake_signalfd
#define sigprocmask fake_sigprocmask
#define socketpair fake_socketpair
#define syscall fake_syscall
#define tcsetpgrp fake_tcsetpgrp
#define umask fake_umask
#define umount2 fake_umount2
#define unshare fake_unshare
#define write fake_write
#define main shim_main
#include "user-namespace.c"
#include "ports.c"
#include "plan.c"
#include "mounts.c"
#include "gate.c"
#include "process.c"
#include "child.c"
#include "log.c"
#include "receive.c"
#include "scheduler-tick.c"
#include "shim.c"
#undef main
/* Other work of the same program, which no plan leads to. */
int keep_folder(char **texts) { return texts == NULL; }
#undef calloc
#undef close
#undef read
#undef write

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  const size_t word = sizeof rest_word - 1;
  const unsigned char *behind = size > 0 ? memmem(data, size, rest_word, word) : NULL;
  plan_size = behind == NULL ? size : (size_t)(behind - data);
  rest_size = behind == NULL ? 0 : size - plan_size - word;
  /* Each of its very length, so that a byte beyond is noticed. */
  unsigned char *exact = malloc(plan_size), *rest = malloc(rest_size);
  if ((exact == NULL && plan_size > 0) || (rest == NULL && rest_size > 0)) return 0;
  if (plan_size > 0) memcpy(exact, data, plan_size);
  if (rest_size > 0) memcpy(rest, behind + word, rest_size);
  plan_bytes = exact;
  rest_bytes = rest;
  rest_came = 0;
  answers = (uint32_t)size * 2654435761u;
  for (size_t i = 0; i < size; i++) answers = (answers ^ data[i]) * 16777619u;
  memset(&start, 0, sizeof start);
  step_index = 0;
  char *arguments[] = {"corten-shim", NULL};
  if (setjmp(leave) == 0) shim_main(1, arguments);
  while (taken_count > 0) free(taken[--taken_count]);
  free(exact);
  free(rest);
  return 0;
}

#ifdef REPLAY
/* The fuzzer's corpus once more, without a fuzzer: for valgrind. */
int main(int count, char **paths) {
  for (int i = 1; i < count; i++) {
    static unsigned char data[65536];
    FILE *file = fopen(paths[i], "r");
    if (file == NULL) return 1;
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
  }
  return 0;
}
#endif
