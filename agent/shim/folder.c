/*
 * Keeps a shared folder's file system while no agent serves it. The kernel ends a FUSE file system with
 * the last copy of its descriptor; this process has one, and the next agent takes it from here. When
 * none comes for a while, what is asked is answered with EIO, so that nobody waits for ever.
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

/* The agent's kept-mounts.ts knows them too; 4 is the mount itself. */
enum { FD_DEVICE = 3 };
/* How long a serving thread may be gone while its process still ends. */
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

/* Not waited for at the device: each question would wake us beside the agent. */
static void await_end_of(pid_t agent, pid_t thread) {
  struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, agent, 0), .events = POLLIN};
  while (process.fd >= 0 && syscall(SYS_tgkill, agent, thread, 0) == 0 && !is_ended())
    if (poll(&process, 1, look_ms) > 0) break;
  if (process.fd >= 0) close(process.fd);
}

/* What the agent had read comes again (Linux 6.9; before, it waits for the next agent). */
static void ask_for_all_again(void) {
  struct fuse_out_header notice = {.len = sizeof notice, .error = FUSE_NOTIFY_RESEND};
  if (write(FD_DEVICE, &notice, sizeof notice) < 0) return;
}

/* Nobody waits for the end of what is open: left alone, the next agent hears of it. */
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

/* 0 when the file system has ended. */
static int refuse_one(void *question, size_t size) {
  const struct fuse_in_header *head = question;
  ssize_t length = read(FD_DEVICE, question, size);
  if (length < 0) return errno != ENODEV;
  if ((size_t)length < sizeof *head || !takes_answer(head->opcode)) return 1;
  struct fuse_out_header answer = {.len = sizeof answer, .error = -EIO, .unique = head->unique};
  /* Whoever asked may have been ended. */
  if (write(FD_DEVICE, &answer, sizeof answer) < 0) return 1;
  return 1;
}

int keep_folder(char **texts) {
  const pid_t agent = (pid_t)strtol(texts[0], NULL, 10), thread = (pid_t)strtol(texts[1], NULL, 10);
  const size_t size = (size_t)strtol(texts[2], NULL, 10);
  const long long patience_ms = strtol(texts[3], NULL, 10);
  void *question = malloc(size);
  prctl(PR_SET_NAME, "corten-folder", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (question == NULL || chdir("/") < 0) return 1;
  await_end_of(agent, thread);
  for (long long left = now_ms(); !is_ended() && now_ms() - left < patience_ms;) poll(NULL, 0, patience_ms < 1000 ? (int)patience_ms : 1000);
  ask_for_all_again();
  for (struct pollfd device = {.fd = FD_DEVICE, .events = POLLIN};;) {
    if (poll(&device, 1, -1) < 0 && errno != EINTR) return 1;
    if (!refuse_one(question, size)) return 0;
  }
}
