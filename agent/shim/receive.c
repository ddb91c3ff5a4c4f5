/* Receives messages of a socket: the work of a warm shim, and the rest of a plan that was begun early. */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SCM_MAX_FD of the kernel, the number of descriptors in one message. */
enum { MOST_DESCRIPTORS = 253 };

/*
 * Receives one message: at most `room` bytes of text, and descriptors. Returns 0 or an errno; ECANCELED when the
 * sender has closed the socket.
 */
static int receive(int socket, char *text, size_t room, size_t *length, int *descriptors, int *count) {
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
  } control;
  struct iovec vector = {text, room};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t received;
  do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  if (received <= 0) return received < 0 ? errno : ECANCELED;
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return EPROTO;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return EPROTO;
  *length = (size_t)received;
  *count = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  memcpy(descriptors, CMSG_DATA(head), (size_t)*count * sizeof(int));
  return 0;
}

/*
 * Receives one message: the name for the process list, and every descriptor from FD_PLAN on. Anything else, or an
 * agent that has gone, ends this process, because nobody needs the warm shim any more. `name` is this process's own
 * argument, which is replaced.
 */
void receive_plan(char *name) {
  const size_t room = strlen(name);
  int received[MOST_DESCRIPTORS], count;
  size_t length;
  int error = receive(FD_PLAN, name, room, &length, received, &count);
  if (error != 0) _exit(error != ECANCELED);
  memset(name + length, 0, room - length);
  /*
   * The descriptors have the lowest free numbers, in order and all above their targets, so none is overwritten before
   * it is moved.
   */
  for (int index = 0; index < count; index++) {
    int number = FD_PLAN + index;
    if (received[index] <= number || dup3(received[index], number, O_CLOEXEC) < 0) _exit(1);
  }
  if (syscall(SYS_close_range, FD_PLAN + count, ~0U, 0) < 0) _exit(1);
}

/*
 * Receives one message: descriptors that become `first` and following, of which the first is the rest of the plan.
 * The shim uses no such number yet, so they have lower ones, in order: moved from the last to the first, none is
 * overwritten.
 */
void receive_rest(struct bytes *step, struct bytes *plan) {
  int received[MOST_DESCRIPTORS], count;
  char word = 0; /* a message without text would look like the end */
  size_t length;
  struct stat stat;
  int socket = (int)take_u32(step), first = (int)take_u32(step);
  if (first < 0 || first > INT_MAX - MOST_DESCRIPTORS) fail_step(EPROTO);
  int error = receive(socket, &word, sizeof word, &length, received, &count);
  if (error != 0) fail_step(error);
  for (int index = count - 1; index >= 0; index--) {
    if (received[index] > first + index || (index > 0 && received[index - 1] >= received[index])) fail_step(EPROTO);
    if (received[index] != first + index) check(dup3(received[index], first + index, O_CLOEXEC));
  }
  check(fstat(first, &stat));
  size_t size = (size_t)stat.st_size;
  void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, first, 0);
  if (text == MAP_FAILED) fail_step(errno);
  *plan = (struct bytes){text, size};
}
