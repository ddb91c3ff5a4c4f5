/* The encoded plan: tag u32, length u32, bytes; lengths are padded to 8 (agent/runtime/plan.ts). */
#define _GNU_SOURCE
#include "shim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t step_index;
int peer = FD_PEER;

void write_all(int fd, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t count = write(fd, at, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return; /* nobody listens any more: the container comes first */
    at += count;
    length -= (size_t)count;
  }
}

_Noreturn void fail(int fd, int error) {
  struct report report = {REPORT_FAILED, step_index, (uint32_t)error};
  write_all(fd, &report, sizeof report);
  _exit(1);
}

/* The child reports the failed step and errno. */
_Noreturn void fail_step(int error) { fail(peer, error); }

static const void *take(struct bytes *bytes, size_t length) {
  if (length > bytes->left) fail_step(EPROTO);
  const void *at = bytes->at;
  bytes->at += length;
  bytes->left -= length;
  return at;
}

uint32_t take_u32(struct bytes *bytes) {
  uint32_t value;
  memcpy(&value, take(bytes, sizeof value), sizeof value);
  return value;
}

uint64_t take_u64(struct bytes *bytes) {
  uint64_t value;
  memcpy(&value, take(bytes, sizeof value), sizeof value);
  return value;
}

const char *take_string(struct bytes *bytes) {
  const void *end = memchr(bytes->at, 0, bytes->left);
  if (end == NULL) fail_step(EPROTO);
  return take(bytes, (size_t)((const unsigned char *)end - bytes->at) + 1);
}

char **take_strings(struct bytes *bytes) {
  uint32_t count = take_u32(bytes);
  if (count > bytes->left) fail_step(EPROTO);
  char **strings = calloc((size_t)count + 1, sizeof *strings);
  if (strings == NULL) fail_step(ENOMEM);
  for (uint32_t i = 0; i < count; i++) strings[i] = (char *)take_string(bytes);
  return strings;
}

/* Takes the next step. Returns 0 at the end of the plan. */
uint32_t take_step(struct bytes *plan, struct bytes *step) {
  if (plan->left == 0) return 0;
  uint32_t tag = take_u32(plan), length = take_u32(plan);
  size_t padded = ((size_t)length + 7) & ~(size_t)7;
  step->at = take(plan, padded);
  step->left = length;
  return tag;
}

void check(long result) {
  if (result < 0) fail_step(errno);
}
