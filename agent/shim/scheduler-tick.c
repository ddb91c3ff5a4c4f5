/*
 * While containers contend for CPUs (agent/runtime/scheduler-tick.ts), a thread on each CPU sleeps for a millisecond
 * again and again. The end of its sleep interrupts the CPU, and the scheduler checks whether the running task's slice
 * has ended; by itself it checks only at its tick, every 4 ms with CONFIG_HZ=250 (docs/decisions/0018).
 */
#define _GNU_SOURCE
#include "scheduler-tick.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NANOS = 1000000, STOP_MS = 2500, STACK_BYTES = 32768 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int ticking; /* The threads read it every period without the lock, which they would contend for. */

static void set_ticking(int value) {
  pthread_mutex_lock(&lock);
  __atomic_store_n(&ticking, value, __ATOMIC_RELAXED);
  if (value) pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void *tick(void *unused) {
  const struct timespec pause = {0, PERIOD_NANOS};
  for (;;) {
    if (!__atomic_load_n(&ticking, __ATOMIC_RELAXED)) {
      pthread_mutex_lock(&lock);
      while (!ticking) pthread_cond_wait(&changed, &lock);
      pthread_mutex_unlock(&lock);
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  }
  return unused;
}

/* Starts one thread on each CPU of the affinity mask. They inherit the caller's scheduling policy. */
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
    /* A CPU that went offline meanwhile is skipped. */
    if (sched_setaffinity(0, sizeof one, &one) == 0 && pthread_create(&thread, &attributes, tick, NULL) != 0) return -1;
  }
  return sched_setaffinity(0, sizeof all, &all);
}

/* Sets the lowest real-time priority, with which a thread preempts every container. Returns 0 without CAP_SYS_NICE. */
static int become_realtime(void) {
  const struct sched_param least = {.sched_priority = 1};
  return syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &least) == 0; /* musl has no wrapper. */
}

int run_scheduler_tick(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  const int may_tick = become_realtime();
  int has_threads = 0;
  char bytes[64];
  prctl(PR_SET_NAME, "corten-tick", 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (chdir("/") < 0) return 1;
  for (;;) {
    int count = poll(&input, 1, ticking ? STOP_MS : -1);
    if (count < 0) continue;
    if (count == 0) {
      set_ticking(0);
      continue;
    }
    if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return 0;
    if (!may_tick) continue;
    if (!has_threads && start_threads() < 0) return 0;
    has_threads = 1;
    set_ticking(1);
  }
}
