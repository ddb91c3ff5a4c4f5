/*
 * While containers run beside each other (agent/runtime/beat.ts), this program either watches whether somebody waits for
 * a processor, and says so once, or keeps the beat: each processor is interrupted every millisecond, by a thread that
 * sleeps again at once. Whoever wakes and is not chosen at once waits for the end of another's turn, which the scheduler
 * sees only at its tick: every 4 ms where CONFIG_HZ is 250 (docs/decisions/0018).
 */
#define _GNU_SOURCE
#include "beat.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BEAT_NANOS = 1000000, STILL_MS = 2500, STACK_BYTES = 32768 };
enum { LOOK_MS = 100, WAITED_MICROS = 10000 };

static const char pressure[] = "/proc/pressure/cpu";
/* WAITED_MICROS within the shortest window that there is (Documentation/accounting/psi.rst) */
static const char trigger[] = "some 10000 500000";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int beating; /* read by all threads at every beat: without the lock, which would be passed around */

static void set_beating(int value) {
  pthread_mutex_lock(&lock);
  __atomic_store_n(&beating, value, __ATOMIC_RELAXED);
  if (value) pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *beat(void *unused) {
  const struct timespec pause = {0, BEAT_NANOS};
  for (;;) {
    if (!__atomic_load_n(&beating, __ATOMIC_RELAXED)) {
      pthread_mutex_lock(&lock);
      while (!beating) pthread_cond_wait(&changed, &lock);
      pthread_mutex_unlock(&lock);
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  }
  return unused;
}

/* On each processor that we may use, as the thread that makes them. */
static int start_threads(void) {
  cpu_set_t all, one;
  pthread_attr_t attributes;
  pthread_t thread;
  if (sched_getaffinity(0, sizeof all, &all) < 0) return -1;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK_BYTES) != 0) return -1;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    /* One that has gone since is no loss. */
    if (sched_setaffinity(0, sizeof one, &one) == 0 && pthread_create(&thread, &attributes, beat, NULL) != 0) return -1;
  }
  return sched_setaffinity(0, sizeof all, &all);
}

/* At the least real-time priority: it must come before what it interrupts. 0 without the right to it: no beat then. */
static int come_first(void) {
  const struct sched_param least = {.sched_priority = 1};
  return syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &least) == 0; /* musl has none of its own */
}

/* A descriptor by which the kernel says when somebody waits; -1 where it does not, or not to us (CAP_SYS_RESOURCE). */
static int open_trigger(void) {
  int fd = open(pressure, O_RDWR | O_CLOEXEC);
  if (fd < 0 || write(fd, trigger, sizeof trigger) > 0) return fd;
  close(fd);
  return -1;
}

/* How long somebody waited for a processor since the boot; 0 if the kernel does not tell. */
static unsigned long long waited_micros(int fd) {
  char text[256];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  if (length <= 0) return 0;
  text[length] = '\0';
  const char *total = strstr(text, "total=");
  return total == NULL ? 0 : strtoull(total + strlen("total="), NULL, 10);
}

int keep_beat(void) {
  struct pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {open_trigger(), POLLPRI, 0}};
  const int has_trigger = sources[1].fd >= 0;
  const int pressure_fd = open(pressure, O_RDONLY | O_CLOEXEC);
  const int may_beat = come_first();
  unsigned long long before = 0;
  int has_threads = 0, watching = 0;
  char bytes[64];
  prctl(PR_SET_NAME, "corten-beat", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (chdir("/") < 0) return 1;
  for (;;) {
    int timeout = beating ? STILL_MS : watching && !has_trigger ? LOOK_MS : -1;
    int count = poll(sources, watching && has_trigger ? 2 : 1, timeout);
    if (count < 0) continue;
    if (count > 0 && sources[0].revents != 0) {
      ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
      if (length <= 0) return 0;
      int wanted = bytes[length - 1] == BEAT && may_beat;
      if (wanted && !has_threads && start_threads() < 0) return 0;
      has_threads |= wanted;
      watching = bytes[length - 1] == WATCH && pressure_fd >= 0;
      before = watching ? waited_micros(pressure_fd) : 0;
      set_beating(wanted);
    } else if (watching) {
      unsigned long long now = waited_micros(pressure_fd);
      int has_waited = now - before >= WAITED_MICROS;
      before = now;
      if (!has_waited) continue;
      if (write(STDOUT_FILENO, "!", 1) < 0) return 0;
      watching = 0;
    } else
      set_beating(0); /* nobody says any more that it is needed */
  }
}
