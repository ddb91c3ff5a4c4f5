/* The child executes the plan and becomes the program, or an init above it. */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include "user-namespace.h"

/*
 * With a FIFO for its reports the child is on its own from here: the shim sees the socket close, takes that for the
 * start, and may exit.
 */
static void wait_outside(struct bytes *step) {
  int gate = (int)take_u32(step), reports = (int)take_u32(step);
  if (reports < 0) {
    wait_at(gate, 0);
    return;
  }
  await_shim();
  check(dup3(reports, FD_PEER, O_CLOEXEC));
  close(reports);
  pass_gate(gate);
}

/*
 * Closes everything but the socket and the plan's remaining descriptors, which become FD_FIRST_FREE and following.
 * The plan lists those in ascending order, so that none is overwritten before it was moved.
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

/* Default maximum of descriptors of a process (fs.nr_open). */
static const unsigned max_preserved = 1 << 20;

/* The caller's descriptors become 3 and following of the program; all others are closed. */
static void preserve_descriptors(unsigned first, unsigned count) {
  if (count > max_preserved || first > max_preserved) fail_step(EINVAL);
  if (count > 0) {
    peer = fcntl(FD_PEER, F_DUPFD_CLOEXEC, (int)(first + count));
    if (peer < 0) _exit(1);
  }
  for (unsigned i = 0; i < count; i++) check(dup2((int)(first + i), (int)(3 + i)));
  /*
   * EPERM and ENOSYS come from a seccomp profile older than the call; STEP_CLOSE has closed everything that survives
   * execve.
   */
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
      /* The terminal has already signalled its foreground group; only signals from a sender are forwarded. */
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
  /* The program gets its own foreground process group, so that job control works below a PID 1 that is no shell. */
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
  preserve_descriptors(first, count);
  execvpe(program, arguments, environ); /* searches PATH of the new environment */
  fail_step(errno);
}

/*
 * A PID namespace belongs to the user namespace of the process that clones into it. With flags another process
 * executes the rest of the plan: it is created in both, and this one reports to the shim and exits.
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

/*
 * unshare(2) creates a time namespace only for later children, and its offsets can be set until a process is in it
 * (time_namespaces(7)): they are written before this process enters it.
 */
static void enter_new_time(struct bytes *step) {
  check(unshare(CLONE_NEWTIME));
  if (step->left > 0) {
    int offsets = open_by(FD_PROC, "self/timens_offsets", O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
    check(offsets);
    check(write(offsets, step->at, step->left));
    close(offsets);
  }
  step->left = 0;
  /* The file of a namespace is a magic link, which may be followed because this procfs is the machine's. */
  int made = open_by(FD_PROC, "self/ns/time_for_children", O_RDONLY, 0);
  check(made);
  check(setns(made, CLONE_NEWTIME));
  close(made);
}

_Noreturn void run_plan(struct bytes plan) {
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
      case STEP_REST:
        if (plan.left != 0) fail_step(EPROTO);
        receive_rest(&step, &plan);
        break;
      case STEP_WAIT: wait_outside(&step); break;
      case STEP_PIVOT: pivot(&step); break;
      case STEP_RENEW: renew(take_string(&step)); break;
      case STEP_ENTER_ROOT: enter_root((int)take_u32(&step)); break;
      case STEP_UNBINDABLE: make_unbindable(&step); break;
      case STEP_SCHEDULER: set_scheduler(&step); break;
      case STEP_IO_PRIORITY: check(syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int)take_u32(&step))); break;
      case STEP_TIME: enter_new_time(&step); break;
      case STEP_PERSONALITY: check(syscall(SYS_personality, (unsigned long)take_u32(&step))); break;
      case STEP_BORROW_MOUNTS: borrow_mounts((int)take_u32(&step)); break;
      case STEP_CARRY_ROOT: carry_root(); break;
      case STEP_AFFINITY: set_affinity(&step); break;
      default: fail_step(EPROTO);
    }
    if (step.left != 0) fail_step(EPROTO);
  }
  fail_step(EPROTO); /* a plan that does not end in STEP_EXEC */
}
