/*
 * The beat: while the agent says that processors are waited for (agent/runtime/beat.ts), each is interrupted every
 * millisecond, by a thread that sleeps again at once. Whoever wakes and is not chosen at once waits for the end of
 * another's turn, which the scheduler sees only at its tick: every 4 ms where CONFIG_HZ is 250 (docs/decisions/0018).
 */
#define _GNU_SOURCE
#include "beat.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BEAT_NANOS = 1000000, STILL_MS = 2500, STACK_BYTES = 32768 };

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

/* On each processor that we may use, at the least real-time priority: it must come before what it interrupts. */
static int start_threads(void) {
  const struct sched_param least = {.sched_priority = 1};
  cpu_set_t all, one;
  pthread_attr_t attributes;
  pthread_t thread;
  if (sched_getaffinity(0, sizeof all, &all) < 0) return -1;
  if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &least) < 0) return -1; /* musl has none of its own */
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK_BYTES) != 0) return -1;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    /* Threads begin where, and as, the one that makes them is. One that has gone since is no loss. */
    if (sched_setaffinity(0, sizeof one, &one) == 0 && pthread_create(&thread, &attributes, beat, NULL) != 0) return -1;
  }
  return sched_setaffinity(0, sizeof all, &all);
}

int keep_beat(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  char bytes[64];
  prctl(PR_SET_NAME, "corten-beat", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (chdir("/") < 0) return 1;
  if (start_threads() < 0) return 0; /* somebody who may not come before others */
  for (;;) {
    int count = poll(&input, 1, beating ? STILL_MS : -1);
    if (count < 0) continue;
    if (count > 0 && read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return 0;
    set_beating(count > 0);
  }
}
