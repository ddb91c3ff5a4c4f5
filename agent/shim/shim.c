/*
 * The shim is the parent of one container (or of one exec'd process) and the only reader of a container's output. It
 * contains no policy: it gets a complete plan (agent/runtime/plan.ts) on descriptor 3, clones a child that executes
 * the plan's steps in order and ends in execve, and then stays in the host's namespaces to write the log and, at the
 * end, the exit record.
 *
 * The shim outlives the agent: every signal but SIGUSR1 ("close stdin") and SIGUSR2 ("the log has other limits") is
 * blocked and never read, and it never depends on a process at the other end of a pipe.
 */
#define _GNU_SOURCE
#include "shim.h"
#include "scheduler-tick.h"
#include "folder.h"
#include "ports.h"
#include "user-namespace.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sched.h>

/* Bytes of output per second. */
#define FLOOD_BYTES ((size_t)1 << 20)

struct start start;

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
    close(FD_ALIVE); /* tells the agent that we write nothing more here */
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

/* The agent, for which a caller may wait, is told first; what it does not store itself the next agent finds. */
static void tell_exit(int code, int signal, const struct timespec *when) {
  uint64_t nanoseconds = (uint64_t)when->tv_sec * 1000000000U + (uint64_t)when->tv_nsec;
  uint32_t kind = REPORT_ENDED | (uint32_t)(code & 0xff) << 8 | (uint32_t)(signal & 0xff) << 16;
  struct report report = {kind, (uint32_t)nanoseconds, (uint32_t)(nanoseconds >> 32)};
  write_all(FD_ALIVE, &report, sizeof report);
}

static void write_exit(void) {
  char text[96];
  siginfo_t info = {0};
  struct timespec now;
  waitid((idtype_t)3 /* P_PIDFD */, FD_PIDFD, &info, WEXITED);
  clock_gettime(CLOCK_REALTIME, &now);
  int signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  int code = signal == 0 ? info.si_status : 128 + signal;
  tell_exit(code, signal, &now);
  int length = snprintf(text, sizeof text, "%d %d %lld%09ld\n", code, signal, (long long)now.tv_sec, now.tv_nsec);
  write_run_file("exit", "exit.tmp", text, length, 1);
}

/*
 * Outside of the container's cgroup this work would preempt all containers. It gets a session of its own: when the
 * kernel shares CPUs between sessions (sched(7)), a nice value counts only within one.
 */
static void give_way(void) {
  setsid();
  errno = 0;
  if (nice(19) < 0 && errno != 0) return;
  int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return; /* a kernel without them */
  write_all(fd, "19", 2);
  close(fd);
}

/*
 * The lines of a container that floods its log are written when others leave a CPU idle, and the container then waits
 * for that.
 */
static void count_output(size_t bytes) {
  static int gives_way;
  static time_t second;
  static size_t within;
  struct timespec now;
  if (gives_way || clock_gettime(CLOCK_MONOTONIC_COARSE, &now) < 0) return;
  if (now.tv_sec != second) within = 0;
  second = now.tv_sec;
  within += bytes;
  if (within < FLOOD_BYTES) return;
  gives_way = 1;
  give_way();
}

/* Reads once and logs the output. Returns 0 at the end. */
static int copy_output(int fd, int stream) {
  static char buffer[65536];
  ssize_t count = read(fd, buffer, sizeof buffer);
  if (count > 0 && (start.io & IO_LOG)) append_record(stream, buffer, (size_t)count);
  if (count > 0) count_output((size_t)count);
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

static int is_readable(int fd) {
  struct pollfd one = {fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1 && (one.revents & POLLIN);
}

/* Reads "<bytes per file> <files>", which the agent renamed into place before the signal. */
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

/* Copies the output to the log until the child has ended. Then it reads what is still in the pipes, but does not wait. */
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
  /* Without a PID namespace a process may still be writing, so this stops after more than a pipe can hold. */
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

/* Work that was started before its request: without a byte nobody requested it, and nothing visible has happened. */
static void await_go(int gate) {
  char go;
  ssize_t count;
  do count = read(gate, &go, 1);
  while (count < 0 && errno == EINTR);
  if (count != 1) _exit(0);
  close(gate);
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

/* With IO_MOVES: waits until the child has created the process that stays. Returns 0 when there will be none. */
static pid_t await_moved(struct report *report) {
  if (recv(FD_PEER, report, sizeof *report, MSG_WAITALL) != sizeof *report) fail(FD_ALIVE, ECHILD);
  if (report->kind != REPORT_MOVED) return 0;
  waitid((idtype_t)3, FD_PIDFD, &(siginfo_t){0}, WEXITED);
  int pidfd = (int)syscall(SYS_pidfd_open, report->value, 0); /* ours to reap, so the number is still its */
  if (pidfd < 0) fail(FD_ALIVE, errno);
  place(pidfd, FD_PIDFD);
  return (pid_t)report->value;
}

/* Closes everything that supervise() does not need: the namespaces must end with the container. */
static void close_rest(void) {
  syscall(SYS_close_range, FD_FIRST_FREE, ~0U, 0);
  close(FD_PLAN);
  if (!(start.io & IO_INPUT)) close(FD_INPUT);
  if (!(start.io & IO_OUT)) close(FD_OUT);
  if (!(start.io & IO_ERR)) close(FD_ERR);
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[0], "corten-namespaces") == 0) return make_namespaces(arguments[1], arguments[2], 0);
  if (count == 3 && strcmp(arguments[0], "corten-keeper") == 0) return make_namespaces(arguments[1], arguments[2], 1);
  if (count > 2 && strcmp(arguments[0], "corten-ports") == 0) return forward_ports((int)strtol(arguments[1], NULL, 10), arguments + 2);
  if (count == 1 && strcmp(arguments[0], "corten-tick") == 0) return run_scheduler_tick();
  if (count == 5 && strcmp(arguments[0], "corten-folder") == 0) return keep_folder(arguments + 1);
  if (count > 2 && strcmp(arguments[0], "corten-enter") == 0) return enter_namespaces(arguments[1], arguments + 2);
  struct stat stat;
  struct report report = {0, 0, 0};
  struct bytes plan, step;
  int peer;
  /* This comes before any contact with the container, whose root must not trace this process (CVE-2016-9962). */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "corten-shim", 0, 0, 0);
  if (chdir("/") < 0) return 1; /* the agent's directory must not stay busy because of us */
  if (count == 2 && strncmp(arguments[1], "--warm", 6) == 0) receive_plan(arguments[1]);
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
  if (start.gate != 0) await_go((int)start.gate);
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
  begin_log(start.log_number);

  do {
    /* execve closes the child's end; a report before that is the reason for a failure. */
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
