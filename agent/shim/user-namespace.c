/*
 * User namespaces (user_namespaces(7)). A process of several threads can neither create nor enter one, so the agent
 * leaves that to the shim's program: the launcher runs it as `corten-namespaces` to create the namespaces of a
 * container which belong to its user namespace, and the shim's child enters them.
 */
#define _GNU_SOURCE
#include "user-namespace.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/sched.h>

static int become_root(void) {
  if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0) return -1;
  return setresuid(0, 0, 0);
}

/* The new IDs are root's, who keeps every capability that entering has given. */
int enter_user_namespace(int fd) {
  return setns(fd, CLONE_NEWUSER) < 0 ? -1 : become_root();
}

/* Forks a sibling, whose parent is this process's parent, so that the shim stays the one that waits. */
pid_t clone_sibling(unsigned long flags) {
  struct clone_args args = {.flags = CLONE_PARENT | flags};
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* The limits at the creation of the user namespace bound everything in it, above what `--ulimit` can raise. */
static void lift_limits(void) {
  static const int counted[] = {RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_SIGPENDING, RLIMIT_NPROC};
  const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) setrlimit(counted[i], &none);
}

static int tell(int result) {
  int32_t error = result < 0 ? errno : 0;
  return write(1, &error, sizeof error) == sizeof error && error == 0;
}

/* Returns 0 when the launcher is gone. */
static int wait_for_word(void) {
  char word;
  return read(0, &word, 1) == 1;
}

/*
 * Creates (or, with a descriptor, enters) a user namespace, waits until its IDs are mapped, creates the other
 * namespaces as its root, and stays until the launcher has opened them. A namespace holder stays for good: the
 * namespaces of an agent without root outlive the agent (agent/rootless).
 */
int make_namespaces(const char *flags, const char *user_fd, int keep) {
  int user = (int)strtol(user_fd, NULL, 10);
  prctl(PR_SET_NAME, "corten-ns", 0, 0, 0);
  lift_limits();
  if (!tell(user < 0 ? unshare(CLONE_NEWUSER) : setns(user, CLONE_NEWUSER)) || !wait_for_word()) return 1;
  if (!tell(become_root() < 0 ? -1 : unshare((int)strtol(flags, NULL, 10)))) return 1;
  if (!wait_for_word() && keep) return 1;
  if (keep) {
    for (int fd = 0; fd < 3; fd++) close(fd);
    for (;;) pause();
  }
  return 0;
}

static int refuse(const char *what) {
  perror(what);
  return 1;
}

/* Executes `program` in the user namespace that the holder keeps, with a mount namespace of its own. */
int enter_namespaces(const char *path, char **program) {
  int user = open(path, O_RDONLY | O_CLOEXEC);
  if (user < 0) return refuse(path);
  if (enter_user_namespace(user) < 0) return refuse("user namespace");
  if (unshare(CLONE_NEWNS) < 0) return refuse("mount namespace");
  /* Mounts of the machine propagate in, but none propagates out. */
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return refuse("/");
  execv(program[0], program);
  return refuse(program[0]);
}
