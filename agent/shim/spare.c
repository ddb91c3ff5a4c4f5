/* A shim that was started ahead: it waits for its work, and is from then on as one that was started with it. */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SCM_MAX_FD of the kernel. */
enum { MOST_DESCRIPTORS = 253 };

/*
 * One message: the name for the process list, and every descriptor from FD_PLAN on. Whatever is not exactly that, or
 * an agent that has gone, ends us: nobody waits for a spare. `name` is our own argument, which it replaces.
 */
void await_work(char *name) {
  const size_t room = strlen(name);
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
  } control;
  struct iovec text = {name, room};
  struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length;
  do length = recvmsg(FD_PLAN, &message, MSG_CMSG_CLOEXEC);
  while (length < 0 && errno == EINTR);
  if (length <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) _exit(0);
  memset(name + length, 0, room - (size_t)length);
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) _exit(1);
  const int *received = (const int *)CMSG_DATA(head);
  int count = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  /* They came as the lowest free numbers, in order and all above where they belong, so none is overwritten unread. */
  for (int index = 0; index < count; index++) {
    int number = FD_PLAN + index;
    if (received[index] <= number || dup3(received[index], number, O_CLOEXEC) < 0) _exit(1);
  }
  if (syscall(SYS_close_range, FD_PLAN + count, ~0U, 0) < 0) _exit(1);
}
