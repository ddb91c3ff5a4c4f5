/*
 * Keeps the file system of a shared folder while no agent serves it. The kernel ends a FUSE file system with the last
 * copy of its descriptor; this process has one, which the next agent takes from here. When no agent comes for a
 * while, requests are answered with EIO, so that no caller waits forever.
 */
#define _GNU_SOURCE
#include "folder.h"
#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* kept-mounts.ts of the agent uses the same numbers; 4 is the mount itself. */
enum { FD_DEVICE = 3 };
/* Time that the serving thread may be gone while its process still ends. */
static const int look_ms = 5000;

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int is_ended(void) {
  struct pollfd device = {.fd = FD_DEVICE};
  return poll(&device, 1, 0) > 0 && (device.revents & POLLERR) != 0;
}

/* The device is not polled: each request would wake this process besides the agent. */
static void await_end_of(pid_t agent, pid_t thread) {
  struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, agent, 0), .events = POLLIN};
  while (process.fd >= 0 && syscall(SYS_tgkill, agent, thread, 0) == 0 && !is_ended())
    if (poll(&process, 1, look_ms) > 0) break;
  if (process.fd >= 0) close(process.fd);
}

/* Requests that the agent had read are sent again (Linux 6.9; before, they wait for the next agent). */
static void ask_for_all_again(void) {
  struct fuse_out_header notice = {.len = sizeof notice, .error = FUSE_NOTIFY_RESEND};
  if (write(FD_DEVICE, &notice, sizeof notice) < 0) return;
}

/* Nobody waits for a release; it is left to the next agent. */
static int takes_answer(uint32_t opcode) {
  switch (opcode) {
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: return 0;
    default: return 1;
  }
}

/* Returns 0 when the file system has ended. */
static int refuse_one(void *question, size_t size) {
  const struct fuse_in_header *head = question;
  ssize_t length = read(FD_DEVICE, question, size);
  if (length < 0) return errno != ENODEV;
  if ((size_t)length < sizeof *head || !takes_answer(head->opcode)) return 1;
  struct fuse_out_header answer = {.len = sizeof answer, .error = -EIO, .unique = head->unique};
  /* The requester may have ended. */
  if (write(FD_DEVICE, &answer, sizeof answer) < 0) return 1;
  return 1;
}

int keep_folder(char **texts) {
  const pid_t agent = (pid_t)strtol(texts[0], NULL, 10), thread = (pid_t)strtol(texts[1], NULL, 10);
  const size_t size = (size_t)strtol(texts[2], NULL, 10);
  const long long patience_ms = strtol(texts[3], NULL, 10);
  prctl(PR_SET_NAME, "corten-folder", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (chdir("/") < 0) return 1;
  void *question = malloc(size);
  if (question == NULL) return 1;
  await_end_of(agent, thread);
  for (long long left = now_ms(); !is_ended() && now_ms() - left < patience_ms;) poll(NULL, 0, patience_ms < 1000 ? (int)patience_ms : 1000);
  ask_for_all_again();
  struct pollfd device = {.fd = FD_DEVICE, .events = POLLIN};
  int is_lost = 0;
  do is_lost = poll(&device, 1, -1) < 0 && errno != EINTR;
  while (!is_lost && refuse_one(question, size));
  free(question);
  return is_lost;
}
