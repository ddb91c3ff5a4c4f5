/*
 * What the probes share. Each tries one thing that a container should not be able to do, in a process
 * of its own, and one line tells how it went: NAME, a tab, OUTCOME, a tab, DETAIL. An outcome is
 * `open` (it went through), `held` (it was refused) or `none` (here there is nothing to try it on).
 * Nothing that a probe does harms the machine, also where it goes through.
 */
#ifndef PROBE_H
#define PROBE_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct probe {
  const char *name;
  long (*run)(void); /* 0 or more: open. -1: held, with errno. NOTHING: none. */
};

enum {
  NOTHING = -1000,
  ROOT_AGAIN = 10 /* exit status of the setuid copy that became root */
};

/* More than errno says, for the line of the probe that runs. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void run_probes(const struct probe *probes, size_t count);
/* The line of something that was tried without a process of its own. */
void tell(const char *outcome, const char *detail, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* The same by a system call's result, whose errno is still there. */
void tell_result(long result, const char *name, ...) __attribute__((format(printf, 2, 3)));
/* Held with an errno of our own choice: what was asked for did not happen, though no call failed. */
long held_as(int error);

void probe_calls(void);
void probe_files(void);
void probe_devices(void);
void probe_sockets(void);
void probe_mounts(void);
void probe_namespaces(void);
void probe_processes(void);
void probe_kernel(void);
void probe_cgroups(void);
void probe_terminal(void);
int attack_exe(void);
int attack_swap(const char *first, const char *second);
#endif
