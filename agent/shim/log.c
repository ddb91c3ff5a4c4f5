/* The log consists of records with a 16-byte header and up to 64 KiB, in numbered files. */
#define _GNU_SOURCE
#include "shim.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct record {
  uint64_t nanoseconds; /* CLOCK_REALTIME */
  uint32_t length;
  uint8_t stream, flags;
  uint16_t magic;
};

static struct { uint32_t number; uint64_t size; int open; } log_file;

/* The first record opens the file, because many containers write nothing. */
void begin_log(uint32_t number) { log_file.number = number; }

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

/*
 * Removes old files. The limit may have been lowered by more than one, so this goes from the first excess file to the
 * first absent one.
 */
void prune_log(void) {
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

/*
 * Each record is one writev, so that a reader never sees half of one. A full disk loses lines, but never stops the
 * container.
 */
void append_record(int stream, const char *data, size_t length) {
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
